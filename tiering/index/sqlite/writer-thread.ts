// The one thread that writes the index. It holds the lock of the index folder for as long as it lives.
import { dirname, join } from 'node:path';
import { workerData } from 'node:worker_threads';
import { openWriter } from './connection.js';
import { acquireFileLock } from './lock.js';
import { IndexLog } from './log.js';
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
    const log = new IndexLog(db, path);
    const stopFilling = fillNames(db, log);
    serveWrites({
      db,
      methods,
      forget,
      log,
      close: () => {
        stopFilling();
        log.close();
        lock.release();
      },
    });
  } catch (error) {
    lock.release();
    throw error;
  }
}, `open ${path}`);
