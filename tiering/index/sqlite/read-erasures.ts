// Reading what is still to be erased: which packs hold bytes of deleted instances, and how much that is in all.
import type { Database, Statement } from 'better-sqlite3';
import type { ObjectKey, PackId, StudyUid } from '../../core/ids.js';
import type { IndexStatus, PackErasure } from '../index.js';
import { KNOWN_OBJECT } from './object-names.js';

type Row = { readonly pack: PackId; readonly instances: number; readonly bytes: number };

export class ErasureReader {
  readonly #all: Statement<[], Row>;
  readonly #of: Statement<[string], Row>;
  readonly #sum: Statement<[], { instances: number; bytes: number }>;
  readonly #copies: Statement<[PackId], { uid: StudyUid }>;
  readonly #garbage: Statement<[PackId], { name: ObjectKey }>;

  constructor(db: Database) {
    const columns = 'pack, count(*) AS instances, sum(bytes) AS bytes';
    this.#all = db.prepare(`SELECT ${columns} FROM erasures GROUP BY pack ORDER BY pack`);
    this.#of = db.prepare(
      `SELECT ${columns} FROM erasures WHERE seq IN (SELECT value FROM json_each(?)) GROUP BY pack ORDER BY pack`,
    );
    this.#sum = db.prepare(
      `SELECT count(*) AS instances, coalesce(sum(bytes), 0) AS bytes FROM (
         SELECT max(bytes) AS bytes FROM erasures GROUP BY sop, sha256)`,
    );
    this.#copies = db.prepare(
      `SELECT s.uid FROM packs p JOIN spares x ON x.pack = p.id JOIN studies s ON s.id = x.study WHERE p.uuid = ? ORDER BY s.uid`,
    );
    this.#garbage = db.prepare(
      `SELECT n.name FROM garbage n WHERE n.pack = ? AND NOT (${KNOWN_OBJECT}) ORDER BY n.name DESC`,
    );
  }

  erasures(deletes: readonly number[] | undefined): readonly PackErasure[] {
    return deletes === undefined ? this.#all.all() : this.#of.all(JSON.stringify(deletes));
  }

  pending(): IndexStatus['erasurePending'] {
    return this.#sum.get() ?? { instances: 0, bytes: 0 };
  }

  studiesWithCopiesIn(pack: PackId): readonly StudyUid[] {
    return this.#copies.all(pack).map(({ uid }) => uid);
  }

  garbageOf(pack: PackId): readonly ObjectKey[] {
    return this.#garbage.all(pack).map(({ name }) => name);
  }
}
