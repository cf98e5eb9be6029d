// Whose the objects on the replicas are: known by name, thrown away, or nobody's.
import type { Database, Statement } from 'better-sqlite3';
import type { ObjectKey } from '../../core/ids.js';

const GARBAGE_PAGE = 1_000;

/** Whether a pack or a delete has the object `n.name`. */
export const KNOWN_OBJECT = `EXISTS (SELECT 1 FROM chunks c WHERE c.name = n.name)
  OR EXISTS (SELECT 1 FROM old_chunks o WHERE o.name = n.name)
  OR EXISTS (SELECT 1 FROM packs p WHERE p.manifest_name = n.name)
  OR EXISTS (SELECT 1 FROM tombstone_records t WHERE t.name = n.name)`;

export class ObjectNames {
  readonly #garbage: Statement<[number, number], { name: ObjectKey }>;
  readonly #unknown: Statement<[string], { name: ObjectKey }>;

  constructor(db: Database) {
    // Descending, so that a manifest (m/) goes before what it names (c/).
    this.#garbage = db.prepare(
      `SELECT n.name FROM garbage n WHERE n.since_ms < ? AND NOT (${KNOWN_OBJECT}) ORDER BY n.since_ms, n.name DESC LIMIT ?`,
    );
    this.#unknown = db.prepare(
      `SELECT n.name FROM (SELECT value AS name FROM json_each(?)) n
       WHERE NOT (${KNOWN_OBJECT}) AND NOT EXISTS (SELECT 1 FROM garbage g WHERE g.name = n.name)`,
    );
  }

  garbage(beforeMs: number): readonly ObjectKey[] {
    return this.#garbage.all(beforeMs, GARBAGE_PAGE).map(({ name }) => name);
  }

  unknown(names: readonly ObjectKey[]): readonly ObjectKey[] {
    return this.#unknown.all(JSON.stringify(names)).map(({ name }) => name);
  }
}
