// Every write of the index, each called inside a transaction of its own making (thread-server.ts).
import type { Database } from 'better-sqlite3';
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey, PackId, ReplicaName, StudyUid, VolumeName } from '../../core/ids.js';
import type { DekWrap, PackMember, PackSeal, SeriesBundle } from '../../format/types.js';
import type {
  AdoptedPack,
  ArrivalBatch,
  ChunkException,
  FiledPack,
  HotState,
  NewPack,
  PackRecord,
  Placement,
  Resealed,
  TombstoneRecord,
} from '../index.js';
import { LiveSet, type MetadataPlace } from './live-set.js';
import { PackTable, type StoredPack } from './pack-table.js';
import { searchScourer } from './scour.js';
import { TombstoneTable } from './tombstone-table.js';

export type WriterMethods = ReturnType<typeof writerMethods>['methods'];

/** The methods of the writing thread, and `forget`, to be called after any rollback. */
export function writerMethods(db: Database) {
  const live = new LiveSet(db);
  const packs = new PackTable(db, live);
  const tombstones = new TombstoneTable(db);
  const raiseCounter = db.prepare<[string, number]>(
    `INSERT INTO counters (name, value) VALUES (?, ?)
     ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)`,
  );
  const scour = searchScourer(db);
  const setSetting = db.prepare<[string, string]>('INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)');
  const sawSeqs = (seqs: readonly { readonly seq: number }[]) => {
    if (seqs.length === 0) return;
    raiseCounter.run(
      'seq',
      seqs.reduce((highest, { seq }) => Math.max(highest, seq), 0),
    );
  };
  const bury = (records: readonly TombstoneRecord[], tray: PackId | null): number => {
    let ended = 0;
    for (const record of records) {
      tombstones.add(record, tray);
      ended += live.end(record);
    }
    sawSeqs(records);
    return ended;
  };
  const methods = {
    addPack: (pack: NewPack): void => void packs.add(pack),

    commitArrivals: (batch: ArrivalBatch): void => {
      const pack = packs.require(batch.pack);
      if (pack.closed === 1) throw new ArchiveError('CONFLICT', `tray ${batch.pack} is closed`);
      bury(batch.tombstones ?? [], batch.pack);
      for (const instance of batch.instances) {
        if (instance.pack !== batch.pack) {
          throw new ArchiveError('INVALID', `an arrival of pack ${instance.pack} came in a batch of ${batch.pack}`);
        }
        live.admit({ ...instance, place: { metadata: instance.metadata } }, pack);
      }
      packs.grow(pack, batch.indexedTo);
      sawSeqs(batch.instances);
      live.flush();
    },

    bury: (records: readonly TombstoneRecord[]): number => {
      const ended = bury(records, null);
      live.flush();
      return ended;
    },

    setTombstonePlacement: (name: ObjectKey, replica: ReplicaName): void => tombstones.setPlacement(name, replica),
    resealTombstone: (name: ObjectKey, sealed: Pick<TombstoneRecord, 'name' | 'object'>): void =>
      tombstones.reseal(name, sealed),
    removeTombstonePlacement: (name: ObjectKey, replica: ReplicaName): boolean =>
      tombstones.removePlacement(name, replica),

    file: (filed: FiledPack): void => {
      const pack = packs.add(filed.pack);
      const placeOf = bundlePlaces(packs, pack, filed.bundles);
      for (const member of filed.members) {
        const row = live.find(member.sop);
        if (row === undefined || row.seq !== member.seq) {
          live.noteStray(member, pack);
          continue;
        }
        live.move(row, pack, { start: member.start, end: member.end, place: placeOf(member) });
      }
      live.flush();
      packs.inheritAccess(pack);
    },

    adopt: (adopted: AdoptedPack, ends: readonly TombstoneRecord[] = []): void => {
      bury(ends, null);
      const pack = packs.addFound(adopted.pack);
      if (packs.adoptSeal(pack, adopted.seal, adopted.manifest)) packs.addPlacements(pack, adopted.placements, true);
      const placeOf = bundlePlaces(packs, pack, adopted.bundles);
      for (const [at, member] of adopted.members.entries()) {
        const attributes = adopted.attributes[at];
        if (attributes === undefined) {
          throw new ArchiveError('INVALID', `pack ${adopted.pack.id}: no attributes were given for member ${at}`);
        }
        live.admit({ ...member, attributes, place: placeOf(member) }, pack);
      }
      sawSeqs(adopted.members);
      live.flush();
      packs.inheritAccess(pack);
    },

    closeTray: (id: PackId, bytes: number): void => packs.closeTray(id, bytes),
    setHot: (id: PackId, hot: HotState, volume: VolumeName | null): void => packs.setHot(id, hot, volume),
    loseVolume: (volume: VolumeName): number => packs.loseVolume(volume),
    setSeal: (id: PackId, seal: PackSeal): void => packs.setSeal(id, seal),
    rewrap: (
      id: PackId,
      wrap: DekWrap & Pick<PackSeal, 'dekId'>,
      manifest: PackRecord['manifest'],
      nowMs: number,
    ): void => packs.rewrap(id, wrap, manifest, nowMs),
    reseal: (id: PackId, resealed: Resealed, nowMs: number): void => packs.reseal(id, resealed, nowMs),
    dropOldChunks: (id: PackId, nowMs: number): void => packs.dropOldChunks(id, nowMs),
    nameChunk: (id: PackId, chunk: number, name: ObjectKey): void => packs.nameChunk(id, chunk, name),
    setManifest: (id: PackId, manifest: NonNullable<PackRecord['manifest']>, nowMs: number): void =>
      packs.setManifest(id, manifest, nowMs),
    setPlacement: (id: PackId, placement: Placement): void => packs.setPlacement(id, placement),
    removePlacement: (id: PackId, replica: ReplicaName): void => packs.removePlacement(id, replica),
    dropPack: (id: PackId, nowMs: number): void => {
      if (tombstones.anyIn(id)) throw new ArchiveError('CONFLICT', `tray ${id} still holds deletes that no other has`);
      packs.drop(id, nowMs);
    },
    addException: (exception: ChunkException): void => packs.addException(exception),
    clearException: (exception: Omit<ChunkException, 'fault'>): void => packs.clearException(exception),
    announceObjects: (names: readonly ObjectKey[], nowMs: number): void => packs.announce(names, nowMs),
    clearGarbage: (names: readonly ObjectKey[]): void => packs.clearGarbage(names),
    touch: (study: StudyUid, nowMs: number): void => packs.touch(study, nowMs),
    setSetting: (key: string, value: string): void => void setSetting.run(key, value),
    scour: (first: boolean): boolean => scour(first),
    /** Run by the thread itself, outside of a transaction: whether the log is empty and cut to nothing. */
    emptyLog: (): boolean => false,
    /** Run by the thread itself: answered once everything before it is durable. */
    commitDurable: (): void => undefined,
  };
  const forget = () => {
    live.forget();
    packs.forget();
    tombstones.forget();
  };
  return { methods, forget };
}

/** Stores the bundles of a pack and says for each member where in them its metadata is. */
function bundlePlaces(
  packs: PackTable,
  pack: StoredPack,
  bundles: readonly SeriesBundle[],
): (member: PackMember) => MetadataPlace {
  const ids = new Map<string, number>();
  for (const bundle of bundles) ids.set(bundle.series, packs.bundle(pack, bundle));
  return (member) => {
    const bundle = ids.get(member.series);
    if (bundle === undefined) {
      throw new ArchiveError('INVALID', `pack ${pack.uuid}: a member's series has no metadata bundle`);
    }
    return { bundle, metaStart: member.metaStart, metaEnd: member.metaEnd };
  };
}
