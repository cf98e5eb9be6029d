// One process at a time owns a volume: an exclusive SQLite transaction on `lock.db` that lasts as
// long as the volume is open. The kernel drops it with the process, however that ends.
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { ArchiveError } from '../core/errors.js';
import { Sqlite } from '../core/sqlite.js';
import { LOCK } from './volume-paths.js';

export interface VolumeLock {
  release(): void;
}

/** Takes the lock at once or throws: LOCKED when another holder has it, FULL or UNAVAILABLE when the file cannot be used (read-only). */
export function takeVolumeLock(root: string, name: string): VolumeLock {
  const path = join(root, LOCK);
  let database: Database | undefined;
  try {
    database = new Sqlite(path, { timeout: 0 });
    // SQLite opens what it may not write as read-only, and would then lock nothing at all.
    accessSync(path, constants.W_OK);
    // Nothing is ever written: the empty file is there to be locked.
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    throw lockError(error, name, path);
  }
  const held = database;
  return {
    release: () => {
      if (held.open) held.close();
    },
  };
}

function lockError(error: unknown, name: string, path: string): ArchiveError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new ArchiveError('LOCKED', `volume ${name} is in use by another process (${path})`, { cause: error });
  }
  const full = code === 'SQLITE_FULL';
  return new ArchiveError(full ? 'FULL' : 'UNAVAILABLE', `volume ${name} cannot be locked at ${path}: ${code}`, {
    cause: error,
  });
}
