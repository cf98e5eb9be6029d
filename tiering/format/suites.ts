// Cipher suites by id (docs/format.md 3.3). One suite is everything that a key does in an object: derivation, the hash of what is
// bound to it, and sealing. All have tags of 16 bytes, so that lengths and offsets do not depend on the suite.
import { ArchiveError } from '../core/errors.js';
import { AES_256_GCM } from './aead.js';
import { SM4_CTR_HMAC_SM3 } from './sm4.js';

export const TAG_BYTES = 16;
export const NONCE_BYTES = 12;

export interface CipherSuite {
  readonly id: number;
  /** Bytes of key that one message is sealed under. */
  readonly keyBytes: number;
  /** 32 bytes. */
  hash(bytes: Uint8Array): Buffer;
  /** RFC 5869 with the suite's hash, extract and expand. */
  derive(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, bytes: number): Buffer;
  /** Writes `ciphertext || tag` of one message to `target` from `at` on. A key and a nonce never meet two messages. */
  sealInto(target: Uint8Array, at: number, message: SuiteMessage & { readonly plain: Uint8Array }): void;
  /** The plaintext, or undefined when the tag does not fit: nothing is given out before. */
  open(message: SuiteMessage & { readonly text: Uint8Array; readonly tag: Uint8Array }): Buffer | undefined;
}

export interface SuiteMessage {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly aad: Uint8Array;
}

/** The names of the configuration. 3 is kept for SM4-GCM. */
export const SUITE_IDS = { 'aes-256-gcm': 1, 'sm4-ctr-hmac-sm3': 2 } as const;
export type SuiteName = keyof typeof SUITE_IDS;

/** Which suite seals, and which are opened: the archive's own decision, which nothing that lies in a bucket can widen. */
export interface SuiteRule {
  readonly seal: number;
  readonly open: readonly number[];
}

export const AES_ALONE: SuiteRule = { seal: SUITE_IDS['aes-256-gcm'], open: [SUITE_IDS['aes-256-gcm']] };

const SUITES: ReadonlyMap<number, CipherSuite> = new Map(
  [AES_256_GCM, SM4_CTR_HMAC_SM3].map((suite) => [suite.id, suite]),
);

/** NOT_SUPPORTED for every suite but those that this version knows. */
export function suiteOf(id: number): CipherSuite {
  const suite = SUITES.get(id);
  if (suite === undefined) {
    throw new ArchiveError('NOT_SUPPORTED', `cipher suite ${id} is not known here; a newer filmroom may open it`);
  }
  return suite;
}

/** SUITE_REFUSED for a suite that the archive does not open. */
export function requireAllowed(rule: SuiteRule, id: number): void {
  if (rule.open.includes(id)) return;
  const name = Object.entries(SUITE_IDS).find(([, known]) => known === id)?.[0] ?? String(id);
  throw new ArchiveError(
    'SUITE_REFUSED',
    `sealed with cipher suite ${name}, which this archive does not open: cold.openSuites in the configuration lists those that it does`,
  );
}

/** `ciphertext || tag` of one message. */
export function sealMessage(suite: CipherSuite, message: SuiteMessage & { readonly plain: Uint8Array }): Buffer {
  const sealed = Buffer.alloc(message.plain.length + TAG_BYTES);
  suite.sealInto(sealed, 0, message);
  return sealed;
}

/** The plaintext of `ciphertext || tag`, or undefined when the tag does not fit. */
export function openMessage(
  suite: CipherSuite,
  { sealed, ...message }: SuiteMessage & { readonly sealed: Uint8Array },
): Buffer | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const split = sealed.length - TAG_BYTES;
  return suite.open({ ...message, text: sealed.subarray(0, split), tag: sealed.subarray(split) });
}
