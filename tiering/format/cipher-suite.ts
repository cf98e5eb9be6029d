// One cipher suite is everything that a key does in an object: derivation, the hash of what is bound to it, and sealing. All have
// tags of 16 bytes, so that lengths and offsets do not depend on the suite (docs/format.md 3.3).

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
