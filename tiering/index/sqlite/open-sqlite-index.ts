// Opens the index of one SQLite file: takes its lock, starts its threads, waits until each could open it.
import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Clock, systemClock } from '../../core/clock.js';
import { ArchiveError } from '../../core/errors.js';
import type { Index } from '../index.js';
import { SqliteIndex } from './sqlite-index.js';
import { startReader, startWriter } from './threads.js';

export interface SqliteIndexOptions {
  /** The database file; created with its folder when absent. `lock.db` beside it is held for the lifetime. */
  readonly path: string;
  /** Dates what becomes garbage. */
  readonly clock?: Clock;
  /** Threads for queries and other scans, 1 by default; one more answers look-ups. */
  readonly readers?: number;
  /** A query that takes longer is refused with LIMIT. */
  readonly queryMs?: number;
}

const QUERY_MS = 5_000;

/**
 * Opens the index, creating or upgrading its file. LOCKED when anybody else has it open for writing; CORRUPT when the file
 * is damaged; NOT_SUPPORTED when a newer release made it; FOREIGN when it is another product's; UNAVAILABLE otherwise.
 */
export async function openSqliteIndex(options: SqliteIndexOptions): Promise<Index> {
  const path = resolve(options.path);
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch (cause) {
    throw new ArchiveError('UNAVAILABLE', `cannot create the folder of the index: ${dirname(path)}`, { cause });
  }
  const writer = startWriter(path);
  await writer.ready;
  const readers = Array.from({ length: 1 + (options.readers ?? 1) }, () => startReader(path));
  try {
    await Promise.all(readers.map(({ client }) => client.ready));
  } catch (error) {
    await Promise.all([writer.close(), ...readers.map(({ client }) => client.close())]);
    throw error;
  }
  const [points, ...scans] = readers;
  if (points === undefined) throw new ArchiveError('INTERNAL', 'no reader was started');
  return new SqliteIndex(path, writer, points, scans, {
    clock: options.clock ?? systemClock,
    queryMs: options.queryMs ?? QUERY_MS,
  });
}
