// A decorator that bounds an object store in calls and time: at most so many calls run, each caller
// gets its answer or UNAVAILABLE by a deadline, and a call that hangs keeps its place until it
// really ends, so that a dead mount can never take more threads than it was given.
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey } from '../../core/ids.js';
import { Semaphore, withDeadline } from '../../core/queues.js';
import { type ByteRange, orAborted } from '../checks.js';
import type { ObjectEntry, ObjectStore, ObjectStoreCapabilities, PutOptions } from '../object-store.js';

export interface BulkheadOptions {
  /** For messages: which store this is. */
  readonly name: string;
  readonly callsMax: number;
  readonly waitersMax: number;
  /** Time a caller waits, for its place and its answer together. */
  readonly callMs: number;
}

export class BulkheadStore implements ObjectStore {
  readonly capabilities: ObjectStoreCapabilities;
  readonly #inner: ObjectStore;
  readonly #options: BulkheadOptions;
  readonly #places: Semaphore;
  /** Calls whose caller has gone and which have not ended. */
  #overdue = 0;

  constructor(inner: ObjectStore, options: BulkheadOptions) {
    this.capabilities = inner.capabilities;
    this.#inner = inner;
    this.#options = options;
    this.#places = new Semaphore(options.callsMax, options.waitersMax);
  }

  put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#run(`put ${key}`, options.signal, (signal) => this.#inner.put(key, body, { ...options, signal }));
  }

  get(key: ObjectKey, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#run(`get ${key}`, signal, (own) => this.#inner.get(key, range, own));
  }

  head(key: ObjectKey, signal?: AbortSignal): Promise<{ readonly bytes: number }> {
    return this.#run(`head ${key}`, signal, (own) => this.#inner.head(key, own));
  }

  delete(key: ObjectKey, signal?: AbortSignal): Promise<void> {
    return this.#run(`delete ${key}`, signal, (own) => this.#inner.delete(key, own));
  }

  async *list(
    prefix: string,
    options: { readonly after?: string; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<ObjectEntry, void, void> {
    const entries = this.#inner.list(prefix, options)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const step = await this.#run(`list ${prefix}`, options.signal, () => entries.next());
        if (step.done === true) return;
        yield step.value;
      }
    } finally {
      // Not awaited: after a step that hangs, the end of the listing would hang as well.
      entries.return?.().catch(() => undefined);
    }
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #run<T>(what: string, signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { name, callMs, callsMax } = this.#options;
    if (this.#overdue > 0 && this.#places.used >= callsMax) {
      throw new ArchiveError('UNAVAILABLE', `${name} hangs: ${callsMax} calls have not come back`);
    }
    let running = false;
    let over = false;
    const settled = () => {
      running = false;
      this.#places.release();
      if (over) this.#overdue -= 1;
    };
    const inPlace = async (own: AbortSignal): Promise<T> => {
      await this.#places.acquire(1, own);
      running = true;
      const call = (async () => work(own))();
      call.then(settled, settled);
      return call;
    };
    try {
      return await withDeadline(callMs, `${name}: ${what}`, inPlace, signal);
    } catch (error) {
      if (running) {
        over = true;
        this.#overdue += 1;
      }
      throw orAborted(error, signal);
    }
  }
}
