// What passes between the gateway and the process that talks to a token. Types only.

export interface TokenPlace {
  /** Path of the vendor's PKCS#11 library. */
  readonly module: string;
  /** The token's label. */
  readonly token: string;
  readonly pin: string;
}

/** A key of ours on a token. */
export interface TokenKey {
  readonly id: string;
  /** As it was given to `draw`. */
  readonly label: string;
}

export type TokenRequest =
  | { readonly kind: 'open'; readonly place: TokenPlace }
  /** HMAC-SHA-256 of `message` under the key `id`. */
  | { readonly kind: 'hmac'; readonly id: string; readonly message: Uint8Array }
  /** Makes a key that never leaves the token. */
  | { readonly kind: 'draw'; readonly label: string }
  | { readonly kind: 'list' };

/**
 * `away`: the token does not do it now. `refused`: the PIN is wrong, and is not to be tried again, since tokens lock themselves.
 * `no-key`: the token has no such key.
 */
export type TokenFault = 'away' | 'refused' | 'no-key';

export type TokenAnswer =
  | { readonly kind: 'done' }
  | { readonly kind: 'hmac'; readonly mac: Uint8Array }
  | { readonly kind: 'drawn'; readonly id: string }
  | { readonly kind: 'keys'; readonly keys: readonly TokenKey[] }
  | { readonly kind: 'failed'; readonly fault: TokenFault; readonly detail: string };
