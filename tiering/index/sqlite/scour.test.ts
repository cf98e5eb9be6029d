// What is deleted leaves the database file itself: rows, free pages, full text search and log.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { arrival, newPack, packId } from '../../../test/contract/index-samples.js';
import { Sqlite } from '../../core/sqlite.js';
import { tombstoneName } from '../../format/names.js';
import { openSqliteIndex } from './open-sqlite-index.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'filmroom-scour-'));
});
afterEach(async () => rm(dir, { recursive: true, force: true }));

const named = (name: string) => ({
  study: {
    '00100010': { vr: 'PN', Value: [{ Alphabetic: name }] },
    '00081030': { vr: 'LO', Value: [`of ${name}`] },
    '00100020': { vr: 'LO', Value: [`ID-${name}`] },
  },
  instance: { '00204000': { vr: 'LT', Value: [`seen by ${name}`] } },
});

/** Which of `words` occur anywhere in the files of the index. */
async function inFiles(...words: readonly string[]): Promise<readonly string[]> {
  const files = await Promise.all((await readdir(dir)).map((name) => readFile(join(dir, name))));
  return words.filter((word) => files.some((bytes) => bytes.includes(word)));
}

/** Search terms that hold `word`. */
function terms(word: string): readonly string[] {
  const db = new Sqlite(join(dir, 'filmroom.db'));
  try {
    return ['study_search', 'study_names'].flatMap((table) => {
      db.exec(`CREATE VIRTUAL TABLE temp.${table}_words USING fts5vocab(main, '${table}', 'row')`);
      const like = db.prepare<[string], string>(`SELECT term FROM ${table}_words WHERE term LIKE ?`).pluck();
      return like.all(`%${word}%`) as string[];
    });
  } finally {
    db.close();
  }
}

it('leaves nothing of a deleted study in the files of the index', async () => {
  const index = await openSqliteIndex({ path: join(dir, 'filmroom.db') });
  await index.addPack(newPack(1));
  const instances = ['Zwxqkv', 'Olduvai'].flatMap((name, study) =>
    [1, 2, 3].map((instance) =>
      arrival({ study, series: 1, instance, seq: 3 * study + instance, pack: 1, attributes: named(name) }),
    ),
  );
  // One by one, so that search has many small parts, some of them merged already.
  for (const [n, one] of instances.entries()) {
    await index.commitArrivals({ pack: packId(1), indexedTo: n + 1, instances: [one] });
  }
  await index.commitDurable();
  expect(await inFiles('Zwxqkv', 'Olduvai')).toEqual(['Zwxqkv', 'Olduvai']);
  const [first] = instances;
  if (first === undefined) throw new Error('nothing was made');
  const entries = instances.slice(0, 3).map(({ sop, sha256 }) => ({ sop, sha256 }));
  await index.bury([{ seq: 9, entries, name: tombstoneName(9, first.sha256), object: new Uint8Array(1) }]);
  expect(await index.scour()).toBe(true);
  expect(await inFiles('Zwxqkv', 'Olduvai')).toEqual(['Olduvai']);
  await index.close();
  expect(terms('wxq')).toEqual([]);
  expect(terms('duv').length).toBeGreaterThan(0);
});

it('leaves nothing of the instance that spoke for its study, once another does', async () => {
  const index = await openSqliteIndex({ path: join(dir, 'filmroom.db') });
  await index.addPack(newPack(1));
  const [lead, other] = ['Zwxqkv', 'Olduvai'].map((name, n) =>
    arrival({ study: 1, series: 1, instance: n + 1, seq: n + 1, pack: 1, attributes: named(name) }),
  );
  if (lead === undefined || other === undefined) throw new Error('two were made');
  await index.commitArrivals({ pack: packId(1), indexedTo: 1, instances: [lead, other] });
  const { sop, sha256 } = lead;
  await index.bury([{ seq: 9, entries: [{ sop, sha256 }], name: tombstoneName(9, sha256), object: new Uint8Array(1) }]);
  expect(await index.scour()).toBe(true);
  expect(await inFiles('Zwxqkv', 'Olduvai')).toEqual(['Olduvai']);
  // What is remembered of texts is not what is gone: the same words again are stored again.
  const again = { ...arrival({ study: 1, series: 1, instance: 3, seq: 10, pack: 1, attributes: named('Zwxqkv') }) };
  await index.commitArrivals({ pack: packId(1), indexedTo: 2, instances: [again] });
  expect(await index.check()).toEqual([]);
  await index.close();
  expect(await inFiles('Zwxqkv')).toEqual(['Zwxqkv']);
});
