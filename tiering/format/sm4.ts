// Suite 2: SM4-CTR (GB/T 32907) under HMAC-SM3 (GB/T 32905), encrypt then MAC, with keys by HKDF over SM3. For archives whose
// ciphers must be the national ones; OpenSSL 3.0 has no SM4-GCM yet.
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { releaseBuffer } from '../core/buffers.js';
import type { CipherSuite, SuiteMessage } from './cipher-suite.js';

const CIPHER_KEY_BYTES = 16;
const MAC_KEY_BYTES = 32;
/** HMAC-SM3 cut to its first half: as long as a GCM tag, and no shorter than RFC 2104 section 5 has it. */
const TAG_BYTES = 16;

export const SM4_CTR_HMAC_SM3: CipherSuite = {
  id: 2,
  keyBytes: CIPHER_KEY_BYTES + MAC_KEY_BYTES,
  hash: (bytes) => createHash('sm3').update(bytes).digest(),
  derive: (ikm, salt, info, bytes) => Buffer.from(hkdfSync('sm3', ikm, salt, info, bytes)),

  sealInto(target, at, message) {
    const { key, nonce, plain } = message;
    const text = createCipheriv('sm4-ctr', key.subarray(0, CIPHER_KEY_BYTES), firstBlock(nonce)).update(plain);
    target.set(text, at);
    target.set(tagOf(message, text), at + plain.length);
    releaseBuffer(text);
  },

  open(message) {
    const { key, nonce, text, tag } = message;
    if (tag.length !== TAG_BYTES || !timingSafeEqual(tagOf(message, text), tag)) return undefined;
    return createDecipheriv('sm4-ctr', key.subarray(0, CIPHER_KEY_BYTES), firstBlock(nonce)).update(text);
  },
};

/** The nonce and a block counter of 32 bits from 0: enough for 64 GiB, which no message reaches. */
function firstBlock(nonce: Uint8Array): Buffer {
  return Buffer.concat([nonce, Buffer.alloc(4)]);
}

/** Over nonce, length of what is bound, what is bound, ciphertext: no two messages give the same input. */
function tagOf({ key, nonce, aad }: SuiteMessage, text: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(aad.length);
  const mac = createHmac('sm3', key.subarray(CIPHER_KEY_BYTES)).update(nonce).update(length).update(aad).update(text);
  return mac.digest().subarray(0, TAG_BYTES);
}
