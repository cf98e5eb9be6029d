// Gives the studies of an index that an older release made the tokens that names are found by fuzzily, a few at a time between
// the calls of the writing thread. Until a study has them no query leaves it out: query-plan.ts.
import type { Database } from 'better-sqlite3';
import type { Log } from './log.js';
import { nameColumns } from './search-text.js';

/** Studies in one transaction: some ten milliseconds, which a waiting call does not notice. */
const STEP = 200;
/** Between two steps, so that calls come first. */
const REST_MS = 20;

/** Highest id first, so that the newest studies are done first and what is added meanwhile is never touched twice. */
function fillStep(db: Database): boolean {
  const left = db.prepare<[], { value: number }>(`SELECT value FROM counters WHERE name = 'names_left'`).get()?.value;
  if (left === undefined) return false;
  const rows = db
    .prepare<[number], { id: number; json: string }>(
      `SELECT s.id, t.json FROM studies s JOIN texts t ON t.id = s.text WHERE s.id <= ? ORDER BY s.id DESC LIMIT ${STEP}`,
    )
    .all(left);
  const put = db.prepare<[number, string, string]>(
    'INSERT OR REPLACE INTO study_names (rowid, name, referring) VALUES (?, ?, ?)',
  );
  for (const { id, json } of rows) {
    const { name, referring } = nameColumns(json);
    put.run(id, name, referring);
  }
  const last = rows.at(-1);
  if (last === undefined || rows.length < STEP) db.exec(`DELETE FROM counters WHERE name = 'names_left'`);
  else db.prepare<[number]>(`UPDATE counters SET value = ? WHERE name = 'names_left'`).run(last.id - 1);
  return last !== undefined && rows.length === STEP;
}

/** Goes on until all is done or the returned function is called. A step that fails (a full disk) is left to the next start. */
export function fillNames(db: Database, log: Pick<Log, 'fault' | 'tidy'>): () => void {
  let timer: NodeJS.Timeout | undefined;
  const step = () => {
    try {
      if (log.fault === null && !db.transaction(() => fillStep(db)).immediate()) return;
    } catch {
      return;
    }
    log.tidy();
    timer = setTimeout(step, REST_MS);
  };
  timer = setTimeout(step, REST_MS);
  return () => clearTimeout(timer);
}
