// What follows from the set of live instances: counts, the leading instance of each series and study, and
// how much of which study lies in which pack. Changes are gathered and settled once per call.
import type { Database, Statement } from 'better-sqlite3';
import { Levels, type Newcomer } from './levels.js';

interface PackChange {
  instances: number;
  bytes: number;
  firstMs: number;
  lastMs: number;
  /** Something left: first and last arrival must be looked up again. */
  left: boolean;
}

interface LivePosition {
  readonly id: number;
  readonly study: number;
  readonly series: number;
  readonly class: number;
}

export class Aggregates {
  readonly #levels: Levels;
  readonly #packs = new Map<number, PackChange>();
  /** By study, then pack. */
  readonly #studyPacks = new Map<number, Map<number, PackChange>>();
  /** By study: packs that keep copies of what lives elsewhere. */
  readonly #copies = new Map<number, Set<number>>();
  readonly #changePack: Statement<[number, number, number, number]>;
  readonly #oldestAgain: Statement<[number]>;
  readonly #addStudyPack: Statement<[number, number, number, number, number, number]>;
  readonly #emptyStudyPack: Statement<[number, number]>;
  readonly #agesAgain: Statement<[number, number]>;
  readonly #refreshTier: Statement<[number]>;
  readonly #studiesOfPack: Statement<[number], number>;
  readonly #addSpare: Statement<[number, number]>;

  constructor(db: Database) {
    this.#levels = new Levels(db);
    this.#changePack = db.prepare(
      `UPDATE packs SET live_instances = live_instances + ?, live_bytes = live_bytes + ?,
         oldest_ms = min(coalesce(oldest_ms, ${Number.MAX_SAFE_INTEGER}), ?) WHERE id = ?`,
    );
    this.#oldestAgain = db.prepare(
      'UPDATE packs SET oldest_ms = (SELECT min(i.arrived_ms) FROM instances i WHERE i.pack = packs.id) WHERE id = ?',
    );
    this.#addStudyPack = db.prepare(
      `INSERT INTO study_packs (study, pack, instances, bytes, first_ms, last_ms) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (study, pack) DO UPDATE SET instances = instances + excluded.instances, bytes = bytes + excluded.bytes,
         first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)`,
    );
    this.#emptyStudyPack = db.prepare('DELETE FROM study_packs WHERE study = ? AND pack = ? AND instances = 0');
    this.#agesAgain = db.prepare(
      `UPDATE study_packs SET (first_ms, last_ms) = (
         SELECT min(i.arrived_ms), max(i.arrived_ms) FROM series e JOIN instances i ON i.series = e.id
         WHERE e.study = study_packs.study AND i.pack = study_packs.pack) WHERE study = ? AND pack = ?`,
    );
    this.#refreshTier = db.prepare(
      `UPDATE studies SET (packs, packs_hot, placements_min) = (
         SELECT count(*), coalesce(sum(p.hot IN ('open', 'present')), 0), coalesce(min(p.placements), 0)
         FROM study_packs x JOIN packs p ON p.id = x.pack WHERE x.study = studies.id) WHERE id = ?`,
    );
    // Of a study that is gone nothing is left that could be deleted.
    this.#addSpare = db.prepare('INSERT OR IGNORE INTO spares (study, pack) SELECT id, ? FROM studies WHERE id = ?');
    this.#studiesOfPack = db
      .prepare<[number], number>('SELECT study FROM study_packs WHERE pack = ?')
      .pluck() as Statement<[number], number>;
  }

  appears(newcomer: Newcomer): void {
    this.#levels.appears(newcomer);
  }

  disappears(position: LivePosition): void {
    this.#levels.disappears(position);
  }

  entersPack(study: number, pack: number, bytes: number, arrivedMs: number): void {
    for (const change of this.#changesOf(study, pack)) {
      change.instances += 1;
      change.bytes += bytes;
      change.firstMs = Math.min(change.firstMs, arrivedMs);
      change.lastMs = Math.max(change.lastMs, arrivedMs);
    }
  }

  leavesPack(study: number, pack: number, bytes: number): void {
    for (const change of this.#changesOf(study, pack)) {
      change.instances -= 1;
      change.bytes -= bytes;
      change.left = true;
    }
  }

  /** `pack` keeps a copy of an instance of the study that lives in another pack. */
  leavesCopy(study: number, pack: number): void {
    const packs = this.#copies.get(study) ?? new Set();
    this.#copies.set(study, packs.add(pack));
  }

  #changesOf(study: number, pack: number): readonly [PackChange, PackChange] {
    let packs = this.#studyPacks.get(study);
    if (packs === undefined) {
      packs = new Map();
      this.#studyPacks.set(study, packs);
    }
    return [changeIn(this.#packs, pack), changeIn(packs, pack)];
  }

  /** The state or the placements of a pack changed: so did the tiers of its studies. */
  refreshStudiesOf(pack: number): void {
    for (const study of this.#studiesOfPack.all(pack)) this.#refreshTier.run(study);
  }

  /** Settles all changes. True when a study, a series or a text is gone. */
  flush(): boolean {
    const gone = this.#levels.flush();
    for (const [pack, change] of this.#packs) {
      this.#changePack.run(change.instances, change.bytes, change.firstMs, pack);
      if (change.left) this.#oldestAgain.run(pack);
    }
    for (const [study, packs] of this.#studyPacks) {
      for (const [pack, change] of packs) {
        this.#addStudyPack.run(study, pack, change.instances, change.bytes, change.firstMs, change.lastMs);
        if (!change.left) continue;
        if (this.#emptyStudyPack.run(study, pack).changes === 0) this.#agesAgain.run(study, pack);
      }
      this.#refreshTier.run(study);
    }
    for (const [study, packs] of this.#copies) for (const pack of packs) this.#addSpare.run(pack, study);
    this.discard();
    return gone;
  }

  discard(): void {
    this.#levels.discard();
    this.#packs.clear();
    this.#studyPacks.clear();
    this.#copies.clear();
  }
}

function changeIn(map: Map<number, PackChange>, key: number): PackChange {
  let change = map.get(key);
  if (change === undefined) {
    change = { instances: 0, bytes: 0, firstMs: Number.MAX_SAFE_INTEGER, lastMs: 0, left: false };
    map.set(key, change);
  }
  return change;
}
