// The archive boundary: the only thing that dicomweb, the admin API and the tools see of storage.
// It addresses instances and byte ranges of instances; packs, trays, tiers and replicas do not show,
// except in what operators ask for by name.
import type { DicomFault, DicomWarning } from '../../dicom/instance.js';
import type { ErrorCode } from '../core/errors.js';
import type { ReplicaName, SeriesUid, Sha256, SopUid, StudyUid, VolumeName } from '../core/ids.js';
import type { StudyHold } from '../format/types.js';
import type { InstanceRecord, MetadataPart, QueryPage, QuerySpec, Scope } from '../index/index.js';
import type { DrillPlan, DrillReport, DrillRequest } from './drills/drill-report.js';
import type {
  AdoptReport,
  ArchiveStatus,
  DrainReport,
  EraseReport,
  FailbackLedger,
  FillReport,
  HoldReport,
  JobOptions,
  KeysReport,
  MigrateReport,
  RecallReport,
  Refusal,
  RemoveKeyReport,
  RemoveReport,
  RepairReport,
  RotateReport,
  ScrubReport,
  Selection,
  VolumeExposure,
  VolumeState,
} from './reports.js';

export type { InstanceRecord, MetadataPart, QueryPage, QueryRow, QuerySpec, Scope } from '../index/index.js';
export type * from './reports.js';

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
  /**
   * Takes in an empty disk in the place of a failed volume: the old one is given up, with what is on no replica. With `plan` only says what that is. CONFLICT
   * when the volume is there; UNAVAILABLE when what is there is not empty, or cannot be written; INVALID for one that is not configured.
   */
  adoptVolume(name: VolumeName, options?: { readonly plan?: boolean }): Promise<AdoptReport>;
  /** What became of volumes that were away, of one or of all; latest return first, the last 20 of each. INVALID for one that is not configured. */
  ledgers(name?: VolumeName): Promise<readonly FailbackLedger[]>;
  /** What cannot be read without the volume, since it is not protected. */
  exposure(name: VolumeName): Promise<VolumeExposure>;
  /** What a drill would be about, and what speaks against it now. INVALID for a name that is not configured. */
  planDrill(request: DrillRequest): Promise<DrillPlan>;
  /**
   * Rehearses a failure on the live system and measures what it would cost; resolves once all is as before and its shadow studies are deleted,
   * also when it was cancelled. CONFLICT when something speaks against it, unless `anyway`; LOCKED while another one is on.
   */
  drill(request: DrillRequest, options?: JobOptions): Promise<DrillReport>;
  /** Stops movers, finishes what is in flight, closes everything below. Idempotent. */
  close(): Promise<void>;
}
