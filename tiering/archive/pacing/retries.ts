// When a mover may try a failed item again: later each time, so that one damaged study neither fills the
// log nor keeps the others waiting. Forgotten at a restart, which is as good as any other time to try.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../core/clock.js';

const FIRST_MS = 2_000;
const LAST_MS = 10 * 60_000;
const ITEMS_MAX = 10_000;

export class Retries {
  readonly #clock: Clock;
  readonly #failed = new LRUCache<string, { waitMs: number; atMs: number }>({ max: ITEMS_MAX });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the item may be tried now. */
  mayTry(item: string): boolean {
    const failed = this.#failed.get(item);
    return failed === undefined || this.#clock.monotonicMs() >= failed.atMs;
  }

  failed(item: string): void {
    const waitMs = Math.min(LAST_MS, (this.#failed.get(item)?.waitMs ?? FIRST_MS / 2) * 2);
    this.#failed.set(item, { waitMs, atMs: this.#clock.monotonicMs() + waitMs });
  }

  succeeded(item: string): void {
    this.#failed.delete(item);
  }
}
