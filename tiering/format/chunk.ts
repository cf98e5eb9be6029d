// Chunk v1 (docs/format.md 4): at most 8 MiB of a pack sealed as one object, in segments that open by
// themselves. Sealing is deterministic; no plaintext leaves before its segment was authenticated (I3).
import { timingSafeEqual } from 'node:crypto';
import { releaseBuffer } from '../core/buffers.js';
import { ArchiveError, invariant } from '../core/errors.js';
import type { PackId } from '../core/ids.js';
import { CHUNK_BYTES, SEGMENT_BYTES } from '../core/limits.js';
import { KEY_BYTES } from './aead.js';
import type { CipherSuite } from './cipher-suite.js';
import { packIdBytes, packIdOf } from './pack-id.js';
import { NONCE_BYTES, suiteOf, TAG_BYTES } from './suites.js';

export const CHUNK_HEADER_BYTES = 160;
export const CHUNK_SALT_BYTES = 32;
export const COMMITMENT_BYTES = 32;

const MAGIC = Buffer.from('FRCHUNK\0', 'latin1');
const VERSION = 1;
/** The header up to here is hashed; what follows is the commitment, which depends on the hash. */
const HASHED_BYTES = CHUNK_HEADER_BYTES - COMMITMENT_BYTES;
const INFO = Buffer.from('chunk1', 'latin1');
const SEALED_SEGMENT_BYTES = SEGMENT_BYTES + TAG_BYTES;

/** What is known of a chunk before it is read; all of it is in its header. */
export interface ChunkIdentity {
  readonly pack: PackId;
  /** Number of the chunk in its pack, from 0. */
  readonly chunk: number;
  readonly suite: number;
  /** 16 bytes. */
  readonly dekId: Uint8Array;
  /** 32 bytes. */
  readonly salt: Uint8Array;
}

/** What opening needs: the above, the pack's key, and what the manifest says. */
export interface ChunkOpening extends ChunkIdentity {
  readonly dek: Uint8Array;
  /** Bytes of its plaintext. */
  readonly chunkBytes: number;
  readonly commitment: Uint8Array;
}

/** Bytes of the object that `chunkBytes` of plaintext become. */
export function sealedBytes(chunkBytes: number): number {
  return CHUNK_HEADER_BYTES + chunkBytes + TAG_BYTES * segmentsOf(chunkBytes);
}

/** Bytes of each chunk of a pack of `packBytes`, in order. */
export function chunkSizes(packBytes: number): readonly number[] {
  const count = Math.ceil(packBytes / CHUNK_BYTES);
  return Array.from({ length: count }, (_, chunk) => Math.min(CHUNK_BYTES, packBytes - chunk * CHUNK_BYTES));
}

/** The object's byte range that holds the segments of plaintext `[start, end)`, `0 <= start < end <= chunkBytes`. */
export function segmentSpan(
  chunkBytes: number,
  start: number,
  end: number,
): { readonly objectStart: number; readonly objectEnd: number } {
  requireRange(chunkBytes, start, end);
  const first = Math.floor(start / SEGMENT_BYTES);
  const last = Math.ceil(end / SEGMENT_BYTES);
  return {
    objectStart: CHUNK_HEADER_BYTES + first * SEALED_SEGMENT_BYTES,
    objectEnd: Math.min(CHUNK_HEADER_BYTES + last * SEALED_SEGMENT_BYTES, sealedBytes(chunkBytes)),
  };
}

/** The 32 bytes that say which key a chunk is sealed under. */
export function chunkCommitment(
  options: ChunkIdentity & { readonly dek: Uint8Array; readonly chunkBytes: number },
): Uint8Array {
  return chunkKeys(options).commitment;
}

/** What `sealChunk` needs. */
export interface ChunkSealing extends ChunkIdentity {
  readonly plaintext: Uint8Array;
  readonly dek: Uint8Array;
  /** Where it is sealed to, `sealedBytes` long: it may begin with the plaintext itself, which is then used up. Default: memory of its own. */
  readonly target?: Uint8Array;
}

/** Seals one chunk: the same arguments give the same bytes. NOT_SUPPORTED for an unknown suite. */
export function sealChunk(options: ChunkSealing): { readonly sealed: Uint8Array; readonly commitment: Uint8Array } {
  const { plaintext } = options;
  const { length } = plaintext;
  const keys = chunkKeys({ ...options, chunkBytes: length });
  const sealed = options.target ?? Buffer.allocUnsafeSlow(sealedBytes(length));
  invariant(sealed.length === sealedBytes(length), 'a sealed chunk has the length that is computed for it');
  const last = segmentsOf(length) - 1;
  // From the last to the first: each is sealed to behind where it lay, over what was sealed already.
  for (let segment = last; segment >= 0; segment--) {
    const start = segment * SEGMENT_BYTES;
    const nonce = segmentNonce(segment, segment === last);
    const plain = plaintext.subarray(start, start + SEGMENT_BYTES);
    const at = CHUNK_HEADER_BYTES + segment * SEALED_SEGMENT_BYTES;
    keys.suite.sealInto(sealed, at, { key: keys.key, nonce, aad: keys.headerHash, plain });
  }
  sealed.set(keys.hashed);
  sealed.set(keys.commitment, HASHED_BYTES);
  return { sealed, commitment: keys.commitment };
}

/**
 * Exactly the plaintext `[start, end)`, from `bytes` = the object's range that `segmentSpan` names. `bytes` is used up: the plaintext takes
 * its place, segment by segment as each was authenticated, and the result is the beginning of the same memory. WRONG_KEY when the key is not the
 * one that sealed it; CORRUPT when a tag does not fit or `bytes` has another length; NOT_SUPPORTED for an unknown suite.
 */
export function openSegments(
  options: ChunkOpening & { readonly bytes: Uint8Array; readonly start: number; readonly end: number },
): Uint8Array {
  const { bytes, chunkBytes, start, end } = options;
  const keys = openingKeys(options);
  const span = segmentSpan(chunkBytes, start, end);
  if (bytes.length !== span.objectEnd - span.objectStart) {
    throw corrupt(options, `${bytes.length} bytes instead of ${span.objectEnd - span.objectStart}`);
  }
  const lastSegment = segmentsOf(chunkBytes) - 1;
  const firstSegment = Math.floor(start / SEGMENT_BYTES);
  for (let segment = firstSegment; segment * SEGMENT_BYTES < end; segment++) {
    const segmentStart = segment * SEGMENT_BYTES;
    const from = (segment - firstSegment) * SEALED_SEGMENT_BYTES;
    const length = Math.min(SEGMENT_BYTES, chunkBytes - segmentStart);
    const nonce = segmentNonce(segment, segment === lastSegment);
    const text = bytes.subarray(from, from + length);
    const tag = bytes.subarray(from + length, from + length + TAG_BYTES);
    const piece = keys.suite.open({ key: keys.key, nonce, aad: keys.headerHash, text, tag });
    if (piece === undefined) throw corrupt(options, `segment ${segment} does not match its tag`);
    const cut = piece.subarray(Math.max(0, start - segmentStart), Math.min(length, end - segmentStart));
    // Never past `from`: a segment is shorter than what it was sealed to.
    bytes.set(cut, Math.max(0, segmentStart - start));
    releaseBuffer(piece);
  }
  return bytes.subarray(0, end - start);
}

/** The whole plaintext of a whole object, header included, which stays as it is. Errors as `openSegments`; CORRUPT also for a header that is not as expected. */
export function openChunk(sealed: Uint8Array, expected: ChunkOpening): Uint8Array {
  const { chunkBytes } = expected;
  const keys = openingKeys(expected);
  if (sealed.length !== sealedBytes(chunkBytes)) {
    throw corrupt(expected, `${sealed.length} bytes instead of ${sealedBytes(chunkBytes)}`);
  }
  const header = Buffer.concat([keys.hashed, keys.commitment]);
  if (!header.equals(sealed.subarray(0, CHUNK_HEADER_BYTES))) {
    throw corrupt(expected, 'its header is not the one that belongs to it');
  }
  return openSegments({
    ...expected,
    bytes: Uint8Array.from(sealed.subarray(CHUNK_HEADER_BYTES)),
    start: 0,
    end: chunkBytes,
  });
}

/**
 * What a chunk's header says of itself, unauthenticated: for tools that look at an object whose manifest is not at hand.
 * CORRUPT when it is no chunk, NOT_SUPPORTED for a later version or suite.
 */
export function readChunkHeader(
  sealed: Uint8Array,
): ChunkIdentity & { readonly chunkBytes: number; readonly commitment: Uint8Array } {
  if (sealed.length < CHUNK_HEADER_BYTES) throw new ArchiveError('CORRUPT', 'a chunk that is shorter than its header');
  const header = Buffer.from(sealed.buffer, sealed.byteOffset, CHUNK_HEADER_BYTES);
  if (!header.subarray(0, 8).equals(MAGIC)) throw new ArchiveError('CORRUPT', 'not a chunk: another magic');
  const version = header.readUInt16BE(8);
  if (version !== VERSION)
    throw new ArchiveError('NOT_SUPPORTED', `a chunk of version ${version}; this filmroom reads 1`);
  suiteOf(header.readUInt16BE(10));
  const chunkBytes = Number(header.readBigUInt64BE(24));
  const reserved = header.readUInt32BE(20) !== 0 || header.subarray(96, HASHED_BYTES).some((byte) => byte !== 0);
  if (header.readUInt32BE(12) !== SEGMENT_BYTES || reserved || !isChunkBytes(chunkBytes)) {
    throw new ArchiveError('CORRUPT', 'a chunk header with impossible lengths or reserved bytes');
  }
  return {
    pack: headerPack(header),
    chunk: header.readUInt32BE(16),
    suite: header.readUInt16BE(10),
    dekId: Uint8Array.from(header.subarray(48, 64)),
    salt: Uint8Array.from(header.subarray(64, 96)),
    chunkBytes,
    commitment: Uint8Array.from(header.subarray(HASHED_BYTES)),
  };
}

function headerPack(header: Buffer): PackId {
  try {
    return packIdOf(header.subarray(32, 48));
  } catch (cause) {
    throw new ArchiveError('CORRUPT', 'a chunk header without a pack id', { cause });
  }
}

interface ChunkKeys {
  readonly suite: CipherSuite;
  /** The header without its commitment. */
  readonly hashed: Buffer;
  readonly headerHash: Buffer;
  readonly key: Buffer;
  readonly commitment: Uint8Array;
}

function chunkKeys(options: ChunkIdentity & { readonly dek: Uint8Array; readonly chunkBytes: number }): ChunkKeys {
  const { pack, chunk, dek, dekId, salt, chunkBytes } = options;
  const suite = suiteOf(options.suite);
  invariant(isChunkBytes(chunkBytes), `a chunk has 1 to ${CHUNK_BYTES} bytes, not ${chunkBytes}`);
  invariant(Number.isInteger(chunk) && chunk >= 0 && chunk <= 0xffffffff, `not a chunk number: ${chunk}`);
  invariant(dek.length === KEY_BYTES && dekId.length === 16, 'a DEK has 32 bytes and its id 16');
  invariant(salt.length === CHUNK_SALT_BYTES, 'a chunk salt has 32 bytes');
  const hashed = Buffer.alloc(HASHED_BYTES);
  hashed.set(MAGIC);
  hashed.writeUInt16BE(VERSION, 8);
  hashed.writeUInt16BE(suite.id, 10);
  hashed.writeUInt32BE(SEGMENT_BYTES, 12);
  hashed.writeUInt32BE(chunk, 16);
  hashed.writeBigUInt64BE(BigInt(chunkBytes), 24);
  hashed.set(packIdBytes(pack), 32);
  hashed.set(dekId, 48);
  hashed.set(salt, 64);
  const headerHash = suite.hash(hashed);
  const { keyBytes } = suite;
  const keys = suite.derive(dek, salt, Buffer.concat([INFO, headerHash]), keyBytes + COMMITMENT_BYTES);
  // A copy: the commitment is given out, and must not take the key along in its ArrayBuffer.
  const commitment = Uint8Array.from(keys.subarray(keyBytes));
  return { suite, hashed, headerHash, key: keys.subarray(0, keyBytes), commitment };
}

function openingKeys(options: ChunkOpening): ChunkKeys {
  const keys = chunkKeys(options);
  const { commitment } = options;
  if (commitment.length !== COMMITMENT_BYTES || !timingSafeEqual(keys.commitment, commitment)) {
    throw new ArchiveError(
      'WRONG_KEY',
      `chunk ${options.chunk} of pack ${options.pack} was sealed under another key than the one at hand`,
    );
  }
  return keys;
}

/** 7 zero bytes, the segment's number, and whether it is the last: it cannot move, and the chunk cannot be cut. */
function segmentNonce(segment: number, last: boolean): Uint8Array {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUInt32BE(segment, 7);
  nonce.writeUInt8(last ? 1 : 0, 11);
  return nonce;
}

function segmentsOf(chunkBytes: number): number {
  return Math.ceil(chunkBytes / SEGMENT_BYTES);
}

function isChunkBytes(chunkBytes: number): boolean {
  return Number.isInteger(chunkBytes) && chunkBytes >= 1 && chunkBytes <= CHUNK_BYTES;
}

function requireRange(chunkBytes: number, start: number, end: number): void {
  const whole = Number.isInteger(start) && Number.isInteger(end) && isChunkBytes(chunkBytes);
  invariant(
    whole && start >= 0 && start < end && end <= chunkBytes,
    `[${start}, ${end}) of a chunk of ${chunkBytes} bytes`,
  );
}

function corrupt(chunk: ChunkIdentity, what: string): ArchiveError {
  return new ArchiveError('CORRUPT', `chunk ${chunk.chunk} of pack ${chunk.pack} is damaged: ${what}`);
}
