// The real index engine on one database in memory for all histories. Its disk is made of savepoints: what was committed since the last
// commitDurable lies inside of one, and a power cut rolls it back; the history lies inside of another, and its end rolls everything back, so that
// no history pays for a schema and its statements.
import type { Database } from 'better-sqlite3';
import { ArchiveError } from '../../../tiering/core/errors.js';
import { Sqlite } from '../../../tiering/core/sqlite.js';
import type { Index } from '../../../tiering/index/index.js';
import { migrate } from '../../../tiering/index/sqlite/schema.js';
import { SqliteIndex } from '../../../tiering/index/sqlite/sqlite-index.js';
import type { Methods } from '../../../tiering/index/sqlite/thread-client.js';
import type { Reader, Writer } from '../../../tiering/index/sqlite/threads.js';
import { writerMethods } from '../../../tiering/index/sqlite/writer-methods.js';
import { but } from '../../support/but.js';
import { clientOf, readersOf } from '../../support/direct-index.js';
import type { Life } from './life.js';
import type { Seeded } from './seeded.js';

const QUERY_MS = 60_000;
/** The system writes the log back when it likes, not only when it is told to. */
const WRITTEN_BACK = 0.05;

export class IndexDisk {
  readonly #db: Database;
  readonly #writers: Methods;
  readonly #readers: Methods;
  readonly #cancelled: Int32Array;
  readonly #forget: () => void;
  #chance: Seeded | null = null;
  /** What writes answer with now; null: they are done. */
  fault: 'FULL' | 'UNAVAILABLE' | null = null;

  constructor() {
    this.#db = new Sqlite(':memory:');
    migrate(this.#db, ':memory:');
    keepStatements(this.#db);
    const { methods, forget } = writerMethods(this.#db);
    this.#writers = { ...methods, commitDurable: () => undefined, emptyLog: () => true } as Methods;
    this.#forget = forget;
    const { readers, cancelled } = readersOf(this.#db);
    this.#readers = readers;
    this.#cancelled = cancelled;
    this.#db.exec('SAVEPOINT history; SAVEPOINT durable');
  }

  /** An empty one, for a history of its own. */
  begin(chance: Seeded): void {
    this.#chance = chance;
    this.fault = null;
    this.lose();
  }

  /** Nothing is left of it. Released and begun anew: SQLite keeps what savepoints inside of it have written down until it ends, and looks through all of that. */
  lose(): void {
    this.#db.exec('ROLLBACK TO history; RELEASE history; SAVEPOINT history; SAVEPOINT durable');
    this.#forget();
  }

  /** The machine lost its power. */
  cut(): void {
    this.#db.exec('ROLLBACK TO durable');
    this.#forget();
  }

  /** The index as a process has it. */
  openFor(life: Life): Index {
    const writer = clientOf(this.#writers, (work, method) => life.call(true, () => this.#write(work, method), 2));
    const reader = {
      client: clientOf(this.#readers, (work) => life.call(false, work, 2)),
      cancelled: this.#cancelled,
      busy: 0,
    };
    this.#forget();
    const index = new SqliteIndex(':memory:', writer as unknown as Writer, reader as unknown as Reader, [], {
      clock: life.clock,
      queryMs: QUERY_MS,
    });
    // It would start a thread of its own for it.
    return but<Index>(index, { check: () => life.call(false, () => this.ask('check')) });
  }

  /** What a reader would be told now, by nobody's clock. */
  ask<T>(method: string, ...args: readonly unknown[]): T {
    return (this.#readers[method] as unknown as (...given: readonly unknown[]) => T)(...args);
  }

  #write(work: () => unknown, method: string): unknown {
    if (this.fault !== null) throw new ArchiveError(this.fault, `the index was made to fail: ${method}`);
    if (method === 'commitDurable') {
      this.#sync();
      return undefined;
    }
    this.#db.exec('SAVEPOINT call');
    try {
      const value = work();
      this.#db.exec('RELEASE call');
      if (this.#chance?.chance(WRITTEN_BACK) === true) this.#sync();
      return value;
    } catch (error) {
      this.#forget();
      this.#db.exec('ROLLBACK TO call; RELEASE call');
      throw error;
    }
  }

  /** What was committed is on the disk, as if the system had written it back by itself. */
  writeBack(): void {
    this.#sync();
  }

  #sync(): void {
    this.#db.exec('RELEASE durable; SAVEPOINT durable');
  }
}

/** A statement is made once for all histories: making one takes longer than most take to run on so little. */
function keepStatements(db: Database): void {
  const made = new Map<string, unknown>();
  const prepare = db.prepare.bind(db) as (sql: string) => unknown;
  db.prepare = ((sql: string) => {
    const known = made.get(sql);
    if (known !== undefined) return known;
    const statement = prepare(sql);
    made.set(sql, statement);
    return statement;
  }) as typeof db.prepare;
}
