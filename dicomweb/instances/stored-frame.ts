// One whole frame of an open instance as a value: for codecs and renderers, which need all of it. What is only passed on goes
// by segments and is never held.
import type { Frame, PixelDescription } from '../../dicom/codecs/frame.js';
import type { ByteRange } from '../../dicom/instance.js';
import { alignBits, frameRanges } from '../../dicom/layout.js';
import { EXPLICIT_BIG } from '../../dicom/transfer-syntax.js';
import type { ImageArchive } from '../../tiering/archive/archive.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { partSegment } from './instance-parts.js';
import type { OpenInstance } from './open-instance.js';

const MiB = 1024 * 1024;
/** A mammogram is 50 MiB native, the largest tomosynthesis slices and radiographs below 100. */
const FRAME_BYTES_MAX = 256 * MiB;

/** Bytes that `storedFrame` will hold for the frame (from 1). NOT_FOUND for one that is not there, LIMIT for one too large. */
export function storedFrameBytes(instance: OpenInstance, frame: number): number {
  let length = 0;
  for (const { start, end } of frameRanges(instance.layout, frame).ranges) length += end - start;
  if (length === 0) throw new ArchiveError('NOT_FOUND', `frame ${frame} has no bytes`);
  if (length > FRAME_BYTES_MAX) {
    throw new ArchiveError(
      'LIMIT',
      `frame ${frame} has ${length} bytes, more than the ${FRAME_BYTES_MAX} that are decoded`,
    );
  }
  return length;
}

/**
 * Frame `frame` (from 1) in one buffer of its own, which the caller may give away. `pixels` is the description of the instance
 * (dicom/codecs/describe.ts). Errors as `storedFrameBytes` and ImageArchive.read say.
 */
export async function storedFrame(
  archive: ImageArchive,
  instance: OpenInstance,
  pixels: PixelDescription,
  frame: number,
  signal: AbortSignal,
): Promise<Frame> {
  const { ranges, bitOffset, bits } = frameRanges(instance.layout, frame);
  const [first] = ranges;
  if (first !== undefined && sharesWords(instance, pixels, first)) {
    return wordsApart(archive, instance, pixels, first, signal);
  }
  const whole = await joined(archive, instance, ranges, storedFrameBytes(instance, frame), signal);
  const bytes = bits === null ? whole : alignBits(whole, bitOffset, bits);
  return { syntax: instance.record.transferSyntax, pixels, bytes };
}

/** The ranges one after the other in a buffer of `length` bytes. */
async function joined(
  archive: ImageArchive,
  instance: OpenInstance,
  ranges: readonly ByteRange[],
  length: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const { start, end } of ranges) {
    for await (const piece of partSegment(archive, instance, start, end).open(0, end - start, signal)) {
      if (at + piece.length > whole.length) throw new ArchiveError('CORRUPT', 'a stored range came back too long');
      whole.set(piece, at);
      at += piece.length;
    }
  }
  if (at !== whole.length) throw new ArchiveError('CORRUPT', 'a stored range came back shorter than the index says');
  return whole;
}

/** Big endian OW of 8-bit samples lies swapped by pairs (PS3.5 7.3), and frames of an odd length share a pair with their neighbour. */
function sharesWords({ record, layout }: OpenInstance, pixels: PixelDescription, { start, end }: ByteRange): boolean {
  if (record.transferSyntax !== EXPLICIT_BIG || pixels.words !== true || pixels.bitsAllocated !== 8) return false;
  return layout.pixels?.kind === 'native' && ((start - layout.pixels.start) % 2 !== 0 || (end - start) % 2 !== 0);
}

/** Such a frame with its bytes in their own order: the pairs that it lies in, turned, and what is the neighbours' cut off. */
async function wordsApart(
  archive: ImageArchive,
  instance: OpenInstance,
  pixels: PixelDescription,
  { start, end }: ByteRange,
  signal: AbortSignal,
): Promise<Frame> {
  const value = instance.layout.pixels?.kind === 'native' ? instance.layout.pixels.start : start;
  const from = start - ((start - value) % 2);
  const to = end + ((end - value) % 2);
  const { buffer, byteOffset, length } = await joined(archive, instance, [{ start: from, end: to }], to - from, signal);
  const pairs = Buffer.from(buffer, byteOffset, length);
  const bytes = Uint8Array.from(pairs.swap16().subarray(start - from, end - from));
  return { syntax: instance.record.transferSyntax, pixels: { ...pixels, words: false }, bytes };
}
