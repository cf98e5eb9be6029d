// A thread that reads the index through a read-only connection of its own.
import { workerData } from 'node:worker_threads';
import { openReader } from './connection.js';
import { QueryClock } from './query-clock.js';
import { readerMethods } from './reader-methods.js';
import { serveReads, startThread } from './thread-server.js';

const { path, cancelled } = workerData as { readonly path: string; readonly cancelled: SharedArrayBuffer };

startThread(() => {
  const db = openReader(path);
  const clock = new QueryClock(new Int32Array(cancelled));
  // Called for every row that a scan looks at, since better-sqlite3 cannot interrupt a statement.
  db.function('on_time', { deterministic: false, directOnly: true }, () => {
    clock.tick();
    return 1;
  });
  const methods = readerMethods(db, clock);
  serveReads(methods, { begin: (id) => clock.begin(id), close: () => db.close() });
}, `open ${path}`);
