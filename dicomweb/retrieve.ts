// WADO-RS of whole instances (PS3.18 10.4): a study, a series or one instance, byte for byte as it was stored.
// An instance is never re-encoded here: what cannot be given as asked is a 406 that says how it can be had.

import { EXPLICIT_LITTLE } from '../dicom/transfer-syntax.js';
import type { InstanceRecord, Scope } from '../tiering/archive/archive.js';
import { ArchiveError } from '../tiering/core/errors.js';
import { covers, type MediaRange, wantedItem } from './accept.js';
import type { Exchange } from './exchange.js';
import {
  drawBoundary,
  multipartLength,
  multipartStream,
  multipartType,
  type OutgoingPart,
} from './multipart-writer.js';
import { HttpProblem } from './problem.js';
import { instanceSegment } from './segments.js';
import { sendAnswer } from './send.js';
import { sendSinglePart } from './single-part.js';

const DICOM = 'application/dicom';

interface Found {
  readonly count: number;
  readonly syntaxes: ReadonlySet<string>;
  /** All of them, or null when there are too many to hold. */
  readonly held: readonly InstanceRecord[] | null;
}

async function find(exchange: Exchange, scope: Scope): Promise<Found> {
  const { archive, limits } = exchange.services;
  const { study, series, sop } = scope;
  if (series !== undefined && sop !== undefined) {
    const record = await archive.instance({ study, series, sop });
    return { count: 1, syntaxes: new Set([record.transferSyntax]), held: [record] };
  }
  const held: InstanceRecord[] = [];
  const syntaxes = new Set<string>();
  let count = 0;
  for await (const record of archive.instances(scope)) {
    exchange.signal.throwIfAborted();
    count++;
    syntaxes.add(record.transferSyntax);
    if (count <= limits.heldInstancesMax) held.push(record);
  }
  if (count === 0)
    throw new ArchiveError('NOT_FOUND', `this archive has no such ${series === undefined ? 'study' : 'series'}`);
  return { count, syntaxes, held: count <= limits.heldInstancesMax ? held : null };
}

/** PS3.18 8.7.3.5.2: no transfer syntax asked means Explicit VR Little Endian, `*` means as stored. */
export function givesAsStored(range: MediaRange, stored: string): boolean {
  if (range.syntaxes.length === 0) return stored === EXPLICIT_LITTLE;
  return range.syntaxes.includes('*') || range.syntaxes.includes(stored);
}

/** How to send it. 406, saying how it can be had, when no accepted range fits every instance. */
export function negotiateInstances(
  accept: readonly MediaRange[],
  found: Pick<Found, 'count' | 'syntaxes'>,
): 'multipart' | 'single' {
  let onlyMany = false;
  for (const range of accept) {
    const wanted = wantedItem(range);
    if (!covers(wanted.type, DICOM)) continue;
    if (![...found.syntaxes].every((stored) => givesAsStored(range, stored))) continue;
    if (wanted.wrap !== 'single') return 'multipart';
    if (found.count === 1) return 'single';
    onlyMany = true;
  }
  if (onlyMany)
    throw new HttpProblem(406, 'several instances are only given as multipart/related; type="application/dicom"');
  throw new HttpProblem(
    406,
    `stored as ${[...found.syntaxes].sort().join(', ')}: ask for multipart/related; type="application/dicom"; ` +
      'transfer-syntax=* to have it as it is stored (this version does not transcode)',
  );
}

export function instanceLocation(root: string, record: InstanceRecord): string {
  return `${root}/studies/${record.study}/series/${record.series}/instances/${record.sop}`;
}

function partOf(exchange: Exchange, record: InstanceRecord, root: string): OutgoingPart {
  return {
    contentType: `${DICOM};transfer-syntax=${record.transferSyntax}`,
    location: instanceLocation(root, record),
    content: [instanceSegment(exchange.services.archive, record, 0, record.end - record.start)],
  };
}

async function* partsOf(
  exchange: Exchange,
  records: Iterable<InstanceRecord> | AsyncIterable<InstanceRecord>,
  root: string,
): AsyncGenerator<OutgoingPart, void, void> {
  for await (const record of records) yield partOf(exchange, record, root);
}

/** GET of a study, series or instance. 404 when there is none, 406 by negotiation. */
export async function retrieveInstances(exchange: Exchange, scope: Scope): Promise<void> {
  const found = await find(exchange, scope);
  const wrap = negotiateInstances(exchange.accept, found);
  const root = exchange.linkRoot;
  const [first] = found.held ?? [];
  if (wrap === 'single' && first !== undefined) {
    const part = partOf(exchange, first, root);
    await sendSinglePart(exchange, {
      contentType: part.contentType,
      location: part.location,
      etag: `"${first.sha256}"`,
      segments: part.content,
      headers: { 'Content-Disposition': `attachment; filename="${first.sop}.dcm"` },
    });
    return;
  }
  const boundary = drawBoundary(exchange.services.random);
  await sendAnswer(exchange, {
    status: 200,
    headers: { 'Content-Type': multipartType(DICOM, boundary) },
    // Known lengths let a client show progress; a study too large to hold is read from the index once more.
    length:
      found.held === null
        ? null
        : multipartLength(
            found.held.map((record) => partOf(exchange, record, root)),
            boundary,
          ),
    segments: multipartStream(
      partsOf(exchange, found.held ?? exchange.services.archive.instances(scope), root),
      boundary,
    ),
  });
}
