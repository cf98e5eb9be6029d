// `filmroom status --json`: the shape that scripts rely on (DESIGN section 11), made from the archive's status and the jobs.
import type { ArchiveStatus } from '../../tiering/archive/archive.js';
import type { AuditState } from '../audit/audit.js';
import type { JobView } from './jobs.js';

export interface StatusView {
  readonly studies: { readonly total: number; readonly hot: number; readonly protected: number; readonly cold: number };
  readonly instances: number;
  readonly bytes: { readonly hot: number; readonly cold: number };
  readonly unprotected: {
    readonly instances: number;
    readonly bytes: number;
    readonly oldestAgeSeconds: number | null;
  };
  /** Deletes on fewer replicas than the write quorum, those that some replica lacks, and whose deletes are not known since a rebuild. */
  readonly deletes: ArchiveStatus['index']['deletes'] & { readonly unread: readonly string[] };
  /** Deleted instances whose bytes are still somewhere. */
  readonly erasurePending: ArchiveStatus['index']['erasurePending'];
  /** Volumes that are away and took in what the index may lack: what is not found is answered 503. */
  readonly traysUnread: ArchiveStatus['traysUnread'];
  readonly ingest: ArchiveStatus['ingest'];
  /** Why nothing is stored, moved or deleted, with what to do; null when it is. */
  readonly stopped: ArchiveStatus['stopped'];
  /** How far the index is that is being made again, with the rate and the time left; null when it is whole. */
  readonly rebuild: ArchiveStatus['rebuild'];
  readonly keys: ArchiveStatus['keys'];
  /** How the last drill of each kind and name went. */
  readonly drills: ArchiveStatus['drills'];
  /** What is being brought back to the volumes, whose hot copies were lost. */
  readonly refill: ArchiveStatus['index']['lostHot'];
  readonly volumes: ArchiveStatus['volumes'];
  readonly replicas: readonly (Omit<ArchiveStatus['replicas'][number], 'unavailableSinceMs'> & {
    /** What it ought to hold and does not, and how old the oldest of that is. */
    readonly debt: { readonly packs: number; readonly bytes: number; readonly oldestAgeSeconds: number | null };
    /** How long it has not been available; null while it is. */
    readonly unavailableSeconds: number | null;
  })[];
  /** Whether the audit log is written. */
  readonly audit: AuditState;
  readonly jobs: readonly JobView[];
}

const NO_DEBT = { packs: 0, bytes: 0, oldestMs: null };

export function statusView(
  status: ArchiveStatus,
  jobs: readonly JobView[],
  nowMs: number,
  audit: AuditState,
): StatusView {
  const { studies, instances, bytes, unprotected, debt } = status.index;
  const secondsSince = (ms: number | null) => (ms === null ? null : Math.max(0, Math.round((nowMs - ms) / 1000)));
  return {
    studies,
    instances,
    bytes,
    unprotected: {
      instances: unprotected.instances,
      bytes: unprotected.bytes,
      oldestAgeSeconds: secondsSince(unprotected.oldestArrivedMs),
    },
    deletes: { ...status.index.deletes, unread: status.deletesUnread },
    erasurePending: status.index.erasurePending,
    traysUnread: status.traysUnread,
    ingest: status.ingest,
    drills: status.drills,
    stopped: status.stopped,
    rebuild: status.rebuild,
    keys: status.keys,
    refill: status.index.lostHot,
    volumes: status.volumes,
    replicas: status.replicas.map(({ unavailableSinceMs, ...replica }) => {
      const { oldestMs, ...owed } = debt.get(replica.name) ?? NO_DEBT;
      return {
        ...replica,
        unavailableSeconds: secondsSince(unavailableSinceMs),
        debt: { ...owed, oldestAgeSeconds: secondsSince(oldestMs) },
      };
    }),
    audit,
    jobs,
  };
}
