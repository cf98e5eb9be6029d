// One whole frame of an open instance as a value: for codecs and renderers, which need all of it. What is only passed on goes
// by segments and is never held.
import type { Frame, PixelDescription } from '../dicom/codecs/frame.js';
import { alignBits, frameRanges } from '../dicom/layout.js';
import type { ImageArchive } from '../tiering/archive/archive.js';
import { ArchiveError } from '../tiering/core/errors.js';
import { type OpenInstance, partSegment } from './instance-parts.js';

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
  const whole = new Uint8Array(storedFrameBytes(instance, frame));
  let at = 0;
  for (const { start, end } of ranges) {
    for await (const piece of partSegment(archive, instance, start, end).open(0, end - start, signal)) {
      if (at + piece.length > whole.length) throw new ArchiveError('CORRUPT', 'a stored range came back too long');
      whole.set(piece, at);
      at += piece.length;
    }
  }
  if (at !== whole.length) throw new ArchiveError('CORRUPT', 'a stored range came back shorter than the index says');
  const bytes = bits === null ? whole : alignBits(whole, bitOffset, bits);
  return { syntax: instance.record.transferSyntax, pixels, bytes };
}
