// WADO-RS of frames (PS3.18 10.4.1.1.6): as they are stored, byte for byte and never held whole, or transcoded one by one.
import { describePixels } from '../../dicom/codecs/describe.js';
import { frameRanges } from '../../dicom/layout.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { OutgoingPart } from '../answer/multipart-writer.js';
import { alignedSegment, type LazySegment, type MadeSegment, type Segment, totalLength } from '../answer/segments.js';
import { sendMultipart } from '../answer/send-multipart.js';
import { sendSinglePart } from '../answer/single-part.js';
import type { Exchange } from '../exchange.js';
import { instanceJson } from '../instances/instance-json.js';
import { openInstance, partSegment } from '../instances/instance-parts.js';
import { instanceLocation } from '../instances/locations.js';
import type { OpenInstance } from '../instances/open-instance.js';
import { framesGiven, TranscodedFrames } from '../instances/transcoding.js';
import { storedLabel } from '../negotiation/media-types.js';
import { acceptable, negotiatePixels, storedSyntax } from '../negotiation/negotiation.js';

/** PS3.18 10.4.1.1.6: a comma-separated list of frame numbers from 1. */
export function parseFrameList(text: string, framesMax: number): readonly number[] {
  const frames = text.split(',').map((each) => (/^[1-9]\d{0,8}$/.test(each) ? Number(each) : 0));
  if (frames.length > framesMax) throw new ArchiveError('INVALID', `more than ${framesMax} frames in one request`);
  if (frames.includes(0))
    throw new ArchiveError('INVALID', 'the frame list is not numbers from 1, separated by commas');
  return frames;
}

function storedContent(exchange: Exchange, instance: OpenInstance, frame: number): readonly LazySegment[] {
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

/** Frames in another syntax, as segments that transcode when they are opened; NOT_FOUND at once for one that is not there. */
async function transcodedContents(
  exchange: Exchange,
  instance: OpenInstance,
  frames: readonly number[],
  syntax: string,
): Promise<readonly (readonly MadeSegment[])[]> {
  const { services, signal } = exchange;
  for (const frame of frames) frameRanges(instance.layout, frame);
  const pixels = describePixels(await instanceJson(services.archive, instance.record));
  const run = new TranscodedFrames(services, { instance, pixels, syntax, frames }, signal);
  return frames.map((_, index) => [
    {
      length: null,
      async *open() {
        const { frame, done } = await acceptable(run.take(index));
        try {
          yield frame.bytes;
        } finally {
          done();
          if (index === frames.length - 1) run.close();
        }
      },
    },
  ]);
}

/** The content of each of `frames` in the syntax that was chosen. NOT_FOUND for one that is not there. */
export async function frameContents(
  exchange: Exchange,
  instance: OpenInstance,
  frames: readonly number[],
  syntax: string,
): Promise<readonly (readonly Segment[])[]> {
  if (syntax !== storedLabel(storedSyntax(instance.record.transferSyntax)).syntax) {
    return transcodedContents(exchange, instance, frames, syntax);
  }
  return frames.map((frame) => storedContent(exchange, instance, frame));
}

/** What is made as it is sent, made now: a single part has a length, and ranges. */
export async function atHand(exchange: Exchange, segments: readonly Segment[]): Promise<readonly Segment[]> {
  if (exchange.isHead) return segments;
  const found: Segment[] = [];
  for (const segment of segments) {
    if (segment.length !== null) found.push(segment);
    else for await (const piece of segment.open(exchange.signal)) found.push(piece);
  }
  return found;
}

/** GET of frames. 400 for a bad list, 404 for an instance or frame that is not there, 406 by negotiation. */
export async function retrieveFrames(exchange: Exchange): Promise<void> {
  const { services } = exchange;
  const frames = parseFrameList(exchange.target.rest, services.limits.framesPerRequestMax);
  const instance = await openInstance(exchange);
  if (instance.layout.pixels === null)
    throw new ArchiveError('NOT_FOUND', 'the instance has no frames that can be told apart');
  const stored = storedSyntax(instance.record.transferSyntax);
  const packaging = { count: () => frames.length, either: 'multipart' } as const;
  const choice = negotiatePixels(exchange.accept, stored, packaging, framesGiven(services, stored));
  const contents = await frameContents(exchange, instance, frames, choice.syntax);
  const contentType = `${choice.type};transfer-syntax=${choice.syntax}`;
  const base = `${instanceLocation(exchange.linkRoot, instance.record)}/frames/`;
  const parts = frames.map(
    (frame, index): OutgoingPart => ({ contentType, location: base + frame, content: contents[index] ?? [] }),
  );
  const version = `${instance.record.sha256}/f${frames.join()}`;
  const [only] = parts;
  if (choice.wrap === 'single' && only !== undefined) {
    const made = choice.syntax !== storedLabel(stored).syntax;
    await sendSinglePart(exchange, {
      contentType,
      location: only.location,
      etag: made ? `W/"${version}/${choice.syntax}"` : `"${version}"`,
      segments: () => atHand(exchange, only.content),
    });
    return;
  }
  await sendMultipart(exchange, choice.type, parts, `W/"${version}/${choice.type}/${choice.syntax}"`);
}
