// Frames for the tests of codecs: every kind of sample that they keep, filled from a seed.

import type { Frame, PixelDescription } from '../../dicom/codecs/frame.js';
import { Prng } from '../../dicom/phantom/prng.js';
import { EXPLICIT_LITTLE } from '../../dicom/transfer-syntax.js';

export type SampleKind = 'u8' | 'u12' | 'u16' | 's16' | 's12' | 'rgb8';
export const SAMPLE_KINDS: readonly SampleKind[] = ['u8', 'u12', 'u16', 's16', 's12', 'rgb8'];

/** The description of one image of a kind: `s12` is 12 signed bits in 16, the sign carried on. */
export function describedAs(kind: SampleKind, rows: number, columns: number): PixelDescription {
  const bitsStored = kind === 'u8' || kind === 'rgb8' ? 8 : kind === 'u12' || kind === 's12' ? 12 : 16;
  return {
    rows,
    columns,
    samplesPerPixel: kind === 'rgb8' ? 3 : 1,
    bitsAllocated: bitsStored === 8 ? 8 : 16,
    bitsStored,
    highBit: bitsStored - 1,
    signed: kind === 's16' || kind === 's12',
    planar: false,
    photometric: kind === 'rgb8' ? 'RGB' : 'MONOCHROME2',
    numbers: 'integer',
  };
}

/** A native frame: slopes with `noise` (0 to 1, of the whole range) on them, which touch both ends of the range. */
export function nativeFrame(kind: SampleKind, rows: number, columns: number, seed = 1, noise = 0.1): Frame {
  const pixels = describedAs(kind, rows, columns);
  const prng = new Prng(seed);
  const range = 2 ** pixels.bitsStored;
  const count = rows * columns * pixels.samplesPerPixel;
  const bytes = new Uint8Array((count * pixels.bitsAllocated) / 8);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < count; at += 1) {
    const slope = ((at % (columns * pixels.samplesPerPixel)) * range) / (columns * pixels.samplesPerPixel);
    const value = Math.round(slope + prng.noise(noise * range));
    const within = Math.max(0, Math.min(range - 1, value));
    const ends = at === 0 ? 0 : at === count - 1 ? range - 1 : within;
    const sample = pixels.signed ? ends - range / 2 : ends;
    if (pixels.bitsAllocated === 8) view.setUint8(at, sample);
    else view.setInt16(at * 2, sample, true);
  }
  return { syntax: EXPLICIT_LITTLE, pixels, bytes };
}
