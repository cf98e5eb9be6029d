// Cipher suites by id (docs/format.md 3.3), and which of them an archive seals with and opens.
import { ArchiveError } from '../core/errors.js';
import { AES_256_GCM } from './aead.js';
import type { CipherSuite, SuiteMessage } from './cipher-suite.js';
import { SM4_CTR_HMAC_SM3 } from './sm4.js';

export const TAG_BYTES = 16;
export const NONCE_BYTES = 12;

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
