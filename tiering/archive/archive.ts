// The archive boundary: the only thing that dicomweb, the admin API and the tools see of storage.
// It addresses instances and byte ranges of instances; packs, trays, tiers and replicas do not show,
// except in what operators ask for by name.
import type { DicomFault, DicomWarning } from '../../dicom/instance.js';
import type { ErrorCode } from '../core/errors.js';
import type { ReplicaName, SeriesUid, Sha256, SopUid, StudyUid, VolumeName } from '../core/ids.js';
import type { StudyHold } from '../format/types.js';
import type { IndexStatus, InstanceRecord, MetadataPart, QueryPage, QuerySpec, Scope } from '../index/index.js';

export type { InstanceRecord, MetadataPart, QueryPage, QueryRow, QuerySpec, Scope } from '../index/index.js';

/** What became of one instance that was sent. Anything but `stored` and `duplicate` left nothing behind. */
export type StoreOutcome =
  | {
      readonly status: 'stored' | 'duplicate';
      readonly instance: InstanceIdentity;
      readonly warnings: readonly DicomWarning[];
    }
  | {
      readonly status: 'refused';
      /** As far as it could be read. */
      readonly instance: Partial<InstanceIdentity>;
      readonly code: ErrorCode;
      readonly fault: DicomFault | null;
      /** What was wrong and where; tags and offsets, never values. */
      readonly detail: string;
    };

export interface InstanceIdentity {
  readonly study: StudyUid;
  readonly series: SeriesUid;
  readonly sop: SopUid;
  readonly sopClass: string;
  readonly sha256: Sha256;
}

export interface ReceiveOptions {
  /** Refuse (CONFLICT) an instance of any other study: PS3.18 10.5.1. */
  readonly study?: StudyUid | undefined;
  readonly signal?: AbortSignal | undefined;
}

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

export type VolumeState = 'healthy' | 'suspect' | 'failed' | 'returning';

export interface ArchiveStatus {
  readonly index: IndexStatus;
  readonly volumes: readonly {
    readonly name: VolumeName;
    readonly state: VolumeState;
    readonly bytesTotal: number | null;
    readonly bytesFree: number | null;
    /** Why it is not healthy. */
    readonly detail: string | null;
  }[];
  readonly replicas: readonly {
    readonly name: ReplicaName;
    readonly state: 'available' | 'unavailable';
    /** Whether it holds what it ought to (or owes it), is being brought it, or is leaving. */
    readonly standing: 'member' | 'filling' | 'draining' | 'drained';
    readonly detail: string | null;
    readonly latencyMs: number | null;
  }[];
  /** Where new instances go now. */
  readonly ingest: 'volume' | 'cloud-direct' | 'refused';
  /** Why keys could not be used the last time (a token that is away), or null. */
  readonly keys: { readonly fault: string | null };
  /** Replicas and volumes (`replica r1`) that were away at a rebuild, so that what only they know to be deleted may show. */
  readonly deletesUnread: readonly string[];
  /** How far the index is that is being made again; null when it is whole. */
  readonly rebuild: Progress | null;
}

/** What viewers and modalities have of the archive; the jobs of operators are not among it. */
export interface ImageArchive {
  /**
   * Takes one instance from `body`. Resolves once the body is consumed (or refused), so that the caller may go on with the next
   * part; `outcome` resolves once it is durable and visible, or refused. Neither rejects for what is wrong with the instance;
   * `receive` rejects with ABORTED, FULL or UNAVAILABLE when nothing can be stored now, or with what `body` threw.
   */
  receive(
    body: AsyncIterable<Uint8Array>,
    options?: ReceiveOptions,
  ): Promise<{ readonly outcome: Promise<StoreOutcome> }>;

  /**
   * Deletes what is live in the scope when the call comes: not found by anything from before it resolves, and never back (I9), unless
   * it is stored again afterwards. The bytes leave later, with their packs. NOT_FOUND when nothing is there; CONFLICT, and nothing is
   * deleted, when the study is under legal hold or must be kept (`refusals`); UNAVAILABLE when it
   * cannot be written down, or by the signal ABORTED: then some of it may be deleted, and the call may be made again.
   */
  remove(scope: Scope, options?: { readonly signal?: AbortSignal | undefined }): Promise<RemoveReport>;

  query(spec: QuerySpec, signal?: AbortSignal): Promise<QueryPage>;
  /** Live instances in reading order. Empty when there are none. */
  instances(scope: Scope): AsyncIterable<InstanceRecord>;
  /** NOT_FOUND when there is no such live instance. `layout` is JSON text: dicom/layout.ts. */
  instance(scope: Required<Scope>): Promise<InstanceRecord & { readonly layout: string }>;
  /** From the index alone. Empty when nothing is live. */
  metadata(scope: Scope): AsyncIterable<MetadataPart>;

  /**
   * The bytes `[start, end)` of an instance (default: all), in pieces, from whichever tier has them. Each piece is the reader's own.
   * Throws UNAVAILABLE when no copy can be reached now, LOST when none exists, NOT_FOUND when it was deleted meanwhile.
   */
  read(
    instance: InstanceRecord,
    range?: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): AsyncIterable<Uint8Array>;
}

export interface Archive extends ImageArchive {
  status(): Promise<ArchiveStatus>;
  /** Of these studies, those of which nothing may be deleted now. */
  refusals(studies: readonly StudyUid[]): Promise<readonly Refusal[]>;
  /** Studies under legal hold, ascending by UID. */
  holds(): Promise<readonly StudyHold[]>;
  /** Nothing of the study is deleted from now on; once more: with another reason. NOT_FOUND when there is no such study. */
  setHold(study: StudyUid, reason: string): Promise<HoldReport>;
  /** NOT_FOUND when it is under none. */
  clearHold(study: StudyUid): Promise<HoldReport>;
  /** Files what has not settled, protects, proves, and (unless `keepHot`) deletes the hot copies. */
  migrate(selection: Selection, options?: JobOptions & { readonly keepHot?: boolean }): Promise<MigrateReport>;
  /**
   * Makes the bytes of what was deleted leave every volume and replica now; with `deletes`, only those of these deletes. What lives in the same packs
   * is written anew and protected first. What could not be reached is done by the next call, or by the background in its time. UNAVAILABLE
   * while deletes of a replica or volume are unread since a rebuild.
   */
  erase(options?: JobOptions & { readonly deletes?: readonly number[] | undefined }): Promise<EraseReport>;
  /** Brings cold packs back to a volume. */
  recall(selection: Selection, options?: JobOptions): Promise<RecallReport>;
  /**
   * Compares replicas and volumes with the index. `deep` reads and hashes every object. Notes what it finds for `repair`. One that was stopped is gone on
   * with by the next call.
   */
  scrub(options?: JobOptions & { readonly deep?: boolean }): Promise<ScrubReport>;
  /** Mends what is noted: from any good replica, or the hot copy. Pays replica debts too. */
  repair(options?: JobOptions): Promise<RepairReport>;
  /**
   * Makes a configured store a replica of this archive and brings it everything that others hold, from replica to replica where there is no hot copy.
   * Goes on by itself after a restart. INVALID for one that is not configured, UNAVAILABLE when it does not answer or is another's.
   */
  addReplica(
    name: ReplicaName,
    options?: JobOptions & { readonly bytesPerSecond?: number | null },
  ): Promise<FillReport>;
  /**
   * Takes a replica out: nothing new is placed there, what others lack is brought to them and proven, then it is not counted on. With `erase` its
   * objects are removed; with `plan` nothing is done. CONFLICT when the others could not keep the rule of placement.
   */
  drainReplica(
    name: ReplicaName,
    options?: JobOptions & { readonly erase?: boolean; readonly plan?: boolean },
  ): Promise<DrainReport>;
  /** Which keys there are and what every replica holds under each. */
  countKeys(options?: JobOptions): Promise<KeysReport>;
  /**
   * Makes a new key and wraps every pack and delete on every replica under it; no chunk is touched and nobody who reads notices. What could
   * not be reached is done by the next call, which then makes no key (nor does it with `resume`). With `reseal`, for a key that leaked, every pack
   * is also sealed under another DEK and sent to every replica again. LOCKED while another call about keys runs; CONFLICT for a rotation
   * while packs are being sealed anew, and for `reseal` with `resume` while they are not.
   */
  rotateKeys(options?: JobOptions & { readonly resume?: boolean; readonly reseal?: boolean }): Promise<RotateReport>;
  /**
   * Takes a key out of the keyring, for ever. INVALID for one that is not in it; CONFLICT for the current one, and while anything is wrapped
   * under it; UNAVAILABLE while a replica does not answer, since what it holds is not known.
   */
  removeKey(key: string, options?: JobOptions): Promise<RemoveKeyReport>;

  /**
   * Takes a volume out of use as if it had failed: nothing is read from it or written to it, it is let go of, and so it stays over
   * restarts until `returnVolume`. INVALID for one that is not configured.
   */
  failVolume(name: VolumeName): Promise<void>;
  /** Takes it back in as a failed volume that is well again. Resolves with its state then. INVALID for one that is not configured. */
  returnVolume(name: VolumeName): Promise<VolumeState>;
  /** What cannot be read without the volume, since it is not protected. */
  exposure(name: VolumeName): Promise<VolumeExposure>;
  /** Stops movers, finishes what is in flight, closes everything below. Idempotent. */
  close(): Promise<void>;
}
