// Native frames by hand: byte order, padding, packing.
import { describe, expect, it } from 'vitest';
import { describedAs } from '../../test/support/frames.js';
import { EXPLICIT_BIG, EXPLICIT_LITTLE } from '../transfer-syntax.js';
import type { Frame, PixelDescription } from './frame.js';
import { packedBits } from './native.js';
import { decodeFrame } from './transcode.js';

function big(bytes: readonly number[], pixels: Partial<PixelDescription>, columns = 4): Frame {
  return {
    syntax: EXPLICIT_BIG,
    pixels: { ...describedAs('u8', 1, columns), ...pixels },
    bytes: Uint8Array.from(bytes),
  };
}

async function little(frame: Frame): Promise<number[]> {
  const { syntax, bytes } = await decodeFrame(frame);
  expect(syntax).toBe(EXPLICIT_LITTLE);
  return [...bytes];
}

describe('big endian', () => {
  it('swaps words of OW whatever a sample has, and samples of everything else', async () => {
    const wide = { bitsAllocated: 16, bitsStored: 16, highBit: 15 };
    expect(await little(big([1, 2, 3, 4], {}))).toEqual([1, 2, 3, 4]);
    expect(await little(big([1, 2, 3, 4], { words: true }))).toEqual([2, 1, 4, 3]);
    expect(await little(big([1, 2, 3, 4], wide, 2))).toEqual([2, 1, 4, 3]);
    expect(await little(big([1, 2, 3, 4], { ...wide, words: true }, 2))).toEqual([2, 1, 4, 3]);
    const float = { bitsAllocated: 32, bitsStored: 32, highBit: 31, numbers: 'float' as const };
    expect(await little(big([1, 2, 3, 4], float, 1))).toEqual([4, 3, 2, 1]);
    const double = { ...float, bitsAllocated: 64, bitsStored: 64, highBit: 63 };
    expect(await little(big([1, 2, 3, 4, 5, 6, 7, 8], double, 1))).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it('leaves the stored bytes as they were', async () => {
    const frame = big([1, 2, 3, 4], { words: true });
    await little(frame);
    expect([...frame.bytes]).toEqual([1, 2, 3, 4]);
  });

  it('does not guess at samples that share words with another frame', async () => {
    await expect(decodeFrame(big([1, 2, 3], { words: true }, 3))).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    // With the pad behind it an odd frame is whole words.
    expect(await little(big([2, 1, 0, 3], { words: true }, 3))).toEqual([1, 2, 3]);
    const bits = { bitsAllocated: 1, bitsStored: 1, highBit: 0, words: true };
    await expect(decodeFrame(big([1, 2], bits, 12))).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    expect(await little(big([1, 2], bits, 16))).toEqual([2, 1]);
  });
});

describe('native frames', () => {
  it('are cut to their size, and refused when they are shorter', async () => {
    const frame = { ...big([1, 2, 3, 4, 0], {}), syntax: '1.2.840.10008.1.2.1.98' };
    expect(await little(frame)).toEqual([1, 2, 3, 4]);
    await expect(decodeFrame({ ...frame, bytes: Uint8Array.of(1, 2, 3) })).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  it('pack the first pixel into the lowest bit, and leave the rest of the last byte empty', () => {
    expect([...packedBits(Uint8Array.of(1, 0, 0, 255, 0, 0, 0, 1, 0, 1))]).toEqual([0b10001001, 0b10]);
  });
});
