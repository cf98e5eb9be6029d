import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Frame, PixelDescription } from '../codecs/frame.js';
import { EXPLICIT_LITTLE } from '../transfer-syntax.js';
import { pictureOf } from './picture.js';
import { storedValue } from './samples.js';
import type { Look, LookUpTable } from './types.js';

const PLAIN: Look = { modality: null, voi: null, palette: null, inverse: false, padding: null, aspect: 1 };
const EXACT = { center: 127.5, width: 255, shape: 'LINEAR_EXACT' } as const;

function frame(values: ArrayBufferView, pixels: Partial<PixelDescription>): Frame {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bitsAllocated = pixels.bitsAllocated ?? 16;
  const bitsStored = pixels.bitsStored ?? bitsAllocated;
  return {
    syntax: EXPLICIT_LITTLE,
    bytes,
    pixels: {
      rows: 1,
      columns: 4,
      samplesPerPixel: 1,
      bitsAllocated,
      bitsStored,
      highBit: bitsStored - 1,
      signed: false,
      planar: false,
      photometric: 'MONOCHROME2',
      numbers: 'integer',
      words: bitsAllocated > 8,
      ...pixels,
    },
  };
}

const shown = (of: Frame, look: Partial<Look> = {}) => [...pictureOf(of, { ...PLAIN, ...look }).data];

describe('stored values (PS3.5 8.1.1)', () => {
  const meaning = (word: number, bitsStored: number, highBit: number, signed: boolean) =>
    storedValue({ ...frame(new Uint16Array(4), {}).pixels, bitsStored, highBit, signed })(word);

  it('drops the bits beside the stored ones and reads the sign', () => {
    expect(meaning(0xf123, 12, 11, false)).toBe(0x123);
    expect(meaning(0x0fff, 12, 11, true)).toBe(-1);
    expect(meaning(0x1234, 12, 15, false)).toBe(0x123);
    expect(meaning(0x8000, 16, 15, true)).toBe(-32_768);
    expect(meaning(0xffff_ffff, 32, 31, true)).toBe(-1);
    expect(meaning(0xffff_ffff, 32, 31, false)).toBe(4_294_967_295);
  });

  it('gives back any value that was stored so', () => {
    const any = fc.record({
      bits: fc.integer({ min: 2, max: 16 }),
      signed: fc.boolean(),
      noise: fc.nat(0xffff),
      at: fc.nat(),
    });
    fc.assert(
      fc.property(any, ({ bits, signed, noise, at }) => {
        const value = (at % 2 ** bits) - (signed ? 2 ** (bits - 1) : 0);
        const mask = 2 ** bits - 1;
        const word = ((value & mask) | (noise & ~mask)) & 0xffff;
        expect(meaning(word, bits, bits - 1, signed)).toBe(value);
      }),
    );
  });
});

describe('grey', () => {
  it('rescale, window, presentation by hand', () => {
    const ct = frame(Uint16Array.of(0, 1024, 1064, 3000), {});
    const look = {
      modality: { slope: 1, intercept: -1024 },
      voi: { center: 40, width: 400, shape: 'LINEAR' },
    } as const;
    // x = -1024, 0, 40, 1976: low edge 39.5 - 199.5 = -160, high 239; ((0 - 39.5)/399 + 0.5) * 255 = 102.26, ((40 - 39.5)/399 + 0.5) * 255 = 127.82.
    expect(shown(ct, look)).toEqual([0, 102, 128, 255]);
    expect(shown(frame(Uint16Array.of(0, 1024, 1064, 3000), { photometric: 'MONOCHROME1' }), look)).toEqual([
      255, 153, 127, 0,
    ]);
    expect(shown(ct, { ...look, inverse: true })).toEqual([255, 153, 127, 0]);
  });

  it('turns MONOCHROME1 over once, whatever its presentation shape says too', () => {
    const dx = frame(Uint8Array.of(0, 100, 200, 255), { bitsAllocated: 8, photometric: 'MONOCHROME1' });
    expect(shown(dx, { voi: EXACT, inverse: true })).toEqual([255, 155, 55, 0]);
  });

  it('stretches a frame without a window, padding left out and black', () => {
    const padded = frame(Int16Array.of(-2000, 0, 50, 100), { signed: true });
    expect(shown(padded, { padding: { from: -2000, to: -2000 } })).toEqual([0, 0, 128, 255]);
    expect(
      shown(frame(Int16Array.of(-2000, 0, 50, 100), { signed: true, photometric: 'MONOCHROME1' }), {
        padding: { from: -2000, to: -1000 },
      }),
    ).toEqual([0, 255, 127, 0]);
    expect(shown(frame(Uint16Array.of(7, 7, 7, 7), {}))).toEqual([0, 0, 0, 0]);
  });

  it('1 bit, least significant bit first; 32 bits; floats', () => {
    const bit = { center: 0.5, width: 1, shape: 'LINEAR_EXACT' } as const;
    expect(shown(frame(Uint8Array.of(0b0101), { bitsAllocated: 1 }), { voi: bit })).toEqual([255, 0, 255, 0]);
    expect(shown(frame(Uint32Array.of(0, 1_000_000, 2_000_000, 4_000_000_000), { bitsAllocated: 32 }))).toEqual([
      0, 0, 0, 255,
    ]);
    expect(shown(frame(Int32Array.of(-4, 0, 4, 12), { bitsAllocated: 32, signed: true }))).toEqual([0, 64, 128, 255]);
    expect(shown(frame(Float32Array.of(-1, Number.NaN, 0, 1), { bitsAllocated: 32, numbers: 'float' }))).toEqual([
      0, 0, 128, 255,
    ]);
    expect(
      shown(frame(Float64Array.of(-1, 0, 1, Number.POSITIVE_INFINITY), { bitsAllocated: 64, numbers: 'float' })),
    ).toEqual([0, 128, 255, 255]);
  });

  it('reads a frame that begins at an odd byte', () => {
    const bytes = new Uint8Array(9);
    bytes.set(new Uint8Array(Uint16Array.of(0, 100, 200, 200).buffer), 1);
    expect(shown(frame(bytes.subarray(1), {}))).toEqual([0, 128, 255, 255]);
  });

  it('a table over all words is what each pixel alone would be', () => {
    const any = fc.record({
      values: fc.uint16Array({ minLength: 4, maxLength: 4 }),
      signed: fc.boolean(),
      center: fc.integer({ min: -2000, max: 2000 }),
      width: fc.integer({ min: 1, max: 4000 }),
    });
    fc.assert(
      fc.property(any, ({ values, signed, center, width }) => {
        const look = { modality: { slope: 2, intercept: -10 }, voi: { center, width, shape: 'LINEAR' } } as const;
        const wide = Uint32Array.from(values, (value) => (signed && value > 32_767 ? value - 65_536 : value) >>> 0);
        const narrow = shown(frame(Uint16Array.from(values), { signed }), look);
        expect(narrow).toEqual(shown(frame(wide, { bitsAllocated: 32, signed }), look));
      }),
      { numRuns: 20 },
    );
  });
});

describe('colour', () => {
  const rgb = (values: ArrayBufferView, pixels: Partial<PixelDescription>) =>
    shown(frame(values, { columns: 2, samplesPerPixel: 3, bitsAllocated: 8, photometric: 'RGB', ...pixels }));

  it('RGB interleaved and planar, 8 and 16 bit', () => {
    expect(rgb(Uint8Array.of(1, 2, 3, 4, 5, 6), {})).toEqual([1, 2, 3, 4, 5, 6]);
    expect(rgb(Uint8Array.of(1, 4, 2, 5, 3, 6), { planar: true })).toEqual([1, 2, 3, 4, 5, 6]);
    expect(rgb(Uint16Array.of(0, 32_768, 65_535, 257, 514, 771), { bitsAllocated: 16 })).toEqual([
      0, 128, 255, 1, 2, 3,
    ]);
  });

  it('YBR_FULL, YBR_FULL_422 and YBR_PARTIAL_422 by CCIR 601', () => {
    // Pure red of 255: Y = 76.245, Cb = 128 - 0.168736 * 255 = 84.97, Cr = 255.5 -> 255.
    const [r = 0, g = 0, b = 0] = rgb(Uint8Array.of(76, 85, 255, 128, 128, 128), { photometric: 'YBR_FULL' });
    expect([r, g, b].map((value, at) => Math.abs(value - (at === 0 ? 254 : 0)))).toEqual([0, 0, 0]);
    expect(rgb(Uint8Array.of(50, 200, 128, 128), { photometric: 'YBR_FULL_422' })).toEqual([50, 50, 50, 200, 200, 200]);
    expect(rgb(Uint8Array.of(16, 235, 128, 128), { photometric: 'YBR_PARTIAL_422' })).toEqual([0, 0, 0, 255, 255, 255]);
  });

  const table = (first: number, bits: number, ...entries: number[]): LookUpTable => ({
    first,
    bits,
    entries: Uint16Array.from(entries),
  });

  it('palettes of 16 and 8 bits, and values beside them', () => {
    const indexed = frame(Uint8Array.of(0, 1, 2, 200), { bitsAllocated: 8, photometric: 'PALETTE COLOR' });
    const wide = table(1, 16, 0x1200, 0x34ff);
    expect(shown(indexed, { palette: [wide, table(1, 8, 5, 6), table(1, 16, 0, 0xffff)] })).toEqual([
      0x12, 5, 0, 0x12, 5, 0, 0x34, 6, 255, 0x34, 6, 255,
    ]);
  });

  it('grey below a supplemental palette, colour from its first value on', () => {
    const mixed = frame(Uint8Array.of(0, 99, 100, 101), { bitsAllocated: 8 });
    const palette = [table(100, 8, 255, 254), table(100, 8, 1, 2), table(100, 8, 3, 4)] as const;
    expect(shown(mixed, { palette, voi: EXACT })).toEqual([0, 0, 0, 99, 99, 99, 255, 1, 3, 254, 2, 4]);
  });
});

describe('what is refused', () => {
  const code = (pixels: Partial<PixelDescription>, bytes = new Uint8Array(64)) => {
    try {
      pictureOf(frame(bytes, pixels), PLAIN);
      return 'shown';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  it.each([
    [{ photometric: 'ARGB', samplesPerPixel: 4, bitsAllocated: 8 }, 'NOT_SUPPORTED'],
    [{ photometric: 'CMYK', samplesPerPixel: 4, bitsAllocated: 8 }, 'NOT_SUPPORTED'],
    [{ photometric: 'HSV', samplesPerPixel: 3, bitsAllocated: 8 }, 'NOT_SUPPORTED'],
    [{ photometric: 'PALETTE COLOR', bitsAllocated: 8 }, 'NOT_SUPPORTED'],
    [{ photometric: 'MONOCHROME2', samplesPerPixel: 3, bitsAllocated: 8 }, 'NOT_SUPPORTED'],
    [{ photometric: 'YBR_FULL_422', samplesPerPixel: 3, bitsAllocated: 8, columns: 3 }, 'NOT_SUPPORTED'],
    [{ bitsAllocated: 12, bitsStored: 12, highBit: 11 }, 'NOT_SUPPORTED'],
    [{ bitsAllocated: 16, bitsStored: 17, highBit: 16 }, 'CORRUPT'],
    [{ bitsAllocated: 16, bitsStored: 12, highBit: 3 }, 'CORRUPT'],
    [{ rows: 100, columns: 100 }, 'CORRUPT'],
    [{ rows: 65_535, columns: 65_535 }, 'LIMIT'],
    [{ rows: 0 }, 'CORRUPT'],
  ])('%j is %s', (pixels, expected) => {
    expect(code(pixels)).toBe(expected);
  });
});
