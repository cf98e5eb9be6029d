// The background yields to arrivals: while instances come in, each step of a mover is followed by a rest in
// proportion to what it took, so that movers have a share of the machine and never all of it. Work that
// an operator waits for does not rest, and neither does the packer once the trays are too full.
import type { Clock } from '../../core/clock.js';

/** One part work, three parts rest. */
const REST_PER_WORK = 3;
const REST_MS_MAX = 5_000;

export class Pace {
  readonly #clock: Clock;
  readonly #busy: () => boolean;

  /** @param busy whether somebody waits for the machine just now. */
  constructor(clock: Clock, busy: () => boolean) {
    this.#clock = clock;
    this.#busy = busy;
  }

  /** Runs one step and then rests, if somebody else is waiting for the machine. */
  async step<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const begun = this.#clock.monotonicMs();
    const result = await work();
    if (this.#busy()) {
      const tookMs = this.#clock.monotonicMs() - begun;
      // Stopping is told by the work's own next check of its signal.
      await this.#clock.sleep(Math.min(REST_MS_MAX, tookMs * REST_PER_WORK), signal).catch(() => undefined);
    }
    return result;
  }
}

/** Runs a step at the pace given, or at once without one. */
export function atPace<T>(pace: Pace | undefined, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return pace === undefined ? work() : pace.step(work, signal);
}
