// The time limit of one call in a reader thread, and its cancellation from the main thread.
import { systemClock } from '../../core/clock.js';
import { ArchiveError } from '../../core/errors.js';

export class QueryClock {
  readonly #cancelled: Int32Array;
  #call = 0;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #limitMs = 0;

  /** @param cancelled one cell, shared with the main thread: the id of the call that nobody waits for any more. */
  constructor(cancelled: Int32Array) {
    this.#cancelled = cancelled;
  }

  begin(call: number): void {
    this.#call = call;
    this.#deadlineMs = Number.POSITIVE_INFINITY;
  }

  /** The call has `ms` from now. */
  limit(ms: number): void {
    this.#limitMs = ms;
    this.#deadlineMs = systemClock.monotonicMs() + ms;
  }

  /** What `work` gives, or null when it takes longer than `ms`. What ends the call ends `work` too. */
  within<T>(ms: number, work: () => T): T | null {
    const deadlineMs = this.#deadlineMs;
    const inMs = systemClock.monotonicMs() + ms;
    if (inMs >= deadlineMs) return null;
    this.#deadlineMs = inMs;
    try {
      return work();
    } catch (error) {
      if (error instanceof ArchiveError && error.code === 'LIMIT') return null;
      throw error;
    } finally {
      this.#deadlineMs = deadlineMs;
    }
  }

  /** Throws LIMIT when the time is up, ABORTED when the call was cancelled. */
  tick(): void {
    if (Atomics.load(this.#cancelled, 0) === this.#call) throw new ArchiveError('ABORTED', 'the query was cancelled');
    if (systemClock.monotonicMs() > this.#deadlineMs) {
      throw new ArchiveError(
        'LIMIT',
        `the query took longer than ${this.#limitMs} ms; narrow it by date, patient or study`,
      );
    }
  }
}
