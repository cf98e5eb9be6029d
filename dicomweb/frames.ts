// WADO-RS of frames (PS3.18 10.4.1.1.6): pixel data as it is stored, native or encapsulated. Native little endian frames are
// the same bytes in implicit and explicit VR, and labelled Explicit VR Little Endian.
import { frameRanges } from '../dicom/layout.js';
import { EXPLICIT_LITTLE, type TransferSyntax, transferSyntaxOf } from '../dicom/transfer-syntax.js';
import { ArchiveError } from '../tiering/core/errors.js';
import { covers, type MediaRange, wantedItem } from './accept.js';
import type { Exchange } from './exchange.js';
import { type OpenInstance, openInstance, partSegment } from './instance-parts.js';
import type { OutgoingPart } from './multipart-writer.js';
import { HttpProblem } from './problem.js';
import { instanceLocation } from './retrieve.js';
import { alignedSegment, type LazySegment, totalLength } from './segments.js';
import { sendMultipart } from './send-multipart.js';
import { sendSinglePart } from './single-part.js';

const OCTETS = 'application/octet-stream';

/** Older names that viewers still ask by. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['image/dicom+jpeg', 'image/jpeg'],
  ['image/dicom+jpeg-ls', 'image/jls'],
  ['image/x-jls', 'image/jls'],
  ['image/dicom+jp2', 'image/jp2'],
  ['image/j2c', 'image/jp2'],
  ['image/dicom+jpx', 'image/jpx'],
  ['image/dicom+rle', 'image/dicom-rle'],
  ['image/x-dicom-rle', 'image/dicom-rle'],
]);

export interface FrameChoice {
  readonly wrap: 'multipart' | 'single';
  readonly type: string;
  readonly syntax: string;
}

/** How a range's item would be labelled, or null when it cannot be given from what is stored. */
function choose(range: MediaRange, wanted: string, stored: TransferSyntax): Omit<FrameChoice, 'wrap'> | null {
  const asStored = range.syntaxes.includes('*') || range.syntaxes.includes(stored.uid);
  const type = ALIASES.get(wanted) ?? wanted;
  if (!stored.encapsulated && covers(type, OCTETS)) {
    const little = range.syntaxes.length === 0 || asStored || range.syntaxes.includes(EXPLICIT_LITTLE);
    if (!stored.bigEndian && little) return { type: OCTETS, syntax: EXPLICIT_LITTLE };
    // Big endian leaves only as big endian, and only when that was asked for.
    return asStored ? { type: OCTETS, syntax: stored.uid } : null;
  }
  if (covers(type, OCTETS) && asStored) return { type: OCTETS, syntax: stored.uid };
  // A compressed media type without a transfer syntax is taken as any of that type: each part is labelled with its own.
  // Anything at all without one still means Explicit VR Little Endian.
  const named = type !== '*/*' && covers(type, stored.mediaType) && stored.mediaType !== OCTETS;
  if (named && (asStored || range.syntaxes.length === 0)) return { type: stored.mediaType, syntax: stored.uid };
  return null;
}

/** Chooses by the Accept ranges, best first. 406, saying how the frames can be had, when none fits. */
export function negotiateFrames(accept: readonly MediaRange[], storedUid: string, count: number): FrameChoice {
  const stored = transferSyntaxOf(storedUid);
  if (stored === undefined)
    throw new ArchiveError('CORRUPT', `the index names the unknown transfer syntax ${storedUid}`);
  let onlyMany = false;
  for (const range of accept) {
    const wanted = wantedItem(range);
    const choice = choose(range, wanted.type, stored);
    if (choice === null) continue;
    if (wanted.wrap !== 'single') return { ...choice, wrap: 'multipart' };
    if (count === 1) return { ...choice, wrap: 'single' };
    onlyMany = true;
  }
  if (onlyMany) throw new HttpProblem(406, 'several frames are only given as multipart/related');
  throw new HttpProblem(
    406,
    `the frames are stored as ${stored.uid} (${stored.name}): ask for multipart/related; type="${OCTETS}"; transfer-syntax=*` +
      `${stored.encapsulated && stored.mediaType !== OCTETS ? ` or type="${stored.mediaType}"` : ''} (this version does not transcode)`,
  );
}

/** PS3.18 10.4.1.1.6: a comma-separated list of frame numbers from 1. */
export function parseFrameList(text: string, framesMax: number): readonly number[] {
  const frames = text.split(',').map((each) => (/^[1-9]\d{0,8}$/.test(each) ? Number(each) : 0));
  if (frames.length > framesMax) throw new ArchiveError('INVALID', `more than ${framesMax} frames in one request`);
  if (frames.includes(0))
    throw new ArchiveError('INVALID', 'the frame list is not numbers from 1, separated by commas');
  return frames;
}

function frameContent(exchange: Exchange, instance: OpenInstance, frame: number): readonly LazySegment[] {
  const { archive } = exchange.services;
  const { ranges, bitOffset, bits } = frameRanges(instance.layout, frame);
  const segments = ranges.map(({ start, end }) => partSegment(archive, instance, start, end));
  const [only] = segments;
  if (bits !== null && only !== undefined && (bitOffset !== 0 || bits % 8 !== 0)) {
    return [alignedSegment(only, bitOffset, bits)];
  }
  if (totalLength(segments) === 0) throw new ArchiveError('NOT_FOUND', `frame ${frame} has no bytes`);
  return segments;
}

/** GET of frames. 400 for a bad list, 404 for an instance or frame that is not there, 406 by negotiation. */
export async function retrieveFrames(exchange: Exchange): Promise<void> {
  const { limits } = exchange.services;
  const frames = parseFrameList(exchange.target.rest, limits.framesPerRequestMax);
  const instance = await openInstance(exchange);
  if (instance.layout.pixels === null)
    throw new ArchiveError('NOT_FOUND', 'the instance has no frames that can be told apart');
  const choice = negotiateFrames(exchange.accept, instance.record.transferSyntax, frames.length);
  const contentType = `${choice.type};transfer-syntax=${choice.syntax}`;
  const base = `${instanceLocation(exchange.linkRoot, instance.record)}/frames/`;
  const parts = frames.map(
    (frame): OutgoingPart => ({
      contentType,
      location: base + frame,
      content: frameContent(exchange, instance, frame),
    }),
  );
  const [only] = parts;
  if (choice.wrap === 'single' && only !== undefined) {
    await sendSinglePart(exchange, {
      contentType,
      location: only.location,
      etag: `"${instance.record.sha256}/f${frames.join()}"`,
      segments: only.content,
    });
    return;
  }
  await sendMultipart(exchange, choice.type, parts);
}
