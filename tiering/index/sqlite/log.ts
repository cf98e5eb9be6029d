// How what was committed to the index becomes durable, and what becomes of a sync that failed. SQLite's own way to move the log into the file, at the end of a
// commit, says nothing when a sync fails there, and the next one would succeed without the pages that were lost (log-file.ts): so it is done here.
import { closeSync, openSync, readSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { ArchiveError } from '../../core/errors.js';
import { openReader } from './connection.js';
import { type LogChecksum, rewriteLog } from './log-file.js';

/** Pages in the log from which on it is moved into the file, as SQLite has it by default. */
const LONG_PAGES = 1_000;

/** The log as the groups of writes see it. */
export interface Log {
  /** Why nothing may be written: a sync failed, and none has succeeded since. */
  readonly fault: ArchiveError | null;
  /** Makes every commit before it durable; after a failed sync, only once all of the log is on the disk again. Throws `fault`. */
  sync(): void;
  /** To be called after a commit: moves a log that has become long into the file. */
  tidy(): void;
  /** Moves all of it into the file and cuts it to nothing; false when a reader is in the way. */
  empty(): boolean;
}

export class IndexLog implements Log {
  readonly #db: Database;
  readonly #path: string;
  /** Of `-shm`, for as long as the connection: closing one would drop SQLite's locks on that file. */
  readonly #shm: number;
  /** The last connection to close moves the log into the file, unless it may only read: this one, after a sync that failed. */
  readonly #keeper: Database;
  readonly #countSync: { run(): unknown };
  #fault: ArchiveError | null = null;

  /** @param db the one writing connection to the file at `path`. */
  constructor(db: Database, path: string) {
    this.#db = db;
    this.#path = path;
    db.pragma('wal_autocheckpoint = 0');
    this.#countSync = db.prepare(
      `INSERT INTO counters (name, value) VALUES ('syncs', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1`,
    );
    this.#shm = openSync(`${path}-shm`, 'r');
    this.#keeper = openReader(path);
    // Only now it has the file's lock, which lasts until it is closed.
    this.#keeper.prepare('SELECT count(*) FROM sqlite_schema').get();
  }

  get fault(): ArchiveError | null {
    return this.#fault;
  }

  sync(): void {
    if (this.#fault !== null) this.#restore();
    // https://sqlite.org/pragma.html#pragma_synchronous and https://sqlite.org/wal.html#performance_considerations:
    // with NORMAL a commit in WAL mode is not synced; with FULL the log file is synced after the commit. All commits go
    // to that one file in order, and fsync covers the whole of it, so one small FULL commit makes every commit before
    // it durable. What was moved out of the log by then was synced in the database file before the log was
    // begun anew (https://sqlite.org/wal.html#checkpointing). The setting cannot change inside of a transaction.
    const db = this.#db;
    db.pragma('synchronous = FULL');
    try {
      db.exec('BEGIN IMMEDIATE');
      this.#countSync.run();
      db.exec('COMMIT');
    } catch (error) {
      throw isFull(error) ? error : this.#doubt(error);
    } finally {
      if (db.inTransaction) db.exec('ROLLBACK');
      db.pragma('synchronous = NORMAL');
    }
  }

  tidy(): void {
    if (this.#fault !== null) return;
    const { frames, moved } = this.#committed();
    if (frames < LONG_PAGES || moved === frames) return;
    try {
      this.#db.pragma('wal_checkpoint(PASSIVE)');
    } catch (error) {
      // With no room for the file to grow, the log goes on; no sync has failed.
      if (!isFull(error)) this.#doubt(error);
    }
  }

  empty(): boolean {
    if (this.#fault !== null) throw this.#fault;
    try {
      // https://sqlite.org/pragma.html#pragma_wal_checkpoint: one row, its first column 1 when somebody was in the way.
      const [row] = this.#db.pragma('wal_checkpoint(TRUNCATE)') as readonly { readonly busy: number }[];
      return row?.busy === 0;
    } catch (error) {
      throw isFull(error) ? error : this.#doubt(error);
    }
  }

  /** Closes the connection too. What a failed sync left in doubt is not moved into the file: the next start reads the log from the disk. */
  close(): void {
    if (this.#fault === null) this.#keeper.close();
    this.#db.close();
    this.#keeper.close();
    closeSync(this.#shm);
  }

  #doubt(error: unknown): ArchiveError {
    const { message, code } = error as { message: string; code?: unknown };
    this.#fault = new ArchiveError(
      'UNAVAILABLE',
      `index: a sync failed: ${message} (${String(code)}); nothing is written until all of its log is on the disk again, which is tried by itself: check the disk of the index`,
      { cause: error },
    );
    return this.#fault;
  }

  /** Everything committed is on the disk when it returns. */
  #restore(): void {
    if (this.#fault?.code === 'CORRUPT') throw this.#fault;
    const { frames, checksum } = this.#committed();
    const found = rewriteLog(this.#path, frames);
    if (frames > 0 && (found === null || found[0] !== checksum[0] || found[1] !== checksum[1])) {
      this.#fault = new ArchiveError(
        'CORRUPT',
        'index: a sync failed, and of what had been committed before it the disk has not kept all: restart the server, which reads what the index lacks from the trays; if it then refuses the index as an older copy, run "filmroom serve --rebuild"',
      );
      throw this.#fault;
    }
    this.#fault = null;
  }

  /**
   * How far commits have come, by the header that SQLite keeps in `-shm` (https://sqlite.org/walformat.html#the_wal_index_file_format),
   * in the byte order of the machine. This thread alone changes it.
   */
  #committed(): { readonly frames: number; readonly checksum: LogChecksum; readonly moved: number } {
    const words = new Uint32Array(25);
    readSync(this.#shm, words, 0, words.byteLength, 0);
    const [frames = 0, , s0 = 0, s1 = 0] = words.subarray(4);
    return { frames, checksum: [s0, s1], moved: words[24] ?? 0 };
  }
}

/** No room to write: no sync was tried, so none failed. (One that finds no room is an I/O error.) */
function isFull(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'SQLITE_FULL';
}
