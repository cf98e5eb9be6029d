// A rate in bytes a second that work keeps to on average: each step says what it took and waits until that is paid for.
import type { Clock } from '../../core/clock.js';

export class ByteRate {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number | null;
  #freeMs: number;

  /** @param bytesPerSecond null: no limit. */
  constructor(clock: Clock, bytesPerSecond: number | null) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#freeMs = clock.monotonicMs();
  }

  /** Waits until `bytes` more are within the rate. What was not used is not saved up. Rejects with the signal's reason. */
  async spend(bytes: number, signal?: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === null) return;
    const nowMs = this.#clock.monotonicMs();
    this.#freeMs = Math.max(this.#freeMs, nowMs) + (bytes * 1000) / this.#bytesPerSecond;
    if (this.#freeMs > nowMs) await this.#clock.sleep(this.#freeMs - nowMs, signal);
  }
}
