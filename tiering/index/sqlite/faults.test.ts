import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { arrival, newPack, packId } from '../../../test/contract/index-samples.js';
import { ArchiveError } from '../../core/errors.js';
import { Sqlite } from '../../core/sqlite.js';
import { acquireFileLock } from './lock.js';
import { openSqliteIndex } from './open-sqlite-index.js';
import { ThreadClient } from './thread-client.js';

describe('an index file', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'filmroom-index-faults-'));
    path = join(folder, 'index.db');
  });
  afterEach(async () => rm(folder, { recursive: true, force: true }));

  async function fill(instances: number): Promise<void> {
    const index = await openSqliteIndex({ path });
    await index.addPack(newPack(1));
    const arrivals = Array.from({ length: instances }, (_, n) =>
      arrival({ study: n, series: 1, instance: 1, seq: n + 1, pack: 1 }),
    );
    await index.commitArrivals({ pack: packId(1), indexedTo: 1, instances: arrivals });
    await index.close();
  }

  it('is open for one writer at a time, in this process too, and free again after closing', async () => {
    const index = await openSqliteIndex({ path });
    await expect(openSqliteIndex({ path })).rejects.toMatchObject({ code: 'LOCKED' });
    await index.close();
    await index.close();
    await expect(index.highestSeq()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(index.setSetting('a', 'b')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const lock = acquireFileLock(join(folder, 'lock.db'));
    await expect(openSqliteIndex({ path })).rejects.toMatchObject({ code: 'LOCKED' });
    lock.release();
    lock.release();
    await (await openSqliteIndex({ path })).close();
  });

  it('that was cut short or is no database is CORRUPT, and is left as it was', async () => {
    await fill(200);
    const whole = await readFile(path);
    for (const bytes of [whole.length - 4_096, 8_192, 700]) {
      await writeFile(path, whole);
      await truncate(path, bytes);
      await expect(openSqliteIndex({ path })).rejects.toMatchObject({ code: 'CORRUPT' });
      expect((await readFile(path)).length).toBe(bytes);
    }
    await writeFile(path, 'this is not a database, it is a text of more than one hundred bytes'.repeat(40));
    await expect(openSqliteIndex({ path })).rejects.toMatchObject({ code: 'CORRUPT' });
    await writeFile(path, whole);
    await (await openSqliteIndex({ path })).close();
  });

  it('with damaged pages is found out by a check', async () => {
    await fill(400);
    const file = await open(path, 'r+');
    const { size } = await file.stat();
    // Behind the first page of each table, without which it would not open at all.
    for (let page = 80; page * 4_096 < size; page += 7) await file.write(Buffer.alloc(64, 0xff), 0, 64, page * 4_096);
    await file.close();
    const index = await openSqliteIndex({ path });
    expect((await index.check()).length).toBeGreaterThan(0);
    await index.close();
  });

  it('of a newer release is NOT_SUPPORTED, of another product FOREIGN', async () => {
    await fill(1);
    const db = new Sqlite(path);
    db.pragma('user_version = 99');
    db.close();
    await expect(openSqliteIndex({ path })).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    const other = new Sqlite(join(folder, 'other.db'));
    other.exec('CREATE TABLE theirs (a)');
    other.close();
    await expect(openSqliteIndex({ path: join(folder, 'other.db') })).rejects.toMatchObject({ code: 'FOREIGN' });
  });

  it('where no folder can be is UNAVAILABLE', async () => {
    await writeFile(join(folder, 'file'), 'x');
    await expect(openSqliteIndex({ path: join(folder, 'file', 'index.db') })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    await expect(openSqliteIndex({ path: folder })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('refuses a query that takes too long, and answers the next', async () => {
    await fill(50);
    const index = await openSqliteIndex({ path, queryMs: 0 });
    const spec = { level: 'study', matches: [], fuzzy: false, limit: 10, offset: 0, include: [] } as const;
    await expect(index.query(spec)).rejects.toMatchObject({ code: 'LIMIT' });
    expect((await index.status({ writeQuorum: 1, replicas: [] })).instances).toBe(50);
    await index.close();
  });
});

describe('a thread of the index', () => {
  /** Answers `echo`; on `die` its thread ends, as after a fault in native code that is not the process's end. */
  const ENTRY = new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort } from 'node:worker_threads';
      parentPort.on('message', ({ id, method, args }) => {
        if (method === 'die') process.exit(1);
        if (method === 'throw') throw new Error('out of hand');
        if (method === 'echo') parentPort.postMessage({ id, value: args[0] });
      });
      parentPort.postMessage({ id: 0 });`)}`,
  );
  type Toy = { echo: (value: number) => number; die: () => void; throw: () => void; hang: () => void };

  for (const end of ['die', 'throw'] as const) {
    it(`that ends (${end}) rejects what it owes and every later call with UNAVAILABLE`, async () => {
      const client = new ThreadClient<Toy>(ENTRY, 'toy thread', {});
      await client.ready;
      expect(await client.call('echo', 7)).toBe(7);
      const owed = [
        client.call('hang'),
        client.call(end),
        ...Array.from({ length: 200 }, (_, n) => client.call('echo', n)),
      ];
      for (const outcome of await Promise.allSettled(owed)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE', retryable: false } });
      }
      await expect(client.call('echo', 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await client.close();
    });
  }

  it('keeps the order of calls beyond what may be in flight', async () => {
    const client = new ThreadClient<Toy>(ENTRY, 'toy thread', {});
    const numbers = Array.from({ length: 500 }, (_, n) => n);
    const order: number[] = [];
    await Promise.all(numbers.map(async (n) => order.push(await client.call('echo', n))));
    expect(order).toEqual(numbers);
    await client.kill(new ArchiveError('ABORTED', 'the test is over'));
  });
});
