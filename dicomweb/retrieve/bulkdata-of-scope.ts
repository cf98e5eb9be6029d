// WADO-RS of all the bulk data, or all the pixel data, of a study, series or instance (PS3.18 10.4.1.1.5 and 10.4.1.1.6): one
// multipart answer, each part under the URI that the metadata has for it.
import type { InstanceRecord, Scope } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { drawBoundary, multipartStream, multipartType, type OutgoingPart } from '../answer/multipart-writer.js';
import { sendAnswer } from '../answer/send.js';
import type { Exchange } from '../exchange.js';
import { openScope } from '../instances/instance-parts.js';
import { findRecords, partialAnswer } from '../instances/instance-plan.js';
import { instanceLocation } from '../instances/locations.js';
import type { OpenInstance } from '../instances/open-instance.js';
import { type MediaRange, wantedItem } from '../negotiation/accept.js';
import { OCTETS } from '../negotiation/media-types.js';
import { HttpProblem } from '../problem.js';
import { type GivenValue, giveValue, PIXEL_PATHS } from './bulk-values.js';

export type Which = 'bulkdata' | 'pixeldata';

function pathsOf({ layout }: OpenInstance, which: Which): readonly string[] {
  const paths = layout.bulk.map(({ path }) => path);
  if (layout.pixels !== null && !paths.some((path) => PIXEL_PATHS.has(path))) paths.push('7FE00010');
  return which === 'bulkdata' ? paths : paths.filter((path) => PIXEL_PATHS.has(path));
}

/** The value as it will be sent; null when it cannot be given as asked. */
async function given(
  exchange: Exchange,
  instance: OpenInstance,
  path: string,
  ranges: readonly MediaRange[],
): Promise<GivenValue | null> {
  try {
    return await giveValue(exchange, instance, path, ranges);
  } catch (error) {
    if (error instanceof HttpProblem && error.status === 406) return null;
    throw error;
  }
}

interface Tally {
  readonly types: ReadonlySet<string>;
  /** Instances of which something cannot be given. */
  readonly omitted: number;
}

/** What there is to send, from the index alone: the status comes before the first byte. */
async function tally(
  exchange: Exchange,
  records: readonly InstanceRecord[],
  which: Which,
  ranges: readonly MediaRange[],
): Promise<Tally> {
  const types = new Set<string>();
  let omitted = 0;
  for (const record of records) {
    exchange.signal.throwIfAborted();
    const instance = await openScope(exchange.services.archive, record);
    let whole = true;
    for (const path of pathsOf(instance, which)) {
      const value = await given(exchange, instance, path, ranges);
      if (value === null) whole = false;
      else types.add(value.mediaType);
    }
    if (!whole) omitted++;
  }
  return { types, omitted };
}

async function* partsOf(
  exchange: Exchange,
  records: readonly InstanceRecord[],
  which: Which,
  ranges: readonly MediaRange[],
): AsyncGenerator<OutgoingPart, void, void> {
  const root = exchange.linkRoot;
  for (const record of records) {
    const instance = await openScope(exchange.services.archive, record);
    for (const path of pathsOf(instance, which)) {
      const value = await given(exchange, instance, path, ranges);
      if (value === null) continue;
      const location = `${instanceLocation(root, record)}/bulkdata/${path}`;
      for (const content of value.parts) yield { contentType: value.contentType, location, content };
    }
  }
}

/**
 * GET of all of it. 404 when nothing is live or nothing of it has such data, 406 when none of it can be given as asked, 413 above the
 * number of instances that are looked through at once.
 */
export async function retrieveAllBulkData(exchange: Exchange, scope: Scope, which: Which): Promise<void> {
  const ranges = exchange.accept.filter((range) => wantedItem(range).wrap !== 'single');
  const available = [`multipart/related; type="${OCTETS}"`, `multipart/related; type="${OCTETS}"; transfer-syntax=*`];
  if (ranges.length === 0) {
    throw new HttpProblem(406, 'the bulk data of a whole resource is only given as multipart/related', { available });
  }
  const { held } = await findRecords(exchange, scope);
  if (held === null) throw new ArchiveError('LIMIT', 'too many instances for one answer: ask series by series');
  const { types, omitted } = await tally(exchange, held, which, ranges);
  if (types.size === 0) {
    if (omitted === 0) throw new ArchiveError('NOT_FOUND', 'nothing of it has such data');
    throw new HttpProblem(406, 'none of it can be given as asked', { available });
  }
  const [only] = types;
  const boundary = drawBoundary(exchange.services.random);
  const { status, headers } = partialAnswer(omitted);
  await sendAnswer(exchange, {
    status,
    headers: {
      ...headers,
      'Content-Type': multipartType(types.size === 1 && only !== undefined ? only : OCTETS, boundary),
    },
    length: null,
    segments: multipartStream(partsOf(exchange, held, which, ranges), boundary),
  });
}
