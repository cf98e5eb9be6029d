// A process that is killed at its n-th write, for tests that try every n: stores and the index are wrapped so that the n-th write of
// all of them is the last thing that happens (or, `undone`, the last thing that does not), and nothing answers after it.
import type { ObjectEntry, ObjectStore, ObjectStoreCapabilities, PutOptions } from '../../tiering/cold/object-store.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { ObjectKey } from '../../tiering/core/ids.js';
import type { Index } from '../../tiering/index/index.js';

const INDEX_READS: ReadonlySet<string> = new Set(
  [
    'lookup highestSeq tombstones instance instances metadata query pack packs packContents unfiled unfiledInstances',
    'exceptions status setting check close',
  ].flatMap((names) => names.split(' ')),
);

export class Mortality {
  /** Every write that was tried, in order. */
  readonly writes: string[] = [];
  #dead = false;
  readonly #dieAt: number;
  readonly #undone: boolean;

  /** @param undone the n-th write is not done; else it is, and its answer is lost. */
  constructor(dieAt = Number.POSITIVE_INFINITY, undone = false) {
    this.#dieAt = dieAt;
    this.#undone = undone;
  }

  async write<T>(what: string, run: () => Promise<T>): Promise<T> {
    this.mustLive();
    this.writes.push(what);
    if (this.writes.length !== this.#dieAt) return run();
    this.#dead = true;
    if (!this.#undone) await run();
    throw new ArchiveError('INTERNAL', `killed at write ${this.#dieAt}: ${what}`);
  }

  mustLive(): void {
    if (this.#dead) throw new ArchiveError('INTERNAL', 'killed before');
  }

  index(inner: Index): Index {
    return new Proxy(inner, {
      get: (target, key) => {
        const value = Reflect.get(target, key) as unknown;
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...args: unknown[]) => unknown;
        if (key === 'close') return method;
        if (INDEX_READS.has(String(key))) {
          return (...args: unknown[]) => {
            this.mustLive();
            return method(...args);
          };
        }
        return (...args: unknown[]) => this.write(`index ${String(key)}`, async () => method(...args));
      },
    });
  }
}

/** `inner` stays open when this is closed: what it holds outlives the process. */
export class MortalStore implements ObjectStore {
  readonly capabilities: ObjectStoreCapabilities;
  readonly #inner: ObjectStore;
  readonly #life: Mortality;

  constructor(inner: ObjectStore, life: Mortality) {
    this.#inner = inner;
    this.#life = life;
    this.capabilities = inner.capabilities;
  }

  put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#life.write(`put ${key}`, () => this.#inner.put(key, body, options));
  }

  delete(key: ObjectKey, signal?: AbortSignal): Promise<void> {
    return this.#life.write(`delete ${key}`, () => this.#inner.delete(key, signal));
  }

  async get(key: ObjectKey, range?: { start: number; end: number }, signal?: AbortSignal): Promise<Uint8Array> {
    this.#life.mustLive();
    return this.#inner.get(key, range, signal);
  }

  async head(key: ObjectKey, signal?: AbortSignal): Promise<{ readonly bytes: number }> {
    this.#life.mustLive();
    return this.#inner.head(key, signal);
  }

  async *list(
    prefix: string,
    options: { readonly after?: string; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<ObjectEntry, void, void> {
    this.#life.mustLive();
    yield* this.#inner.list(prefix, options);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
