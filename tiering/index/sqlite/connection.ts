// One connection to the index file, writing or read-only, with the settings that all of them need.
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from 'better-sqlite3';
import { Sqlite } from '../../core/sqlite.js';
import { rewriteLog } from './log-file.js';
import { migrate } from './schema.js';

/** Pages kept in memory by one connection, in KiB. */
const CACHE_KIB = 16 * 1024;
/** The log is cut back to this after a checkpoint, so that one burst does not keep disk for ever. */
const WAL_BYTES_KEPT = 64 * 1024 * 1024;
/** Readers wait this long in the rare moments when WAL excludes them (recovery, closing). */
const BUSY_MS = 5_000;

/** The one writing connection. Creates the file, brings it to the present schema, and makes both durable. */
export function openWriter(path: string): Database {
  restoreLog(path);
  const db = new Sqlite(path, { timeout: 0 });
  try {
    db.pragma(`cache_size = -${CACHE_KIB}`);
    // Reads the header and the schema: a file cut short or of another kind fails here, before anything is written.
    db.prepare('SELECT count(*) FROM sqlite_schema').get();
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    // What is deleted is overwritten with zeros: names and attributes of deleted studies do not stay in free pages.
    db.pragma('secure_delete = ON');
    db.pragma(`journal_size_limit = ${WAL_BYTES_KEPT}`);
    // Memory-mapped reads would turn an I/O error into a signal that kills the process.
    db.pragma('mmap_size = 0');
    migrate(db, path);
    syncFolder(dirname(path));
    db.pragma('synchronous = NORMAL');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** What an earlier process left in the log may be in memory alone: a sync may have failed, and it was killed. */
function restoreLog(path: string): void {
  try {
    rewriteLog(path, 0);
  } catch {
    // The first sync may tell of a write that failed before: all was written again, and is written again now.
    rewriteLog(path, 0);
  }
}

export function openReader(path: string): Database {
  const db = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: BUSY_MS });
  db.pragma(`cache_size = -${CACHE_KIB}`);
  db.pragma('mmap_size = 0');
  return db;
}

/** Makes the names of files created in `folder` durable. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
