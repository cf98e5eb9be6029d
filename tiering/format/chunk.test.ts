import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePackId } from '../core/ids.js';
import { CHUNK_BYTES, SEGMENT_BYTES } from '../core/limits.js';
import {
  CHUNK_HEADER_BYTES,
  type ChunkOpening,
  chunkCommitment,
  chunkSizes,
  openChunk,
  openSegments,
  readChunkHeader,
  sealChunk,
  sealedBytes,
  segmentSpan,
} from './chunk.js';

const pack = parsePackId('018f5e2a-7b00-7123-8abc-0123456789ab');
const other = parsePackId('018f5e2a-7b00-7123-8abc-0123456789ac');
describe.each([
  ['aes-256-gcm', 1, 'ff6599500d082ca35460e42b3c7df9c167c12ba15d22673a466db695957d40c1'],
  ['sm4-ctr-hmac-sm3', 2, 'a041b0de9dc86bcaa6568451324fd68353d269b4bcb2e6b3cc743d1eea720029'],
] as const)('cipher suite %s', (_name, suite, released) => {
  const base = {
    pack,
    chunk: 3,
    suite,
    dek: Buffer.alloc(32, 1),
    dekId: Buffer.alloc(16, 2),
    salt: Buffer.alloc(32, 3),
  };
  const SEALED_SEGMENT = SEGMENT_BYTES + 16;

  function text(bytes: number): Uint8Array {
    const plain = Buffer.alloc(bytes);
    for (let at = 0; at < bytes; at++) plain[at] = (at * 31 + (at >> 8)) & 0xff;
    return plain;
  }

  function sealed(plaintext: Uint8Array): { object: Uint8Array; opening: ChunkOpening } {
    const { sealed: object, commitment } = sealChunk({ ...base, plaintext });
    return { object, opening: { ...base, chunkBytes: plaintext.length, commitment } };
  }

  /** What opening the whole object does: `opened`, or the code of the error. */
  function outcome(object: Uint8Array, opening: ChunkOpening): string {
    try {
      openChunk(object, opening);
      return 'opened';
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  }

  function flip(object: Uint8Array, at: number, bit = 1): Uint8Array {
    const flipped = Uint8Array.from(object);
    flipped[at] = (flipped[at] ?? 0) ^ bit;
    return flipped;
  }

  const three = sealed(text(3 * SEGMENT_BYTES - 5000));

  describe('sealing a chunk', () => {
    it('gives the same object for the same arguments, alone in its buffer', () => {
      const again = sealed(text(3 * SEGMENT_BYTES - 5000));
      expect(Buffer.compare(again.object, three.object)).toBe(0);
      expect(again.object.byteLength).toBe(again.object.buffer.byteLength);
      expect(chunkCommitment({ ...base, chunkBytes: 3 * SEGMENT_BYTES - 5000 })).toEqual(three.opening.commitment);
    });

    it('gives a commitment that does not carry the key in its buffer', () => {
      expect(three.opening.commitment.buffer.byteLength).toBe(32);
    });

    it.each([1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES, CHUNK_BYTES - 1, CHUNK_BYTES])(
      'of %i bytes has the length that was foretold and opens whole',
      (bytes) => {
        const plain = text(bytes);
        const { object, opening } = sealed(plain);
        expect(object.length).toBe(sealedBytes(bytes));
        expect(object.length).toBe(160 + bytes + 16 * Math.ceil(bytes / 65536));
        expect(Buffer.compare(openChunk(object, opening), plain)).toBe(0);
      },
    );

    it.each([1, 159, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES - 5000, CHUNK_BYTES])(
      'of %i bytes where its plaintext lies gives the same object',
      (bytes) => {
        const { object } = sealed(text(bytes));
        const memory = new Uint8Array(sealedBytes(bytes) + 100);
        memory.set(text(bytes), 7);
        const target = memory.subarray(7, 7 + sealedBytes(bytes));
        const inPlace = sealChunk({ ...base, plaintext: memory.subarray(7, 7 + bytes), target });
        expect(inPlace.sealed).toBe(target);
        expect(Buffer.compare(target, object)).toBe(0);
        expect(memory.subarray(0, 7).every((byte) => byte === 0)).toBe(true);
        expect(memory.subarray(7 + sealedBytes(bytes)).every((byte) => byte === 0)).toBe(true);
      },
    );

    it('refuses an empty chunk, one that is too long and a suite that it does not know', () => {
      expect(() => sealChunk({ ...base, plaintext: new Uint8Array(0) })).toThrow(/1 to 8388608 bytes/);
      expect(() => sealChunk({ ...base, plaintext: new Uint8Array(CHUNK_BYTES + 1) })).toThrow(/1 to 8388608 bytes/);
      expect(() => sealChunk({ ...base, suite: 3, plaintext: text(1) })).toThrow(
        expect.objectContaining({ code: 'NOT_SUPPORTED' }),
      );
    });

    it('cuts a pack into chunks that add up to it', () => {
      expect(chunkSizes(1)).toEqual([1]);
      expect(chunkSizes(CHUNK_BYTES)).toEqual([CHUNK_BYTES]);
      expect(chunkSizes(2 * CHUNK_BYTES + 1)).toEqual([CHUNK_BYTES, CHUNK_BYTES, 1]);
    });
  });

  describe('opening a range', () => {
    const edges = [1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES, 3 * SEGMENT_BYTES + 77];
    const objects = new Map(edges.map((bytes) => [bytes, { plain: text(bytes), ...sealed(text(bytes)) }]));

    it('gives exactly its bytes, for any range of any chunk', () => {
      const anyRange = fc
        .constantFrom(...edges)
        .chain((bytes) =>
          fc.tuple(
            fc.constant(bytes),
            fc.oneof(fc.nat(bytes - 1), fc.constantFrom(...edges.filter((edge) => edge < bytes), 0)),
            fc.oneof(
              fc.nat(bytes - 1),
              fc.constantFrom(...edges.filter((edge) => edge <= bytes).map((edge) => edge - 1)),
            ),
          ),
        );
      fc.assert(
        fc.property(anyRange, ([bytes, a, b]) => {
          const known = objects.get(bytes);
          if (known === undefined) throw new Error('unreachable');
          const [start, end] = [Math.min(a, b), Math.max(a, b) + 1];
          const { objectStart, objectEnd } = segmentSpan(bytes, start, end);
          const opened = openSegments({
            ...known.opening,
            bytes: Uint8Array.from(known.object.subarray(objectStart, objectEnd)),
            start,
            end,
          });
          return Buffer.compare(opened, known.plain.subarray(start, end)) === 0;
        }),
        { numRuns: 500 },
      );
    });

    it('fetches no segment that it does not need', () => {
      expect(segmentSpan(3 * SEGMENT_BYTES, SEGMENT_BYTES, 2 * SEGMENT_BYTES)).toEqual({
        objectStart: CHUNK_HEADER_BYTES + SEALED_SEGMENT,
        objectEnd: CHUNK_HEADER_BYTES + 2 * SEALED_SEGMENT,
      });
      expect(segmentSpan(100, 99, 100)).toEqual({ objectStart: 160, objectEnd: 276 });
    });

    it('refuses ranges outside of the chunk', () => {
      for (const [start, end] of [
        [-1, 1],
        [0, 0],
        [5, 4],
        [0, 101],
        [0.5, 1],
      ] as const) {
        expect(() => segmentSpan(100, start, end)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
      }
    });

    it('says CORRUPT for a body that is not exactly the span', () => {
      const { object, opening } = three;
      const { objectStart, objectEnd } = segmentSpan(opening.chunkBytes, 10, 20);
      for (const [from, to] of [
        [objectStart, objectEnd - 1],
        [objectStart, objectEnd + 1],
        [objectStart + 1, objectEnd],
        [0, 0],
      ] as const) {
        expect(() =>
          openSegments({ ...opening, bytes: Uint8Array.from(object.subarray(from, to)), start: 10, end: 20 }),
        ).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
      }
    });

    it('says CORRUPT when a segment of the same chunk is served in place of another', () => {
      const { object, opening } = three;
      const first = segmentSpan(opening.chunkBytes, 0, 1);
      const bytes = object.subarray(first.objectStart, first.objectEnd);
      expect(() => openSegments({ ...opening, bytes, start: SEGMENT_BYTES, end: SEGMENT_BYTES + 1 })).toThrow(
        expect.objectContaining({ code: 'CORRUPT' }),
      );
    });
  });

  describe('a damaged object (fault 36)', () => {
    it('is CORRUPT after a flip of any bit of its header', () => {
      const outcomes = new Set<string>();
      for (let at = 0; at < CHUNK_HEADER_BYTES; at++) {
        for (let bit = 0; bit < 8; bit++) outcomes.add(outcome(flip(three.object, at, 1 << bit), three.opening));
      }
      expect([...outcomes]).toEqual(['CORRUPT']);
    });

    it('is CORRUPT after a flip in any segment or tag', () => {
      const { object, opening } = three;
      const places: number[] = [];
      for (let at = CHUNK_HEADER_BYTES; at < object.length; at += SEALED_SEGMENT) {
        const end = Math.min(at + SEALED_SEGMENT, object.length);
        places.push(at, at + 1000, end - 17);
        for (let tag = end - 16; tag < end; tag++) places.push(tag);
      }
      expect(places.length).toBe(57);
      expect(new Set(places.map((at) => outcome(flip(object, at, 0x40), opening)))).toEqual(new Set(['CORRUPT']));
    });

    it('gives out no byte of a range that begins in a sound segment and ends in a damaged one (I3)', () => {
      const { object, opening } = three;
      const damaged = flip(object, CHUNK_HEADER_BYTES + SEALED_SEGMENT + 5);
      const bytes = damaged.subarray(CHUNK_HEADER_BYTES, CHUNK_HEADER_BYTES + 2 * SEALED_SEGMENT);
      expect(() => openSegments({ ...opening, bytes, start: 0, end: SEGMENT_BYTES + 1 })).toThrow(
        /segment 1 does not match/,
      );
    });
  });

  describe('a cut, lengthened or rearranged object (faults 37, 38)', () => {
    it('is CORRUPT when it ends at any segment border, or one byte to either side', () => {
      const { object, opening } = three;
      for (let border = CHUNK_HEADER_BYTES; border < object.length; border += SEALED_SEGMENT) {
        for (const end of [border - 1, border, border + 1, border + SEALED_SEGMENT - 16]) {
          if (end < object.length) expect([end, outcome(object.subarray(0, end), opening)]).toEqual([end, 'CORRUPT']);
        }
      }
      expect(outcome(object.subarray(0, object.length - 1), opening)).toBe('CORRUPT');
      expect(outcome(new Uint8Array(0), opening)).toBe('CORRUPT');
    });

    it('is CORRUPT with a byte or a valid segment after its end', () => {
      const { object, opening } = three;
      const segment = object.subarray(CHUNK_HEADER_BYTES, CHUNK_HEADER_BYTES + SEALED_SEGMENT);
      expect(outcome(Buffer.concat([object, new Uint8Array(1)]), opening)).toBe('CORRUPT');
      expect(outcome(Buffer.concat([object, segment]), opening)).toBe('CORRUPT');
    });

    it('does not pass as a shorter chunk when it is cut at a segment border and its header says so', () => {
      const { object, opening } = sealed(text(2 * SEGMENT_BYTES));
      const cut = Uint8Array.from(object.subarray(0, CHUNK_HEADER_BYTES + SEALED_SEGMENT));
      new DataView(cut.buffer).setBigUint64(24, BigInt(SEGMENT_BYTES));
      expect(outcome(cut, { ...opening, chunkBytes: SEGMENT_BYTES })).toBe('WRONG_KEY');
      expect(outcome(cut, opening)).toBe('CORRUPT');
    });

    it('is CORRUPT with two segments swapped', () => {
      const { object, opening } = three;
      const [a, b, c] = [
        CHUNK_HEADER_BYTES,
        CHUNK_HEADER_BYTES + SEALED_SEGMENT,
        CHUNK_HEADER_BYTES + 2 * SEALED_SEGMENT,
      ];
      const swapped = Buffer.concat([
        object.subarray(0, a),
        object.subarray(b, c),
        object.subarray(a, b),
        object.subarray(c),
      ]);
      expect(outcome(swapped, opening)).toBe('CORRUPT');
    });

    it.each([
      ['another chunk of the pack', { chunk: 4 }],
      ['another pack', { pack: other }],
      ['another salt, of a seal that was given up', { salt: Buffer.alloc(32, 4) }],
      ['another DEK', { dek: Buffer.alloc(32, 9) }],
      ['another DEK id', { dekId: Buffer.alloc(16, 9) }],
    ])('is CORRUPT when it is the object of %s', (_, changes) => {
      const plaintext = text(three.opening.chunkBytes);
      expect(outcome(sealChunk({ ...base, ...changes, plaintext }).sealed, three.opening)).toBe('CORRUPT');
    });
  });

  describe('a wrong key (fault 39)', () => {
    it('is WRONG_KEY and never CORRUPT, for whole objects and for ranges, sound or damaged', () => {
      const { object, opening } = three;
      const wrong = { ...opening, dek: Buffer.alloc(32, 9) };
      const { objectStart, objectEnd } = segmentSpan(opening.chunkBytes, 0, 10);
      expect(outcome(object, wrong)).toBe('WRONG_KEY');
      expect(outcome(flip(object, 5000), wrong)).toBe('WRONG_KEY');
      expect(() =>
        openSegments({ ...wrong, bytes: Uint8Array.from(object.subarray(objectStart, objectEnd)), start: 0, end: 10 }),
      ).toThrow(expect.objectContaining({ code: 'WRONG_KEY', retryable: false }));
      expect(outcome(object, { ...opening, commitment: randomBytes(32) })).toBe('WRONG_KEY');
    });
  });

  describe('a header by itself (fault 40)', () => {
    it('says whose chunk it is', () => {
      const { dek: _, ...said } = three.opening;
      const read = readChunkHeader(three.object);
      expect({ ...read, dekId: Buffer.from(read.dekId), salt: Buffer.from(read.salt) }).toEqual(said);
    });

    it.each([
      ['another magic', 0, 0x47, 'CORRUPT'],
      ['another version', 9, 2, 'NOT_SUPPORTED'],
      ['another suite', 11, 3, 'NOT_SUPPORTED'],
      ['segments of another size', 13, 0, 'CORRUPT'],
      ['segments of 2 GiB', 12, 0x80, 'CORRUPT'],
      ['a reserved bit', 23, 1, 'CORRUPT'],
      ['a reserved byte', 100, 1, 'CORRUPT'],
      ['2^63 bytes of plaintext', 24, 0x80, 'CORRUPT'],
      ['a pack id of another kind of UUID', 38, 0x41, 'CORRUPT'],
    ])('is refused with %s', (_, at, value, code) => {
      const header = Uint8Array.from(three.object);
      header[at] = value;
      expect(() => readChunkHeader(header)).toThrow(expect.objectContaining({ code }));
    });

    it('is CORRUPT when it is cut, or claims no plaintext', () => {
      expect(() => readChunkHeader(three.object.subarray(0, 159))).toThrow(
        expect.objectContaining({ code: 'CORRUPT' }),
      );
      const empty = Uint8Array.from(three.object);
      new DataView(empty.buffer).setBigUint64(24, 0n);
      expect(() => readChunkHeader(empty)).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
    });
  });

  describe('the bytes of version 1', () => {
    it('are what they were when it was released', () => {
      const digest = createHash('sha256').update(three.object).digest('hex');
      expect(digest).toBe(released);
    });
  });
});
