// Writes one object to all replicas at once and answers by quorum: when all have settled, or when enough
// have stored it and the rest had a fair time by their own measure.
import type { Clock } from '../../core/clock.js';
import { ArchiveError, codeOf, NO_LONGER_NEEDED } from '../../core/errors.js';
import type { ObjectKey, ReplicaName } from '../../core/ids.js';
import { abortedError, orAborted, throwIfAborted } from '../checks.js';
import { STRAGGLER_MS_MIN, STRAGGLER_MS_UNKNOWN } from '../limits.js';
import type { PutOptions } from '../object-store.js';
import type { GuardedReplica } from './guarded-replica.js';
import type { PlacementRule } from './placement-rule.js';

export type PutResults = ReadonlyMap<ReplicaName, 'stored' | ArchiveError>;

interface Writer {
  readonly replica: GuardedReplica;
  readonly controller: AbortController;
  readonly done: Promise<void>;
}

/**
 * Rejects when those that stored it are not enough by the rule (and `quorum`, in place of its own): UNAVAILABLE, or the one code that all failures share. What is `stored` in the
 * result is durable there; a replica that had not finished within its time is UNAVAILABLE in it, and may have the object all the same.
 */
export async function putQuorum(
  replicas: readonly GuardedReplica[],
  { rule, quorum }: { readonly rule: PlacementRule; readonly quorum?: number | undefined },
  clock: Clock,
  object: { readonly key: ObjectKey; readonly body: Uint8Array },
  options: PutOptions = {},
): Promise<PutResults> {
  const { signal } = options;
  throwIfAborted(signal);
  const results = new Map<ReplicaName, 'stored' | ArchiveError>();
  const began = clock.monotonicMs();
  const stored: ReplicaName[] = [];
  let onQuorum: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => {
    onQuorum = resolve;
  });
  const writers: Writer[] = replicas.map((replica) => {
    const controller = new AbortController();
    const done = replica.put(object.key, object.body, { ...options, signal: controller.signal }).then(
      () => {
        // After its time was over the answer is out already: what it stored late is found by the next look.
        if (results.has(replica.name)) return;
        results.set(replica.name, 'stored');
        stored.push(replica.name);
        if (rule.isMet(stored, quorum)) onQuorum();
      },
      (error: unknown) => {
        if (!results.has(replica.name)) results.set(replica.name, asArchiveError(error, controller.signal));
      },
    );
    return { replica, controller, done };
  });
  const onAbort = () => {
    for (const { controller } of writers) controller.abort(signal?.reason);
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const all = Promise.all(writers.map(({ done }) => done));
    await Promise.race([all, reached]);
    const pending = writers.filter(({ replica }) => !results.has(replica.name));
    const graceMs = await waitForStragglers(pending, all, clock.monotonicMs() - began, clock);
    for (const { replica, controller } of pending) {
      if (results.has(replica.name)) continue;
      const late = new ArchiveError('UNAVAILABLE', `replica ${replica.name} was ${graceMs} ms behind the write quorum`);
      results.set(replica.name, late);
      replica.noteFailure(late);
      controller.abort(late);
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
  if (rule.isMet(stored, quorum)) return results;
  if (signal?.aborted) throw abortedError(signal);
  throw shortOfQuorum(object.key, results, rule.shortfall(stored));
}

/** Gives those still writing their fair time: three times what their writes take, by their own record. Resolves with the time given. */
async function waitForStragglers(
  pending: readonly Writer[],
  all: Promise<unknown>,
  elapsedMs: number,
  clock: Clock,
): Promise<number> {
  if (pending.length === 0) return 0;
  const allowedMs = Math.max(...pending.map(({ replica }) => 3 * (replica.p95Ms('write') ?? STRAGGLER_MS_UNKNOWN / 3)));
  const graceMs = Math.round(Math.max(STRAGGLER_MS_MIN, allowedMs - elapsedMs));
  const timer = new AbortController();
  const over = clock.sleep(graceMs, timer.signal).catch(() => undefined);
  await Promise.race([all, over]);
  timer.abort(NO_LONGER_NEEDED);
  return graceMs;
}

function asArchiveError(error: unknown, signal: AbortSignal): ArchiveError {
  const known = orAborted(error, signal);
  if (known instanceof ArchiveError) return known;
  return new ArchiveError('INTERNAL', String(known), { cause: known });
}

function shortOfQuorum(key: ObjectKey, results: PutResults, shortfall: string): ArchiveError {
  const failures = [...results].flatMap(([name, result]) => (result === 'stored' ? [] : [{ name, error: result }]));
  const codes = new Set(failures.map(({ error }) => codeOf(error)));
  const [only] = codes;
  const told = failures.map(({ name, error }) => `${name}: ${error.message}`).join('; ');
  return new ArchiveError(
    codes.size === 1 && only !== undefined ? only : 'UNAVAILABLE',
    `put ${key}: stored ${shortfall} (${told})`,
    { cause: new AggregateError(failures.map(({ error }) => error)) },
  );
}
