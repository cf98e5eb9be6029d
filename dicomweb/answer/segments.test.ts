import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseByteRange } from './byte-ranges.js';
import { drawBoundary, multipartLength, multipartSegments, multipartStream } from './multipart-writer.js';
import {
  alignedSegment,
  type LazySegment,
  openSegment,
  type Segment,
  type SizedSegment,
  sliceSegments,
  totalLength,
} from './segments.js';

/** A segment over bytes at hand, read in pieces of a few bytes. */
function lazy(bytes: Uint8Array, pieceBytes = 3): LazySegment {
  async function* open(start: number, end: number): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; at += pieceBytes) yield bytes.subarray(at, Math.min(end, at + pieceBytes));
  }
  return { length: bytes.length, open };
}

async function read(segments: Iterable<Segment> | AsyncIterable<Segment>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const segment of segments) {
    if (segment instanceof Uint8Array) pieces.push(segment);
    else for await (const piece of openSegment(segment, new AbortController().signal)) pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

describe('sliceSegments', () => {
  it('is the slice of the whole, however the segments fall', async () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 10 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(parts, fc.nat(60), fc.nat(60), async (chunks, a, b) => {
        const segments = chunks.map((chunk, at): SizedSegment => (at % 2 === 0 ? chunk : lazy(chunk)));
        const whole = Buffer.concat(chunks);
        const [start, end] = [Math.min(a, b, whole.length), Math.min(Math.max(a, b), whole.length)];
        const sliced = sliceSegments(segments, start, end);
        expect(totalLength(sliced)).toBe(end - start);
        expect((await read(sliced)).equals(whole.subarray(start, end))).toBe(true);
      }),
      { verbose: true },
    );
  });
});

describe('alignedSegment', () => {
  it('moves any bit string to a byte border, whole or in ranges', async () => {
    const bits = fc.array(fc.boolean(), { minLength: 1, maxLength: 90 });
    await fc.assert(
      fc.asyncProperty(
        bits,
        fc.nat(7),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(12),
        async (wanted, offset, piece, from) => {
          const source = Buffer.alloc(Math.ceil((offset + wanted.length) / 8), 0xff);
          for (const [n, bit] of wanted.entries()) {
            const at = offset + n;
            if (!bit) source[at >> 3] = (source[at >> 3] ?? 0) & ~(1 << (at & 7));
          }
          const segment = alignedSegment(lazy(source, piece), offset, wanted.length);
          const expected = Buffer.alloc(Math.ceil(wanted.length / 8));
          for (const [n, bit] of wanted.entries()) if (bit) expected[n >> 3] = (expected[n >> 3] ?? 0) | (1 << (n & 7));
          expect((await read([segment])).equals(expected)).toBe(true);
          const start = Math.min(from, expected.length);
          expect((await read(sliceSegments([segment], start, expected.length))).equals(expected.subarray(start))).toBe(
            true,
          );
        },
      ),
      { verbose: true },
    );
  });
});

describe('multipart answers', () => {
  const parts = ['one', '', 'three'].map((text, at) => ({
    contentType: 'application/dicom;transfer-syntax=1.2',
    location: `/dicomweb/x/${at}`,
    content: [lazy(Buffer.from(text))],
  }));

  it('have no preamble, one CRLF before each boundary, and Content-Type first', async () => {
    const text = (await read(multipartSegments(parts.slice(0, 2), 'B'))).toString();
    const headers = (at: number) =>
      `Content-Type: application/dicom;transfer-syntax=1.2\r\nContent-Location: /dicomweb/x/${at}\r\n\r\n`;
    expect(text).toBe(`--B\r\n${headers(0)}one\r\n--B\r\n${headers(1)}\r\n--B--\r\n`);
  });

  it('are the same streamed, and of the length that was announced', async () => {
    const streamed = await read(multipartStream(parts, 'B'));
    expect(streamed.equals(await read(multipartSegments(parts, 'B')))).toBe(true);
    expect(multipartLength(parts, 'B')).toBe(streamed.length);
  });

  it('have a boundary of 48 hex digits that never comes twice', () => {
    let draws = 0;
    const random = {
      bytes: (count: number) => Uint8Array.from({ length: count }, (_, n) => (n * 7 + n / 24 + ++draws) & 0xff),
    };
    const drawn = Array.from({ length: 64 }, () => drawBoundary(random));
    expect(new Set(drawn).size).toBe(64);
    expect(drawn.every((boundary) => /^[0-9a-f]{48}$/.test(boundary))).toBe(true);
  });
});

describe('parseByteRange', () => {
  it.each([
    [undefined, null],
    ['lines=1-2', null],
    ['bytes=0-65535', { start: 0, end: 100 }],
    ['bytes=10-19', { start: 10, end: 20 }],
    ['bytes=99-', { start: 99, end: 100 }],
    ['bytes=-10', { start: 90, end: 100 }],
    ['bytes=-1000', { start: 0, end: 100 }],
    ['BYTES = 5 - 6', undefined],
    ['bytes=100-', undefined],
    ['bytes=5-4', undefined],
    ['bytes=', undefined],
    ['bytes=a-b', undefined],
    ['bytes=0-1,3-4', undefined],
  ])('%s of 100 bytes', (header, expected) => {
    if (expected === undefined)
      expect(() => parseByteRange(header, 100)).toThrow(expect.objectContaining({ status: 416 }));
    else expect(parseByteRange(header, 100)).toEqual(expected);
  });
});
