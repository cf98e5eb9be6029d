// How many bits an encoder has to keep so that whole words come back, whatever Bits Stored says.
import type { Frame } from './frame.js';

/**
 * Bits Stored where every sample fits into it (signed ones with their sign carried on), else Bits Allocated: old overlays and
 * modalities leave marks in the bits above, and what is called lossless must bring them back.
 */
export function precisionOf({ bytes, pixels }: Frame): number {
  const { bitsAllocated, bitsStored, highBit, signed } = pixels;
  if (bitsStored >= bitsAllocated || highBit !== bitsStored - 1) return bitsAllocated;
  if (bitsAllocated === 8) {
    const samples = signed ? new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes;
    return fits(samples, bitsStored, signed) ? bitsStored : 8;
  }
  const samples = words(bytes, signed);
  return fits(samples, bitsStored, signed) ? bitsStored : bitsAllocated;
}

function words(bytes: Uint8Array, signed: boolean): Uint16Array | Int16Array {
  // Typed arrays ask for even offsets.
  const even = bytes.byteOffset % 2 === 0 ? bytes : Uint8Array.from(bytes);
  const { buffer, byteOffset, length } = even;
  return signed ? new Int16Array(buffer, byteOffset, length >> 1) : new Uint16Array(buffer, byteOffset, length >> 1);
}

function fits(samples: ArrayLike<number>, bits: number, signed: boolean): boolean {
  const max = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const min = signed ? -(2 ** (bits - 1)) : 0;
  for (let at = 0; at < samples.length; at += 1) {
    const value = samples[at] as number;
    if (value > max || value < min) return false;
  }
  return true;
}
