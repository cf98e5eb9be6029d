import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Sqlite } from '../../core/sqlite.js';
import { openWriter } from './connection.js';
import { IndexLog } from './log.js';
import { rewriteLog } from './log-file.js';

let folder: string;
let path: string;
let db: Database;
let log: IndexLog;
let fails: string | null;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'filmroom-log-'));
  path = join(folder, 'x.db');
  fails = null;
  begin();
});
afterEach(async () => {
  db.close();
  await rm(folder, { recursive: true, force: true });
});

/** As the writing thread has it; statements whose text has the word in `fails` fail as a sync does. */
function begin(): void {
  db = openWriter(path);
  const failing = (run: (text: string) => unknown) => (text: string) => {
    if (fails !== null && text.includes(fails)) {
      throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR_FSYNC' });
    }
    return run(text);
  };
  db.exec = failing(db.exec.bind(db)) as typeof db.exec;
  db.pragma = failing(db.pragma.bind(db)) as typeof db.pragma;
  log = new IndexLog(db, path);
}

const put = (key: string, bytes = 1_000) =>
  db.prepare('INSERT INTO settings (key, value) VALUES (?, ?)').run(key, 'x'.repeat(bytes));
const keys = () => db.prepare('SELECT key FROM settings ORDER BY key').pluck().all();
/** Bytes of the log change below SQLite, as a page does that was dropped and is read from the disk. */
async function drop(at: number): Promise<void> {
  const file = await open(`${path}-wal`, 'r+');
  await file.write(Buffer.alloc(512, 0xa5), 0, 512, at);
  await file.close();
}

describe('the log of the index', () => {
  it('after a sync that failed, is written again and goes on', async () => {
    put('a');
    log.sync();
    put('b');
    fails = 'COMMIT';
    expect(() => log.sync()).toThrow(/a sync failed/);
    expect(log.fault).toMatchObject({ code: 'UNAVAILABLE' });
    expect(() => log.empty()).toThrow(/a sync failed/);
    expect(() => log.sync()).toThrow(/a sync failed/);
    fails = null;
    const before = await readFile(`${path}-wal`);
    log.sync();
    expect(log.fault).toBeNull();
    expect((await readFile(`${path}-wal`)).subarray(0, before.length - 4_120).equals(before.subarray(0, -4_120))).toBe(
      true,
    );
    put('c');
    log.sync();
    log.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    begin();
    expect(keys()).toEqual(['a', 'b', 'c']);
  });

  it('that has lost what was committed says so for good, and is not moved into the file when it is closed', async () => {
    put('a');
    log.sync();
    const { length } = await readFile(`${path}-wal`);
    put('b');
    fails = 'COMMIT';
    expect(() => log.sync()).toThrow();
    fails = null;
    await drop(length + 3_500);
    const file = await readFile(path);
    for (let tries = 0; tries < 2; tries += 1) {
      expect(() => log.sync()).toThrow(
        expect.objectContaining({ code: 'CORRUPT', message: expect.stringContaining('restart') as string }),
      );
    }
    // Whoever reads it now may find no database at all.
    const kept = await readFile(`${path}-wal`);
    await drop(32 + 24);
    log.close();
    expect((await readFile(path)).equals(file)).toBe(true);
    await writeFile(`${path}-wal`, kept);
    begin();
    expect(keys()).toEqual(['a']);
    expect(db.pragma('integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  });

  it('of a round before is not taken for its own', async () => {
    put('a', 400_000);
    await copyFile(`${path}-wal`, join(folder, 'before'));
    expect(log.empty()).toBe(true);
    put('b');
    fails = 'COMMIT';
    expect(() => log.sync()).toThrow();
    fails = null;
    await writeFile(`${path}-wal`, await readFile(join(folder, 'before')));
    expect(() => log.sync()).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
  });

  it('that has become long is moved into the file, and a sync that fails at that is a failed one', () => {
    fails = 'wal_checkpoint';
    put('a');
    log.tidy();
    expect(log.fault).toBeNull();
    put('b', 5_000_000);
    log.tidy();
    expect(log.fault).toMatchObject({ code: 'UNAVAILABLE' });
    fails = null;
    log.sync();
    log.tidy();
    expect(db.pragma('wal_checkpoint(NOOP)')).toMatchObject([{ busy: 0 }]);
    const [{ log: all, checkpointed }] = db.pragma('wal_checkpoint(NOOP)') as [{ log: number; checkpointed: number }];
    expect(all).toBeGreaterThan(1_000);
    expect(checkpointed).toBe(all);
  });

  it('is read as SQLite reads it, wherever it is cut or damaged', async () => {
    for (let at = 0; at < 5; at += 1) put(`k${at}`, 100 + at * 900);
    const frames = (db.pragma('wal_checkpoint(NOOP)') as [{ log: number }])[0].log;
    const whole = await readFile(`${path}-wal`);
    expect(rewriteLog(path, frames)).not.toBeNull();
    expect(rewriteLog(path, frames + 1)).toBeNull();
    expect((await readFile(`${path}-wal`)).equals(whole)).toBe(true);
    const copy = join(folder, 'copy.db');
    for (let tries = 0; tries < 8; tries += 1) {
      const bytes = Buffer.from(whole);
      const at = Math.floor((tries / 8) * whole.length) + (tries % 3);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      await copyFile(path, copy);
      await writeFile(`${copy}-wal`, bytes);
      let sound = 0;
      while (rewriteLog(copy, sound + 1) !== null) sound += 1;
      expect((await readFile(`${copy}-wal`)).equals(bytes)).toBe(true);
      expect(sound).toBe(at < 32 ? 0 : Math.floor((at - 32) / (4_096 + 24)));
      const other = new Sqlite(copy);
      other.prepare('SELECT count(*) FROM sqlite_schema').get();
      // It counts up to the last commit among them.
      expect((other.pragma('wal_checkpoint(NOOP)') as [{ log: number }])[0].log).toBeLessThanOrEqual(sound);
      other.close();
    }
  });

  it('of nothing, or of no index, is nothing', async () => {
    expect(rewriteLog(join(folder, 'none.db'), 1)).toBeNull();
    await writeFile(join(folder, 'none.db-wal'), Buffer.alloc(100));
    expect(rewriteLog(join(folder, 'none.db'), 1)).toBeNull();
    await writeFile(join(folder, 'short.db-wal'), Buffer.alloc(10));
    expect(rewriteLog(join(folder, 'short.db'), 1)).toBeNull();
    expect(() => rewriteLog(join(folder, 'none.db-wal', 'below.db'), 1)).toThrow(
      expect.objectContaining({ code: 'UNAVAILABLE' }),
    );
  });
});
