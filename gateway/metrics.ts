// Prometheus metrics: what the process does (requests by route class) and what the archive says of itself, asked when
// scraped. No label ever carries a UID or anything else of a patient.
import type { ServerResponse } from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Clock } from '../tiering/core/clock.js';
import type { JobRegistry } from './admin/jobs.js';
import { type StatusView, statusView } from './admin/status.js';
import type { Audit } from './audit/audit.js';
import type { Health } from './health.js';

/** Which part of the server answered. */
export type RouteClass = 'dicomweb' | 'wado-uri' | 'session' | 'admin' | 'console' | 'operations';

export interface Metrics {
  /** Counts the request once its answer is over, however it ends. */
  observe(route: RouteClass, method: string, response: ServerResponse): void;
  /** The text exposition format, and its content type. */
  expose(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']);

export function createMetrics(health: Health, jobs: JobRegistry, clock: Clock, audit: Audit): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const labels = ['route', 'method', 'status'] as const;
  const requests = new Counter({
    name: 'filmroom_http_requests_total',
    help: 'Requests answered, or given up by the caller (status "aborted")',
    labelNames: labels,
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'filmroom_http_request_seconds',
    help: 'Time from the request line to the end of the answer',
    labelNames: ['route', 'method'] as const,
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers: [registry],
  });
  const archive = archiveGauges(registry);
  return {
    observe(route, sent, response) {
      const method = METHODS.has(sent) ? sent : 'other';
      const started = clock.monotonicMs();
      response.once('close', () => {
        const status = response.writableFinished ? `${Math.floor(response.statusCode / 100)}xx` : 'aborted';
        requests.inc({ route, method, status });
        seconds.observe({ route, method }, (clock.monotonicMs() - started) / 1000);
      });
    },
    async expose() {
      try {
        archive.set(statusView(await health.status(), jobs.list(), clock.nowMs(), audit.state()));
      } catch {
        archive.unknown();
      }
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

/** Gauges that are set from one status; `unknown` leaves only filmroom_up 0, so that no stale number is believed. */
function archiveGauges(registry: Registry): { set(status: StatusView): void; unknown(): void } {
  const gauge = <const L extends readonly string[]>(name: string, help: string, labelNames: L) =>
    new Gauge<L[number]>({ name: `filmroom_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const up = gauge('up', 'Whether the index answered this scrape', []);
  const studies = gauge('studies', 'Studies: hot, protected (a share of hot), cold', ['tier']);
  const instances = gauge('instances', 'Live instances', []);
  const bytes = gauge('bytes', 'Bytes of packs: hot and cold', ['tier']);
  const unprotected = gauge('unprotected_instances', 'Instances without their write quorum of replicas', []);
  const unprotectedBytes = gauge('unprotected_bytes', 'Their bytes', []);
  const unprotectedAge = gauge('unprotected_oldest_age_seconds', 'Age of the oldest of them; 0 when there is none', []);
  const erasure = gauge('erasure_pending_instances', 'Deleted instances whose bytes are still somewhere', []);
  const erasureBytes = gauge('erasure_pending_bytes', 'Their bytes', []);
  const volume = gauge('volume_healthy', '1 when the volume is healthy', ['volume']);
  const volumeFree = gauge('volume_free_bytes', 'Free bytes of the volume', ['volume']);
  const volumeTrend = gauge('volume_trend', '1 while errors or latency of the volume rise above what is usual', [
    'volume',
  ]);
  const volumeSeconds = gauge('volume_call_seconds', 'Nine of ten calls were over in this, lately', ['volume', 'call']);
  const replica = gauge('replica_available', '1 when the replica answers', ['replica']);
  const debt = gauge('replica_debt_packs', 'Packs that the replica ought to hold and does not', ['replica']);
  const debtBytes = gauge('replica_debt_bytes', 'Their bytes', ['replica']);
  const keys = gauge('keys_available', '0 when the token that holds the keys could not be used the last time', []);
  const writable = gauge('index_writable', '0 while nothing is stored, moved or deleted for want of the index', []);
  const rebuildLeft = gauge(
    'rebuild_packs_left',
    'Packs that an index that is made again still lacks; 0: it is whole',
    [],
  );
  const refillLeft = gauge('refill_packs_left', 'Packs whose hot copy was lost and is being brought back', []);
  const jobs = gauge('jobs', 'Jobs that wait or run', ['kind', 'state']);
  const drillAt = gauge('drill_timestamp_seconds', 'When the last drill that passed was held', ['what', 'name']);
  const drillPassed = gauge('drill_passed', '1 when the last drill passed', ['what', 'name']);
  const labelled = [
    drillAt,
    drillPassed,
    studies,
    bytes,
    volume,
    volumeFree,
    volumeTrend,
    volumeSeconds,
    replica,
    debt,
    debtBytes,
    jobs,
  ];
  const auditFailing = gauge('audit_failing', '1 when the audit log cannot be written', []);
  const auditLost = gauge('audit_lost_records', 'Records lost because it could not be written for long', []);
  const plain = [
    auditFailing,
    auditLost,
    writable,
    rebuildLeft,
    refillLeft,
    instances,
    unprotected,
    unprotectedBytes,
    unprotectedAge,
    erasure,
    erasureBytes,
    keys,
  ];
  const forget = () => {
    for (const one of labelled) one.reset();
    for (const one of plain) one.remove();
  };
  return {
    unknown: () => {
      forget();
      up.set(0);
    },
    set: (status) => {
      forget();
      up.set(1);
      for (const tier of ['hot', 'protected', 'cold'] as const) studies.set({ tier }, status.studies[tier]);
      for (const tier of ['hot', 'cold'] as const) bytes.set({ tier }, status.bytes[tier]);
      instances.set(status.instances);
      auditFailing.set(status.audit.state === 'failing' ? 1 : 0);
      auditLost.set(status.audit.lost);
      rebuildLeft.set(status.rebuild === null ? 0 : Math.max(1, status.rebuild.packsTotal - status.rebuild.packsDone));
      refillLeft.set(status.refill.packs);
      writable.set(status.stopped === null ? 1 : 0);
      for (const { what, name, outcome, startedAt } of status.drills) {
        const passed = outcome === 'passed';
        drillPassed.set({ what, name: name ?? '' }, passed ? 1 : 0);
        if (passed) drillAt.set({ what, name: name ?? '' }, Date.parse(startedAt) / 1000);
      }
      keys.set(status.keys.fault === null ? 1 : 0);
      unprotected.set(status.unprotected.instances);
      unprotectedBytes.set(status.unprotected.bytes);
      unprotectedAge.set(status.unprotected.oldestAgeSeconds ?? 0);
      erasure.set(status.erasurePending.instances);
      erasureBytes.set(status.erasurePending.bytes);
      for (const { name, state, bytesFree, trend, latencyMs } of status.volumes) {
        volume.set({ volume: name }, state === 'healthy' ? 1 : 0);
        volumeTrend.set({ volume: name }, trend === null ? 0 : 1);
        for (const call of ['read', 'write', 'sync', 'probe'] as const) {
          const ms = latencyMs[call];
          if (ms !== null) volumeSeconds.set({ volume: name, call }, ms / 1000);
        }
        if (bytesFree !== null) volumeFree.set({ volume: name }, bytesFree);
      }
      for (const { name, state, debt: owed } of status.replicas) {
        replica.set({ replica: name }, state === 'available' ? 1 : 0);
        debt.set({ replica: name }, owed.packs);
        debtBytes.set({ replica: name }, owed.bytes);
      }
      for (const { kind, state } of status.jobs)
        if (state === 'queued' || state === 'running') jobs.inc({ kind, state });
    },
  };
}
