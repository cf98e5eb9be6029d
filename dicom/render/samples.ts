// The samples of a native frame as numbers: views of its bytes where they can be, and what a stored word means (PS3.5 8.1.1).
import { endianness } from 'node:os';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { Frame, PixelDescription } from '../codecs/frame.js';

/** Integers as they are stored: bits above the high bit not yet cleared, two's complement not yet read. */
export type Words = Uint8Array | Uint16Array | Uint32Array;

/** A frame of 128 Mi pixels is a whole-slide level that nobody wants in one picture; in 8-bit colour it is 384 MiB of memory. */
const PIXELS_MAX = 128 * 1024 * 1024;

/** CORRUPT when the frame is shorter than it says, LIMIT when it is too large, NOT_SUPPORTED for sizes of samples that no one writes. */
export function checkFrame({ pixels, bytes }: Frame): void {
  const { rows, columns, bitsAllocated, bitsStored, highBit, samplesPerPixel } = pixels;
  const count = rows * columns;
  if (!Number.isInteger(rows) || !Number.isInteger(columns) || rows < 1 || columns < 1) {
    throw new ArchiveError('CORRUPT', 'an image without rows or columns');
  }
  if (count > PIXELS_MAX) throw new ArchiveError('LIMIT', `a frame of more than ${PIXELS_MAX} pixels is not rendered`);
  if (endianness() !== 'LE') throw new ArchiveError('NOT_SUPPORTED', 'rendering needs a little endian machine');
  if (pixels.numbers === 'integer') {
    if (![1, 8, 16, 32].includes(bitsAllocated)) {
      throw new ArchiveError('NOT_SUPPORTED', `samples of ${bitsAllocated} bits are not rendered`);
    }
    if (bitsStored < 1 || highBit >= bitsAllocated || highBit < bitsStored - 1) {
      throw new ArchiveError('CORRUPT', 'bits allocated, bits stored and high bit contradict each other');
    }
  } else if (bitsAllocated !== 32 && bitsAllocated !== 64) {
    throw new ArchiveError('NOT_SUPPORTED', `floats of ${bitsAllocated} bits are not rendered`);
  }
  const shared = pixels.photometric === 'YBR_FULL_422' || pixels.photometric === 'YBR_PARTIAL_422';
  const samples = shared ? 2 * count : samplesPerPixel * count;
  if (bytes.length < Math.ceil((samples * bitsAllocated) / 8)) {
    throw new ArchiveError('CORRUPT', 'the frame is shorter than its rows, columns and bits say');
  }
}

/** `bytes` where a typed array of `unit` bytes an element may begin. */
function aligned(bytes: Uint8Array, unit: number): Uint8Array {
  return bytes.byteOffset % unit === 0 ? bytes : Uint8Array.from(bytes);
}

export function words({ pixels, bytes }: Frame, count: number): Words {
  switch (pixels.bitsAllocated) {
    case 1: {
      // PS3.5 8.2: the first pixel is the least significant bit.
      const bits = new Uint8Array(count);
      for (let at = 0; at < count; at++) bits[at] = ((bytes[at >> 3] ?? 0) >> (at & 7)) & 1;
      return bits;
    }
    case 8:
      return bytes.subarray(0, count);
    case 16: {
      const source = aligned(bytes, 2);
      return new Uint16Array(source.buffer, source.byteOffset, count);
    }
    default: {
      const source = aligned(bytes, 4);
      return new Uint32Array(source.buffer, source.byteOffset, count);
    }
  }
}

export function floats({ pixels, bytes }: Frame, count: number): Float32Array | Float64Array {
  const unit = pixels.bitsAllocated / 8;
  const source = aligned(bytes, unit);
  return unit === 8
    ? new Float64Array(source.buffer, source.byteOffset, count)
    : new Float32Array(source.buffer, source.byteOffset, count);
}

/** From a stored word to the value that it means: the bits below and above the stored ones dropped, the sign read. */
export function storedValue({ bitsStored, highBit, signed }: PixelDescription): (word: number) => number {
  const shift = highBit + 1 - bitsStored;
  const range = 2 ** bitsStored;
  const half = signed ? range / 2 : range;
  return (word) => {
    const value = bitsStored === 32 ? word : (word >>> shift) % range;
    return value >= half ? value - range : value;
  };
}
