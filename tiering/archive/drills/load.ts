// A reader and a modality, for the time of a drill: both go on all the while, and each call is counted to the phase in which it began.
import type { Clock } from '../../core/clock.js';
import type { Tried } from './drill-report.js';
import type { Shadow } from './shadow.js';

const READ_EVERY_MS = 100;
const STORE_EVERY_MS = 500;

/** What was seen from one moment to the next. A call counts to where it began, and so may be told of later. */
export interface Phase {
  readonly fromMs: number;
  readonly reads: Count;
  readonly stores: Count;
}

export class Count {
  tried = 0;
  failed = 0;
  slowestMs = 0;
  /** Milliseconds from the beginning of the phase to the end of the first that was good. */
  firstMs: number | null = null;

  get told(): Tried {
    const { tried, failed, slowestMs } = this;
    return { tried, failed, slowestMs: Math.round(slowestMs) };
  }
}

export class Load {
  readonly #shadow: Shadow;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #done: Promise<unknown>;
  #phase: Phase;

  constructor(shadow: Shadow, clock: Clock) {
    this.#shadow = shadow;
    this.#clock = clock;
    this.#phase = this.#begin();
    this.#done = Promise.all([
      this.#loop('reads', READ_EVERY_MS, () => this.#shadow.readNext()),
      this.#loop('stores', STORE_EVERY_MS, () => this.#shadow.storeNext()),
    ]);
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** From now on it is another phase. Returns the one that begins. */
  next(): Phase {
    this.#phase = this.#begin();
    return this.#phase;
  }

  /** After the calls in hand. */
  async close(): Promise<void> {
    this.#stop.abort(new DOMException('the drill is over', 'AbortError'));
    await this.#done;
  }

  #begin(): Phase {
    return { fromMs: this.#clock.monotonicMs(), reads: new Count(), stores: new Count() };
  }

  async #loop(kind: 'reads' | 'stores', everyMs: number, call: () => Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const { fromMs, [kind]: count } = this.#phase;
      const beganMs = this.#clock.monotonicMs();
      count.tried += 1;
      try {
        await call();
        count.firstMs ??= Math.round(this.#clock.monotonicMs() - fromMs);
      } catch {
        count.failed += 1;
      }
      count.slowestMs = Math.max(count.slowestMs, this.#clock.monotonicMs() - beganMs);
      await this.#clock.sleep(everyMs, signal).catch(() => undefined);
    }
  }
}
