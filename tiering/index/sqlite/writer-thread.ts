// The one thread that writes the index. It holds the lock of the index folder for as long as it lives.
import { dirname, join } from 'node:path';
import { workerData } from 'node:worker_threads';
import { openWriter } from './connection.js';
import { acquireFileLock } from './lock.js';
import { fillNames } from './name-backfill.js';
import { startThread } from './thread-server.js';
import { serveWrites } from './write-group.js';
import { writerMethods } from './writer-methods.js';

const { path } = workerData as { readonly path: string };

startThread(() => {
  const lock = acquireFileLock(join(dirname(path), 'lock.db'));
  try {
    const db = openWriter(path);
    const { methods, forget } = writerMethods(db);
    const stopFilling = fillNames(db);
    const countSync = db.prepare(
      `INSERT INTO counters (name, value) VALUES ('syncs', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1`,
    );
    serveWrites({
      db,
      methods,
      forget,
      syncLog: () => {
        // https://sqlite.org/pragma.html#pragma_synchronous and https://sqlite.org/wal.html#performance_considerations:
        // with NORMAL a commit in WAL mode is not synced; with FULL the log file is synced after the commit. All commits go
        // to that one file in order, and fsync covers the whole of it, so one small FULL commit makes every commit before
        // it durable. What a checkpoint had moved out of the log by then was synced in the database file before the log was
        // begun anew (https://sqlite.org/wal.html#checkpointing). The setting cannot change inside of a transaction.
        db.pragma('synchronous = FULL');
        try {
          db.exec('BEGIN IMMEDIATE');
          countSync.run();
          db.exec('COMMIT');
        } finally {
          if (db.inTransaction) db.exec('ROLLBACK');
          db.pragma('synchronous = NORMAL');
        }
      },
      emptyLog: () => {
        // https://sqlite.org/pragma.html#pragma_wal_checkpoint: one row, its first column 1 when somebody was in the way.
        const [row] = db.pragma('wal_checkpoint(TRUNCATE)') as readonly { readonly busy: number }[];
        return row?.busy === 0;
      },
      close: () => {
        stopFilling();
        db.close();
        lock.release();
      },
    });
  } catch (error) {
    lock.release();
    throw error;
  }
}, `open ${path}`);
