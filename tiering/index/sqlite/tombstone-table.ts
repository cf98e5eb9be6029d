// The writer's side of deletes: what each says, once, and where it is written down.
import { createHash } from 'node:crypto';
import type { Database, Statement } from 'better-sqlite3';
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey, PackId, ReplicaName } from '../../core/ids.js';
import type { TombstoneRecord } from '../index.js';
import { Dictionary } from './dictionary.js';

export class TombstoneTable {
  readonly #replicas: Dictionary;
  readonly #find: Statement<[Uint8Array], { id: number; placements: number }>;
  readonly #named: Statement<[string], { id: number }>;
  readonly #add: Statement<[Uint8Array, number, string, Uint8Array, string | null, string | null]>;
  readonly #hold: Statement<[string, number, number, number, string]>;
  readonly #addEntry: Statement<[string, Uint8Array, number, number]>;
  readonly #moveTo: Statement<[string, number]>;
  readonly #inTray: Statement<[string], unknown>;
  readonly #place: Statement<[number, number]>;
  readonly #unplace: Statement<[number, number]>;
  readonly #unplaceAll: Statement<[number]>;
  readonly #reseal: Statement<[string, Uint8Array, number]>;
  readonly #count: Statement<[number]>;

  constructor(db: Database) {
    this.#replicas = new Dictionary(db, 'replicas', 'name');
    this.#find = db.prepare('SELECT id, placements FROM tombstone_records WHERE content = ?');
    this.#named = db.prepare('SELECT id FROM tombstone_records WHERE name = ?');
    this.#add = db.prepare(
      'INSERT INTO tombstone_records (content, seq, name, object, tray, hold) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#hold = db.prepare(
      `INSERT INTO holds (study, seq, held, at_ms, reason) VALUES (?, ?, ?, ?, ?) ON CONFLICT (study) DO UPDATE
         SET seq = excluded.seq, held = excluded.held, at_ms = excluded.at_ms, reason = excluded.reason
         WHERE excluded.seq > holds.seq`,
    );
    this.#addEntry = db.prepare('INSERT OR IGNORE INTO tombstones (sop, sha256, seq, record) VALUES (?, ?, ?, ?)');
    this.#moveTo = db.prepare('UPDATE tombstone_records SET tray = ? WHERE id = ?');
    this.#inTray = db.prepare('SELECT 1 FROM tombstone_records WHERE tray = ? LIMIT 1');
    this.#place = db.prepare('INSERT OR IGNORE INTO tombstone_placements (record, replica) VALUES (?, ?)');
    this.#unplace = db.prepare('DELETE FROM tombstone_placements WHERE record = ? AND replica = ?');
    this.#unplaceAll = db.prepare('DELETE FROM tombstone_placements WHERE record = ?');
    this.#reseal = db.prepare('UPDATE tombstone_records SET name = ?, object = ? WHERE id = ?');
    this.#count = db.prepare(
      `UPDATE tombstone_records SET placements = (
         SELECT count(*) FROM tombstone_placements l WHERE l.record = tombstone_records.id) WHERE id = ?`,
    );
  }

  forget(): void {
    this.#replicas.forget();
  }

  /**
   * Adds a delete, or notes that it lies in another tray now. What is known already keeps its object, unless no replica is known to hold that
   * one: then it is the one that was found.
   */
  add(record: TombstoneRecord, tray: PackId | null): void {
    const { seq, entries, name, object, hold } = record;
    const said = hold === undefined ? null : JSON.stringify([hold.study, hold.held, hold.atMs, hold.reason]);
    const named = entries.map(({ sop, sha256 }) => `${sop} ${sha256}`).sort();
    const content = createHash('sha256')
      .update(said === null ? `${seq} ${named.join(' ')}` : `${seq} hold ${said}`)
      .digest();
    const known = this.#find.get(content);
    if (known !== undefined) {
      if (tray !== null) this.#moveTo.run(tray, known.id);
      else if (known.placements === 0) this.#reseal.run(name, object, known.id);
      return;
    }
    const id = Number(this.#add.run(content, seq, name, object, tray, said).lastInsertRowid);
    if (hold !== undefined) this.#hold.run(hold.study, seq, hold.held ? 1 : 0, hold.atMs, hold.reason);
    for (const { sop, sha256 } of entries) this.#addEntry.run(sop, Buffer.from(sha256, 'hex'), seq, id);
  }

  /** Whether a tray holds deletes that are not known to lie in a later one. */
  anyIn(tray: PackId): boolean {
    return this.#inTray.get(tray) !== undefined;
  }

  setPlacement(name: ObjectKey, replica: ReplicaName): void {
    const id = this.#require(name);
    this.#place.run(id, this.#replicas.idOf(replica));
    this.#count.run(id);
  }

  /** As Index.resealTombstone. */
  reseal(name: ObjectKey, sealed: Pick<TombstoneRecord, 'name' | 'object'>): void {
    const id = this.#require(name);
    if (sealed.name === name) return;
    this.#reseal.run(sealed.name, sealed.object, id);
    this.#unplaceAll.run(id);
    this.#count.run(id);
  }

  removePlacement(name: ObjectKey, replica: ReplicaName): boolean {
    const id = this.#named.get(name)?.id;
    if (id === undefined) return false;
    this.#unplace.run(id, this.#replicas.idOf(replica));
    this.#count.run(id);
    return true;
  }

  #require(name: ObjectKey): number {
    const known = this.#named.get(name);
    if (known === undefined) throw new ArchiveError('NOT_FOUND', `the index has no delete ${name}`);
    return known.id;
  }
}
