// The real index without its threads and without a disk: its statements run at once on a database in memory, whose state can be kept and
// begun from again. For tests that open an archive hundreds of times; it knows what was durable, so that the rest can be lost.
import type { Database } from 'better-sqlite3';
import { type Clock, systemClock } from '../../tiering/core/clock.js';
import { Sqlite } from '../../tiering/core/sqlite.js';
import type { Index } from '../../tiering/index/index.js';
import { QueryClock } from '../../tiering/index/sqlite/query-clock.js';
import { readerMethods } from '../../tiering/index/sqlite/reader-methods.js';
import { migrate } from '../../tiering/index/sqlite/schema.js';
import { SqliteIndex } from '../../tiering/index/sqlite/sqlite-index.js';
import type { Methods } from '../../tiering/index/sqlite/thread-client.js';
import type { Reader, Writer } from '../../tiering/index/sqlite/threads.js';
import { writerMethods } from '../../tiering/index/sqlite/writer-methods.js';

const QUERY_MS = 60_000;

/** What a ThreadClient is to SqliteIndex. `run` does what a call is about, and may take its time. */
export function clientOf(methods: Methods, run: (work: () => unknown, method: string) => unknown) {
  return {
    nextId: 2,
    call: async (method: string, ...args: readonly unknown[]) => {
      const work = methods[method] as ((...given: readonly unknown[]) => unknown) | undefined;
      if (work === undefined) throw new Error(`the index has no method ${method}`);
      return run(() => work(...structuredClone(args)), method);
    },
    close: () => Promise.resolve(),
  };
}

export interface DirectIndex {
  readonly index: Index;
  /** Everything in it now. */
  image(): Buffer;
  /** What a power cut leaves at least: as it was at the last commitDurable. */
  durable(): Buffer;
}

/** The methods of a reading thread on this connection. */
export function readersOf(db: Database): { readonly readers: Methods; readonly cancelled: Int32Array } {
  const cancelled = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const queryClock = new QueryClock(cancelled);
  queryClock.begin(1);
  db.function('on_time', { deterministic: false, directOnly: true }, () => {
    queryClock.tick();
    return 1;
  });
  return { readers: readerMethods(db, queryClock) as unknown as Methods, cancelled };
}

/** @param image what an earlier one left; none: empty. */
export function openDirectIndex(image: Buffer | null, clock: Clock = systemClock): DirectIndex {
  const db: Database = image === null ? new Sqlite(':memory:') : new Sqlite(image);
  migrate(db, ':memory:');
  let durable = db.serialize();
  const { methods, forget } = writerMethods(db);
  const { readers, cancelled } = readersOf(db);
  const commit = {
    ...methods,
    commitDurable: () => {
      durable = db.serialize();
    },
    // There is none.
    emptyLog: () => true,
  };
  const writer = clientOf(commit as Methods, (work) => {
    db.exec('BEGIN IMMEDIATE');
    try {
      const value = work();
      db.exec('COMMIT');
      return value;
    } catch (error) {
      forget();
      db.exec('ROLLBACK');
      throw error;
    }
  });
  const reader = {
    client: clientOf(readers, (work) => work()),
    cancelled,
    busy: 0,
  };
  const index = new SqliteIndex(':memory:', writer as unknown as Writer, reader as unknown as Reader, [], {
    clock,
    queryMs: QUERY_MS,
  });
  return { index, image: () => db.serialize(), durable: () => durable };
}
