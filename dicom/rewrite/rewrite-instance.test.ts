import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytesOf } from '../../test/support/bytes.js';
import {
  EXPLICIT_BE,
  element,
  fileMeta,
  IMPLICIT_LE,
  instance,
  item,
  part10,
  dataset as plainDataset,
  sequence,
  u16,
  u32,
} from '../../test/support/dicom-bytes.js';
import { buildPart10, nativeImage } from '../../test/support/part10-builder.js';
import { encapsulatedFile, giving, jsonOf, nativeFile, pixelsOf, SCOPE } from '../../test/support/pixel-files.js';
import { rewriting, rewritten, sourceOf } from '../../test/support/rewriting.js';
import type { InstanceLayout } from '../instance.js';
import { alignBits, frameRanges } from '../layout.js';
import { parseInstance } from '../scan/parse-instance.js';
import { DEFLATED_EXPLICIT_LITTLE, EXPLICIT_LITTLE, RLE_LOSSLESS } from '../transfer-syntax.js';
import { rewriteInstance } from './rewrite-instance.js';

function framesOf(file: Buffer, count: number): Uint8Array[] {
  const { layout } = parseInstance(file);
  return Array.from({ length: count }, (_, at) => {
    const { ranges, bitOffset, bits } = frameRanges(layout, at + 1);
    const whole = Buffer.concat(ranges.map(({ start, end }) => file.subarray(start, end)));
    return bits === null ? whole : alignBits(whole, bitOffset, bits);
  });
}

describe('native frames made into fragments', () => {
  const shape = { rows: 3, columns: 5, bits: 16 };
  const pixels = bytesOf(4 * 30, 3);

  it('are one fragment each, behind an empty offset table, and nothing else changes', async () => {
    const file = nativeFile(shape, 4, pixels);
    const given = giving(framesOf(file, 4), RLE_LOSSLESS, pixelsOf(shape));
    const sent = await rewritten(file, { target: RLE_LOSSLESS, frame: given.frame });
    expect(parseInstance(sent).transferSyntaxUid).toBe(RLE_LOSSLESS);
    expect(parseInstance(sent).warnings).toEqual([]);
    expect(Buffer.concat(framesOf(sent, 4)).equals(pixels)).toBe(true);
    expect(given.asked).toEqual([1, 2, 3, 4]);
    const stored = jsonOf(file);
    expect(jsonOf(sent)).toEqual({ ...stored, '7FE00010': { ...stored['7FE00010'], vr: 'OB' } });
    const table = Buffer.from('e07f10004f420000fffffffffeff00e000000000', 'hex');
    expect(sent.includes(table)).toBe(true);
  });

  it('are asked for one by one, when the one before was sent', async () => {
    const file = nativeFile(shape, 4, pixels);
    const frames = framesOf(file, 4);
    const given = giving(frames, RLE_LOSSLESS, pixelsOf(shape));
    const seen: number[] = [];
    for await (const piece of rewriting(file, { target: RLE_LOSSLESS, frame: given.frame })) {
      if (frames.includes(piece)) seen.push(given.asked.length);
    }
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it('are padded to an even length', async () => {
    const odd = { rows: 1, columns: 3, bits: 8 };
    const file = nativeFile(odd, 2, Uint8Array.of(1, 2, 3, 4, 5, 6));
    const given = giving([Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)], RLE_LOSSLESS, pixelsOf(odd));
    const sent = await rewritten(file, { target: RLE_LOSSLESS, frame: given.frame });
    expect(framesOf(sent, 2).map((frame) => [...frame])).toEqual([
      [1, 2, 3, 0],
      [4, 5, 6, 0],
    ]);
  });

  it('take the place of those of implicit VR, big endian and deflated data sets too', async () => {
    const deflate = (bytes: Buffer): Buffer => deflateRawSync(bytes);
    const elements = nativeImage({ ...shape, frames: 4, pixels });
    const deflated = buildPart10({ ...SCOPE, transferSyntax: DEFLATED_EXPLICIT_LITTLE, transform: deflate, elements });
    const given = giving(framesOf(nativeFile(shape, 4, pixels), 4), RLE_LOSSLESS, pixelsOf(shape));
    const implicit = ['implicit', 'big'].map((name) => {
      const encoding = name as 'implicit' | 'big';
      const bits = Buffer.from(encoding === 'big' ? [0, 16] : [16, 0]);
      return part10(
        plainDataset(
          [
            element(0x00280008, 'IS', '4', { encoding }),
            element(0x00280010, 'US', Buffer.from(encoding === 'big' ? [0, 3] : [3, 0]), { encoding }),
            element(0x00280011, 'US', Buffer.from(encoding === 'big' ? [0, 5] : [5, 0]), { encoding }),
            element(0x00280100, 'US', bits, { encoding }),
            element(0x7fe00010, 'OW', Buffer.from(pixels), { encoding }),
            element(0xfffafffa, 'SQ', '', { encoding }),
          ],
          { encoding },
        ),
        { transferSyntax: encoding === 'big' ? EXPLICIT_BE : IMPLICIT_LE },
      );
    });
    for (const file of [deflated, ...implicit]) {
      const sent = await rewritten(file, { target: RLE_LOSSLESS, frame: given.frame, pieceBytes: 9 });
      expect(Buffer.concat(framesOf(sent, 4)).equals(pixels)).toBe(true);
      expect(jsonOf(sent)['00280004']).toEqual({ vr: 'CS', Value: ['MONOCHROME2'] });
    }
  });

  it('are not read as stored bytes', async () => {
    const big = { rows: 100, columns: 100, bits: 16 };
    const file = nativeFile(big, 10, bytesOf(200_000));
    const read: (readonly [number, number])[] = [];
    const given = giving(framesOf(file, 10), RLE_LOSSLESS, pixelsOf(big));
    await rewritten(file, { target: RLE_LOSSLESS, frame: given.frame, onRead: (...range) => read.push(range) });
    const { start, end } = parseInstance(file).layout.bulk.find(({ path }) => path === '7FE00010') ?? {
      start: 0,
      end: 0,
    };
    expect(end - start).toBe(200_000);
    for (const range of read) expect(range[1] <= start || range[0] >= end).toBe(true);
  });
});

describe('fragments made into native frames', () => {
  it('follow one another, and the tables of the fragments are gone', async () => {
    const shape = { rows: 3, columns: 5, bits: 16 };
    const frames = [bytesOf(30, 1), bytesOf(30, 2)];
    const offsets = Buffer.alloc(16);
    offsets.writeBigUInt64LE(38n, 8);
    const file = encapsulatedFile(shape, frames, [
      ['7FE00001', 'OV', offsets],
      ['7FE00002', 'OV', Buffer.concat([u32(30, 0), u32(30, 0)])],
    ]);
    const given = giving(frames, EXPLICIT_LITTLE, pixelsOf(shape));
    const sent = await rewritten(file, { frame: given.frame });
    expect(Buffer.concat(framesOf(sent, 2)).equals(Buffer.concat(frames))).toBe(true);
    expect(Object.keys(jsonOf(sent)).filter((tag) => tag.startsWith('7FE0'))).toEqual(['7FE00010']);
    expect(jsonOf(sent)['7FE00010']?.vr).toBe('OW');
    expect(parseInstance(sent).warnings).toEqual([]);
  });

  it('are OB with a pad byte when they are bytes of an odd number', async () => {
    const shape = { rows: 1, columns: 3, bits: 8 };
    const frames = [Uint8Array.of(1, 2, 3)];
    const sent = await rewritten(encapsulatedFile(shape, frames), {
      frame: giving(frames, EXPLICIT_LITTLE, pixelsOf(shape)).frame,
    });
    expect(sent.subarray(-16).toString('hex')).toBe('e07f10004f4200000400000001020300');
  });

  it('of single bits are packed without a gap (PS3.5 8.1.1)', async () => {
    const shape = { rows: 3, columns: 5, bits: 1 };
    const frames = [Uint8Array.of(0xff, 0x7f), Uint8Array.of(0x01, 0x00), Uint8Array.of(0xaa, 0x2a)];
    const sent = await rewritten(encapsulatedFile(shape, frames), {
      frame: giving(frames, EXPLICIT_LITTLE, pixelsOf(shape)).frame,
    });
    // 45 bits: fifteen 1; 1 and fourteen 0; 0101…0.
    expect(sent.subarray(-6).toString('hex')).toBe('ffff0080aa0a');
    expect(framesOf(sent, 3).map((frame) => Buffer.from(frame).toString('hex'))).toEqual(['ff7f', '0100', 'aa2a']);
  });

  it('take the place of fragments without a delimiter at the end of the file', async () => {
    const shape = { rows: 2, columns: 2, bits: 8 };
    const frames = [bytesOf(4)];
    const file = encapsulatedFile(shape, frames);
    const given = giving(frames, EXPLICIT_LITTLE, pixelsOf(shape));
    const sent = await rewritten(file.subarray(0, -8), { frame: given.frame });
    expect(sent.equals(await rewritten(file, { frame: given.frame }))).toBe(true);
  });

  it('end the element: what follows it is kept', async () => {
    const shape = { rows: 2, columns: 2, bits: 8 };
    const frames = [bytesOf(4)];
    const file = encapsulatedFile(shape, frames, [
      ['FFFAFFFA', 'LO', 'after'],
      ['FFFCFFFC', 'OB', bytesOf(6)],
    ]);
    const sent = await rewritten(file, { frame: giving(frames, EXPLICIT_LITTLE, pixelsOf(shape)).frame });
    expect(jsonOf(sent)['FFFAFFFA']).toEqual(jsonOf(file)['FFFAFFFA']);
  });
});

describe('the attributes of the samples', () => {
  const shape = { rows: 2, columns: 2, bits: 16 };
  const decoded = pixelsOf(
    { ...shape, bits: 8 },
    { samplesPerPixel: 3, photometric: 'RGB', planar: true, bitsStored: 7, highBit: 6, signed: true },
  );
  const frames = [bytesOf(12)];

  it('are those of the frames that are sent, in their places', async () => {
    const file = encapsulatedFile(shape, frames, [
      ['00280004', 'CS', 'YBR_FULL_422'],
      ['00280106', 'US', 1],
      ['00282110', 'CS', '01'],
    ]);
    const sent = await rewritten(file, { frame: giving(frames, EXPLICIT_LITTLE, decoded).frame });
    const stored = jsonOf(file);
    expect(jsonOf(sent)).toEqual({
      ...stored,
      '00280004': { vr: 'CS', Value: ['RGB'] },
      '00280006': { vr: 'US', Value: [1] },
      '00280100': { vr: 'US', Value: [8] },
      '00280101': { vr: 'US', Value: [7] },
      '00280102': { vr: 'US', Value: [6] },
      '00280103': { vr: 'US', Value: [1] },
    });
    const tags = Object.keys(jsonOf(sent));
    expect(tags).toEqual([...tags].sort());
  });

  it('of items are left alone', async () => {
    const icon = item(Buffer.concat([element(0x00280004, 'CS', 'PALETTE'), element(0x00280100, 'US', u16(9))]));
    const file = encapsulatedFile(shape, frames, [['00880200', 'SQ', icon]]);
    const sent = await rewritten(file, { frame: giving(frames, EXPLICIT_LITTLE, decoded).frame });
    expect(jsonOf(sent)['00880200']).toEqual(jsonOf(file)['00880200']);
  });
});

describe('a stored instance', () => {
  it('gets file meta information of its own', async () => {
    const sent = await rewritten(instance([], { sopUid: '9.9.9', extra: [element(0x00020016, 'AE', 'MODALITY')] }));
    const length = sent.readUInt32LE(140);
    expect(sent.subarray(0, 132).equals(Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]))).toBe(true);
    const meta = sent.subarray(144, 144 + length).toString('latin1');
    expect(meta).toContain('1.2.3\0');
    expect(meta).not.toContain('9.9.9');
    expect(meta).not.toContain('MODALITY');
    expect(meta).toContain('FILMROOM');
    expect(parseInstance(sent).warnings).toEqual([]);
  });

  it('may have a long file meta information, or none before it', async () => {
    const elements = plainDataset([element(0x00102000, 'LO', 'kept')]);
    const extra = [element(0x00020100, 'UI', '1.2.3.4'), element(0x00020102, 'OB', Buffer.from(bytesOf(100_000)))];
    const expected = await rewritten(part10(elements));
    expect((await rewritten(part10(elements, { extra }), { pieceBytes: 3000 })).equals(expected)).toBe(true);
    expect((await rewritten(Buffer.concat([fileMeta(), elements]))).equals(expected)).toBe(true);
  });

  it('loses group lengths, and zeros behind its end', async () => {
    const kept = element(0x00102000, 'LO', 'kept');
    const nested = (group: Buffer[]): Buffer =>
      sequence(0x00400275, [item(Buffer.concat([...group, element(0x00400007, 'LO', 'x')]))]);
    const file = part10(
      Buffer.concat([
        element(0x00080000, 'UL', u32(200)),
        plainDataset([element(0x00100000, 'UL', u32(12)), kept, nested([element(0x00400000, 'UL', u32(99))])]),
        Buffer.alloc(1001),
      ]),
    );
    expect((await rewritten(file)).equals(await rewritten(part10(plainDataset([kept, nested([])]))))).toBe(true);
  });

  it('has its odd values made even, numbers apart', async () => {
    const odd = (tag: number, vr: string, value: string): Buffer =>
      Buffer.concat([element(tag, vr, '', { length: value.length }), Buffer.from(value)]);
    const file = instance([odd(0x00102000, 'LO', 'abc'), odd(0x00104000, 'LT', 'x'), odd(0x00420011, 'OB', '123')]);
    const sent = await rewritten(file);
    expect(parseInstance(sent).warnings).toEqual([]);
    expect(sent.includes(Buffer.from('LO\x04\0abc '))).toBe(true);
    expect(sent.includes(Buffer.from('OB\0\0\x04\0\0\x00123\0'))).toBe(true);
  });

  it('is held in chunks, whatever the length of its values', async () => {
    const length = 40_000_000;
    const head = instance([element(0x00091001, 'OB', '', { length })]);
    const source = {
      length: head.length + length,
      read: async function* (start: number, end: number) {
        for (let at = start; at < end; at += 65_536) {
          read = Math.min(end, at + 65_536);
          const piece = Buffer.alloc(read - at);
          if (at < head.length) head.copy(piece, 0, at);
          yield piece;
        }
      },
    };
    let read = 0;
    let sent = 0;
    let ahead = 0;
    const layout: InstanceLayout = { deflated: false, pixels: null, bulk: [] };
    const options = { source, layout, sop: '1.2.3', sopClass: '1.2', stored: EXPLICIT_LITTLE, target: EXPLICIT_LITTLE };
    for await (const piece of rewriteInstance({ ...options, frame: () => Promise.reject(new Error()) })) {
      sent += piece.length;
      ahead = Math.max(ahead, read - sent);
    }
    expect(sent).toBeGreaterThan(length);
    expect(ahead).toBeLessThan(200_000);
  });

  it('is no longer read once nobody wants the rest', async () => {
    const file = instance([element(0x00420011, 'OB', Buffer.from(bytesOf(1_000_000)))]);
    const parsed = parseInstance(file);
    let closed = 0;
    const source = {
      length: file.length,
      read: async function* (start: number, end: number) {
        try {
          yield* sourceOf(file).read(start, end);
        } finally {
          closed++;
        }
      },
    };
    const options = {
      source,
      layout: parsed.layout,
      sop: '1.2.3',
      sopClass: '1.2',
      frame: () => Promise.reject(new Error()),
    };
    let pieces = 0;
    for await (const _ of rewriteInstance({ ...options, stored: EXPLICIT_LITTLE, target: EXPLICIT_LITTLE })) {
      if (++pieces === 3) break;
    }
    expect([pieces, closed]).toEqual([3, 1]);
  });
});
