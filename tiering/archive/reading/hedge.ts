// A reader does not wait for a volume that does not answer: after a while the replicas are asked as well, and whoever is first is believed. So
// a disk that hangs costs a second, not the deadline of its calls (DESIGN section 9).
import type { Clock } from '../../core/clock.js';

/** What `work` gives, or `late` when it is not over after `ms`; it goes on then. */
export async function within<T>(clock: Clock, ms: number, work: Promise<T>): Promise<T | 'late'> {
  const enough = new AbortController();
  try {
    return await Promise.race([work, clock.sleep(ms, enough.signal).then(() => 'late' as const)]);
  } finally {
    enough.abort(OVER);
  }
}

/** One reason for all: making an error costs more than most reads. */
const OVER = new Error('the wait is over');

/**
 * What the first of the two to succeed gives; `other` is begun now, and told to stop when it is not needed any more. Rejects with what `other`
 * threw when both fail.
 */
export async function firstOf<T>(
  begun: Promise<T>,
  other: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal?.reason);
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  const asked = other(stop.signal);
  try {
    return await Promise.any([begun, asked]);
  } catch {
    return await asked;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    stop.abort(OVER);
    asked.catch(() => undefined);
  }
}
