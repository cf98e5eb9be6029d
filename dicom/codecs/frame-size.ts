// How many bytes a native frame has, and how many it may have: asked before anything is decoded.
import { ArchiveError } from '../../tiering/core/errors.js';
import { corruptFrame } from './codec-error.js';
import type { Frame, PixelDescription } from './frame.js';

const MiB = 1024 * 1024;

/** Decoded or encoded: a mammogram has 27 MiB, a picture of 16,384 x 16,384 samples of 8 bits 256. wasm codecs need about four times as much. */
export const FRAME_BYTES_MAX = 256 * MiB;

/** PS3.3 C.7.6.3.1.2: one chroma pair for two pixels in a row, so a pixel takes two samples. */
export function isSubsampled(pixels: PixelDescription): boolean {
  return pixels.photometric === 'YBR_FULL_422' || pixels.photometric === 'YBR_PARTIAL_422';
}

/** Bytes of one native frame; the last byte of a 1-bit frame may be partly used. */
export function frameBytes(pixels: PixelDescription): number {
  const samples = isSubsampled(pixels) ? 2 : pixels.samplesPerPixel;
  return Math.ceil((pixels.rows * pixels.columns * samples * pixels.bitsAllocated) / 8);
}

/** LIMIT when the frame is, or would become, too large. Costs nothing: a bomb is refused by its description. */
export function assertFrameSize(frame: Frame): void {
  // Codecs give all three samples, whatever a native frame of this photometric interpretation would leave out.
  const decoded = frameBytes({ ...frame.pixels, photometric: '' });
  if (decoded > FRAME_BYTES_MAX || frame.bytes.length > FRAME_BYTES_MAX) {
    throw new ArchiveError(
      'LIMIT',
      `a frame of more than ${FRAME_BYTES_MAX / MiB} MiB is not decoded; retrieve it as stored`,
    );
  }
}

/** Exactly the bytes of one native frame; one or more pad bytes behind it are left out. CORRUPT when there are fewer. */
export function exactFrame(bytes: Uint8Array, pixels: PixelDescription): Uint8Array {
  const expected = frameBytes(pixels);
  if (bytes.length < expected) throw corruptFrame(`it has ${bytes.length} bytes, its description asks for ${expected}`);
  return bytes.length === expected ? bytes : bytes.subarray(0, expected);
}
