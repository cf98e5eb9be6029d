import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import type { Database } from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArchiveError } from '../../core/errors.js';
import { Sqlite } from '../../core/sqlite.js';
import type { Log } from './log.js';
import type { CallMessage, ReplyMessage } from './thread-client.js';
import { WriteGroup } from './write-group.js';

describe('a group of writes', () => {
  let folder: string;
  let db: Database;
  let channel: MessageChannel;
  let group: WriteGroup;
  let syncs: number;
  let syncFails: boolean;
  let fault: ArchiveError | null;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'filmroom-group-'));
    db = new Sqlite(join(folder, 'x.db'));
    db.pragma('journal_mode = WAL');
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, bytes BLOB)');
    const put = db.prepare('INSERT INTO t (id, bytes) VALUES (?, zeroblob(?))');
    channel = new MessageChannel();
    syncs = 0;
    syncFails = false;
    const methods = {
      put: (id: number, bytes: number) => Number(put.run(id, bytes).changes),
      putThenFail: (id: number) => {
        put.run(id, 1);
        throw new ArchiveError('CONFLICT', 'on purpose');
      },
    };
    fault = null;
    const log: Log = {
      get fault() {
        return fault;
      },
      sync: () => {
        fault = syncFails ? new ArchiveError('UNAVAILABLE', 'a sync failed') : null;
        if (fault !== null) throw fault;
        syncs += 1;
      },
      tidy: () => undefined,
      empty: () => true,
    };
    group = new WriteGroup({ db, methods, forget: () => undefined, log, close: () => undefined }, channel.port1);
  });
  afterEach(async () => {
    channel.port1.close();
    db.close();
    await rm(folder, { recursive: true, force: true });
  });

  function run(...calls: readonly (readonly [string, ...unknown[]])[]): Record<number, string> {
    for (const [at, [method, ...args]] of calls.entries())
      group.take({ id: at + 1, method, args } satisfies CallMessage);
    group.commit();
    const answers: Record<number, string> = {};
    for (;;) {
      const received = receiveMessageOnPort(channel.port2) as { message: ReplyMessage } | undefined;
      if (received === undefined) return answers;
      answers[received.message.id] = received.message.error?.code ?? 'ok';
    }
  }
  const ids = () => db.prepare('SELECT id FROM t ORDER BY id').pluck().all();

  it('undoes only the call that failed, whole', () => {
    expect(run(['put', 1, 1], ['putThenFail', 2], ['put', 1, 1], ['put', 3, 1])).toEqual({
      1: 'ok',
      2: 'CONFLICT',
      3: 'INTERNAL',
      4: 'ok',
    });
    expect(ids()).toEqual([1, 3]);
  });

  it('says FULL when the disk is, loses nothing that it answered, and goes on when there is space', () => {
    db.pragma('max_page_count = 20');
    const answers = run(['put', 1, 10], ['put', 2, 500_000], ['put', 3, 10]);
    expect(answers[2]).toBe('FULL');
    const kept = [1, 3].filter((id) => answers[id] === 'ok');
    expect(ids()).toEqual(kept);
    db.pragma('max_page_count = 100000');
    expect(run(['put', 4, 500_000])).toEqual({ 1: 'ok' });
  });

  it('syncs once for all who wait, and after a failed sync refuses everything until one succeeds', () => {
    expect(run(['put', 1, 1], ['commitDurable'], ['put', 2, 1], ['commitDurable'])).toEqual({
      1: 'ok',
      2: 'ok',
      3: 'ok',
      4: 'ok',
    });
    expect(syncs).toBe(1);
    syncFails = true;
    expect(run(['commitDurable'])).toEqual({ 1: 'UNAVAILABLE' });
    expect(run(['put', 5, 1], ['commitDurable'])).toEqual({ 1: 'UNAVAILABLE', 2: 'UNAVAILABLE' });
    syncFails = false;
    expect(run(['put', 6, 1])).toEqual({ 1: 'UNAVAILABLE' });
    expect(run(['commitDurable'])).toEqual({ 1: 'ok' });
    expect(run(['put', 7, 1])).toEqual({ 1: 'ok' });
    expect(ids()).toEqual([1, 2, 7]);
  });
});
