// Manifest v1 (docs/format.md 5): one sealed object that says what is in a pack and, with the keyring,
// opens it. Damage, a wrong key, a later version and another archive's manifest are told apart.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Random } from '../core/clock.js';
import { ArchiveError, invariant } from '../core/errors.js';
import type { PackId } from '../core/ids.js';
import { derive, KEY_BYTES, NONCE_BYTES, openMessage, requireSuite, sealMessage, TAG_BYTES } from './aead.js';
import type { Keyring } from './keyring.js';
import { DEK_ID_BYTES, unwrapDek, WRAP_SALT_BYTES, WRAPPED_DEK_BYTES } from './keys.js';
import { decodeBody } from './manifest-decode.js';
import { encodeBody } from './manifest-encode.js';
import { MANIFEST_BYTES_MAX } from './manifest-rules.js';
import { packIdBytes, packIdOf } from './pack-id.js';
import type { ManifestBody, PackSeal } from './types.js';

export const MANIFEST_CLEAR_BYTES = 256;

const MAGIC = Buffer.from('FRMANIF\0', 'latin1');
const VERSION = 1;
const INFO = Buffer.from('manifest1', 'latin1');
/** The body key is used once, so its nonce may be fixed. */
const NONCE = Buffer.alloc(NONCE_BYTES);
const COMMITMENT_BYTES = 32;
const DIGEST_BYTES = 32;
/** The clear part up to here is hashed; what follows is the commitment, which depends on the hash. */
const HASHED_BYTES = MANIFEST_CLEAR_BYTES - COMMITMENT_BYTES;
const KEK_ID = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** What a manifest says to one who has no key. */
export interface ManifestClear {
  readonly version: number;
  readonly suite: number;
  readonly pack: PackId;
  readonly kekId: string;
  readonly wrapSalt: Uint8Array;
  readonly dekId: Uint8Array;
  readonly wrappedDek: Uint8Array;
  readonly bodySalt: Uint8Array;
  readonly bodyBytes: number;
}

/**
 * The manifest object of `body`, sealed under the pack's `dek` with a fresh salt. INVALID when the body breaks a rule of
 * the format or its chunks are not those of `seal`; LIMIT when it is too long; NOT_SUPPORTED for an unknown suite.
 */
export function sealManifest(body: ManifestBody, seal: PackSeal, dek: Uint8Array, random: Random): Uint8Array {
  requireSuite(seal.suite);
  requireSameChunks(body, seal);
  invariant(KEK_ID.test(seal.kekId) && seal.wrapSalt.length === WRAP_SALT_BYTES, 'a seal names its KEK and salt');
  invariant(seal.dekId.length === DEK_ID_BYTES && seal.wrappedDek.length === WRAPPED_DEK_BYTES, 'a seal has its DEK');
  const plain = encodeBody(body);
  const bodySalt = random.bytes(32);
  invariant(bodySalt.length === 32, 'the random source gives as much as it is asked for');

  const clear = Buffer.alloc(MANIFEST_CLEAR_BYTES);
  clear.set(MAGIC);
  clear.writeUInt16BE(VERSION, 8);
  clear.writeUInt16BE(seal.suite, 10);
  clear.set(packIdBytes(body.pack), 16);
  clear.write(seal.kekId, 32, 'latin1');
  clear.set(seal.wrapSalt, 64);
  clear.set(seal.dekId, 96);
  clear.set(seal.wrappedDek, 112);
  clear.set(bodySalt, 160);
  clear.writeBigUInt64BE(BigInt(plain.length), 192);
  const { key, commitment, clearHash } = bodyKeys(dek, clear);
  clear.set(commitment, HASHED_BYTES);
  const sealed = sealMessage(key, NONCE, clearHash, plain);
  const digest = createHash('sha256').update(clear).update(sealed).digest();
  const length = clear.length + sealed.length + digest.length;
  if (length > MANIFEST_BYTES_MAX) {
    throw new ArchiveError('LIMIT', `manifest of pack ${body.pack}: ${length} bytes is too long`);
  }
  return Buffer.concat([clear, sealed, digest]);
}

/**
 * What a manifest says without a key. CORRUPT when it is damaged or no manifest; NOT_SUPPORTED for a later version or suite.
 * It protects nothing from an attacker: only opening authenticates it.
 */
export function readManifestClear(bytes: Uint8Array): ManifestClear {
  const object = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bodyBytes = object.length - MANIFEST_CLEAR_BYTES - TAG_BYTES - DIGEST_BYTES;
  if (bodyBytes < 1 || object.length > MANIFEST_BYTES_MAX) throw damaged(`${object.length} bytes is no length of one`);
  if (!object.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged('another magic');
  const split = object.length - DIGEST_BYTES;
  const digest = createHash('sha256').update(object.subarray(0, split)).digest();
  if (!digest.equals(object.subarray(split))) throw damaged('its SHA-256 does not match');
  const version = object.readUInt16BE(8);
  if (version !== VERSION) {
    throw new ArchiveError('NOT_SUPPORTED', `a manifest of version ${version}; this filmroom reads ${VERSION}`);
  }
  const suite = object.readUInt16BE(10);
  requireSuite(suite);
  const kekId = object.toString('latin1', 32, 64).replace(/\0+$/, '');
  const reserved = object.readUInt32BE(12) !== 0 || object.subarray(200, HASHED_BYTES).some((byte) => byte !== 0);
  if (reserved || !KEK_ID.test(kekId) || object.readBigUInt64BE(192) !== BigInt(bodyBytes)) {
    throw damaged('a field of its clear part is impossible');
  }
  return {
    version,
    suite,
    pack: clearPack(object),
    kekId,
    wrapSalt: Uint8Array.from(object.subarray(64, 96)),
    dekId: Uint8Array.from(object.subarray(96, 112)),
    wrappedDek: Uint8Array.from(object.subarray(112, 160)),
    bodySalt: Uint8Array.from(object.subarray(160, 192)),
    bodyBytes,
  };
}

/**
 * Opens a manifest and checks everything in it against the rules of the format before any of it is given out. Errors as
 * `readManifestClear`, and WRONG_KEY when the keyring lacks its KEK (named) or does not open it; FOREIGN when it is of
 * another archive than the keyring.
 */
export function openManifest(
  bytes: Uint8Array,
  keyring: Keyring,
): { readonly body: ManifestBody; readonly seal: PackSeal } {
  const clear = readManifestClear(bytes);
  const { pack, suite, kekId, wrapSalt, wrappedDek, dekId } = clear;
  const dek = unwrapDek(clear, pack, keyring);
  const object = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { key, commitment, clearHash } = bodyKeys(dek, object);
  // The wrap was authenticated, so the key is the right one, and what differs was changed.
  if (!timingSafeEqual(commitment, object.subarray(HASHED_BYTES, MANIFEST_CLEAR_BYTES))) {
    throw damaged(`its commitment does not match (pack ${pack})`);
  }
  const sealed = object.subarray(MANIFEST_CLEAR_BYTES, object.length - DIGEST_BYTES);
  const plain = openMessage(key, NONCE, clearHash, sealed);
  if (plain === undefined) throw damaged(`its body does not match its tag (pack ${pack})`);
  const body = decodeBody(plain, pack);
  if (body.archiveId !== keyring.archiveId) {
    throw new ArchiveError(
      'FOREIGN',
      `the manifest of pack ${pack} is of archive ${body.archiveId}, not ${keyring.archiveId}`,
    );
  }
  return { body, seal: { suite, kekId, wrapSalt, wrappedDek, dekId, chunks: body.chunks } };
}

function bodyKeys(
  dek: Uint8Array,
  clear: Buffer,
): { readonly key: Buffer; readonly commitment: Buffer; readonly clearHash: Buffer } {
  const clearHash = createHash('sha256').update(clear.subarray(0, HASHED_BYTES)).digest();
  const keys = derive(dek, clear.subarray(160, 192), Buffer.concat([INFO, clearHash]), KEY_BYTES + COMMITMENT_BYTES);
  return { key: keys.subarray(0, KEY_BYTES), commitment: keys.subarray(KEY_BYTES), clearHash };
}

function requireSameChunks(body: ManifestBody, seal: PackSeal): void {
  const same = body.chunks.every((chunk, at) => {
    const sealed = seal.chunks[at];
    return (
      sealed !== undefined &&
      Buffer.compare(chunk.salt, sealed.salt) === 0 &&
      Buffer.compare(chunk.commitment, sealed.commitment) === 0 &&
      (sealed.name === null || sealed.name === chunk.name)
    );
  });
  if (!same || body.chunks.length !== seal.chunks.length) {
    throw new ArchiveError('INVALID', `manifest of pack ${body.pack}: its chunks are not those of the pack's seal`);
  }
}

function clearPack(object: Buffer): PackId {
  try {
    return packIdOf(object.subarray(16, 32));
  } catch {
    throw damaged('it names no pack');
  }
}

function damaged(what: string): ArchiveError {
  return new ArchiveError('CORRUPT', `a manifest is damaged: ${what}`);
}
