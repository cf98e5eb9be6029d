// What happens without anybody asking for it: events of the archive (findings of scrubs, repairs, evictions, rebuilds, what failed), volumes and replicas
// that change their state, and jobs that end.
import type { ArchiveEvent } from '../../tiering/archive/context.js';
import type { Clock } from '../../tiering/core/clock.js';
import type { JobView } from '../admin/jobs.js';
import type { Health } from '../health.js';
import type { Audit } from './audit.js';

const LOOK_MS = 5_000;
/** Of the events that are no trouble, those that say where data went. */
const TOLD: ReadonlySet<string> = new Set([
  'scrubbed',
  'repaired',
  'mended',
  'rebuilt',
  'garbage-removed',
  'evicted',
  'compacted',
  'pack-adopted',
]);
const FAILURES_MAX = 1_000;

export function auditEvent(audit: Audit, clock: Clock, { level, event, pack, detail }: ArchiveEvent): void {
  if (level === 'info' && !TOLD.has(event)) return;
  audit.record({
    atMs: clock.nowMs(),
    event: 'archive',
    dcm: level === 'info' ? '110100' : '110113',
    what: event,
    level,
    pack,
    detail,
  });
}

export function auditJob(audit: Audit, clock: Clock, job: JobView): void {
  const failures = job.report?.failures?.slice(0, FAILURES_MAX).map(({ item, code }) => ({ item, code }));
  const { id, kind, state } = job;
  audit.record({ atMs: clock.nowMs(), event: 'job', dcm: '110100', job: id, kind, outcome: state, failures });
}

/** Looks at the states of volumes and replicas now and then until `signal` fires. */
export async function watchStates(audit: Audit, health: Health, clock: Clock, signal: AbortSignal): Promise<void> {
  const known = new Map<string, string>();
  while (!signal.aborted) {
    const status = await health.status().catch(() => null);
    for (const [kind, list] of [
      ['volume', status?.volumes],
      ['replica', status?.replicas],
    ] as const) {
      for (const { name, state } of list ?? []) {
        const key = `${kind} ${name}`;
        const before = known.get(key);
        known.set(key, state);
        if (before === state || (before === undefined && (state === 'healthy' || state === 'available'))) continue;
        audit.record({
          atMs: clock.nowMs(),
          event: 'state',
          dcm: '110113',
          [kind]: name,
          from: before ?? null,
          to: state,
        });
      }
    }
    await clock.sleep(LOOK_MS, signal).catch(() => undefined);
  }
}
