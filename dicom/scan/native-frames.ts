// Native pixel data: how large a frame is, and how many of the declared ones are really there.
import type { NativePixels } from '../instance.js';

/** Image Pixel attributes of the top level, as far as they are usable numbers. */
export interface PixelGeometry {
  readonly rows: number | null;
  readonly columns: number | null;
  readonly samples: number | null;
  readonly bitsAllocated: number | null;
  readonly photometric: string | null;
  /** 1 when absent, null when it is not a positive integer: then as many as the bytes hold. */
  readonly frames: number | null;
}

export interface NativeLayout {
  readonly pixels: NativePixels | null;
  readonly complaint: string | null;
}

/** PS3.3 C.7.6.3.1.2: chroma of every second column (and row) is stored, so three samples take the room of these many sixths. */
function sixths(photometric: string | null): number {
  if (photometric === 'YBR_FULL_422' || photometric === 'YBR_PARTIAL_422') return 4;
  return photometric === 'YBR_PARTIAL_420' ? 3 : 6;
}

/**
 * The layout of `[start, end)`. Frames beyond the bytes that are there are left out, with a complaint. `bits` is of one sample when the element
 * says so itself (Float Pixel Data), else null.
 */
export function nativeLayout(start: number, end: number, geometry: PixelGeometry, bits: number | null): NativeLayout {
  const { rows, columns, frames } = geometry;
  const allocated = bits ?? geometry.bitsAllocated;
  const samples = geometry.samples ?? 1;
  if (end === start) {
    return rows === null && columns === null
      ? { pixels: null, complaint: null }
      : { pixels: null, complaint: 'pixel data without a byte' };
  }
  if (!rows || !columns || !allocated || samples < 1) {
    return { pixels: null, complaint: 'pixel data whose rows, columns or bits are missing or not numbers' };
  }
  const frameBits = (rows * columns * allocated * samples * sixths(geometry.photometric)) / 6;
  if (!Number.isSafeInteger(frameBits)) return { pixels: null, complaint: 'a frame size that cannot be' };
  const there = Math.floor(((end - start) * 8) / frameBits);
  if (frames === null) return { pixels: { kind: 'native', start, end, frames: there, frameBits }, complaint: null };
  const present = Math.min(frames, there);
  const expected = Math.ceil((frameBits * frames) / 8);
  const pixels: NativePixels = { kind: 'native', start, end, frames: present, frameBits };
  if (present < frames) return { pixels, complaint: 'pixel data shorter than its rows, columns and frames say' };
  // One pad byte makes an odd length even.
  const long = end - start > expected + (expected % 2);
  return { pixels, complaint: long ? 'pixel data longer than its rows, columns and frames say' : null };
}
