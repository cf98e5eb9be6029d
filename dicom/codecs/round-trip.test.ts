// Every lossless encoding gives back every bit of every kind of sample, and says what its bytes mean.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describedAs, nativeFrame, SAMPLE_KINDS, type SampleKind } from '../../test/support/frames.js';
import { EXPLICIT_LITTLE, JPEG_2000_LOSSLESS, JPEG_BASELINE } from '../transfer-syntax.js';
import { CODECS } from './codec-table.js';
import type { Frame } from './frame.js';
import { transcode } from './transcode.js';

const LOSSLESS = CODECS.filter((row) => row.encodes && row.lossless && row.syntax !== EXPLICIT_LITTLE);
const seed = Number(process.env['FC_SEED'] ?? Date.now() & 0x7fffffff);

/** There and back: the frame itself, in a syntax whose description is right for what is in it. */
async function roundTrip(frame: Frame, syntax: string): Promise<{ readonly encoded: Frame; readonly back: Frame }> {
  const encoded = await transcode(frame, syntax);
  return { encoded, back: await transcode(encoded, EXPLICIT_LITTLE) };
}

async function expectRoundTrip(frame: Frame, syntax: string): Promise<Frame> {
  const { encoded, back } = await roundTrip(frame, syntax);
  expect(encoded.syntax).toBe(syntax);
  expect(back.pixels).toEqual(frame.pixels);
  expect(Buffer.from(back.bytes).equals(frame.bytes)).toBe(true);
  return encoded;
}

describe.each(LOSSLESS.map((row) => [row.syntax, row.codec] as const))('encoding into %s (%s)', (syntax, codec) => {
  it.each(SAMPLE_KINDS)('keeps %s, whatever the size and content', async (kind: SampleKind) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 70 }),
        fc.integer(),
        fc.constantFrom(0, 0.02, 0.3, 1),
        async (rows, columns, from, noise) => {
          await expectRoundTrip(nativeFrame(kind, rows, columns, from, noise), syntax);
        },
      ),
      { numRuns: 25, seed },
    );
  });

  it('keeps bits above Bits Stored, which old modalities use for overlays', async () => {
    for (const kind of ['u12', 's12'] as const) {
      const frame = nativeFrame(kind, 20, 30);
      for (let at = 1; at < frame.bytes.length; at += 14) frame.bytes[at] = (frame.bytes[at] ?? 0) ^ 0xa0;
      await expectRoundTrip(frame, syntax);
    }
  });

  it('keeps signed samples of 8 bits and of 10 in 16', async () => {
    const { pixels, bytes } = nativeFrame('u8', 24, 24);
    const eight = { syntax: EXPLICIT_LITTLE, pixels: { ...pixels, signed: true }, bytes };
    if (codec !== 'j2k') await expectRoundTrip(eight, syntax);
    else await expect(transcode(eight, syntax)).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    const ten = { ...describedAs('s12', 24, 24), bitsStored: 10, highBit: 9 };
    const samples = Int16Array.from({ length: 24 * 24 }, (_, at) => ((at * 37) % 1024) - 512);
    await expectRoundTrip({ syntax: EXPLICIT_LITTLE, pixels: ten, bytes: new Uint8Array(samples.buffer) }, syntax);
  });

  it('takes colour by plane, and gives it back by pixel', async () => {
    const frame = nativeFrame('rgb8', 9, 7);
    const planes = new Uint8Array(frame.bytes.length);
    frame.bytes.forEach((byte, at) => {
      planes[(at % 3) * 63 + Math.floor(at / 3)] = byte;
    });
    const { back } = await roundTrip({ ...frame, pixels: { ...frame.pixels, planar: true }, bytes: planes }, syntax);
    expect({ ...back, bytes: Uint8Array.from(back.bytes) }).toEqual(frame);
  });

  it('keeps YBR as it is, with the chroma of 4:2:2 given to each of its pixels', async () => {
    const frame = nativeFrame('rgb8', 8, 10);
    const full = { ...frame, pixels: { ...frame.pixels, photometric: 'YBR_FULL' } };
    const encoded = await expectRoundTrip(full, syntax);
    expect(encoded.pixels.photometric).toBe('YBR_FULL');
    const bytes = Uint8Array.from({ length: 8 * 10 * 2 }, (_, at) => at);
    const { back } = await roundTrip(
      { ...frame, pixels: { ...frame.pixels, photometric: 'YBR_FULL_422' }, bytes },
      syntax,
    );
    expect(back.pixels.photometric).toBe('YBR_FULL');
    expect([...back.bytes.subarray(0, 12)]).toEqual([0, 2, 3, 1, 2, 3, 4, 6, 7, 5, 6, 7]);
  });

  it('labels RGB by how it lies in the stream', async () => {
    const { encoded } = await roundTrip(nativeFrame('rgb8', 8, 10), syntax);
    expect(encoded.pixels.photometric).toBe(codec === 'j2k' || codec === 'htj2k' ? 'YBR_RCT' : 'RGB');
  });

  it('keeps samples of 1, 32 and 64 bits, or says that it cannot', async () => {
    const { pixels } = nativeFrame('u8', 9, 7);
    const frame = (bits: number, numbers: 'integer' | 'float' = 'integer'): Frame => ({
      syntax: EXPLICIT_LITTLE,
      pixels: { ...pixels, bitsAllocated: bits, bitsStored: bits, highBit: bits - 1, numbers },
      bytes: Uint8Array.from({ length: Math.ceil((63 * bits) / 8) }, (_, at) => (at === 7 ? 0x55 : (at * 91) & 255)),
    });
    const cases = [frame(1), frame(32), frame(64), frame(32, 'float'), frame(64, 'float')];
    const kept = codec === 'deflate' ? 5 : codec === 'rle' ? 3 : 0;
    for (const [index, one] of cases.entries()) {
      if (index < kept) await expectRoundTrip(one, syntax);
      else await expect(transcode(one, syntax)).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    }
  });
});

describe('encoding into JPEG Baseline', () => {
  it('is lossy within a few steps, and labels colour as YBR_FULL', async () => {
    for (const kind of ['u8', 'rgb8'] as const) {
      const frame = nativeFrame(kind, 64, 80, 1, 0.01);
      const { encoded, back } = await roundTrip(frame, JPEG_BASELINE);
      expect(encoded.pixels.photometric).toBe(kind === 'u8' ? 'MONOCHROME2' : 'YBR_FULL');
      expect(back.pixels).toEqual(frame.pixels);
      const off = back.bytes.map((byte, at) => Math.abs(byte - (frame.bytes[at] as number))).sort();
      expect(off[Math.floor(off.length * 0.95)]).toBeLessThan(12);
    }
  });

  it('is not made of what it cannot show', async () => {
    for (const kind of ['u12', 'u16', 's16'] as const) {
      await expect(transcode(nativeFrame(kind, 8, 8), JPEG_BASELINE)).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    }
    const palette = nativeFrame('u8', 8, 8);
    const colours = { ...palette, pixels: { ...palette.pixels, photometric: 'PALETTE COLOR' } };
    await expect(transcode(colours, JPEG_BASELINE)).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
  });
});

describe('decoding JPEG 2000', () => {
  it('keeps the sign of 8-bit samples', async () => {
    const frame = nativeFrame('u8', 24, 24);
    const { bytes, ...encoded } = await transcode(frame, JPEG_2000_LOSSLESS);
    // T.800 G.1: unsigned samples are stored less half their range; the same codestream with the sign set in SIZ is that of signed ones.
    const signed = Uint8Array.from(bytes);
    signed[42] = (signed[42] as number) | 0x80;
    const back = await transcode(
      { ...encoded, pixels: { ...encoded.pixels, signed: true }, bytes: signed },
      EXPLICIT_LITTLE,
    );
    expect(back.bytes.map((byte) => byte ^ 0x80)).toEqual(frame.bytes);
  });
});

it('noise of 16 bits, which CharLS has no room for, is NOT_SUPPORTED and not damage', async () => {
  const { pixels } = nativeFrame('u16', 200, 201);
  const frame = { syntax: EXPLICIT_LITTLE, pixels, bytes: Uint8Array.from(randomBytes(200 * 201 * 2)) };
  await expect(transcode(frame, '1.2.840.10008.1.2.4.80')).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
});
