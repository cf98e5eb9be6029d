// What every job of the archive works with, made once by open-archive.ts. No logic of its own.
import type { WorkerPool } from '../../workers/pool.js';
import type { ReplicaSet } from '../cold/replicas/replica-set.js';
import type { Clock, Random } from '../core/clock.js';
import type { PackId } from '../core/ids.js';
import { INSTANCE_MEMORY_BYTES_MAX } from '../core/limits.js';
import type { Keyring } from '../format/keyring.js';
import type { PackIds } from '../format/pack-id.js';
import type { Index } from '../index/index.js';
import type { Authority } from './authority/authority.js';
import type { WriteGate } from './authority/write-gate.js';
import type { DrillSchedule } from './drills/drill-report.js';
import type { Fleet } from './fleet/fleet.js';
import type { KeyHolder } from './keys/key-holder.js';
import type { Line } from './pacing/line.js';
import type { PackLocks } from './pacing/pack-locks.js';
import type { Viewers } from './pacing/viewers.js';
import type { Damage } from './reading/damage.js';
import type { PackCatalog } from './reading/pack-catalog.js';
import type { UnreadReplicas } from './recovery/unread-replicas.js';
import type { UnreadTrays } from './recovery/unread-trays.js';
import type { SignedReports } from './signed-reports.js';
import type { VolumeSet } from './volumes/volume-set.js';

/** What the operator decided; durations in milliseconds, shares from 0 to 1. */
export interface Policy {
  /** A study is filed once nothing of it came for this long. */
  readonly settleMs: number;
  /** Or once its oldest unfiled instance is this old. */
  readonly fileAfterMs: number;
  /** A pack is copied to the replicas once it is this old, so that merges are not uploaded twice. */
  readonly protectAfterMs: number;
  /** How a copy is proven: read back whole, or a signed PUT that the store verifies plus its length. */
  readonly proof: 'read-back' | 'signed-put';
  readonly recall: 'on-open' | 'never';
  readonly evictMinAgeMs: number;
  readonly highWater: number;
  readonly lowWater: number;
  /** Replicas that must hold a cloud-direct batch before it is acknowledged; default: the write quorum. */
  readonly cloudDirectQuorum: number | null;
  /** How long studies are kept: nothing of them is deleted until then. Of each modality the first rule that fits counts; null fits any. */
  readonly retention: readonly { readonly modality: string | null; readonly keepMs: number }[];
  /** What is thrown away leaves the replicas after this long: longer than the longest answer takes. */
  readonly garbageGraceMs: number;
  /** Bytes a second that are sent to all replicas together, to protect, to pay debts and to mend; null: as fast as it can. */
  readonly uploadBytesPerSecond: number | null;
  /** Bytes a second that are read from all replicas together for anything but an answer: to prove, to mend, to bring back; null: as fast as it can. */
  readonly downloadBytesPerSecond: number | null;
  /** Bytes a second that a deep scrub reads at most; null: as fast as it can. */
  readonly scrubBytesPerSecond: number | null;
  /** A deep scrub begins by itself so long after the last one ended, and what it finds is repaired; null: never. */
  readonly scrubEveryMs: number | null;
  /** A longer instance is not held in memory: it goes straight into a pack of its own. */
  readonly instanceMemoryBytes: number;
  /** Drills that are held by themselves, in a quiet hour. */
  readonly drills: readonly DrillSchedule[];
  /** Pause between two rounds of the movers. */
  readonly moverIntervalMs: number;
  /** Pause between two probes of volumes and replicas. */
  readonly probeIntervalMs: number;
  /** A replica is told of a newer generation of the index this often at most: in a bucket that keeps versions, or locks them, each time stays there. */
  readonly claimIntervalMs: number;
}

export const DEFAULT_POLICY: Policy = {
  settleMs: 60_000,
  fileAfterMs: 15 * 60_000,
  protectAfterMs: 120_000,
  proof: 'read-back',
  recall: 'on-open',
  evictMinAgeMs: 30 * 24 * 3600 * 1000,
  highWater: 0.85,
  lowWater: 0.75,
  cloudDirectQuorum: null,
  retention: [],
  garbageGraceMs: 24 * 3600 * 1000,
  uploadBytesPerSecond: null,
  downloadBytesPerSecond: null,
  scrubBytesPerSecond: null,
  scrubEveryMs: null,
  instanceMemoryBytes: INSTANCE_MEMORY_BYTES_MAX,
  drills: [],
  moverIntervalMs: 1_000,
  probeIntervalMs: 5_000,
  claimIntervalMs: 10 * 60_000,
};

/** Something an operator should know of. `detail` names packs, volumes and replicas; never UIDs or patient data. */
export interface ArchiveEvent {
  readonly level: 'info' | 'warn' | 'error';
  readonly event: string;
  readonly pack?: PackId;
  readonly detail?: string;
}

export interface ArchiveContext {
  readonly index: Index;
  /** Whether anything may be taken, moved or deleted now. */
  readonly gate: WriteGate;
  readonly authority: Authority;
  readonly volumes: VolumeSet;
  readonly replicas: ReplicaSet;
  readonly fleet: Fleet;
  readonly pool: WorkerPool;
  /** As it is now; it changes when keys are rotated. */
  readonly keyring: Keyring;
  readonly keys: KeyHolder;
  readonly policy: Policy;
  readonly clock: Clock;
  readonly random: Random;
  readonly packIds: PackIds;
  readonly catalog: PackCatalog;
  readonly damage: Damage;
  readonly locks: PackLocks;
  readonly viewers: Viewers;
  readonly line: Line;
  readonly unreadTrays: UnreadTrays;
  readonly unreadReplicas: UnreadReplicas;
  readonly reports: SignedReports;
  readonly log: (event: ArchiveEvent) => void;
}
