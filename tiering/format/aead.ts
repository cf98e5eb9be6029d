// The two primitives of the cold format: HKDF-SHA-256 and AES-256-GCM in one shot. A key that comes
// out of `derive` is used for one purpose; nonces are fixed by the callers, which docs/format.md justifies.
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { ArchiveError } from '../core/errors.js';

export const KEY_BYTES = 32;
export const TAG_BYTES = 16;
export const NONCE_BYTES = 12;
/** Cipher suite 1: AES-256-GCM with keys by HKDF-SHA-256. */
export const SUITE_AES_256_GCM = 1;

/** NOT_SUPPORTED for every suite but those that this version may use. */
export function requireSuite(suite: number): void {
  if (suite !== SUITE_AES_256_GCM) {
    throw new ArchiveError('NOT_SUPPORTED', `cipher suite ${suite} is not known here; a newer filmroom may open it`);
  }
}

/** RFC 5869 with SHA-256, extract and expand. */
export function derive(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', ikm, salt, info, bytes));
}

/** `ciphertext || tag` of one message. */
export function sealMessage(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  const sealed = cipher.update(plain);
  cipher.final();
  return Buffer.concat([sealed, cipher.getAuthTag()]);
}

/** The plaintext of `ciphertext || tag`, or undefined when the tag does not fit. Nothing is given out before. */
export function openMessage(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Buffer | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const split = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(split));
  const plain = decipher.update(sealed.subarray(0, split));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return plain;
}
