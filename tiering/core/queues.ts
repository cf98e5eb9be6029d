// Bounded concurrency. Every queue of the product has a bound; past it callers are refused at once
// rather than kept waiting without end.
import { ArchiveError } from './errors.js';

/** A counting semaphore over abstract units (calls, or bytes), first come first served. */
export class Semaphore {
  readonly #capacity: number;
  readonly #waitersMax: number;
  readonly #waiters: { units: number; grant: () => void; fail: (e: unknown) => void }[] = [];
  #used = 0;

  /** @param waitersMax callers that may wait; one more is refused with UNAVAILABLE. */
  constructor(capacity: number, waitersMax = Number.POSITIVE_INFINITY) {
    this.#capacity = capacity;
    this.#waitersMax = waitersMax;
  }

  get used(): number {
    return this.#used;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Takes `units` now if they are free, without waiting. A request above capacity counts as the whole of it. */
  tryAcquire(units = 1): boolean {
    const wanted = Math.min(units, this.#capacity);
    if (this.#waiters.length > 0 || this.#used + wanted > this.#capacity) return false;
    this.#used += wanted;
    return true;
  }

  /** Waits for `units`. Rejects with the signal's reason, or UNAVAILABLE when too many wait already. */
  async acquire(units = 1, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.tryAcquire(units)) return;
    if (this.#waiters.length >= this.#waitersMax) {
      throw new ArchiveError('UNAVAILABLE', 'too many requests are waiting; try again shortly');
    }
    const wanted = Math.min(units, this.#capacity);
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        const at = this.#waiters.indexOf(waiter);
        if (at >= 0) this.#waiters.splice(at, 1);
        reject(signal?.reason as Error);
        this.#wake();
      };
      const waiter = {
        units: wanted,
        grant: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
        fail: reject,
      };
      this.#waiters.push(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  release(units = 1): void {
    this.#used -= Math.min(units, this.#capacity);
    this.#wake();
  }

  /** Runs `work` holding `units`. */
  async run<T>(work: () => Promise<T>, options: { units?: number; signal?: AbortSignal } = {}): Promise<T> {
    const units = options.units ?? 1;
    await this.acquire(units, options.signal);
    try {
      return await work();
    } finally {
      this.release(units);
    }
  }

  #wake(): void {
    for (;;) {
      const next = this.#waiters[0];
      if (next === undefined || this.#used + next.units > this.#capacity) return;
      this.#waiters.shift();
      this.#used += next.units;
      next.grant();
    }
  }
}

/**
 * Rejects with UNAVAILABLE when `work` has not settled after `ms`. The work itself is given the
 * signal and told to stop, but nobody waits for it: a hung system call cannot be recalled.
 */
export async function withDeadline<T>(
  ms: number,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  outer?.throwIfAborted();
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let onOuter: (() => void) | undefined;
  const stop = new Promise<never>((_, reject) => {
    // Made only when it is needed: a stack trace costs more than most of what is waited for.
    timer = setTimeout(() => reject(new ArchiveError('UNAVAILABLE', `${what} did not answer within ${ms} ms`)), ms);
    onOuter = () => reject(outer?.reason as Error);
    outer?.addEventListener('abort', onOuter, { once: true });
  });
  try {
    return await Promise.race([work(controller.signal), stop]);
  } catch (error) {
    controller.abort(error);
    throw error;
  } finally {
    clearTimeout(timer);
    if (onOuter !== undefined) outer?.removeEventListener('abort', onOuter);
  }
}

/** Runs `work` over `items` with at most `width` at a time; stops at the first failure and rejects with it. */
export async function forEachLimited<T>(
  items: Iterable<T> | AsyncIterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { error: unknown } | undefined;
  for await (const item of items) {
    if (failure !== undefined) break;
    const one: Promise<void> = work(item)
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => running.delete(one));
    running.add(one);
    if (running.size >= width) await Promise.race(running);
  }
  await Promise.all(running);
  if (failure !== undefined) throw failure.error;
}
