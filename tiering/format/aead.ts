// Suite 1: AES-256-GCM with keys by HKDF-SHA-256. A key that comes out of `derive` is used for one purpose; nonces are fixed by
// the callers, which docs/format.md justifies.
import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import { releaseBuffer } from '../core/buffers.js';
import type { CipherSuite } from './cipher-suite.js';

/** Bytes of a KEK and of a DEK, whatever the suite. */
export const KEY_BYTES = 32;
const TAG_BYTES = 16;

/** RFC 5869 with SHA-256, extract and expand. */
export function derive(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', ikm, salt, info, bytes));
}

export const AES_256_GCM: CipherSuite = {
  id: 1,
  keyBytes: KEY_BYTES,
  hash: (bytes) => createHash('sha256').update(bytes).digest(),
  derive,

  sealInto(target, at, { key, nonce, aad, plain }) {
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(aad);
    const text = cipher.update(plain);
    target.set(text, at);
    releaseBuffer(text);
    cipher.final();
    target.set(cipher.getAuthTag(), at + plain.length);
  },

  open({ key, nonce, aad, text, tag }) {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(aad);
    decipher.setAuthTag(tag);
    const plain = decipher.update(text);
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return plain;
  },
};
