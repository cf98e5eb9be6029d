// I8, I9, I11: the index is lost, and made again from one replica or from all that there is, while what was found so far is searched and read;
// killed at every write, and by power cuts, the next one goes on and comes to the same answers, byte by byte.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { storeBytes } from '../../../test/support/archive-rig.js';
import { Mortality } from '../../../test/support/mortal.js';
import { MortalArchive } from '../../../test/support/mortal-archive.js';
import { scopeOf } from '../../../test/support/removal-rig.js';
import { createWorkerPool, type WorkerPool } from '../../../workers/pool.js';
import { codeOf } from '../../core/errors.js';
import { parseStudyUid } from '../../core/ids.js';
import type { Archive, Progress } from '../archive.js';

const ALL = [...phantomStudies({ seed: 31, studies: 3, slices: 2, shrink: 32 })];
const STUDIES = [...new Set(ALL.map(({ study }) => study))].map(parseStudyUid);
const [OLD, , YOUNG] = STUDIES;
const [DELETED] = ALL;
const LIVE = ALL.filter((one) => one !== DELETED);

let pool: WorkerPool;
/** One study cold, one on both tiers, one in the tray; one instance of the first deleted. */
let mixed: MortalArchive;
/** Everything on the replicas alone. */
let cold: MortalArchive;
beforeAll(async () => {
  pool = createWorkerPool({ threads: 1 });
  mixed = await MortalArchive.create(pool);
  await mixed.live(async (archive) => {
    if (OLD === undefined || DELETED === undefined) throw new Error('there is no study');
    for (const { bytes, study } of ALL) if (study !== YOUNG) await storeBytes(archive, bytes);
    expect(await archive.migrate({ studies: [OLD] })).toMatchObject({ failures: [] });
    expect(await archive.migrate({ all: true }, { keepHot: true })).toMatchObject({ failures: [] });
    expect(await archive.remove(scopeOf(DELETED))).toMatchObject({ durable: 'quorum' });
    for (const { bytes, study } of ALL) if (study === YOUNG) await storeBytes(archive, bytes);
  });
  cold = await mixed.copy();
  await cold.live(async (archive) => expect(await archive.migrate({ all: true })).toMatchObject({ failures: [] }));
});
afterAll(async () => pool.close());

/** Every answer of QIDO, as one text. */
async function dump(archive: Archive): Promise<string> {
  const rows: string[] = [];
  for (const level of ['study', 'series', 'instance'] as const) {
    const spec = { level, matches: [], fuzzy: false, limit: 1000, offset: 0, include: 'all' } as const;
    const page = await archive.query(spec);
    expect(page).not.toHaveProperty('provisional');
    rows.push(...page.rows.map(({ attributes, online }) => `${attributes} ${online}`));
  }
  return rows.join('\n');
}

async function whenRebuilt(archive: Archive, life: Mortality): Promise<void> {
  while (!life.dead) {
    if ((await archive.status()).rebuild === null) return;
    await sleep(1);
  }
  throw new Error('killed');
}

/** Opened as the gateway opens an index that was lost, or whose rebuild has not ended. */
function rebuildOnce(archive: MortalArchive, mortality: Mortality, power = false): Promise<string> {
  const work = async (opened: Archive) => {
    await whenRebuilt(opened, mortality);
    return dump(opened);
  };
  return archive.live(work, { rebuild: true, mortality, power });
}

async function enumerate(from: MortalArchive, answers: string): Promise<number> {
  const whole = new Mortality();
  expect(await rebuildOnce(await from.copy(), whole)).toBe(answers);
  for (let at = 1; at <= whole.writes.length; at += 1) {
    // Killed before a write is killed after the one before it.
    for (const way of ['done', 'power'] as const) {
      const archive = await from.copy();
      const mortality = new Mortality(at);
      await rebuildOnce(archive, mortality, way === 'power').catch(() => undefined);
      const what = `killed at ${at}, ${mortality.writes.at(-1)}, ${way}`;
      expect(await rebuildOnce(archive, new Mortality()), what).toBe(answers);
      await archive.live(async (opened) => {
        expect(await dump(opened), what).toBe(answers);
        expect(await opened.migrate({ all: true }), what).toMatchObject({ failures: [] });
      });
      await archive.expectWhole(LIVE, at);
    }
  }
  return whole.writes.length;
}

describe('a rebuild', () => {
  it('from any one replica gives the same answers as before, byte by byte', async () => {
    const answers = await cold.live(dump);
    for (const replica of ['r1', 'r2']) {
      const left = await cold.copy({ replicas: [replica], volume: false, index: false });
      expect(await rebuildOnce(left, new Mortality())).toBe(answers);
      await left.expectWhole(LIVE);
    }
  });

  it('from a volume and all replicas, killed at every write, is gone on with and comes to the same', async () => {
    const answers = await mixed.live(dump);
    const writes = await enumerate(await mixed.copy({ index: false }), answers);
    expect(writes).toBeGreaterThan(12);
  }, 120_000);

  it('from one replica alone, killed at every write, is gone on with and comes to the same', async () => {
    const answers = await cold.live(dump);
    const left = await cold.copy({ replicas: ['r2'], volume: false, index: false });
    expect(await enumerate(left, answers)).toBeGreaterThan(8);
  }, 120_000);
});

describe('while an index is rebuilt', () => {
  it('what was found is searched and read, what was not is asked for later, nothing is taken or deleted', async () => {
    const archive = await mixed.copy({ index: false });
    // Held at the manifest of the oldest pack: everything newer is there by then.
    const packs: string[] = [];
    for (const store of archive.stores.values()) {
      for await (const { key } of store.list('m/')) packs.push(key);
    }
    const [oldest] = packs.sort();
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    for (const store of archive.stores.values()) {
      const get = store.get.bind(store);
      store.get = async (key, range, signal) => {
        if (key === oldest) await released;
        return get(key, range, signal);
      };
    }
    const [young] = ALL.filter(({ study }) => study === YOUNG);
    const [old] = LIVE.filter(({ study }) => study === OLD);
    if (young === undefined || old === undefined) throw new Error('no studies');
    await archive.live(
      async (opened) => {
        let progress: Progress | null = null;
        do {
          progress = (await opened.status()).rebuild;
          await sleep(1);
        } while ((progress?.packsDone ?? 0) < 1);
        expect(progress).toMatchObject({ packsDone: 1, packsTotal: 2, instancesDone: expect.any(Number) as number });
        const found = await opened.query({
          level: 'study',
          matches: [],
          fuzzy: false,
          limit: 10,
          offset: 0,
          include: [],
        });
        expect(found.provisional).toMatch(/being rebuilt: 1 of 2 packs/);
        expect(found.rows.map(({ study }) => study)).toEqual(expect.arrayContaining([YOUNG]));
        expect(found.rows.map(({ study }) => study)).not.toContain(OLD);
        expect(await opened.instance(scopeOf(young))).toMatchObject({ sop: young.sop });
        await expect(opened.instance(scopeOf(old))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
        const metadata = opened.metadata({ study: parseStudyUid(old.study) })[Symbol.asyncIterator]();
        expect(codeOf(await metadata.next().catch((error: unknown) => error))).toBe('UNAVAILABLE');
        for (const refused of [
          () => storeBytes(opened, young.bytes),
          () => opened.remove(scopeOf(young)),
          () => opened.migrate({ all: true }),
          () => opened.repair(),
        ]) {
          await expect(refused()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
        }
        expect(await opened.status()).toMatchObject({ ingest: 'refused' });
        release();
        await whenRebuilt(opened, new Mortality());
        expect(await opened.instance(scopeOf(old))).toMatchObject({ sop: old.sop });
        expect(await storeBytes(opened, young.bytes)).toMatchObject({ status: 'duplicate' });
      },
      { rebuild: true },
    );
  });

  it('is tried again until a replica answers, and closes meanwhile', async () => {
    const archive = await cold.copy({ volume: false, index: false });
    for (const store of archive.stores.values()) {
      store.list = () => {
        throw new Error('away');
      };
    }
    await archive.live(
      async (opened) => {
        await expect(opened.remove({ study: STUDIES[0] ?? parseStudyUid('') })).rejects.toMatchObject({
          code: 'UNAVAILABLE',
        });
      },
      { rebuild: true },
    );
  });
});
