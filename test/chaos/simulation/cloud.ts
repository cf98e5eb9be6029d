// A replica of a simulation: an object store in memory that outlives processes, and what is wrong with it now. What it loses or damages for good
// is remembered, so that nobody is blamed for it.
import { hash } from 'node:crypto';
import { MemoryObjectStore } from '../../../tiering/cold/memory/memory-object-store.js';
import type {
  ObjectEntry,
  ObjectStore,
  ObjectStoreCapabilities,
  PutOptions,
} from '../../../tiering/cold/object-store.js';
import { ArchiveError } from '../../../tiering/core/errors.js';
import type { ObjectKey, ReplicaName } from '../../../tiering/core/ids.js';
import type { Life } from './life.js';
import type { Seeded } from './seeded.js';

/** `brown-out`: late, and every other call is not answered, done or not; `lying`: answers with other bytes than were asked for. */
export type CloudFault = 'down' | 'slow' | 'brown-out' | 'lying' | 'refusing' | 'no-deletes';

const CALL_MS = 20_000;
const SLOW_MS = 3_000;

export interface CloudWatch {
  /** After an object is there. */
  onPut(cloud: Cloud, key: ObjectKey, body: Uint8Array): Promise<void>;
}

export class Cloud {
  readonly name: ReplicaName;
  readonly store = new MemoryObjectStore();
  readonly #chance: Seeded;
  readonly #watch: CloudWatch;
  fault: CloudFault | null = null;
  /** Objects that the nemesis took away or damaged here. */
  readonly harmed = new Set<ObjectKey>();

  constructor(name: ReplicaName, chance: Seeded, watch: CloudWatch) {
    this.name = name;
    this.#chance = chance;
    this.#watch = watch;
  }

  /** Whether it holds, or but for the nemesis would hold, this object as it ought to be. */
  async holds(key: ObjectKey): Promise<boolean> {
    if (this.harmed.has(key)) return true;
    const body = await this.store.get(key).catch(() => null);
    if (body === null) return false;
    return !key.startsWith('c/') || key.endsWith(hash('sha256', body));
  }

  /** Whether anything is, or but for the nemesis would be, there under this prefix. */
  async held(prefix: string): Promise<boolean> {
    return [...this.harmed].some((key) => key.startsWith(prefix)) || (await this.keys(prefix)).length > 0;
  }

  async keys(prefix: string): Promise<ObjectKey[]> {
    const keys: ObjectKey[] = [];
    for await (const { key } of this.store.list(prefix)) keys.push(key);
    return keys;
  }

  openFor(life: Life): ObjectStore {
    return new OpenCloud(this, life, this.#chance, this.#watch);
  }

  /** Throws what a call gets now; resolves with what else is to become of it. */
  async before(life: Life, write: boolean): Promise<'lost' | 'well'> {
    const { fault } = this;
    if (fault === 'down') throw new ArchiveError('UNAVAILABLE', `replica ${this.name} does not answer`);
    if (fault === 'refusing' && write) throw new ArchiveError('UNAVAILABLE', `replica ${this.name}: 503 SlowDown`);
    if (fault === 'slow') await life.hang(this.#chance.share() * SLOW_MS);
    if (fault === 'brown-out' && this.#chance.chance(0.5)) {
      await life.hang(CALL_MS * this.#chance.share());
      return 'lost';
    }
    return 'well';
  }
}

class OpenCloud implements ObjectStore {
  readonly capabilities: ObjectStoreCapabilities;
  readonly #cloud: Cloud;
  readonly #life: Life;
  readonly #chance: Seeded;
  readonly #watch: CloudWatch;

  constructor(cloud: Cloud, life: Life, chance: Seeded, watch: CloudWatch) {
    this.#cloud = cloud;
    this.#life = life;
    this.#chance = chance;
    this.#watch = watch;
    this.capabilities = cloud.store.capabilities;
  }

  #call<T>(write: boolean, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return this.#life.call(
      write,
      async () => {
        const what = await this.#cloud.before(this.#life, write);
        if (signal?.aborted === true) throw new ArchiveError('ABORTED', 'the caller gave up', { cause: signal.reason });
        if (what !== 'lost') return work();
        if (write && this.#chance.chance(0.5)) await work().catch(() => undefined);
        throw new ArchiveError('UNAVAILABLE', `replica ${this.#cloud.name} did not answer in time`);
      },
      20,
    );
  }

  put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#call(true, options.signal, async () => {
      await this.#cloud.store.put(key, body, options);
      this.#cloud.harmed.delete(key);
      await this.#watch.onPut(this.#cloud, key, body);
    });
  }

  async get(key: ObjectKey, range?: { start: number; end: number }, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#call(false, signal, async () => {
      const bytes = await this.#cloud.store.get(key, range, signal);
      if (this.#cloud.fault === 'lying' && key.startsWith('c/') && this.#chance.chance(0.5)) {
        const at = this.#chance.below(bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 + this.#chance.below(255));
      }
      return bytes;
    });
  }

  head(key: ObjectKey, signal?: AbortSignal): Promise<{ readonly bytes: number }> {
    return this.#call(false, signal, () => this.#cloud.store.head(key, signal));
  }

  async *list(
    prefix: string,
    options: { readonly after?: string; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<ObjectEntry, void, void> {
    const found = await this.#call(false, options.signal, async () => {
      const all: ObjectEntry[] = [];
      for await (const one of this.#cloud.store.list(prefix, options)) all.push(one);
      return all;
    });
    yield* found;
  }

  delete(key: ObjectKey, signal?: AbortSignal): Promise<void> {
    return this.#call(true, signal, async () => {
      if (this.#cloud.fault === 'no-deletes')
        throw new ArchiveError('FORBIDDEN', `replica ${this.#cloud.name}: no deletes`);
      await this.#cloud.store.delete(key, signal);
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
