// The writer's side of packs: their records, seals, placements and what is to be thrown away with them.
import type { Database, Statement } from 'better-sqlite3';
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey, PackId, ReplicaName, VolumeName } from '../../core/ids.js';
import { parseManifestName } from '../../format/names.js';
import type { DekWrap, PackSeal, SeriesBundle } from '../../format/types.js';
import type { ChunkException, HotState, NewPack, PackRecord, Placement, Resealed } from '../index.js';
import type { Aggregates } from './aggregates.js';
import { Dictionary } from './dictionary.js';
import type { ErasureTable } from './erasure-table.js';
import type { LiveSet } from './live-set.js';
import { SealTable } from './seal-table.js';

export interface StoredPack {
  readonly id: number;
  readonly uuid: string;
  readonly kind: string;
  readonly bytes: number;
  readonly created_ms: number;
  readonly hot: HotState;
  readonly closed: number;
  readonly volume: string | null;
  readonly manifest_name: string | null;
  readonly manifest_generation: number | null;
  readonly live_instances: number;
}

export class PackTable {
  readonly #sql: ReturnType<typeof prepare>;
  readonly #seals: SealTable;
  readonly #aggregates: Aggregates;
  readonly #erasures: ErasureTable;
  readonly #replicas: Dictionary;

  constructor(db: Database, { aggregates, erasures }: Pick<LiveSet, 'aggregates' | 'erasures'>) {
    this.#sql = prepare(db);
    this.#seals = new SealTable(db);
    this.#aggregates = aggregates;
    this.#erasures = erasures;
    this.#replicas = new Dictionary(db, 'replicas', 'name');
  }

  forget(): void {
    this.#replicas.forget();
  }

  find(id: PackId): StoredPack | undefined {
    return this.#sql.find.get(id);
  }

  /** NOT_FOUND when the index has no such pack. */
  require(id: PackId): StoredPack {
    const found = this.find(id);
    if (found === undefined) throw new ArchiveError('NOT_FOUND', `the index has no pack ${id}`);
    return found;
  }

  /** Adds a pack. The same again is no error; CONFLICT when it is there with other properties. */
  add(pack: NewPack): StoredPack {
    const present = this.find(pack.id);
    if (present !== undefined) {
      if (present.kind === pack.kind && present.bytes === pack.bytes && present.created_ms === pack.createdMs) {
        return present;
      }
      throw new ArchiveError('CONFLICT', `the index has pack ${pack.id} already, of another kind, size or date`);
    }
    this.#sql.add.run(pack.id, pack.kind, pack.bytes, pack.createdMs, pack.createdMs, pack.hot, pack.volume);
    return this.require(pack.id);
  }

  /** Adds a pack that was found, or completes what is known of it: the better hot copy, the greater length. */
  addFound(pack: NewPack): StoredPack {
    const present = this.find(pack.id);
    if (present === undefined) return this.add(pack);
    if (present.kind !== pack.kind) {
      throw new ArchiveError(
        'CONFLICT',
        `pack ${pack.id} is a ${present.kind} in the index and was found as a ${pack.kind}`,
      );
    }
    const better = HOT_RANK[pack.hot] > HOT_RANK[present.hot];
    this.#sql.complete.run(
      Math.max(pack.bytes, present.bytes),
      Math.min(pack.createdMs, present.created_ms),
      better ? pack.hot : present.hot,
      better ? pack.volume : present.volume,
      present.id,
    );
    if (better) this.#aggregates.refreshStudiesOf(present.id);
    return this.require(pack.id);
  }

  grow(pack: StoredPack, bytes: number): void {
    if (bytes > pack.bytes) this.#sql.resize.run(bytes, pack.id);
  }

  closeTray(id: PackId, bytes: number): void {
    const pack = this.require(id);
    this.#sql.close.run(bytes, pack.id);
    this.#aggregates.refreshStudiesOf(pack.id);
  }

  setHot(id: PackId, hot: HotState, volume: VolumeName | null): void {
    const pack = this.require(id);
    this.#sql.hot.run(hot, volume, pack.id);
    this.#aggregates.refreshStudiesOf(pack.id);
  }

  /** As Index.loseVolume. */
  loseVolume(volume: VolumeName): number {
    const lost = this.#sql.lose.all(volume);
    for (const id of lost) this.#aggregates.refreshStudiesOf(id);
    return lost.length;
  }

  /** The id of the pack's bundle with exactly these bytes, added when it has none. */
  bundle(pack: StoredPack, bundle: SeriesBundle): number {
    for (const row of this.#sql.bundles.all(pack.id, bundle.series)) {
      if (Buffer.compare(row.gzip, bundle.gzip) === 0) return row.id;
    }
    return Number(this.#sql.addBundle.run(pack.id, bundle.series, bundle.gzip).lastInsertRowid);
  }

  setSeal(id: PackId, seal: PackSeal): void {
    const pack = this.require(id);
    if (this.#seals.has(pack.id)) {
      if (this.#seals.isSame(pack.id, seal)) return;
      throw new ArchiveError('CONFLICT', `pack ${id} is sealed already with other keys or chunks`);
    }
    this.#writeSeal(pack.id, seal);
  }

  /** As Index.rewrap. */
  rewrap(id: PackId, wrap: DekWrap & Pick<PackSeal, 'dekId'>, manifest: PackRecord['manifest'], nowMs: number): void {
    const pack = this.require(id);
    if (!this.#seals.rewrap(pack.id, wrap)) {
      throw new ArchiveError('CONFLICT', `pack ${id} is not sealed under the key that was wrapped anew`);
    }
    if (manifest !== null) this.setManifest(id, manifest, nowMs);
  }

  /** As Index.reseal. */
  reseal(id: PackId, { seal, manifest, placements }: Resealed, nowMs: number): void {
    const pack = this.require(id);
    if ((manifest === null) !== (pack.manifest_name === null)) {
      throw new ArchiveError(
        'CONFLICT',
        `pack ${id} was copied, or its copies were given up, while it was sealed anew`,
      );
    }
    // First, so that nothing is changed where a newer one is there.
    if (manifest !== null) this.setManifest(id, manifest, nowMs);
    this.#setAside(pack);
    this.#writeSeal(pack.id, seal);
    this.addPlacements(pack, placements);
    // No manifest names them.
    if (manifest === null) this.dropOldChunks(id, nowMs);
  }

  /** As Index.dropOldChunks. */
  dropOldChunks(id: PackId, nowMs: number): void {
    const pack = this.find(id);
    if (pack === undefined) return;
    for (const name of this.#seals.takeOld(pack.id)) this.#sql.throwAway.run(name, nowMs, id);
  }

  #writeSeal(pack: number, seal: PackSeal): void {
    this.#seals.write(pack, seal);
    for (const { name } of seal.chunks) if (name !== null) this.#sql.keep.run(name);
  }

  nameChunk(id: PackId, chunk: number, name: ObjectKey): void {
    const pack = this.require(id);
    const present = this.#seals.nameOf(pack.id, chunk);
    if (present === undefined)
      throw new ArchiveError('NOT_FOUND', `pack ${id} is not sealed, or has no chunk ${chunk}`);
    if (present !== null && present !== name) {
      throw new ArchiveError('CONFLICT', `chunk ${chunk} of pack ${id} has another name already: ${present}`);
    }
    this.#seals.name(pack.id, chunk, name);
    this.#sql.keep.run(name);
  }

  /** Records the newest manifest; the one it replaces becomes garbage. CONFLICT when a newer one is there. */
  setManifest(id: PackId, manifest: NonNullable<PackRecord['manifest']>, nowMs: number): void {
    const pack = this.require(id);
    const { manifest_name: name, manifest_generation: generation } = pack;
    if (name === manifest.name && generation === manifest.generation) return;
    if (name !== null && (generation ?? 0) >= manifest.generation) {
      throw new ArchiveError('CONFLICT', `pack ${id} has manifest generation ${generation} already`);
    }
    this.#sql.manifest.run(manifest.name, manifest.generation, pack.id);
    this.#sql.keep.run(manifest.name);
    if (name !== null) this.#sql.throwAway.run(name, nowMs, id);
  }

  /**
   * Takes over what a manifest says of sealing, if it is newer than what is known; order of calls does not matter. Whether who holds that
   * manifest holds the chunks of the seal that counts now: not where it is older and under another DEK.
   */
  adoptSeal(pack: StoredPack, seal: PackSeal | null, manifest: PackRecord['manifest']): boolean {
    const known = pack.manifest_generation ?? 0;
    const offered = manifest?.generation ?? 0;
    const newer =
      offered > known || (manifest !== null && offered === known && manifest.name < (pack.manifest_name ?? ''));
    if (manifest !== null && newer) {
      this.#sql.manifest.run(manifest.name, manifest.generation, pack.id);
      this.#sql.keep.run(manifest.name);
    }
    const otherDek = seal !== null && this.#seals.isUnderOther(pack.id, seal);
    if (otherDek && newer) this.#setAside(pack);
    if (seal !== null && (newer || !this.#seals.has(pack.id))) this.#writeSeal(pack.id, seal);
    return newer || !otherDek;
  }

  /** What was known of the pack under a DEK that is not its own any more: who held it, what was damaged; its chunks are kept in mind. */
  #setAside(pack: StoredPack): void {
    this.#seals.setAside(pack.id);
    this.#sql.dropPlacements.run(pack.id);
    this.#countPlacements(pack.id);
    this.#sql.dropExceptions.run(pack.uuid);
  }

  setPlacement(id: PackId, placement: Placement): void {
    this.addPlacements(this.require(id), [placement]);
  }

  addPlacements(pack: StoredPack, placements: readonly Placement[], keepLatest = false): void {
    if (placements.length === 0) return;
    const put = keepLatest ? this.#sql.raisePlacement : this.#sql.putPlacement;
    for (const placement of placements) {
      put.run(pack.id, this.#replicas.idOf(placement.replica), placement.verifiedMs);
    }
    this.#countPlacements(pack.id);
  }

  removePlacement(id: PackId, replica: ReplicaName): void {
    const pack = this.require(id);
    this.#sql.dropPlacement.run(pack.id, this.#replicas.idOf(replica));
    this.#countPlacements(pack.id);
  }

  #countPlacements(pack: number): void {
    this.#sql.countPlacements.run(pack);
    this.#aggregates.refreshStudiesOf(pack);
  }

  /** As Index.announceObjects. */
  announce(names: readonly ObjectKey[], nowMs: number): void {
    for (const name of names) this.#sql.announce.run(name, nowMs, parseManifestName(name)?.pack ?? null);
  }

  /** CONFLICT when it has a live instance. A pack that is not known is no error: it was dropped before. */
  drop(id: PackId, nowMs: number): void {
    const pack = this.find(id);
    if (pack === undefined) return;
    if (pack.live_instances > 0) {
      throw new ArchiveError('CONFLICT', `pack ${id} still has ${pack.live_instances} live instances`);
    }
    for (const name of this.#seals.names(pack.id)) this.#sql.throwAway.run(name, nowMs, id);
    if (pack.manifest_name !== null) this.#sql.throwAway.run(pack.manifest_name, nowMs, id);
    this.dropOldChunks(id, nowMs);
    this.#seals.drop(pack.id);
    this.#sql.dropPlacements.run(pack.id);
    this.#sql.dropBundles.run(pack.id);
    this.#sql.dropExceptions.run(id);
    this.#sql.dropSpares.run(pack.id);
    this.#sql.dropPack.run(pack.id);
    this.#erasures.settle(id);
  }

  /** These objects are gone from every replica. */
  clearGarbage(names: readonly ObjectKey[]): void {
    const packs = this.#sql.clearGarbage.all(JSON.stringify(names));
    for (const pack of new Set(packs)) if (pack !== null) this.#erasures.settle(pack);
  }

  addException(exception: ChunkException): void {
    this.#sql.addException.run(exception.pack, exception.chunk, exception.replica, exception.fault);
  }

  clearException(exception: Omit<ChunkException, 'fault'>): void {
    this.#sql.clearException.run(exception.pack, exception.chunk, exception.replica);
  }

  /** Notes that a study was opened, in its row and in its packs, which eviction orders by it. */
  touch(study: string, nowMs: number): void {
    this.#sql.touchStudy.run(nowMs, study);
    this.#sql.touchPacks.run(nowMs, study);
  }

  /** A new pack was opened when the study that it takes over was. */
  inheritAccess(pack: StoredPack): void {
    this.#sql.inheritAccess.run(pack.id);
  }
}

/** Which of two statements about a hot copy is the better news. */
const HOT_RANK: Readonly<Record<HotState, number>> = { open: 3, present: 2, missing: 1, cold: 0 };

function prepare(db: Database) {
  const prepared = <P extends unknown[], R = unknown>(sql: string): Statement<P, R> =>
    db.prepare<P, R>(sql) as Statement<P, R>;
  return {
    find: prepared<[string], StoredPack>('SELECT * FROM packs WHERE uuid = ?'),
    add: prepared<[string, string, number, number, number, string, string | null]>(
      'INSERT INTO packs (uuid, kind, bytes, created_ms, accessed_ms, hot, volume) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    complete: prepared<[number, number, string, string | null, number]>(
      'UPDATE packs SET bytes = ?, created_ms = ?, hot = ?, volume = ? WHERE id = ?',
    ),
    resize: prepared<[number, number]>('UPDATE packs SET bytes = ? WHERE id = ?'),
    close: prepared<[number, number]>(
      "UPDATE packs SET bytes = ?, closed = 1, hot = CASE hot WHEN 'open' THEN 'present' ELSE hot END WHERE id = ?",
    ),
    hot: prepared<[string, string | null, number]>('UPDATE packs SET hot = ?, volume = ? WHERE id = ?'),
    lose: db
      .prepare<[string], number>(
        "UPDATE packs SET hot = 'missing', closed = 1 WHERE volume = ? AND hot IN ('open', 'present') RETURNING id",
      )
      .pluck() as Statement<[string], number>,
    bundles: prepared<[number, string], { id: number; gzip: Uint8Array }>(
      'SELECT id, gzip FROM bundles WHERE pack = ? AND series = ?',
    ),
    addBundle: prepared<[number, string, Uint8Array]>('INSERT INTO bundles (pack, series, gzip) VALUES (?, ?, ?)'),
    dropBundles: prepared<[number]>('DELETE FROM bundles WHERE pack = ?'),
    manifest: prepared<[string, number, number]>(
      'UPDATE packs SET manifest_name = ?, manifest_generation = ? WHERE id = ?',
    ),
    // Dated anew each time: a manifest is announced together with its chunks, and what is of one moment goes manifest first.
    announce: prepared<[string, number, string | null]>(
      `INSERT INTO garbage (name, since_ms, pack) VALUES (?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET since_ms = excluded.since_ms`,
    ),
    keep: prepared<[string]>('DELETE FROM garbage WHERE name = ?'),
    throwAway: prepared<[string, number, string | null]>(
      'INSERT OR IGNORE INTO garbage (name, since_ms, pack) VALUES (?, ?, ?)',
    ),
    clearGarbage: db
      .prepare<[string], string | null>(
        'DELETE FROM garbage WHERE name IN (SELECT value FROM json_each(?)) RETURNING pack',
      )
      .pluck() as Statement<[string], string | null>,
    dropSpares: prepared<[number]>('DELETE FROM spares WHERE pack = ?'),
    putPlacement: prepared<[number, number, number]>(
      'INSERT OR REPLACE INTO placements (pack, replica, verified_ms) VALUES (?, ?, ?)',
    ),
    raisePlacement: prepared<[number, number, number]>(
      `INSERT INTO placements (pack, replica, verified_ms) VALUES (?, ?, ?)
       ON CONFLICT (pack, replica) DO UPDATE SET verified_ms = max(verified_ms, excluded.verified_ms)`,
    ),
    dropPlacement: prepared<[number, number]>('DELETE FROM placements WHERE pack = ? AND replica = ?'),
    dropPlacements: prepared<[number]>('DELETE FROM placements WHERE pack = ?'),
    countPlacements: prepared<[number]>(
      'UPDATE packs SET placements = (SELECT count(*) FROM placements l WHERE l.pack = packs.id) WHERE id = ?',
    ),
    dropPack: prepared<[number]>('DELETE FROM packs WHERE id = ?'),
    addException: prepared<[string, number, string, string]>(
      'INSERT OR REPLACE INTO exceptions (pack, chunk, replica, fault) VALUES (?, ?, ?, ?)',
    ),
    clearException: prepared<[string, number, string]>(
      'DELETE FROM exceptions WHERE pack = ? AND chunk = ? AND replica = ?',
    ),
    dropExceptions: prepared<[string]>('DELETE FROM exceptions WHERE pack = ?'),
    touchStudy: prepared<[number, string]>('UPDATE studies SET accessed_ms = max(accessed_ms, ?) WHERE uid = ?'),
    touchPacks: prepared<[number, string]>(
      `UPDATE packs SET accessed_ms = max(accessed_ms, ?) WHERE id IN (
         SELECT x.pack FROM study_packs x JOIN studies s ON s.id = x.study WHERE s.uid = ?)`,
    ),
    inheritAccess: prepared<[number]>(
      `UPDATE packs SET accessed_ms = max(accessed_ms, coalesce((
         SELECT max(s.accessed_ms) FROM study_packs x JOIN studies s ON s.id = x.study WHERE x.pack = packs.id), 0))
       WHERE id = ?`,
    ),
  };
}
