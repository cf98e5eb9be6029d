import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ByteRange, InstanceLayout } from './instance.js';
import { alignBits, decodeLayout, encodeLayout, frameCount, frameRanges } from './layout.js';

const native = (frames: number, frameBits: number): InstanceLayout => ({
  deflated: false,
  pixels: { kind: 'native', start: 100, end: 100 + Math.ceil((frames * frameBits) / 8), frames, frameBits },
  bulk: [],
});

/** Fragments as they lie in a file: each behind an item header, a few with something between. */
const encapsulated = fc
  .tuple(
    fc.integer({ min: 8, max: 2 ** 40 }),
    fc.array(fc.array(fc.tuple(fc.nat(50), fc.nat(2 ** 32)), { minLength: 0, maxLength: 4 }), { maxLength: 20 }),
  )
  .map(([origin, frames]): InstanceLayout => {
    let at = origin;
    const placed = frames.map((frame) =>
      frame.map(([gap, length]): ByteRange => {
        const start = at + 8 + (gap > 45 ? gap : 0);
        at = start + length;
        return { start, end: at };
      }),
    );
    return { deflated: false, pixels: { kind: 'encapsulated', frames: placed }, bulk: [] };
  });

describe('instance layout', () => {
  it('comes back from its text, whatever the frames', () => {
    const bulk = fc.array(
      fc
        .record({ path: fc.string(), vr: fc.constantFrom('OW', 'UN'), start: fc.nat(), length: fc.nat() })
        .map(({ path, vr, start, length }) => ({ path, vr, start, end: start + length })),
    );
    fc.assert(
      fc.property(encapsulated, bulk, fc.boolean(), (layout, values, deflated) => {
        const whole: InstanceLayout = { ...layout, deflated, bulk: values };
        expect(decodeLayout(encodeLayout(whole))).toEqual(whole);
      }),
    );
  });

  it('is short for the usual instance', () => {
    expect(encodeLayout(native(1, 512 * 512 * 16)).length).toBeLessThan(40);
  });

  it.each([
    '',
    '{',
    'null',
    '7',
    '{"p":["x"]}',
    '{"p":["n",1,2]}',
    '{"p":["e",-1]}',
    '{"p":["e",1,[1]]}',
    '{"b":[1]}',
    '{"b":{}}',
  ])('calls %j corrupt', (text) => {
    expect(() => decodeLayout(text)).toThrow(expect.objectContaining({ code: 'CORRUPT' }) as Error);
  });

  it('gives whole-byte frames without a shift', () => {
    expect(frameRanges(native(3, 16), 3)).toEqual({ ranges: [{ start: 104, end: 106 }], bitOffset: 0, bits: 16 });
  });

  it('gives 1-bit frames that share a byte with their offset in it', () => {
    expect(frameRanges(native(3, 9), 2)).toEqual({ ranges: [{ start: 101, end: 103 }], bitOffset: 1, bits: 9 });
  });

  it.each([0, -1, 4, 1.5, Number.NaN])('has no frame %d of three', (frame) => {
    expect(() => frameRanges(native(3, 8), frame)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as Error);
  });

  it('has no frame at all without pixels', () => {
    const layout: InstanceLayout = { deflated: false, pixels: null, bulk: [] };
    expect(frameCount(layout)).toBe(0);
    expect(() => frameRanges(layout, 1)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as Error);
  });

  it('takes the bits of any frame out of packed ones', () => {
    const frames = fc
      .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 6 }))
      .chain(([bits, count]) =>
        fc.array(fc.array(fc.boolean(), { minLength: bits, maxLength: bits }), { minLength: count, maxLength: count }),
      );
    const pack = (bits: readonly boolean[]): Uint8Array => {
      const bytes = new Uint8Array(Math.ceil(bits.length / 8));
      for (const [at, bit] of bits.entries()) if (bit) bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (1 << (at & 7));
      return bytes;
    };
    fc.assert(
      fc.property(frames, (images) => {
        const packed = pack(images.flat());
        const layout = native(images.length, images[0]?.length ?? 0);
        for (const [at, image] of images.entries()) {
          const { ranges, bitOffset, bits } = frameRanges(layout, at + 1);
          const { start = 0, end = 0 } = ranges[0] ?? {};
          expect(alignBits(packed.subarray(start - 100, end - 100), bitOffset, bits ?? 0)).toEqual(pack(image));
        }
      }),
    );
  });
});
