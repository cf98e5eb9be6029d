// SQLite for the Node that runs. better-sqlite3 12 is the last for Node 20; on Node 24 one of its statements that is
// collected at the wrong moment ends the process (an assertion in Node's own ObjectWrap). 13 does not
// load on Node 20. So both are installed, and each Node gets the one that is safe there.
import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';

const NODE_MAJOR = Number(process.versions.node.split('.')[0]);
const PACKAGE = NODE_MAJOR >= 22 ? 'better-sqlite3-node22' : 'better-sqlite3';

/** The constructor of a database connection; the same interface in both. */
export const Sqlite = createRequire(import.meta.url)(PACKAGE) as typeof BetterSqlite3;
