// The background yields: while instances come in, or somebody waits for cold images, each step of a mover is followed by a rest in
// proportion to what it took, so that movers have a share of the machine and of the line, and never all of it. A step does not begin
// while somebody waits for cold images, up to a bound: who pages through a study all day must not keep others unprotected. Work that
// an operator waits for does not rest, and neither does the packer once the trays are too full.
import type { Clock } from '../../core/clock.js';

/** One part work, three parts rest. */
const REST_PER_WORK = 3;
const REST_MS_MAX = 5_000;
/** A step is put off no longer than this for those who wait, */
const PUT_OFF_MS_MAX = 2_000;
/** and looks so often whether they still do: a frame takes a few of these. */
const PUT_OFF_MS = 25;

export class Pace {
  readonly #clock: Clock;
  readonly #busy: () => boolean;
  readonly #viewed: () => boolean;

  /**
   * @param busy whether instances come in just now.
   * @param viewed whether somebody waits for bytes from the replicas.
   */
  constructor(clock: Clock, busy: () => boolean, viewed: () => boolean = () => false) {
    this.#clock = clock;
    this.#busy = busy;
    this.#viewed = viewed;
  }

  /** Runs one step and then rests, if somebody else is waiting for the machine. */
  async step<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const asked = this.#clock.monotonicMs();
    while (this.#viewed() && this.#clock.monotonicMs() - asked < PUT_OFF_MS_MAX && signal?.aborted !== true) {
      await this.#sleep(PUT_OFF_MS, signal);
    }
    const begun = this.#clock.monotonicMs();
    const result = await work();
    if (this.#busy() || this.#viewed()) {
      await this.#sleep(Math.min(REST_MS_MAX, (this.#clock.monotonicMs() - begun) * REST_PER_WORK), signal);
    }
    return result;
  }

  /** Stopping is told by the work's own next check of its signal. */
  async #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#clock.sleep(ms, signal).catch(() => undefined);
  }
}

/** Runs a step at the pace given, or at once without one. */
export function atPace<T>(pace: Pace | undefined, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return pace === undefined ? work() : pace.step(work, signal);
}
