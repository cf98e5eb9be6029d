// The writer's side of what is still to be erased: of each deleted instance the packs that hold its bytes, from the delete until
// the pack and the last of its objects are gone.
import type { Database, Statement } from 'better-sqlite3';

/** A deleted instance, and the seq of its delete. */
export interface Ended {
  readonly sop: string;
  readonly sha256: Uint8Array;
  readonly seq: number;
  readonly bytes: number;
}

export class ErasureTable {
  readonly #findDelete: Statement<[string, Uint8Array, number], { seq: number }>;
  readonly #add: Statement<[string, Uint8Array, string, number, number]>;
  readonly #addAt: Statement<[string, Uint8Array, number, number, number]>;
  readonly #addSpares: Statement<[string, Uint8Array, number, number, number]>;
  readonly #settle: Statement<[string, string, string]>;

  constructor(db: Database) {
    this.#findDelete = db.prepare(
      'SELECT max(seq) AS seq FROM tombstones WHERE sop = ? AND sha256 = ? AND seq > ? HAVING max(seq) IS NOT NULL',
    );
    const add = 'INSERT OR IGNORE INTO erasures (sop, sha256, pack, seq, bytes)';
    this.#add = db.prepare(`${add} VALUES (?, ?, ?, ?, ?)`);
    this.#addAt = db.prepare(`${add} SELECT ?, ?, uuid, ?, ? FROM packs WHERE id = ?`);
    this.#addSpares = db.prepare(
      `${add} SELECT ?, ?, p.uuid, ?, ? FROM spares x JOIN packs p ON p.id = x.pack WHERE x.study = ?`,
    );
    this.#settle = db.prepare(
      `DELETE FROM erasures WHERE pack = ? AND NOT EXISTS (SELECT 1 FROM packs p WHERE p.uuid = ?)
         AND NOT EXISTS (SELECT 1 FROM garbage g WHERE g.pack = ?)`,
    );
  }

  /** Whether a delete says that this arrival is dead; if so its bytes in `pack` are to be erased. */
  noteDead(
    arrival: { readonly sop: string; readonly seq: number; readonly start: number; readonly end: number },
    sha256: Uint8Array,
    pack: string,
  ): boolean {
    const dead = this.#findDelete.get(arrival.sop, sha256, arrival.seq);
    if (dead === undefined) return false;
    this.#add.run(arrival.sop, sha256, pack, dead.seq, arrival.end - arrival.start);
    return true;
  }

  /** A live instance ends: in the pack where it lived, and wherever its study has left copies. */
  noteEnded({ sop, sha256, seq, bytes }: Ended, study: number, pack: number): void {
    this.#addAt.run(sop, sha256, seq, bytes, pack);
    this.#addSpares.run(sop, sha256, seq, bytes, study);
  }

  /** Some of what a pack consisted of is gone; with the last of it its instances are erased there. */
  settle(pack: string): void {
    this.#settle.run(pack, pack, pack);
  }
}
