// The index boundary: what is searched, and where everything lies. A cache of what packs and manifests say, and the
// durable statement of what ought to be done. Every call is async and nothing of SQL shows through. Contract suite:
// test/contract/index.ts. Implementation: index/sqlite/ (writer and readers in threads of their own).
import type { LevelAttributes } from '../../dicom/instance.js';
import type { ObjectKey, PackId, ReplicaName, SeriesUid, Sha256, SopUid, StudyUid, VolumeName } from '../core/ids.js';
import type { DekWrap, PackKind, PackMember, PackSeal, SeriesBundle, StudyHold, Tombstone } from '../format/types.js';
import type { QueryPage, QuerySpec } from './query-spec.js';

export type { AttributeMatch, QueryLevel, QueryPage, QueryRow, QuerySpec } from './query-spec.js';

/** A study, one of its series, or one instance. `sop` needs `series`. */
export interface Scope {
  readonly study: StudyUid;
  readonly series?: SeriesUid;
  readonly sop?: SopUid;
}

/** One live instance and where its bytes are: a byte range of a pack. */
export interface InstanceRecord {
  readonly study: StudyUid;
  readonly series: SeriesUid;
  readonly sop: SopUid;
  readonly sopClass: string;
  readonly transferSyntax: string;
  readonly instanceNumber: number | null;
  readonly seriesNumber: number | null;
  readonly seq: number;
  readonly arrivedMs: number;
  readonly pack: PackId;
  readonly start: number;
  readonly end: number;
  readonly sha256: Sha256;
}

/** An instance as it comes in. `metadata` is gzip of its DICOM JSON object; `layout` is JSON text (dicom/layout.ts). */
export interface ArrivedInstance extends InstanceRecord {
  readonly attributes: LevelAttributes;
  readonly metadata: Uint8Array;
  readonly layout: string;
}

/**
 * Where the hot copy of a pack is. `open`: a tray being appended to. `present`: on `volume`. `cold`: no hot copy, on purpose.
 * `missing`: it ought to be on `volume` and was found not to be (or damaged).
 */
export type HotState = 'open' | 'present' | 'cold' | 'missing';

export interface Placement {
  readonly replica: ReplicaName;
  /** When every chunk and the manifest were last proven to be there. */
  readonly verifiedMs: number;
}

export interface PackRecord {
  readonly id: PackId;
  readonly kind: PackKind;
  /** Accepted length of the tar. For an open tray: what is indexed so far. */
  readonly bytes: number;
  readonly createdMs: number;
  readonly hot: HotState;
  readonly volume: VolumeName | null;
  readonly seal: PackSeal | null;
  readonly manifest: { readonly name: ObjectKey; readonly generation: number } | null;
  readonly placements: readonly Placement[];
  /** Live instances in it, and the bytes that they are. */
  readonly liveInstances: number;
  readonly liveBytes: number;
}

export type NewPack = Pick<PackRecord, 'id' | 'kind' | 'bytes' | 'createdMs' | 'hot' | 'volume'>;

/** One batch of arrivals, committed in one transaction together with how far the tray is indexed. */
export interface ArrivalBatch {
  readonly pack: PackId;
  /** The pack's bytes are accounted for up to here. */
  readonly indexedTo: number;
  readonly instances: readonly ArrivedInstance[];
  /** Deletes that lie in the pack too. They count before the instances: order comes from seq, not from where it lies. */
  readonly tombstones?: readonly TombstoneRecord[];
}

/** A delete as it is kept: what it says, and the object that says so on the replicas. Kept in the same way: what is said of a legal hold. */
export interface TombstoneRecord extends Tombstone {
  /** This is no delete but a statement of a hold; `entries` is empty. */
  readonly hold?: StudyHold;
  readonly name: ObjectKey;
  /** Sealed once, so that every replica has the same bytes under the same name. */
  readonly object: Uint8Array;
}

/** A delete and where it is written down. */
export interface StoredTombstone extends TombstoneRecord {
  /** The tray that holds its note; null when it lies in none (no volume could take it). */
  readonly tray: PackId | null;
  readonly replicas: readonly ReplicaName[];
}

/** Which deletes are asked for; in the order in which they were recorded. */
export interface TombstoneFilter {
  readonly tray?: PackId;
  /** Not on at least one of these replicas. */
  readonly lackingOn?: readonly ReplicaName[];
}

/** A new pack that takes over instances from trays or other packs, or a pack found that the index did not know. */
export interface FiledPack {
  readonly pack: NewPack;
  readonly members: readonly PackMember[];
  readonly bundles: readonly SeriesBundle[];
}

/** Sealed state recovered from a manifest. */
export interface AdoptedPack extends FiledPack {
  readonly seal: PackSeal | null;
  readonly manifest: { readonly name: ObjectKey; readonly generation: number } | null;
  readonly placements: readonly Placement[];
  /** For each member, in member order. */
  readonly attributes: readonly LevelAttributes[];
}

/** A pack under a DEK of its own once more. */
export type Resealed = Pick<AdoptedPack, 'manifest' | 'placements'> & { readonly seal: PackSeal };

export interface MetadataPart {
  readonly series: SeriesUid;
  /** gzip of DICOM JSON objects joined with commas. */
  readonly gzip: Uint8Array;
  /** Byte ranges of the inflated text that are wanted, in reading order; null: all of it. */
  readonly picks: readonly { readonly start: number; readonly end: number }[] | null;
}

/** A study that has instances in trays. */
export interface UnfiledStudy {
  readonly study: StudyUid;
  readonly instances: number;
  readonly bytes: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** `writeQuorum` placements on `replicas`, in `domains` distinct failure domains, make a pack protected. */
export interface ProtectionRule {
  readonly writeQuorum: number;
  readonly replicas: readonly ReplicaName[];
  /** Default: 1. */
  readonly domains?: number;
  /** The failure domain of each of `replicas`, in their order. */
  readonly domainOf?: readonly string[];
}

export interface IndexStatus {
  /** Studies with a hot byte; of which every pack has W placements; studies with no hot byte. */
  readonly studies: { readonly total: number; readonly hot: number; readonly protected: number; readonly cold: number };
  readonly bytes: { readonly hot: number; readonly cold: number };
  readonly instances: number;
  readonly unprotected: { readonly instances: number; readonly bytes: number; readonly oldestArrivedMs: number | null };
  /** Packs whose hot copy was lost and that replicas have: they are being brought back. */
  readonly lostHot: { readonly packs: number; readonly bytes: number };
  /** Deletes on fewer than `writeQuorum` replicas, and those that not every one of `replicas` holds. */
  readonly deletes: { readonly pending: number; readonly owed: number };
  /** Deleted instances whose bytes are still somewhere: in a pack or tray, or in objects of one that was dropped. */
  readonly erasurePending: { readonly instances: number; readonly bytes: number };
  /** Per replica: packs and bytes that it ought to hold and does not. */
  /** `oldestMs`: when the oldest pack that it lacks was made. */
  readonly debt: ReadonlyMap<
    ReplicaName,
    { readonly packs: number; readonly bytes: number; readonly oldestMs: number | null }
  >;
}

/** Bytes of deleted instances in one pack or tray, or in what is left of its objects. */
export interface PackErasure {
  readonly pack: PackId;
  /** Some of them may only seem to have a copy there: the tray or pack that they were filed from. */
  readonly instances: number;
  readonly bytes: number;
}

export type ChunkFault = 'missing' | 'corrupt';

export interface ChunkException {
  readonly pack: PackId;
  /** Chunk number from 0; -1: the manifest. */
  readonly chunk: number;
  readonly replica: ReplicaName;
  readonly fault: ChunkFault;
}

/** Which packs a mover asks for. Oldest first. */
export interface PackFilter {
  readonly study?: StudyUid;
  readonly ids?: readonly PackId[];
  readonly kind?: PackKind;
  readonly hot?: readonly HotState[];
  readonly volume?: VolumeName;
  /** Lacks a placement on at least one of these. */
  readonly lackingOn?: readonly ReplicaName[];
  /** Has a placement there. */
  readonly placedOn?: ReplicaName;
  /** Has placements on at least this many replicas. */
  readonly placementsMin?: number;
  readonly createdBeforeMs?: number;
  /** Only what comes after this pack in the order of creation: goes on where an earlier pass ended. Not with another `order`. */
  readonly after?: { readonly createdMs: number; readonly id: PackId };
  /** No live instance is left in it. */
  readonly empty?: boolean;
  /**
   * No live instance is left in it, and of every study of which it keeps copies all packs are protected by this rule; or, where it lies on no replica
   * itself, hot. So nothing is thrown away before what took its place is as safe as it was (I5).
   */
  readonly dispensable?: ProtectionRule;
  /** `accessed`: longest unopened first; `recent`: the other way round. */
  readonly order?: 'created' | 'accessed' | 'recent';
  readonly limit?: number;
}

/**
 * Rejects with ArchiveError: NOT_FOUND where said; UNAVAILABLE when it cannot be written or read just now (disk full,
 * I/O error); LIMIT when a query passes its time limit; LOCKED when another process holds it; CORRUPT when its file is damaged.
 * Writes are atomic and applied in the order of the calls; visible to every later read of any caller once resolved; durable after
 * `commitDurable` (a crash before that loses a suffix of them, never a middle).
 */
export interface Index {
  // -- arrivals and identity
  /** Those of `sops` that are live. */
  lookup(sops: readonly SopUid[]): Promise<ReadonlyMap<SopUid, InstanceRecord>>;
  addPack(pack: NewPack): Promise<void>;
  /**
   * Makes instances visible, unless a delete says otherwise. One whose SOP UID is live already: ignored when its seq is higher, replacing
   * when lower (rebuild order does not matter).
   */
  commitArrivals(batch: ArrivalBatch): Promise<void>;
  /** The highest seq ever committed, of an arrival or a delete; 0 when none. */
  highestSeq(): Promise<number>;

  // -- deletes
  /**
   * Records deletes and ends every live instance that they name and whose seq is smaller; resolves with how many that were. From then on
   * such an arrival does not become live again, wherever it turns up (I9). The same delete again, also under another object name, is no error
   * and keeps the first object, unless no replica is known to hold that one. To be called before the packs of a rebuild are adopted: an instance stored again after its delete is
   * passed over while an older arrival of it is taken for live.
   */
  bury(records: readonly TombstoneRecord[]): Promise<number>;
  /** Deletes, and statements of holds, which are recorded by `bury` and `commitArrivals` too. */
  tombstones(filter: TombstoneFilter): AsyncIterable<StoredTombstone>;
  /** Studies under legal hold, of these or of all, ascending by UID: of what was said of each the highest seq counts. */
  holds(studies?: readonly StudyUid[]): Promise<readonly StudyHold[]>;
  /** Notes that a replica holds the delete's object. NOT_FOUND for a name that is not recorded. */
  setTombstonePlacement(name: ObjectKey, replica: ReplicaName): Promise<void>;
  /**
   * Puts another sealing of the same delete in place of its object (a new key): no replica holds that one yet. NOT_FOUND for a name
   * that is not recorded.
   */
  resealTombstone(name: ObjectKey, sealed: Pick<TombstoneRecord, 'name' | 'object'>): Promise<void>;
  /** Notes that it does not (any more). Resolves with whether the name is recorded: it may have been sealed anew, and then nobody is said to hold this one. */
  removeTombstonePlacement(name: ObjectKey, replica: ReplicaName): Promise<boolean>;

  // -- reading
  /** NOT_FOUND when it is not live. Includes the layout. */
  instance(scope: Required<Scope>): Promise<InstanceRecord & { readonly layout: string }>;
  /** Live instances of the scope in reading order (series number, series UID, instance number, SOP UID). Empty when there are none. */
  instances(scope: Scope): AsyncIterable<InstanceRecord>;
  /** In reading order of series. Empty when nothing is live. */
  metadata(scope: Scope): AsyncIterable<MetadataPart>;
  query(spec: QuerySpec, signal?: AbortSignal): Promise<QueryPage>;
  /** Notes that a study was opened (eviction goes by it). May be lost in a crash. */
  touch(study: StudyUid, nowMs: number): Promise<void>;

  // -- packs
  pack(id: PackId): Promise<PackRecord | undefined>;
  packs(filter: PackFilter): AsyncIterable<PackRecord>;
  /** Members of a pack that are live there, ascending by start, with their bundles: what a manifest is made of. */
  packContents(
    id: PackId,
  ): Promise<{ readonly members: readonly PackMember[]; readonly bundles: readonly SeriesBundle[] }>;
  /** Studies with live instances in trays or in small packs to merge; oldest arrival first. */
  unfiled(): Promise<readonly UnfiledStudy[]>;
  /** Live instances of a study that are in trays, in reading order, with their stored metadata and layout. */
  unfiledInstances(
    study: StudyUid,
  ): Promise<readonly (InstanceRecord & { readonly metadata: Uint8Array; readonly layout: string })[]>;
  /** Adds the pack and points its members' rows at it, each only if its row still has that seq; in one transaction. */
  file(filed: FiledPack): Promise<void>;
  /** Takes in a pack found on a volume or replica: adds or completes its record, makes its members live by the rule of `commitArrivals`. Idempotent. @param ends deletes that are recorded first, in the same transaction. */
  adopt(adopted: AdoptedPack, ends?: readonly TombstoneRecord[]): Promise<void>;
  /** A tray is closed: no more arrivals; `bytes` is its accepted length. */
  closeTray(id: PackId, bytes: number): Promise<void>;
  setHot(id: PackId, hot: HotState, volume: VolumeName | null): Promise<void>;
  /** Everything that ought to be on this volume is missing from now on, and its trays are closed; in one transaction. Resolves with how many files that were. */
  loseVolume(volume: VolumeName): Promise<number>;
  /** Records what was drawn for sealing. CONFLICT when another seal is there already. */
  setSeal(id: PackId, seal: PackSeal): Promise<void>;
  /**
   * Records that the pack's DEK is wrapped anew, and the manifest that says so (null where it has none), in one transaction; the manifest
   * before it becomes garbage. CONFLICT when the pack has no seal, the seal of another DEK, or a newer manifest.
   */
  rewrap(
    id: PackId,
    wrap: DekWrap & Pick<PackSeal, 'dekId'>,
    manifest: { readonly name: ObjectKey; readonly generation: number } | null,
  ): Promise<void>;
  /** The pack has this seal, manifest and placements in place of its own, and no damage; its old chunks are kept until `dropOldChunks`. CONFLICT when a newer manifest is there, or one came or went. */
  reseal(id: PackId, resealed: Resealed): Promise<void>;
  /** The chunks under the pack's last DEK become garbage: no replica has a manifest any more that names them. */
  dropOldChunks(id: PackId): Promise<void>;
  /** Records a chunk's name before its first PUT. CONFLICT when another name is there. */
  nameChunk(id: PackId, chunk: number, name: ObjectKey): Promise<void>;
  setManifest(id: PackId, manifest: { readonly name: ObjectKey; readonly generation: number }): Promise<void>;
  setPlacement(id: PackId, placement: Placement): Promise<void>;
  removePlacement(id: PackId, replica: ReplicaName): Promise<void>;
  /** Forgets a pack with no live instance and no delete of its own (CONFLICT otherwise) and puts its object names into the garbage table. */
  dropPack(id: PackId): Promise<void>;

  // -- erasing
  /**
   * Where bytes of deleted instances are (of the deletes with these seqs; default: of all), ascending by pack. What is named goes with the
   * pack's row and, if it was on replicas, the last of its garbage.
   */
  erasures(deletes?: readonly number[]): Promise<readonly PackErasure[]>;
  /** Studies of which the pack keeps copies that live in another one. */
  studiesWithCopiesIn(pack: PackId): Promise<readonly StudyUid[]>;
  /**
   * Removes what the index itself still holds of what was deleted, in its search structures and its log. Takes its time, in steps between which other
   * calls are served. False when somebody who was reading kept the log; it is overwritten later.
   */
  scour(signal?: AbortSignal): Promise<boolean>;

  // -- damage
  addException(exception: ChunkException): Promise<void>;
  clearException(exception: Omit<ChunkException, 'fault'>): Promise<void>;
  exceptions(pack?: PackId): Promise<readonly ChunkException[]>;

  // -- garbage
  /**
   * Objects that are about to be put: thrown away, dated anew by each call, until something in the index has them, so that what a kill leaves
   * is somebody's and is removed.
   */
  announceObjects(names: readonly ObjectKey[]): Promise<void>;
  /** Names thrown away before `beforeMs` that nothing in the index has (again): oldest first, a pack's manifest before its chunks; at most 1,000. */
  garbage(beforeMs: number): Promise<readonly ObjectKey[]>;
  /** Forgets that these are to be removed. */
  clearGarbage(names: readonly ObjectKey[]): Promise<void>;
  /** What is garbage of one pack, its manifests before its chunks. */
  garbageOf(pack: PackId): Promise<readonly ObjectKey[]>;
  /** Of these object names, those that no pack, no delete and no garbage has. */
  unknownObjects(names: readonly ObjectKey[]): Promise<readonly ObjectKey[]>;

  // -- state of the whole
  /** What is protected by this rule; debts are counted against its replicas. */
  status(rule: ProtectionRule): Promise<IndexStatus>;
  setting(key: string): Promise<string | undefined>;
  setSetting(key: string, value: string): Promise<void>;
  /**
   * Resolves when everything committed before the call survives a power cut. When it could not be made so, it and all writes are UNAVAILABLE until a later
   * call of it succeeds; CORRUPT, for good, when the disk has lost some of it.
   */
  commitDurable(): Promise<void>;
  /** Checks the file itself. Resolves with findings; empty when sound. */
  check(signal?: AbortSignal): Promise<readonly string[]>;
  close(): Promise<void>;
}
