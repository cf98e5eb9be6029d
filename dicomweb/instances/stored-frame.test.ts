import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { describePixels } from '../../dicom/codecs/describe.js';
import { decodeLayout } from '../../dicom/layout.js';
import { ct, image, JPEG_LS, noise, swapped } from '../../test/support/dicomweb-samples.js';
import { MemoryArchive } from '../../test/support/memory-archive.js';
import { type Element, nativeImage } from '../../test/support/part10-builder.js';
import type { InstanceRecord } from '../../tiering/archive/archive.js';
import { parseSeriesUid, parseSopUid, parseStudyUid } from '../../tiering/core/ids.js';
import { instanceJson } from './instance-json.js';
import type { OpenInstance } from './open-instance.js';
import { storedFrame } from './stored-frame.js';

const SCOPE = { study: parseStudyUid('1.2.3'), series: parseSeriesUid('1.2.3.1'), sop: parseSopUid('1.2.3.1.1') };
const never = new AbortController().signal;

async function archived(...instances: readonly Buffer[]): Promise<{ archive: MemoryArchive; open: OpenInstance }> {
  const archive = new MemoryArchive();
  for (const bytes of instances) {
    const { outcome } = await archive.receive(
      (async function* () {
        yield bytes;
      })(),
    );
    expect((await outcome).status).toBe('stored');
  }
  const record = await archive.instance(SCOPE);
  return { archive, open: { record, layout: decodeLayout(record.layout) } };
}

async function frameOf(archive: MemoryArchive, open: OpenInstance, number: number) {
  const pixels = describePixels(await instanceJson(archive, open.record));
  return storedFrame(archive, open, pixels, number, never);
}

describe('instanceJson', () => {
  it('gives the object of the one instance among those of its series, and reads no byte of any', async () => {
    const { archive, open } = await archived(ct(2), ct(1), ct(3));
    archive.faults.beforePiece = () => {
      throw new Error('a stored byte was read');
    };
    expect((await instanceJson(archive, open.record))['00200013']?.Value).toEqual([1]);
  });

  it('asks the index once for an instance that is asked for again', async () => {
    const { archive, open } = await archived(ct(1, { elements: [['00204000', 'LT', 'asked twice']] }));
    const first = await instanceJson(archive, open.record);
    const { asked } = archive;
    expect(await instanceJson(archive, open.record)).toBe(first);
    expect(archive.asked).toBe(asked);
  });

  it('refuses one that is gone', async () => {
    const { archive, open } = await archived(ct(1));
    archive.forget(SCOPE.sop);
    const gone: InstanceRecord = { ...open.record, seq: 99 };
    await expect(instanceJson(archive, gone)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('storedFrame', () => {
  it('joins the fragments of an encapsulated frame', async () => {
    const frames = [noise(100_000, 1), noise(70_002, 2)];
    const { archive, open } = await archived(ct(1, { transferSyntax: JPEG_LS, elements: image(frames) }));
    const frame = await frameOf(archive, open, 2);
    expect(frame).toMatchObject({ syntax: JPEG_LS, pixels: { rows: 10, bitsAllocated: 8, numbers: 'integer' } });
    expect(Buffer.from(frame.bytes).equals(frames[1] ?? Buffer.alloc(0))).toBe(true);
    await expect(frameOf(archive, open, 3)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('gives a native frame, out of a deflated data set too', async () => {
    const pixels = noise(3 * 20_000, 6);
    const elements = nativeImage({ rows: 100, columns: 100, bits: 16, frames: 3, pixels });
    const deflate = (dataSet: Buffer) => {
      const deflated = deflateRawSync(dataSet);
      return Buffer.concat([deflated, Buffer.alloc(deflated.length % 2)]);
    };
    for (const options of [{ elements }, { elements, transferSyntax: '1.2.840.10008.1.2.1.99', transform: deflate }]) {
      const { archive, open } = await archived(ct(1, options));
      const frame = await frameOf(archive, open, 2);
      expect(Buffer.from(frame.bytes).equals(pixels.subarray(20_000, 40_000))).toBe(true);
      expect(frame.bytes.length).toBe(frame.bytes.buffer.byteLength);
    }
  });

  it('begins a 1-bit frame at bit 0', async () => {
    const bits = Array.from({ length: 45 }, (_, n) => (createHash('sha1').update(`${n}`).digest()[0] ?? 0) & 1);
    const packed = Buffer.alloc(6);
    for (const [n, bit] of bits.entries()) packed[n >> 3] = (packed[n >> 3] ?? 0) | (bit << (n & 7));
    const elements: readonly Element[] = nativeImage({ rows: 3, columns: 5, bits: 1, frames: 3, pixels: packed });
    const { archive, open } = await archived(ct(1, { elements }));
    const { bytes } = await frameOf(archive, open, 2);
    const got = Array.from({ length: 16 }, (_, n) => ((bytes[n >> 3] ?? 0) >> (n & 7)) & 1);
    expect(got).toEqual([...bits.slice(15, 30), 0]);
  });

  it('gives 8-bit frames of an odd length in order out of big endian words', async () => {
    const pixels = noise(3 * 15 + 1, 9);
    const geometry = { rows: 3, columns: 5, bits: 8, frames: 3, pixels: Buffer.alloc(0) };
    const elements: readonly Element[] = [...nativeImage(geometry).slice(0, -1), ['7FE00010', 'OW', pixels]];
    const big = swapped(ct(1, { transferSyntax: '1.2.840.10008.1.2.2', elements }));
    const { archive, open } = await archived(big);
    for (const number of [1, 2, 3]) {
      const frame = await frameOf(archive, open, number);
      expect(Buffer.from(frame.bytes)).toEqual(pixels.subarray((number - 1) * 15, number * 15));
      expect(frame.pixels.words).toBe(false);
    }
  });
});
