// What is said of pixels from metadata that modalities wrote: missing, odd, and impossible.
import { describe, expect, it } from 'vitest';
import type { DicomJson } from '../json/json-object.js';
import { describePixels } from './describe.js';
import { FRAME_BYTES_MAX, frameBytes } from './frame-size.js';
import { decodeFrame } from './transcode.js';

const TAGS = {
  samples: '00280002',
  photometric: '00280004',
  planar: '00280006',
  rows: '00280010',
  columns: '00280011',
  allocated: '00280100',
  stored: '00280101',
  high: '00280102',
  signed: '00280103',
} as const;

function json(values: Partial<Record<keyof typeof TAGS, unknown>>, pixels: DicomJson = {}): DicomJson {
  const entries = Object.entries({ rows: 4, columns: 6, allocated: 16, ...values });
  const elements = entries.map(([name, value]) => [TAGS[name as keyof typeof TAGS], { vr: 'US', Value: [value] }]);
  return { ...Object.fromEntries(elements), ...pixels } as DicomJson;
}

describe('describePixels', () => {
  it('takes what is there, and the usual for what is not', () => {
    expect(describePixels(json({}, { '7FE00010': { vr: 'OW' } }))).toEqual({
      rows: 4,
      columns: 6,
      samplesPerPixel: 1,
      bitsAllocated: 16,
      bitsStored: 16,
      highBit: 15,
      signed: false,
      planar: false,
      photometric: 'MONOCHROME2',
      numbers: 'integer',
      words: true,
    });
    const signed = describePixels(json({ stored: 12, high: 11, signed: 1, photometric: 'MONOCHROME1' }));
    expect(signed).toMatchObject({
      bitsStored: 12,
      highBit: 11,
      signed: true,
      photometric: 'MONOCHROME1',
      words: false,
    });
    const colour = describePixels(json({ samples: 3, allocated: 8, planar: 1 }));
    expect(colour).toMatchObject({ samplesPerPixel: 3, planar: true, photometric: 'RGB' });
  });

  it('knows Float and Double Float Pixel Data by their elements', () => {
    const single = describePixels(json({ allocated: 32 }, { '7FE00008': { vr: 'OF' } }));
    expect(single).toMatchObject({ numbers: 'float', bitsAllocated: 32, bitsStored: 32 });
    const double = describePixels(json({ allocated: 64 }, { '7FE00009': { vr: 'OD' } }));
    expect([double.numbers, frameBytes(double)]).toEqual(['float', 4 * 6 * 8]);
  });

  it.each([
    ['no Rows', { rows: undefined }, 'NOT_FOUND'],
    ['no Bits Allocated', { allocated: undefined }, 'NOT_FOUND'],
    ['no column', { columns: 0 }, 'CORRUPT'],
    ['a negative row', { rows: -1 }, 'CORRUPT'],
    ['half a row', { rows: 1.5 }, 'CORRUPT'],
    ['more rows than US holds', { rows: 65_536 }, 'CORRUPT'],
    ['a thousand samples', { samples: 1000 }, 'CORRUPT'],
    ['12 bits allocated', { allocated: 12 }, 'NOT_SUPPORTED'],
  ] as const)('refuses %s', (_, values, code) => {
    expect(() => describePixels(json(values))).toThrow(expect.objectContaining({ code }));
  });

  it('reads bits that cannot be as if they were not there', () => {
    expect(describePixels(json({ stored: 20, high: 40 }))).toMatchObject({ bitsStored: 16, highBit: 15 });
    expect(describePixels(json({ stored: 12, high: 3 }))).toMatchObject({ bitsStored: 12, highBit: 11 });
  });

  it('a frame too large for decoding is refused before anything is made of it', async () => {
    const pixels = describePixels(json({ rows: 65_535, columns: 65_535, samples: 4, allocated: 64 }));
    expect(Number.isSafeInteger(frameBytes(pixels))).toBe(true);
    expect(frameBytes(pixels)).toBeGreaterThan(FRAME_BYTES_MAX);
    const frame = { syntax: '1.2.840.10008.1.2.5', pixels, bytes: new Uint8Array(64) };
    await expect(decodeFrame(frame)).rejects.toMatchObject({ code: 'LIMIT' });
  });
});
