// What full text search keeps of deleted rows: FTS5 marks them as deleted and drops their words only when it merges. Merging everything into
// one leaves nothing of them; done a few pages at a time, so that the writing thread goes on serving others.
import type { Database, Statement } from 'better-sqlite3';

/** Pages that one step writes: some ten milliseconds. */
const STEP_PAGES = 256;
const TABLES = ['study_search', 'study_names'] as const;

/** One step of it; `first`: it begins. True when there is more to do. */
export function searchScourer(db: Database): (first: boolean) => boolean {
  const changes = db.prepare('SELECT total_changes()').pluck() as Statement<[], number>;
  const merges = TABLES.map((table) =>
    db.prepare<[number]>(`INSERT INTO ${table}(${table}, rank) VALUES ('merge', ?)`),
  );
  return (first) => {
    // https://sqlite.org/fts5.html#the_merge_command: a negative number puts all of the structure under the merge, a positive one goes
    // on with it; it is done when fewer than two rows were changed.
    let more = false;
    for (const merge of merges) {
      const before = changes.get() ?? 0;
      merge.run(first ? -STEP_PAGES : STEP_PAGES);
      if ((changes.get() ?? 0) - before >= 2) more = true;
    }
    return more || first;
  };
}
