// A store that can be made to fail on purpose, for drills: away, or slow. In memory alone, so that a process that ends takes it along.
import type { Clock } from '../../core/clock.js';
import { ArchiveError } from '../../core/errors.js';
import type { ObjectStore } from '../object-store.js';

export type RehearsedFault = { readonly kind: 'away' } | { readonly kind: 'slow'; readonly delayMs: number };

export interface Rehearsed {
  readonly store: ObjectStore;
  /** Null ends it. */
  rehearse(fault: RehearsedFault | null): void;
}

export function rehearsable(inner: ObjectStore, name: string, clock: Clock): Rehearsed {
  let fault: RehearsedFault | null = null;
  const before = async (signal: AbortSignal | undefined): Promise<void> => {
    if (fault === null) return;
    if (fault.kind === 'slow') await clock.sleep(fault.delayMs, signal);
    else throw new ArchiveError('UNAVAILABLE', `replica ${name} is away: a drill is on`);
  };
  const { renew } = inner;
  const store: ObjectStore = {
    capabilities: inner.capabilities,
    put: async (key, body, options = {}) => {
      await before(options.signal);
      return inner.put(key, body, options);
    },
    get: async (key, range, signal) => {
      await before(signal);
      return inner.get(key, range, signal);
    },
    head: async (key, signal) => {
      await before(signal);
      return inner.head(key, signal);
    },
    delete: async (key, signal) => {
      await before(signal);
      return inner.delete(key, signal);
    },
    list: async function* (prefix, options) {
      await before(options?.signal);
      yield* inner.list(prefix, options);
    },
    close: () => inner.close(),
    ...(inner.history === undefined ? {} : { history: inner.history }),
    ...(renew === undefined
      ? {}
      : {
          renew: async (key, signal) => {
            await before(signal);
            return renew.call(inner, key, signal);
          },
        }),
  };
  return {
    store,
    rehearse: (wanted) => {
      fault = wanted;
    },
  };
}
