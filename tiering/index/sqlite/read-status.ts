// The numbers of the dashboard, from counters that the writer keeps: no instance is looked at.
import type { Database } from 'better-sqlite3';
import type { ReplicaName } from '../../core/ids.js';
import type { IndexStatus, ProtectionRule } from '../index.js';
import type { ErasureReader } from './read-erasures.js';
import type { PackReader } from './read-packs.js';
import { protectionOf } from './read-protection.js';
import { HELD_OF_RECORD, perhapsLacking } from './read-tombstones.js';

/** Packs that ought to lie on every replica: filed ones, and trays that were sent to the cloud. */
const DUE = "p.live_instances > 0 AND (p.kind = 'pack' OR p.hot = 'cold' OR p.placements > 0)";

interface PackTotals {
  readonly hotBytes: number;
  readonly coldBytes: number;
  readonly instances: number;
  readonly openInstances: number;
  readonly openBytes: number;
  readonly oldestMs: number | null;
}

/**
 * Counts over studies and packs. `bytes.hot`: packs with a hot copy; `bytes.cold`: those with none. A study is protected when
 * it is hot and each of its packs is.
 */
export function readStatus(
  db: Database,
  packs: PackReader,
  erasures: ErasureReader,
  rule: ProtectionRule,
): IndexStatus {
  const { lacking, study } = protectionOf(packs, rule);
  const studies = db
    .prepare<unknown[], { total: number; hot: number; safe: number }>(
      `SELECT count(*) AS total, coalesce(sum(packs_hot > 0), 0) AS hot,
         coalesce(sum(packs_hot > 0 AND ${study.sql}), 0) AS safe FROM studies s`,
    )
    .get(...study.values) ?? { total: 0, hot: 0, safe: 0 };
  const totals = db
    .prepare<unknown[], PackTotals>(
      `SELECT coalesce(sum(CASE WHEN hot IN ('open', 'present') THEN bytes END), 0) AS hotBytes,
         coalesce(sum(CASE WHEN hot NOT IN ('open', 'present') THEN bytes END), 0) AS coldBytes,
         coalesce(sum(live_instances), 0) AS instances,
         coalesce(sum(CASE WHEN open THEN live_instances END), 0) AS openInstances,
         coalesce(sum(CASE WHEN open THEN live_bytes END), 0) AS openBytes,
         min(CASE WHEN open THEN oldest_ms END) AS oldestMs FROM (SELECT p.*, ${lacking.sql} AS open FROM packs p)`,
    )
    .get(...lacking.values);
  return {
    studies: { total: studies.total, hot: studies.hot, protected: studies.safe, cold: studies.total - studies.hot },
    bytes: { hot: totals?.hotBytes ?? 0, cold: totals?.coldBytes ?? 0 },
    instances: totals?.instances ?? 0,
    unprotected: {
      instances: totals?.openInstances ?? 0,
      bytes: totals?.openBytes ?? 0,
      oldestArrivedMs: totals?.oldestMs ?? null,
    },
    lostHot: db
      .prepare<[], { packs: number; bytes: number }>(
        `SELECT count(*) AS packs, coalesce(sum(bytes), 0) AS bytes FROM packs
         WHERE hot = 'missing' AND kind = 'pack' AND placements > 0 AND live_instances > 0`,
      )
      .get() ?? { packs: 0, bytes: 0 },
    deletes: readDeletes(db, rule),
    erasurePending: erasures.pending(),
    debt: readDebt(db, packs, rule.replicas),
  };
}

/** Deletes that are not everywhere yet: few rows, and none in an archive whose replicas all answer. */
function readDeletes(db: Database, rule: ProtectionRule): IndexStatus['deletes'] {
  const row = db
    .prepare<[number, string, number], { pending: number; owed: number }>(
      `SELECT coalesce(sum(held < ?), 0) AS pending, count(*) AS owed FROM (
         SELECT (${HELD_OF_RECORD}) AS held FROM tombstone_records t WHERE ${perhapsLacking(db, rule.replicas)}
       ) WHERE held < ?`,
    )
    .get(rule.writeQuorum, JSON.stringify(rule.replicas), new Set(rule.replicas).size);
  return { pending: row?.pending ?? 0, owed: row?.owed ?? 0 };
}

/** What each replica ought to hold and does not. Looks only at packs that lack a placement, where that can be told. */
function readDebt(db: Database, packs: PackReader, replicas: readonly ReplicaName[]): IndexStatus['debt'] {
  const narrowed = packs.onlyOn(replicas) ? `AND p.placements < ${new Set(replicas).size}` : '';
  const owed = db.prepare<[string], { packs: number; bytes: number; oldestMs: number | null }>(
    `SELECT count(*) AS packs, coalesce(sum(p.bytes), 0) AS bytes, min(p.created_ms) AS oldestMs FROM packs p WHERE ${DUE} ${narrowed}
       AND NOT EXISTS (SELECT 1 FROM placements l JOIN replicas r ON r.id = l.replica
                       WHERE l.pack = p.id AND r.name = ?)`,
  );
  return new Map(replicas.map((replica) => [replica, owed.get(replica) ?? { packs: 0, bytes: 0, oldestMs: null }]));
}
