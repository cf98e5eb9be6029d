// WADO-RS of bulk data (PS3.18 10.4.1.1.5): single values that the metadata names by BulkDataURI, nested ones by the path
// `tag/item/tag`. One range of bytes is served, so that video can be sought in.
import type { ByteRange, InstanceLayout } from '../dicom/instance.js';
import { type TransferSyntax, transferSyntaxOf } from '../dicom/transfer-syntax.js';
import { ArchiveError } from '../tiering/core/errors.js';
import { covers, type MediaRange, wantedItem } from './accept.js';
import type { Exchange } from './exchange.js';
import { openInstance, partSegment } from './instance-parts.js';
import { HttpProblem } from './problem.js';
import { instanceLocation } from './retrieve.js';
import { sendMultipart } from './send-multipart.js';
import { sendSinglePart } from './single-part.js';

const OCTETS = 'application/octet-stream';
const PIXEL_DATA = '7FE00010';
const PATH = /^[0-9A-F]{8}(\/\d{1,7}\/[0-9A-F]{8}){0,64}$/;
/** Values of one byte each: the same in either byte order. */
const BYTE_VRS: ReadonlySet<string> = new Set(['OB', 'UN', 'UC', 'UT', 'UR', 'LT', 'ST', 'DS', 'IS']);

interface Value {
  /** One for each part: a single value, or the frames of compressed pixel data (PS3.18 8.7.3.3.2). */
  readonly parts: readonly (readonly ByteRange[])[];
  readonly mediaType: string;
  readonly syntax: string | null;
}

/** Compressed pixel data of the top level; null for anything else. */
function compressedPixels(layout: InstanceLayout, path: string, stored: TransferSyntax): Value | null {
  if (path !== PIXEL_DATA || !stored.encapsulated) return null;
  if (layout.pixels?.kind !== 'encapsulated') {
    throw new ArchiveError('NOT_FOUND', 'the fragments cannot be told apart into frames: retrieve the instance');
  }
  return { parts: layout.pixels.frames, mediaType: stored.mediaType, syntax: stored.uid };
}

function findValue(layout: InstanceLayout, path: string, storedUid: string): Value {
  const stored = transferSyntaxOf(storedUid);
  if (stored === undefined)
    throw new ArchiveError('CORRUPT', `the index names the unknown transfer syntax ${storedUid}`);
  const compressed = compressedPixels(layout, path, stored);
  if (compressed !== null) return compressed;
  const value = layout.bulk.find((each) => each.path === path);
  const native = layout.pixels?.kind === 'native' && path === PIXEL_DATA ? layout.pixels : undefined;
  const range = value ?? native;
  if (range === undefined) throw new ArchiveError('NOT_FOUND', 'the instance has no bulk data of that path');
  if (stored.bigEndian && !BYTE_VRS.has(value?.vr ?? 'OW')) {
    throw new HttpProblem(
      406,
      'the value is stored in big endian words, which bulk data never is: retrieve the instance',
    );
  }
  return { parts: [[range]], mediaType: OCTETS, syntax: null };
}

function negotiate(
  accept: readonly MediaRange[],
  value: Value,
): { readonly wrap: 'multipart' | 'single'; readonly type: string } {
  for (const range of accept) {
    const wanted = wantedItem(range);
    const fits =
      value.syntax === null ||
      range.syntaxes.length === 0 ||
      range.syntaxes.some((uid) => uid === '*' || uid === value.syntax);
    if (!fits) continue;
    const many = value.parts.length > 1;
    if (many && wanted.wrap === 'single') continue;
    const wrap = many || wanted.wrap === 'multipart' ? 'multipart' : 'single';
    if (covers(wanted.type, value.mediaType)) return { wrap, type: value.mediaType };
    if (covers(wanted.type, OCTETS)) return { wrap, type: OCTETS };
  }
  throw new HttpProblem(
    406,
    `the value can be had as ${value.mediaType}${value.mediaType === OCTETS ? '' : ` or ${OCTETS}`}` +
      (value.parts.length > 1 ? ', in multipart/related' : ''),
  );
}

/** GET of one bulk value. 400 for a path that is none, 404 when the instance has no such value. */
export async function retrieveBulkData(exchange: Exchange): Promise<void> {
  const { archive } = exchange.services;
  const path = exchange.target.rest.toUpperCase();
  if (!PATH.test(path)) throw new ArchiveError('INVALID', 'a bulk data path is a tag, or tag/item/tag, in hexadecimal');
  const instance = await openInstance(exchange);
  const value = findValue(instance.layout, path, instance.record.transferSyntax);
  const choice = negotiate(exchange.accept, value);
  const contentType = value.syntax === null ? choice.type : `${choice.type};transfer-syntax=${value.syntax}`;
  const location = `${instanceLocation(exchange.linkRoot, instance.record)}/bulkdata/${path}`;
  const parts = value.parts.map((ranges) => ({
    contentType,
    location,
    content: ranges.map(({ start, end }) => partSegment(archive, instance, start, end)),
  }));
  if (choice.wrap === 'single') {
    const etag = `"${instance.record.sha256}/b${path}"`;
    await sendSinglePart(exchange, { contentType, location, etag, segments: parts.flatMap((part) => part.content) });
    return;
  }
  await sendMultipart(exchange, choice.type, parts);
}
