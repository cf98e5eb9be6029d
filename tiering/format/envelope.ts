// The sealed object with a clear part (docs/format.md 5): manifests and tombstones are two kinds of it. What it says is
// sealed under a DEK of its own, and the DEK's wrap lies in the clear part, so that one object and the keyring are enough.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Random } from '../core/clock.js';
import { ArchiveError, invariant } from '../core/errors.js';
import type { PackId } from '../core/ids.js';
import type { CipherSuite } from './cipher-suite.js';
import type { Keyring } from './keyring.js';
import { DEK_ID_BYTES, unwrapDek, WRAP_SALT_BYTES, WRAPPED_DEK_BYTES, wrapDek } from './keys.js';
import { packIdBytes, packIdOf } from './pack-id.js';
import { NONCE_BYTES, openMessage, sealMessage, suiteOf, TAG_BYTES } from './suites.js';
import type { DekWrap } from './types.js';

export const CLEAR_BYTES = 256;

const VERSION = 1;
/** The body key is used once, so its nonce may be fixed. */
const NONCE = Buffer.alloc(NONCE_BYTES);
const COMMITMENT_BYTES = 32;
const DIGEST_BYTES = 32;
/** The clear part up to here is hashed; what follows is the commitment, which depends on the hash. */
const HASHED_BYTES = CLEAR_BYTES - COMMITMENT_BYTES;
const KEK_ID = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** What tells one kind of sealed object from another: none opens as the other. */
export interface EnvelopeKind {
  /** For messages: `manifest`. */
  readonly what: string;
  /** 8 bytes. */
  readonly magic: Buffer;
  /** Separates the keys of the kinds. */
  readonly info: Buffer;
  readonly bytesMax: number;
}

/** How the DEK of one object is kept: part of a pack's seal. */
export type EnvelopeSeal = DekWrap & { readonly suite: number; readonly dekId: Uint8Array };

/** What an object says to one who has no key. */
export interface EnvelopeClear extends EnvelopeSeal {
  readonly version: number;
  /** The pack that it is about; of a tombstone, an id of its own. */
  readonly id: PackId;
  readonly bodySalt: Uint8Array;
  readonly bodyBytes: number;
}

/** Seals `plain` under `dek` with a fresh salt. LIMIT when it is too long; NOT_SUPPORTED for an unknown suite. */
export function sealEnvelope(
  kind: EnvelopeKind,
  options: {
    readonly id: PackId;
    readonly seal: EnvelopeSeal;
    readonly dek: Uint8Array;
    readonly plain: Uint8Array;
    readonly random: Random;
  },
): Uint8Array {
  const { id, seal, dek, plain, random } = options;
  const suite = suiteOf(seal.suite);
  invariant(KEK_ID.test(seal.kekId) && seal.wrapSalt.length === WRAP_SALT_BYTES, 'a seal names its KEK and salt');
  invariant(seal.dekId.length === DEK_ID_BYTES && seal.wrappedDek.length === WRAPPED_DEK_BYTES, 'a seal has its DEK');
  const bodySalt = random.bytes(32);
  invariant(bodySalt.length === 32, 'the random source gives as much as it is asked for');

  const clear = Buffer.alloc(CLEAR_BYTES);
  clear.set(kind.magic);
  clear.writeUInt16BE(VERSION, 8);
  clear.writeUInt16BE(seal.suite, 10);
  clear.set(packIdBytes(id), 16);
  clear.write(seal.kekId, 32, 'latin1');
  clear.set(seal.wrapSalt, 64);
  clear.set(seal.dekId, 96);
  clear.set(seal.wrappedDek, 112);
  clear.set(bodySalt, 160);
  clear.writeBigUInt64BE(BigInt(plain.length), 192);
  const { key, commitment, clearHash } = bodyKeys(kind, suite, dek, clear);
  clear.set(commitment, HASHED_BYTES);
  const sealed = sealMessage(suite, { key, nonce: NONCE, aad: clearHash, plain });
  const digest = createHash('sha256').update(clear).update(sealed).digest();
  const length = clear.length + sealed.length + digest.length;
  if (length > kind.bytesMax) throw new ArchiveError('LIMIT', `a ${kind.what} of ${length} bytes is too long`);
  return Buffer.concat([clear, sealed, digest]);
}

/**
 * What an object says without a key. CORRUPT when it is damaged or of another kind; NOT_SUPPORTED for a later version or
 * suite. It protects nothing from an attacker: only opening authenticates it.
 */
export function readEnvelopeClear(kind: EnvelopeKind, bytes: Uint8Array): EnvelopeClear {
  const object = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bodyBytes = object.length - CLEAR_BYTES - TAG_BYTES - DIGEST_BYTES;
  if (bodyBytes < 1 || object.length > kind.bytesMax) {
    throw damagedEnvelope(kind, `${object.length} bytes is no length of one`);
  }
  if (!object.subarray(0, kind.magic.length).equals(kind.magic)) throw damagedEnvelope(kind, 'another magic');
  const split = object.length - DIGEST_BYTES;
  const digest = createHash('sha256').update(object.subarray(0, split)).digest();
  if (!digest.equals(object.subarray(split))) throw damagedEnvelope(kind, 'its SHA-256 does not match');
  const version = object.readUInt16BE(8);
  if (version !== VERSION) {
    throw new ArchiveError('NOT_SUPPORTED', `a ${kind.what} of version ${version}; this filmroom reads ${VERSION}`);
  }
  const suite = object.readUInt16BE(10);
  suiteOf(suite);
  const kekId = object.toString('latin1', 32, 64).replace(/\0+$/, '');
  const reserved = object.readUInt32BE(12) !== 0 || object.subarray(200, HASHED_BYTES).some((byte) => byte !== 0);
  if (reserved || !KEK_ID.test(kekId) || object.readBigUInt64BE(192) !== BigInt(bodyBytes)) {
    throw damagedEnvelope(kind, 'a field of its clear part is impossible');
  }
  return {
    version,
    suite,
    id: idOf(kind, object),
    kekId,
    wrapSalt: Uint8Array.from(object.subarray(64, 96)),
    dekId: Uint8Array.from(object.subarray(96, 112)),
    wrappedDek: Uint8Array.from(object.subarray(112, 160)),
    bodySalt: Uint8Array.from(object.subarray(160, 192)),
    bodyBytes,
  };
}

/** The body, authenticated. Errors as `readEnvelopeClear`, WRONG_KEY when the keyring lacks its KEK (named) or does not open it, UNAVAILABLE when who holds it does not answer, SUITE_REFUSED when the archive does not open its suite. */
export async function openEnvelope(
  kind: EnvelopeKind,
  bytes: Uint8Array,
  keyring: Keyring,
): Promise<{ readonly clear: EnvelopeClear; readonly plain: Buffer }> {
  const clear = readEnvelopeClear(kind, bytes);
  const dek = await unwrapDek(clear, clear.id, keyring);
  const object = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const suite = suiteOf(clear.suite);
  const { key, commitment, clearHash } = bodyKeys(kind, suite, dek, object);
  // The wrap was authenticated, so the key is the right one, and what differs was changed.
  if (!timingSafeEqual(commitment, object.subarray(HASHED_BYTES, CLEAR_BYTES))) {
    throw damagedEnvelope(kind, `its commitment does not match (${clear.id})`);
  }
  const sealed = object.subarray(CLEAR_BYTES, object.length - DIGEST_BYTES);
  const plain = openMessage(suite, { key, nonce: NONCE, aad: clearHash, sealed });
  if (plain === undefined) throw damagedEnvelope(kind, `its body does not match its tag (${clear.id})`);
  return { clear, plain };
}

/** The same object with its DEK wrapped under the keyring's current key. Errors as `openEnvelope`. */
export async function rewrapEnvelope(
  kind: EnvelopeKind,
  bytes: Uint8Array,
  keyring: Keyring,
  random: Random,
): Promise<Uint8Array> {
  const { clear, plain } = await openEnvelope(kind, bytes, keyring);
  const { id, suite, dekId } = clear;
  const dek = await unwrapDek(clear, id, keyring);
  const wrap = await wrapDek({ pack: id, suite, dek, dekId, keyring, random });
  return sealEnvelope(kind, { id, seal: { suite, dekId, ...wrap }, dek, plain, random });
}

/** Bytes of an object that say which key it is wrapped under. */
export const KEK_HEAD_BYTES = 64;

/** The KEK id that the beginning of a manifest or tombstone names, unauthenticated; undefined when it is the beginning of neither. */
export function kekIdIn(head: Uint8Array): string | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (bytes.length < KEK_HEAD_BYTES || bytes.toString('latin1', 0, 2) !== 'FR') return undefined;
  const kekId = bytes.toString('latin1', 32, KEK_HEAD_BYTES).replace(/\0+$/, '');
  return KEK_ID.test(kekId) ? kekId : undefined;
}

export function damagedEnvelope(kind: EnvelopeKind, what: string): ArchiveError {
  return new ArchiveError('CORRUPT', `a ${kind.what} is damaged: ${what}`);
}

function bodyKeys(
  kind: EnvelopeKind,
  suite: CipherSuite,
  dek: Uint8Array,
  clear: Buffer,
): { readonly key: Buffer; readonly commitment: Buffer; readonly clearHash: Buffer } {
  const clearHash = suite.hash(clear.subarray(0, HASHED_BYTES));
  const info = Buffer.concat([kind.info, clearHash]);
  const { keyBytes } = suite;
  const keys = suite.derive(dek, clear.subarray(160, 192), info, keyBytes + COMMITMENT_BYTES);
  return { key: keys.subarray(0, keyBytes), commitment: keys.subarray(keyBytes), clearHash };
}

function idOf(kind: EnvelopeKind, object: Buffer): PackId {
  try {
    return packIdOf(object.subarray(16, 32));
  } catch {
    throw damagedEnvelope(kind, 'it names no pack');
  }
}
