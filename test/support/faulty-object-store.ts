// A store that misbehaves on command, for tests: a decorator whose faults can be switched on and off
// while calls are running. It keeps the contract's codes, so that what is tested is who reacts to them.
import type { ObjectEntry, ObjectStore, ObjectStoreCapabilities, PutOptions } from '../../tiering/cold/object-store.js';
import { ArchiveError, type ErrorCode } from '../../tiering/core/errors.js';
import type { ObjectKey } from '../../tiering/core/ids.js';

export type StoreMethod = 'put' | 'get' | 'head' | 'list' | 'delete';

export interface Fault {
  /** Default: all methods. */
  readonly methods?: readonly StoreMethod[];
  /** Default: all keys. */
  readonly keys?: (key: string) => boolean;
  /** Never answers, until the signal fires or the fault is lifted. */
  readonly hang?: boolean;
  readonly delayMs?: number;
  readonly code?: ErrorCode;
  /** Changes what `get` gives back. */
  readonly change?: (bytes: Uint8Array) => Uint8Array;
  /** Does the work first and fails afterwards: a time-out that was applied. */
  readonly late?: boolean;
  /** How many calls it hits. Default: all. */
  times?: number;
}

export class FaultyObjectStore implements ObjectStore {
  readonly capabilities: ObjectStoreCapabilities;
  /** Every call that came in, faulty or not. */
  readonly calls: { readonly method: StoreMethod; readonly key: string }[] = [];
  readonly #inner: ObjectStore;
  #fault: Fault | undefined;
  #lift: () => void = () => undefined;
  #lifted: Promise<void> = Promise.resolve();

  constructor(inner: ObjectStore) {
    this.#inner = inner;
    this.capabilities = inner.capabilities;
  }

  /** From now on; replaces the fault before. */
  fail(fault: Fault): void {
    this.heal();
    this.#fault = { ...fault };
    this.#lifted = new Promise((resolve) => {
      this.#lift = resolve;
    });
  }

  /** No fault any more: what hangs goes on. */
  heal(): void {
    this.#fault = undefined;
    this.#lift();
  }

  put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#call('put', key, options.signal, () => this.#inner.put(key, body, options));
  }

  async get(
    key: ObjectKey,
    range?: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    const change = this.#fault?.change;
    const bytes = await this.#call('get', key, signal, () => this.#inner.get(key, range, signal));
    return change === undefined ? bytes : change(bytes);
  }

  head(key: ObjectKey, signal?: AbortSignal): Promise<{ readonly bytes: number }> {
    return this.#call('head', key, signal, () => this.#inner.head(key, signal));
  }

  async *list(
    prefix: string,
    options: { readonly after?: string; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<ObjectEntry, void, void> {
    await this.#call('list', prefix, options.signal, async () => undefined);
    for await (const entry of this.#inner.list(prefix, options)) {
      await this.#call('list', entry.key, options.signal, async () => undefined);
      yield entry;
    }
  }

  delete(key: ObjectKey, signal?: AbortSignal): Promise<void> {
    return this.#call('delete', key, signal, () => this.#inner.delete(key, signal));
  }

  close(): Promise<void> {
    this.heal();
    return this.#inner.close();
  }

  async #call<T>(
    method: StoreMethod,
    key: string,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    this.calls.push({ method, key });
    const fault = this.#fault;
    if (fault === undefined || !hits(fault, method, key)) return work();
    if (fault.times !== undefined) fault.times -= 1;
    if (fault.late === true) await work();
    if (fault.hang === true) await until(this.#lifted, signal);
    if (fault.delayMs !== undefined) {
      await until(new Promise((resolve) => setTimeout(resolve, fault.delayMs)), signal);
    }
    if (fault.code !== undefined) throw new ArchiveError(fault.code, `injected fault at ${method} ${key}`);
    return work();
  }
}

function hits(fault: Fault, method: StoreMethod, key: string): boolean {
  if (fault.times !== undefined && fault.times <= 0) return false;
  return (fault.methods?.includes(method) ?? true) && (fault.keys?.(key) ?? true);
}

async function until(done: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => reject(new ArchiveError('ABORTED', 'the caller gave up'));
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    void done.then(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}
