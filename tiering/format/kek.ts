// Keys that encrypt keys, and the boundary to where they are kept (docs/format.md 3.1, 3.2). Two kinds, told by the first letter of
// their id: `k`, a secret that goes into HKDF itself; `h`, one that only ever is an HMAC key, so that a token can hold it for good.
import { createHmac } from 'node:crypto';
import type { Clock, Random } from '../core/clock.js';
import { ArchiveError } from '../core/errors.js';
import { derive, KEY_BYTES } from './aead.js';

/** A key that encrypts keys. */
export interface Kek {
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** 32 bytes; null for a key whose secret a token holds. */
  readonly secret: Uint8Array | null;
}

/** Where the keys of a keyring are, and what is done with them. Every implementation passes test/contract/key-provider.ts. */
export interface KeyProvider {
  /** Why keys could not be used the last time, or null. */
  readonly fault: string | null;
  /**
   * Draws a key and keeps its secret durably, or gives it back in `secret` for the keyring to keep. UNAVAILABLE when it cannot be kept
   * now; what a failed call leaves behind wraps nothing.
   */
  draw(options: DrawOptions): Promise<Kek>;
  /**
   * 32 bytes that follow from the key and the wrap salt, and that nobody can have without the key: what the wrapping key is derived
   * from. The same for the same key wherever it is kept. UNAVAILABLE when who holds the key does not answer in time; WRONG_KEY,
   * naming the id, when there is no such key there.
   */
  wrapInput(kek: Kek, wrapSalt: Uint8Array): Promise<Uint8Array>;
}

export interface DrawOptions {
  readonly archiveId: string;
  readonly random: Random;
  readonly clock: Pick<Clock, 'nowMs'>;
}

export type KekKind = 'k' | 'h';

export const KEK_ID = /^[kh][0-9a-f]{16}$/;

const ID_INFO = Buffer.from('kek-id1', 'latin1');
const WRAP_INFO = Buffer.from('wrap-input1', 'latin1');
const ID_BYTES = 8;

/** What an `h` key is asked for its own id, as the message of an HMAC-SHA-256; the id is its first 8 bytes. */
export const HMAC_ID_MESSAGE = ID_INFO;

/** The id of the `h` key that answers HMAC_ID_MESSAGE so. */
export function hmacKekId(answer: Uint8Array): string {
  return `h${Buffer.from(answer.subarray(0, ID_BYTES)).toString('hex')}`;
}

/** What an `h` key is asked for a wrap, as the message of an HMAC-SHA-256. */
export function wrapInputMessage(wrapSalt: Uint8Array): Buffer {
  return Buffer.concat([WRAP_INFO, wrapSalt]);
}

/** The id of the key with this secret. */
export function kekIdOf(secret: Uint8Array, kind: KekKind = 'k'): string {
  if (kind === 'h') return hmacKekId(hmac(secret, HMAC_ID_MESSAGE));
  return `k${derive(secret, Buffer.alloc(0), ID_INFO, ID_BYTES).toString('hex')}`;
}

/** Draws a new key of kind `k`, or `h` for one that goes into a token. */
export function generateKek(
  random: Random,
  clock: Pick<Clock, 'nowMs'>,
  kind: KekKind = 'k',
): Kek & { readonly secret: Uint8Array } {
  const secret = Uint8Array.from(random.bytes(KEY_BYTES));
  return { id: kekIdOf(secret, kind), createdAt: new Date(clock.nowMs()).toISOString(), secret };
}

/** Keys whose secrets are in the keyring itself. */
export const KEYRING_ALONE: KeyProvider = {
  fault: null,
  draw: ({ random, clock }) => Promise.resolve(generateKek(random, clock)),
  wrapInput: ({ id, secret }, wrapSalt) => {
    if (secret === null) return Promise.reject(onToken(id));
    return Promise.resolve(id.startsWith('h') ? hmac(secret, wrapInputMessage(wrapSalt)) : secret);
  },
};

function onToken(id: string): ArchiveError {
  return new ArchiveError(
    'WRONG_KEY',
    `the secret of key ${id} is on a token and not in this keyring: name the token under cold.pkcs11 in the configuration`,
  );
}

function hmac(secret: Uint8Array, message: Uint8Array): Uint8Array {
  return createHmac('sha256', secret).update(message).digest();
}
