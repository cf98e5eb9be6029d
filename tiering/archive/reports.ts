// What the archive says to operators: how it does, and what became of each of their jobs.
import type { ErrorCode } from '../core/errors.js';
import type { ReplicaName, StudyUid, VolumeName } from '../core/ids.js';
import type { IndexStatus, QuerySpec } from '../index/index.js';
import type { DrillResult } from './drills/drill-report.js';

/** Which studies an operator's command is about. An empty selection selects nothing; `arrivedBeforeMs` alone means all, beside others it narrows them. */
export interface Selection {
  readonly studies?: readonly StudyUid[];
  readonly all?: boolean;
  readonly query?: QuerySpec;
  /** Last arrival before this. */
  readonly arrivedBeforeMs?: number;
}

/** Progress of a long job; `bytesTotal` may grow while it runs. */
export interface Progress {
  readonly step: string;
  readonly packsDone: number;
  readonly packsTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Where instances are what counts (a rebuild): how many so far, and how many a second. */
  readonly instancesDone?: number;
  readonly perSecond?: number;
  /** Null while nothing can be said of it. */
  readonly secondsLeft?: number | null;
}

export interface JobOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Something that went wrong with one item of a job; the rest went on. */
export interface JobFailure {
  /** Study UID, pack id or object key. */
  readonly item: string;
  readonly code: ErrorCode;
  readonly detail: string;
}

export interface MigrateReport {
  readonly studies: number;
  readonly packs: number;
  readonly bytes: number;
  /** Packs whose hot copy was deleted after proof. */
  readonly evicted: number;
  readonly failures: readonly JobFailure[];
}

export interface RecallReport {
  readonly studies: number;
  readonly packs: number;
  readonly bytes: number;
  readonly failures: readonly JobFailure[];
}

export interface ScrubFinding {
  readonly where: ReplicaName | VolumeName;
  /** Object key, or pack id of a hot pack. `unknown`: nothing in the index has it; it is left alone. */
  readonly item: string;
  readonly fault: 'missing' | 'corrupt' | 'unknown';
  readonly detail: string;
}

export interface ScrubReport {
  readonly objects: number;
  readonly bytes: number;
  /** It went on where an earlier one was stopped; the counts and findings are of both. */
  readonly resumed: boolean;
  readonly findings: readonly ScrubFinding[];
  /** Replicas and volumes that did not answer: nothing is known of them. */
  readonly unavailable: readonly string[];
}

export interface RepairReport {
  readonly repaired: number;
  readonly bytes: number;
  /** Objects of what is gone that were removed from the replicas, their grace period being over. */
  readonly removed: number;
  readonly failures: readonly JobFailure[];
}

export interface FillReport {
  readonly replica: ReplicaName;
  /** Packs that were copied to it, their bytes, and deletes that it was told. */
  readonly packs: number;
  readonly bytes: number;
  readonly deletes: number;
  readonly failures: readonly JobFailure[];
}

export interface DrainReport {
  readonly replica: ReplicaName;
  /** Packs that are no longer counted on there (of a plan: that are), and their bytes. */
  readonly packs: number;
  readonly bytes: number;
  /** Of these, those that had to be copied elsewhere first. */
  readonly moved: number;
  readonly deletes: number;
  /** Objects that were removed from it; and those of others that lie there. */
  readonly erased: number;
  readonly left: number;
  readonly failures: readonly JobFailure[];
}

/** What is wrapped under one key. */
export interface KeyUse {
  readonly id: string;
  /** ISO 8601; null for a key that something is wrapped under and that the keyring lacks. */
  readonly createdAt: string | null;
  readonly current: boolean;
  /** Of every replica that answered. */
  readonly replicas: readonly {
    readonly name: ReplicaName;
    readonly manifests: number;
    readonly tombstones: number;
  }[];
  /** Packs and deletes whose newest wrap the index has under it. */
  readonly index: { readonly packs: number; readonly tombstones: number };
}

export interface KeysReport {
  readonly archiveId: string;
  /** In the order of the keyring, then those that it lacks. */
  readonly keys: readonly KeyUse[];
  /** Manifests and tombstones that were looked at. */
  readonly objects: number;
  /** Of these, those whose beginning is not that of one: damage, which scrub looks into. */
  readonly unreadable: readonly string[];
  /** Replicas that did not answer, or hold packs and are not configured: what they hold is not counted. */
  readonly unavailable: readonly string[];
}

export interface RotateReport {
  /** The key that everything is wrapped under now. */
  readonly key: string;
  /** A rotation that was begun earlier was taken to its end; no new key was made. */
  readonly resumed: boolean;
  /** Looked at, and already or now under the key. */
  readonly packs: number;
  /** Packs and deletes that this call brought under the key. */
  readonly rewrapped: number;
  /** Packs among them that have another DEK now, and the bytes that were sent for it. */
  readonly resealed: number;
  readonly bytes: number;
  /** Objects under older keys that were removed, after every replica that holds the pack had the newest. */
  readonly removed: number;
  readonly failures: readonly JobFailure[];
  /** Replicas that still hold something older, since they did not answer. */
  readonly unavailable: readonly string[];
}

export interface RemoveKeyReport {
  readonly removed: string;
  /** Manifests and tombstones on the replicas that were looked at: none needs the key. */
  readonly objects: number;
}

/** What became of the bytes in one place. */
export interface ErasePlace {
  readonly name: VolumeName | ReplicaName;
  readonly kind: 'volume' | 'replica';
  /** Files of the volume, objects of the replica: those that are gone, and those that should be and are not. */
  readonly erased: number;
  readonly pending: number;
  /** Why something is pending. */
  readonly detail: string | null;
}

export interface EraseReport {
  /** Packs and trays that were emptied of what lives and are gone everywhere. */
  readonly packs: number;
  /** Deleted instances of which nothing is left, and their bytes. */
  readonly instances: number;
  readonly bytes: number;
  /** Of the whole archive. */
  readonly pending: { readonly instances: number; readonly bytes: number };
  readonly places: readonly ErasePlace[];
  readonly failures: readonly JobFailure[];
  /** Places where something is pending. */
  readonly unavailable: readonly string[];
}

/** Why nothing of a study may be deleted. */
export interface Refusal {
  readonly study: StudyUid;
  readonly cause: 'hold' | 'retention';
  /** The first day on which it may be, `YYYY-MM-DD` in UTC; null: when somebody clears the hold. */
  readonly until: string | null;
  /** In a sentence, without the UID. */
  readonly detail: string;
}

export interface HoldReport {
  /** As of RemoveReport. */
  readonly durable: 'quorum' | 'pending';
}

export interface RemoveReport {
  /** Deleted by this call. */
  readonly instances: number;
  /** 1 when nothing of the study is left, else 0. */
  readonly studies: number;
  /** `pending`: in effect and kept, and fewer replicas than the write quorum know of it yet; they are told once they answer. */
  readonly durable: 'quorum' | 'pending';
  /** Seqs of the deletes that this call made: what Archive.erase takes. */
  readonly deletes: readonly number[];
}

export interface VolumeExposure {
  readonly packs: number;
  readonly instances: number;
  /** Of these packs as they lie there. */
  readonly bytes: number;
}

/** Files of a volume, the live instances in them and their bytes. */
export interface FileCount {
  readonly packs: number;
  readonly instances: number;
  readonly bytes: number;
}

/** What became of a volume that was away, from its return until everything of it was in order again. Times are ISO 8601. */
export interface FailbackLedger {
  readonly volume: VolumeName;
  /** `adopted`: as an empty disk in the place of the old one. */
  readonly how: 'returned' | 'adopted';
  /** When its failure was noticed, or the process began without it. */
  readonly awaySince: string;
  readonly returnedAt: string;
  /** Null while it goes on. */
  readonly endedAt: string | null;
  readonly outcome: 'going on' | 'complete' | 'away again' | 'stopped';
  /** What is there, present and long enough; `adopted` of it the index did not know. */
  readonly found: FileCount & { readonly adopted: number };
  /** Of that, what too few replicas have: every byte was read and is what was acknowledged. */
  readonly hashed: FileCount;
  readonly missing: FileCount;
  readonly corrupt: FileCount;
  /** Stored on replicas alone meanwhile, to be filed. */
  readonly takenIn: FileCount;
  /** Of what was missing or corrupt: hot again, or cold and on replicas, or sent again. */
  readonly repaired: FileCount;
  /** At its end: what nobody has, and what is on this volume and on fewer replicas than the write quorum. */
  readonly atRisk: { readonly lost: FileCount; readonly unprotected: FileCount };
  /** The signed report's name, where reports are kept. */
  readonly report: string | null;
}

/** What lay on a volume that is replaced by an empty disk. */
export interface AdoptReport {
  /** In its place; `mountPoint` false: perhaps the new disk is not mounted. */
  readonly place: {
    readonly path: string;
    readonly bytesTotal: number;
    readonly bytesFree: number;
    readonly mountPoint: boolean;
  };
  /** Packs that replicas have: brought back in the background, those needed most likely first. */
  readonly recalled: { readonly packs: number; readonly bytes: number };
  /** What nobody else has: told as lost until it is sent again. Of the studies the first 1,000. */
  readonly lost: { readonly instances: number; readonly bytes: number; readonly studies: readonly StudyUid[] };
  /** Null in a plan. */
  readonly state: VolumeState | null;
}

/** `slow`: works, and another one does better. `suspect`: a call failed, a probe decides. `returning`: well again, and what it holds is being read. */
export type VolumeState = 'healthy' | 'slow' | 'suspect' | 'failed' | 'returning';

export interface ArchiveStatus {
  readonly index: IndexStatus;
  readonly volumes: readonly {
    readonly name: VolumeName;
    readonly state: VolumeState;
    readonly bytesTotal: number | null;
    readonly bytesFree: number | null;
    /** Why it is not healthy. */
    readonly detail: string | null;
    /** What gets worse with it although it works: errors, or how long calls take beside what is usual. */
    readonly trend: string | null;
    /** Within which nine of ten calls were over lately, for each MiB of them; null where there were too few. */
    readonly latencyMs: {
      readonly read: number | null;
      readonly write: number | null;
      readonly sync: number | null;
      readonly probe: number | null;
    };
  }[];
  readonly replicas: readonly {
    readonly name: ReplicaName;
    readonly state: 'available' | 'unavailable';
    /** Whether it holds what it ought to (or owes it), is being brought it, or is leaving. */
    readonly standing: 'member' | 'filling' | 'draining' | 'drained';
    readonly detail: string | null;
    readonly latencyMs: number | null;
    /** Since when it has not been available, milliseconds since 1970; null while it is. */
    readonly unavailableSinceMs: number | null;
  }[];
  /** Where new instances go now. */
  readonly ingest: 'volume' | 'cloud-direct' | 'refused';
  /**
   * Why nothing is stored, moved or deleted, with what to do: the index cannot be written, and it goes on by itself when it can; or, with
   * `restart`, it is damaged or does not decide any more, and what it answers may be wrong. Null: all goes on.
   */
  readonly stopped: { readonly reason: string; readonly restart: boolean } | null;
  /** Why keys could not be used the last time (a token that is away), or null. */
  readonly keys: { readonly fault: string | null };
  /** Replicas and volumes (`replica r1`) that were away at a rebuild, so that what only they know to be deleted may show. */
  readonly deletesUnread: readonly string[];
  /**
   * Volumes that were away when an unclean stop, or a rebuild, left it unknown what they took in last: what is not found may be there, and is UNAVAILABLE
   * until they are back or given up.
   */
  readonly traysUnread: readonly VolumeName[];
  /** How the last drill of each kind and name went, the newest first. */
  readonly drills: readonly DrillResult[];
  /** How far the index is that is being made again; null when it is whole. */
  readonly rebuild: Progress | null;
}
