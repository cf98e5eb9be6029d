// The replicas seen as one object store: put by quorum, get and head from any, list merged, delete from
// all. It passes the same contract suite as each of them.
import { ArchiveError, codeOf } from '../../core/errors.js';
import { type ObjectKey, parseObjectKey, type ReplicaName } from '../../core/ids.js';
import { abortedError, type ByteRange, checkBody, checkRange } from '../checks.js';
import type { ObjectEntry, ObjectStore, ObjectStoreCapabilities, PutOptions } from '../object-store.js';
import type { GuardedReplica } from './guarded-replica.js';
import { mergeListings } from './merge-listings.js';
import type { PutResults } from './quorum-put.js';

/** What the composition needs of the set, and nothing more. */
export interface ReplicaReader {
  readonly guards: readonly GuardedReplica[];
  readonly writeQuorum: number;
  anyOf<T>(
    what: string,
    signal: AbortSignal | undefined,
    run: (replica: GuardedReplica, signal: AbortSignal) => Promise<T>,
  ): Promise<T>;
  putQuorum(key: ObjectKey, body: Uint8Array, options: PutOptions): Promise<PutResults>;
}

export class ComposedStore implements ObjectStore {
  readonly capabilities: ObjectStoreCapabilities;
  readonly #set: ReplicaReader;

  constructor(set: ReplicaReader) {
    this.#set = set;
    this.capabilities = {
      // N stores cannot be asked atomically.
      conditionalPut: false,
      verifiesSha256: set.guards.every(({ capabilities }) => capabilities.verifiesSha256),
    };
  }

  async put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<void> {
    parseObjectKey(key);
    checkBody(body);
    const { ifAbsent: _, ...rest } = options;
    await this.#set.putQuorum(key, body, rest);
  }

  async get(key: ObjectKey, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    parseObjectKey(key);
    checkRange(range);
    return this.#set.anyOf(`get ${key}`, signal, (replica, own) => replica.get(key, range, own));
  }

  async head(key: ObjectKey, signal?: AbortSignal): Promise<{ readonly bytes: number }> {
    parseObjectKey(key);
    return this.#set.anyOf(`head ${key}`, signal, (replica, own) => replica.head(key, own));
  }

  list(
    prefix: string,
    options: { readonly after?: string; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncIterable<ObjectEntry> {
    const { guards, writeQuorum } = this.#set;
    const listings = guards.map((replica) => ({ name: replica.name, entries: replica.list(prefix, options) }));
    return mergeListings(listings, guards.length - writeQuorum + 1, options.signal);
  }

  /** Deletes from all; UNAVAILABLE when one could not be asked, because the object would come back with it. */
  async delete(key: ObjectKey, signal?: AbortSignal): Promise<void> {
    parseObjectKey(key);
    const { guards } = this.#set;
    const steps = await Promise.allSettled(guards.map((replica) => replica.delete(key, signal)));
    if (signal?.aborted) throw abortedError(signal);
    const failures: { readonly name: ReplicaName; readonly error: unknown }[] = [];
    steps.forEach((step, at) => {
      const name = guards[at]?.name;
      if (step.status === 'rejected' && name !== undefined) failures.push({ name, error: step.reason });
    });
    if (failures.length === 0) return;
    const told = failures.map(({ name, error }) => `${name}: ${codeOf(error)}`).join('; ');
    throw new ArchiveError('UNAVAILABLE', `delete ${key}: it is still on some replicas (${told})`, {
      cause: new AggregateError(failures.map(({ error }) => error)),
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#set.guards.map((replica) => replica.close()));
  }
}
