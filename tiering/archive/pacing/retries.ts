// When a mover may try a failed item again: later each time, so that one damaged study neither fills the
// log nor keeps the others waiting. What failed because a replica or a volume was not well waits for that one besides: it is due
// as soon as that is back, or as something else that had failed there works again. While one answers and yet takes nothing, one item at a
// time tries it. Forgotten at a restart, which is as good as any other time to try.
import { LRUCache } from 'lru-cache';
import type { Standby } from '../../cold/replicas/guarded-replica.js';
import type { Clock } from '../../core/clock.js';
import { hasCode } from '../../core/errors.js';

const FIRST_MS = 2_000;
const LAST_MS = 10 * 60_000;
const ITEMS_MAX = 10_000;
/** Who answers and takes nothing is tried so often, by the first that asks: the oldest, as movers go. */
const TRIAL_MS = 30_000;

/** What is known of those that items may have to wait for, by name. */
export type Standbys = ReadonlyMap<string, Standby>;

/** As it was when the item failed. */
interface Blamed {
  readonly returns: number;
  readonly recoveries: number;
}

interface Failed {
  readonly waitMs: number;
  readonly atMs: number;
  readonly blamed: ReadonlyMap<string, Blamed>;
}

export class Retries {
  readonly #clock: Clock;
  readonly #standbys: () => Standbys;
  readonly #failed = new LRUCache<string, Failed>({ max: ITEMS_MAX });
  /** How many items that had failed for one of them have worked since. */
  readonly #recoveries = new Map<string, number>();
  /** When an item last failed for one of them, and after which return of it. */
  readonly #tried = new Map<string, { readonly atMs: number; readonly returns: number }>();

  constructor(clock: Clock, standbys: () => Standbys = () => new Map()) {
    this.#clock = clock;
    this.#standbys = standbys;
  }

  /** Whether the item may be tried now. Ask again right before each try: the one before may have shown that it is of no use. */
  mayTry(item: string): boolean {
    const failed = this.#failed.get(item);
    if (failed === undefined || this.#clock.monotonicMs() >= failed.atMs) return true;
    if (failed.blamed.size === 0) return false;
    const standbys = this.#standbys();
    return [...failed.blamed].some(([name, then]) => this.#isBack(name, then, standbys.get(name)));
  }

  #isBack(name: string, then: Blamed, now: Standby | undefined): boolean {
    if (now === undefined || now.state === 'away') return false;
    if (now.state === 'well') return now.returns !== then.returns || this.#recoveriesOf(name) !== then.recoveries;
    const tried = this.#tried.get(name);
    return tried?.returns !== now.returns || this.#clock.monotonicMs() - tried.atMs >= TRIAL_MS;
  }

  /** @param error why; UNAVAILABLE is blamed on whoever is not well just now, anything else is the item's own fault. */
  failed(item: string, error?: unknown): void {
    const nowMs = this.#clock.monotonicMs();
    const waitMs = Math.min(LAST_MS, (this.#failed.get(item)?.waitMs ?? FIRST_MS / 2) * 2);
    const blamed = new Map<string, Blamed>();
    if (hasCode(error, 'UNAVAILABLE')) {
      for (const [name, { state, returns }] of this.#standbys()) {
        if (state === 'well') continue;
        blamed.set(name, { returns, recoveries: this.#recoveriesOf(name) });
        this.#tried.set(name, { atMs: nowMs, returns });
      }
    }
    this.#failed.set(item, { waitMs, atMs: nowMs + waitMs, blamed });
  }

  succeeded(item: string): void {
    const failed = this.#failed.get(item);
    if (failed === undefined) return;
    this.#failed.delete(item);
    for (const name of failed.blamed.keys()) this.#recoveries.set(name, this.#recoveriesOf(name) + 1);
  }

  /** A number that changes whenever one that was away is back: who works through a list then begins again with what waited for it. */
  returns(): number {
    let sum = 0;
    for (const { returns } of this.#standbys().values()) sum += returns;
    return sum;
  }

  #recoveriesOf(name: string): number {
    return this.#recoveries.get(name) ?? 0;
  }
}
