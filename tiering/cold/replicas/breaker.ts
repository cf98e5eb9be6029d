// A circuit breaker as pure state: it is told of successes and failures with the time, and says
// whether the replica may be asked. It never opens on an answer, an "absent" among them.
import { BREAKER_FAILURES, BREAKER_OPEN_MS, BREAKER_OPEN_MS_MAX } from '../limits.js';

export class Breaker {
  #failures = 0;
  #openUntilMs: number | undefined;
  #openMs = BREAKER_OPEN_MS;

  get open(): boolean {
    return this.#openUntilMs !== undefined;
  }

  /** Whether it has been open long enough for one probe. */
  mayProbe(nowMs: number): boolean {
    return this.#openUntilMs === undefined || nowMs >= this.#openUntilMs;
  }

  /** A call was answered. Only a probe closes an open breaker: this may be a late answer from before. */
  answered(): void {
    if (!this.open) this.#failures = 0;
  }

  /** A call was not answered. @param share in [0, 1): jitter, so that breakers do not beat in step. */
  failed(nowMs: number, share: number): void {
    this.#failures += 1;
    if (!this.open && this.#failures >= BREAKER_FAILURES) this.trip(nowMs, share);
  }

  /** Opens at once (a probe failed), for twice as long as the last time. */
  trip(nowMs: number, share: number): void {
    this.#openUntilMs = nowMs + this.#openMs * (0.75 + 0.5 * share);
    this.#openMs = Math.min(BREAKER_OPEN_MS_MAX, this.#openMs * 2);
  }

  /** A probe succeeded. */
  close(): void {
    this.#failures = 0;
    this.#openUntilMs = undefined;
    this.#openMs = BREAKER_OPEN_MS;
  }
}
