// A directory as an object store the way the product uses it: with its bulkhead around it.
import type { Clock, Random } from '../../core/clock.js';
import { BulkheadStore } from '../guards/bulkhead-store.js';
import { DIRECTORY_CALL_MS, DIRECTORY_CALLS_MAX, DIRECTORY_WAITERS_MAX } from '../limits.js';
import type { ObjectStore } from '../object-store.js';
import { DirectoryObjectStore } from './directory-object-store.js';

export interface DirectoryStoreOptions {
  /** Absolute path of the folder. */
  readonly root: string;
  /**
   * Make the folder on the first call when it is missing, or mark it as a root when it is empty. Without it such a folder
   * is UNAVAILABLE, because it looks the same as the mount point of a disk that is not there.
   */
  readonly create: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Calls in flight: each may hold one thread of UV_THREADPOOL_SIZE. */
  readonly callsMax?: number;
  readonly callMs?: number;
}

/** Nothing is touched before the first call, so that a dead disk does not keep the process from starting. */
export function createDirectoryStore(options: DirectoryStoreOptions): ObjectStore {
  return new BulkheadStore(new DirectoryObjectStore(options), {
    name: `directory ${options.root}`,
    callsMax: options.callsMax ?? DIRECTORY_CALLS_MAX,
    waitersMax: DIRECTORY_WAITERS_MAX,
    callMs: options.callMs ?? DIRECTORY_CALL_MS,
  });
}
