// Asks several replicas until one gives a good answer: the best first, the next when that is late (a
// hedge) or fails. Faults add up to one verdict that never takes "unavailable" for "absent".
import type { Clock } from '../../core/clock.js';
import { ArchiveError, codeOf, type ErrorCode, NO_LONGER_NEEDED } from '../../core/errors.js';
import type { ReplicaName } from '../../core/ids.js';
import { abortedError, throwIfAborted } from '../checks.js';

export interface Candidate<T> {
  readonly name: ReplicaName;
  /** When the next one is asked as well, if this one has not answered. */
  readonly hedgeMs: number;
  run(signal: AbortSignal): Promise<T>;
}

export interface FirstGoodOptions {
  /** What is asked for, for messages. */
  readonly what: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  readonly onFault?: ((replica: ReplicaName, fault: 'missing' | 'corrupt') => void) | undefined;
}

type Outcome<T> =
  | { readonly name: ReplicaName; readonly ok: true; readonly value: T }
  | { readonly name: ReplicaName; readonly ok: false; readonly error: unknown };

/** These are not one replica's fault: the same would come of every other. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'WRONG_KEY',
  'SUITE_REFUSED',
  'ABORTED',
  'INVALID',
  'LIMIT',
  'INTERNAL',
]);

/**
 * The first good answer. When none is: UNAVAILABLE if any could not be asked, else CORRUPT if any was, else ABSENT.
 * WRONG_KEY and errors of the caller stop it at once.
 */
export async function firstGood<T>(candidates: readonly Candidate<T>[], options: FirstGoodOptions): Promise<T> {
  const { clock, signal, what } = options;
  throwIfAborted(signal);
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  const running = new Map<ReplicaName, Promise<Outcome<T>>>();
  const failures: { readonly name: ReplicaName; readonly error: unknown }[] = [];
  const waiting = [...candidates];
  let hedgeMs = 0;
  const launch = () => {
    const candidate = waiting.shift();
    if (candidate === undefined) return;
    hedgeMs = candidate.hedgeMs;
    running.set(candidate.name, attempt(candidate, stop.signal));
  };
  try {
    launch();
    while (running.size > 0) {
      const outcome = await nextOutcome(running, waiting.length > 0 ? hedgeMs : undefined, clock);
      if (outcome === 'late') {
        launch();
        continue;
      }
      running.delete(outcome.name);
      if (outcome.ok) return outcome.value;
      if (signal?.aborted) throw abortedError(signal);
      const code = codeOf(outcome.error);
      if (FINAL.has(code)) throw outcome.error;
      if (code === 'ABSENT') options.onFault?.(outcome.name, 'missing');
      if (code === 'CORRUPT') options.onFault?.(outcome.name, 'corrupt');
      failures.push(outcome);
      launch();
    }
    throw verdict(what, failures);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    stop.abort(NO_LONGER_NEEDED);
  }
}

async function attempt<T>(candidate: Candidate<T>, signal: AbortSignal): Promise<Outcome<T>> {
  try {
    return { name: candidate.name, ok: true, value: await candidate.run(signal) };
  } catch (error) {
    return { name: candidate.name, ok: false, error };
  }
}

async function nextOutcome<T>(
  running: ReadonlyMap<ReplicaName, Promise<Outcome<T>>>,
  hedgeMs: number | undefined,
  clock: Clock,
): Promise<Outcome<T> | 'late'> {
  if (hedgeMs === undefined) return Promise.race(running.values());
  const timer = new AbortController();
  const late = clock.sleep(hedgeMs, timer.signal).then(
    () => 'late' as const,
    () => 'late' as const,
  );
  try {
    return await Promise.race([...running.values(), late]);
  } finally {
    timer.abort(NO_LONGER_NEEDED);
  }
}

function verdict(
  what: string,
  failures: readonly { readonly name: ReplicaName; readonly error: unknown }[],
): ArchiveError {
  const codes = failures.map(({ error }) => codeOf(error));
  const told = failures.map(({ name, error }) => `${name}: ${error instanceof Error ? error.message : String(error)}`);
  const unavailable = failures.length === 0 || codes.some((code) => code !== 'ABSENT' && code !== 'CORRUPT');
  const code = unavailable ? 'UNAVAILABLE' : codes.includes('CORRUPT') ? 'CORRUPT' : 'ABSENT';
  const cause = failures.length === 1 ? failures[0]?.error : new AggregateError(failures.map(({ error }) => error));
  return new ArchiveError(code, `${what}: no replica has a good copy now (${told.join('; ')})`, { cause });
}
