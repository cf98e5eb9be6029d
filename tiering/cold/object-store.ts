// The cold boundary: a flat store of small immutable objects (at most a few chunks' size each, so
// they are passed whole). Contract suite: test/contract/object-store.ts. Implementations: s3/,
// directory/, memory/ (the reference model), and every decorator and composition of them.
import type { ObjectKey, Sha256 } from '../core/ids.js';

export interface ObjectStoreCapabilities {
  /** `ifAbsent` is honoured atomically. Without it the store overwrites; an optimisation, never a safety rule. */
  readonly conditionalPut: boolean;
  /** The store itself refuses a body whose SHA-256 is not the one given. */
  readonly verifiesSha256: boolean;
}

export interface PutOptions {
  /** SHA-256 of the body when it is known already (content addresses): spares a second hash. A body that does not match is refused (CORRUPT) where `verifiesSha256`. */
  readonly sha256?: Sha256;
  /** Refuse with CONFLICT when the key exists, where `conditionalPut`. */
  readonly ifAbsent?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface ObjectEntry {
  readonly key: ObjectKey;
  readonly bytes: number;
}

/** One of the versions that a store keeps of an object. */
export interface ObjectVersion {
  readonly key: ObjectKey;
  readonly versionId: string;
  readonly newest: boolean;
  /** It says that the object was deleted, and has no bytes. */
  readonly deleteMarker: boolean;
  readonly modifiedMs: number;
}

/** What a store with versions keeps of what was overwritten or deleted. */
export interface ObjectHistory {
  /** Every version of every object below `prefix`, keys ascending, those of one key one after another. */
  versions(prefix: string, signal?: AbortSignal): AsyncIterable<ObjectVersion>;
  get(version: Pick<ObjectVersion, 'key' | 'versionId'>, signal?: AbortSignal): Promise<Uint8Array>;
}

/**
 * Every method rejects with ArchiveError. ABSENT only when the store itself answered that there is no such key in a
 * bucket that exists; a missing bucket, refused credentials, a time-out, 5xx, skewed clocks are UNAVAILABLE; an answer
 * that is not what was asked (short body, wrong range, wrong length) is CORRUPT; ABORTED by the signal. Every call is
 * bounded in time by the implementation, signal or none.
 */
export interface ObjectStore {
  readonly capabilities: ObjectStoreCapabilities;

  /** Stores the object whole or not at all; durable when it resolves. Putting equal bytes again is harmless. */
  put(key: ObjectKey, body: Uint8Array, options?: PutOptions): Promise<void>;

  /** The object, or exactly its bytes `[start, end)`: a range that goes past the end is CORRUPT, never short. `end > start`. */
  get(
    key: ObjectKey,
    range?: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): Promise<Uint8Array>;

  /** Its length, without the body. */
  head(key: ObjectKey, signal?: AbortSignal): Promise<{ readonly bytes: number }>;

  /** Every key that begins with `prefix` and is greater than `after`, ascending by UTF-8 bytes. Pages are fetched as it is read. Keys outside of the grammar of ObjectKey are skipped. */
  list(
    prefix: string,
    options?: { readonly after?: string; readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<ObjectEntry>;

  /** Only where the store may keep versions. */
  readonly history?: ObjectHistory | undefined;

  /** Only where objects are locked: extends the lock of one that would run out, and resolves with whether it had to. */
  readonly renew?: ((key: ObjectKey, signal?: AbortSignal) => Promise<boolean>) | undefined;

  /** Idempotent: an absent key is no error. FORBIDDEN where the store does not let this key delete: nothing else is the worse for it. */
  delete(key: ObjectKey, signal?: AbortSignal): Promise<void>;

  /** Releases sockets and timers. Idempotent. */
  close(): Promise<void>;
}
