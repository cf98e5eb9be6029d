import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { arrival, newPack, packId } from '../../../test/contract/index-samples.js';
import { Sqlite } from '../../core/sqlite.js';
import type { Index } from '../index.js';
import { openSqliteIndex } from './open-sqlite-index.js';

const STUDIES = 450;

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'filmroom-backfill-'));
  path = join(folder, 'index.db');
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

/** An index as the release before the tokens left it. */
async function older(): Promise<void> {
  const index = await openSqliteIndex({ path });
  await index.addPack(newPack(1));
  const name = { '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Schmidt^Li', Ideographic: '张^伟' }] } };
  const instances = Array.from({ length: STUDIES }, (_, n) =>
    arrival({ study: n + 1, series: 1, instance: 1, seq: n + 1, pack: 1, attributes: { study: name } }),
  );
  await index.commitArrivals({ pack: packId(1), indexedTo: 1, instances });
  await index.close();
  const db = new Sqlite(path);
  const tables = [
    'study_names',
    'tombstones',
    'tombstone_placements',
    'tombstone_records',
    'erasures',
    'spares',
    'holds',
    'old_chunks',
  ];
  for (const table of tables) db.exec(`DROP TABLE ${table}`);
  for (const name of ['chunks_name', 'packs_manifest', 'garbage_since', 'garbage_pack']) db.exec(`DROP INDEX ${name}`);
  db.exec('ALTER TABLE garbage DROP COLUMN pack');
  db.pragma('user_version = 1');
  db.close();
}

async function found(index: Index, name: string): Promise<number> {
  const matches = [{ path: ['00100010'], vr: 'PN', values: [name] }];
  return (await index.query({ level: 'study', matches, fuzzy: true, limit: 1_000, offset: 0, include: [] })).rows
    .length;
}

function left(): { readonly names: number | undefined; readonly tokens: number } {
  const db = new Sqlite(path, { readonly: true });
  const row = db.prepare<[], { value: number }>(`SELECT value FROM counters WHERE name = 'names_left'`).get();
  const count = db
    .prepare<[], { n: number }>(`SELECT count(*) AS n FROM study_names WHERE study_names MATCH '"zw"'`)
    .get();
  db.close();
  return { names: row?.value, tokens: count?.n ?? 0 };
}

/** Waits for the background to be done. */
async function done(): Promise<void> {
  for (let tries = 0; tries < 1_500 && left().names !== undefined; tries++) {
    await new Promise((next) => setTimeout(next, 20));
  }
}

it('an index of an older release finds names fuzzily at once, and has its tokens in a while', async () => {
  await older();
  const index = await openSqliteIndex({ path });
  expect(await found(index, 'zhangwei')).toBe(STUDIES);
  await done();
  expect(left()).toEqual({ names: undefined, tokens: STUDIES });
  expect(await found(index, 'smith zw')).toBe(STUDIES);
  expect(await found(index, 'nobody')).toBe(0);
  await index.close();
}, 60_000);

it('goes on where it was when the index was closed', async () => {
  await older();
  await (await openSqliteIndex({ path })).close();
  const db = new Sqlite(path);
  db.exec(`DELETE FROM study_names WHERE rowid <= 200`);
  db.exec(`INSERT OR REPLACE INTO counters (name, value) VALUES ('names_left', 200)`);
  db.exec(`DELETE FROM study_names WHERE rowid > 200`);
  db.close();
  const index = await openSqliteIndex({ path });
  await done();
  // Those above the mark count as done before.
  expect(left()).toEqual({ names: undefined, tokens: 200 });
  await index.close();
}, 60_000);
