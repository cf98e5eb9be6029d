// A store that can be made to fail on purpose, for drills: away, cut off, or behind a thin line. In memory alone, so that a process that ends takes it along.
import type { Clock } from '../../core/clock.js';
import { ArchiveError } from '../../core/errors.js';
import { S3_CONNECT_MS } from '../limits.js';
import type { ObjectStore } from '../object-store.js';

export type RehearsedFault =
  /** It refuses at once. */
  | { readonly kind: 'away' }
  /** Nothing comes back: each call ends when a connect to it would be given up. */
  | { readonly kind: 'cut' }
  /** Slow but alive: each call begins so much later, and what it carries goes at this rate, all calls together. */
  | { readonly kind: 'thin'; readonly delayMs: number; readonly bytesPerSecond: number };

export interface Rehearsed {
  readonly store: ObjectStore;
  /** Null ends it. */
  rehearse(fault: RehearsedFault | null): void;
}

/** What a drill has put on the way to a store. Calls that were under way when it began go on. */
class Obstacle {
  fault: RehearsedFault | null = null;
  readonly #name: string;
  readonly #clock: Clock;
  #freeMs = 0;

  constructor(name: string, clock: Clock) {
    this.#name = name;
    this.#clock = clock;
  }

  /** UNAVAILABLE when it cannot be passed; the signal's reason. @param bytes that are sent. */
  async pass(signal: AbortSignal | undefined, bytes = 0): Promise<void> {
    const { fault } = this;
    if (fault === null) return;
    if (fault.kind === 'thin') {
      await this.#clock.sleep(fault.delayMs, signal);
      return this.carry(bytes, signal);
    }
    if (fault.kind === 'cut') await this.#clock.sleep(S3_CONNECT_MS, signal);
    const how = fault.kind === 'cut' ? `did not answer within ${S3_CONNECT_MS} ms` : 'is away';
    throw new ArchiveError('UNAVAILABLE', `replica ${this.#name} ${how}: a drill is on`);
  }

  /** Takes the time that so many bytes take. */
  async carry(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.fault?.kind !== 'thin') return;
    const nowMs = this.#clock.monotonicMs();
    this.#freeMs = Math.max(this.#freeMs, nowMs) + (bytes * 1000) / this.fault.bytesPerSecond;
    if (this.#freeMs > nowMs) await this.#clock.sleep(this.#freeMs - nowMs, signal);
  }
}

export function rehearsable(inner: ObjectStore, name: string, clock: Clock): Rehearsed {
  const way = new Obstacle(name, clock);
  const { renew } = inner;
  const store: ObjectStore = {
    capabilities: inner.capabilities,
    put: async (key, body, options = {}) => {
      await way.pass(options.signal, body.length);
      return inner.put(key, body, options);
    },
    get: async (key, range, signal) => {
      await way.pass(signal);
      const bytes = await inner.get(key, range, signal);
      await way.carry(bytes.length, signal);
      return bytes;
    },
    head: async (key, signal) => {
      await way.pass(signal);
      return inner.head(key, signal);
    },
    delete: async (key, signal) => {
      await way.pass(signal);
      return inner.delete(key, signal);
    },
    list: async function* (prefix, options) {
      await way.pass(options?.signal);
      yield* inner.list(prefix, options);
    },
    close: () => inner.close(),
    ...(inner.history === undefined ? {} : { history: inner.history }),
    ...(renew === undefined
      ? {}
      : {
          renew: async (key, signal) => {
            await way.pass(signal);
            return renew.call(inner, key, signal);
          },
        }),
  };
  return {
    store,
    rehearse: (fault) => {
      way.fault = fault;
    },
  };
}
