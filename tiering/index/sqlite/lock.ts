// An exclusive lock that the operating system drops when its holder dies: an exclusive transaction on a
// small SQLite file, held for as long as the lock is. No stale lock files, nothing to clean up.
import type { Database } from 'better-sqlite3';
import { ArchiveError } from '../../core/errors.js';
import { Sqlite } from '../../core/sqlite.js';

export interface FileLock {
  /** Idempotent. */
  release(): void;
}

/**
 * Takes the lock `path` (created when absent) or throws LOCKED at once when anyone, in this process or another, holds
 * it. UNAVAILABLE when the file cannot be opened. Only this function may open the file: POSIX drops a process's locks of
 * a file when any descriptor of it is closed.
 */
export function acquireFileLock(path: string): FileLock {
  let db: Database | undefined;
  try {
    db = new Sqlite(path, { timeout: 0 });
    // https://sqlite.org/lang_transaction.html: EXCLUSIVE prevents other connections from reading or writing, except in
    // WAL mode; so this file stays in rollback mode. Nothing is ever written to it.
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db?.close();
    const code = String((error as { code?: unknown }).code);
    if (code.startsWith('SQLITE_BUSY')) {
      throw new ArchiveError('LOCKED', `${path} is held by another process: only one may write to an archive`);
    }
    throw new ArchiveError('UNAVAILABLE', `cannot lock ${path}: ${(error as Error).message} (${code})`, {
      cause: error,
    });
  }
  const held = db;
  return {
    release: () => {
      if (!held.open) return;
      held.exec('ROLLBACK');
      held.close();
    },
  };
}
