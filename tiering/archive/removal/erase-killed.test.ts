// Erase, killed at every single write: what lives is whole from every replica at every moment, and the next call finishes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { storeBytes } from '../../../test/support/archive-rig.js';
import { RestingArchive } from '../../../test/support/keys-rig.js';
import { done, killEverywhere } from '../../../test/support/kill-everywhere.js';
import { Mortality } from '../../../test/support/mortal.js';
import { MortalArchive } from '../../../test/support/mortal-archive.js';
import { scopeOf } from '../../../test/support/removal-rig.js';
import { createWorkerPool } from '../../../workers/pool.js';
import { systemClock } from '../../core/clock.js';
import { hasCode } from '../../core/errors.js';
import { forEachLimited } from '../../core/queues.js';
import type { Archive } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { Committer } from '../intake/committer.js';
import { collectGarbage } from '../recovery/garbage.js';
import { scrub } from '../recovery/scrub.js';
import { EmptyPacks } from './empty-packs.js';
import { erase } from './erase.js';

const DAYS_MS = 3 * 24 * 3_600_000;

let rested: RestingArchive;
beforeAll(async () => {
  rested = await RestingArchive.create();
}, 60_000);
afterAll(async () => rested.destroy());

async function eraseAll(ctx: ArchiveContext) {
  const committer = new Committer(ctx, await ctx.index.highestSeq());
  return erase({ ctx, committer, emptyPacks: new EmptyPacks(ctx, committer) }, {});
}

/** Nothing is to be erased, nothing damaged, and no object is anywhere that the index does not have. */
async function expectConverged(archive: RestingArchive, after: string): Promise<void> {
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  await archive.run(
    async (ctx) => {
      const report = await eraseAll(ctx);
      expect(report, after).toMatchObject({ pending: { instances: 0, bytes: 0 }, failures: [], unavailable: [] });
      aheadMs = DAYS_MS;
      expect((await collectGarbage(ctx)).failed.size).toBe(0);
      expect(await ctx.index.garbage(Number.MAX_SAFE_INTEGER)).toEqual([]);
      expect((await scrub(ctx, { deep: true })).findings, after).toEqual([]);
    },
    { clock },
  );
  await archive.expectWhole();
}

async function dieAndRecover(at: number, undone: boolean): Promise<void> {
  const archive = await rested.copy();
  const life = new Mortality(at, undone);
  const killed = await archive.run(eraseAll, { life }).then(
    ({ pending, failures }) => pending.instances > 0 || failures.length > 0,
    () => true,
  );
  expect(killed, `write ${at} is reached`).toBe(true);
  await archive.expectWhole();
  await expectConverged(archive, `after ${life.writes.at(-1)} (${at}, ${undone})`);
  await archive.remove();
}

describe('erase without a volume', () => {
  it('killed at any write loses nothing and is taken to its end by the next call', async () => {
    const whole = new Mortality();
    const reference = await rested.copy();
    const before = new Set(await reference.chunkNames());
    expect(await reference.run(eraseAll, { life: whole })).toMatchObject({ packs: 1, instances: 1, failures: [] });
    await expectConverged(reference, 'unharmed');
    // The pack that held it has other chunks now, the other two packs are as they were.
    const kept = (await reference.chunkNames()).filter((name) => before.has(name));
    expect([before.size, kept.length]).toEqual([9, 6]);
    await reference.remove();
    // Before a write is after the one before it, but for the first.
    const deaths = [{ at: 1, undone: true }, ...whole.writes.map((_, n) => ({ at: n + 1, undone: false }))];
    expect(deaths.length).toBeGreaterThan(20);
    await forEachLimited(deaths, 4, ({ at, undone }) => dieAndRecover(at, undone));
  }, 300_000);
});

describe('erase with a volume', () => {
  it('ended by a power cut after any write loses nothing and leaves nothing over', async () => {
    const pool = createWorkerPool({ threads: 1 });
    try {
      const instances = [...phantomStudies({ seed: 21, studies: 1, slices: 2, shrink: 32 })].slice(0, 2);
      const [gone, ...live] = instances;
      if (gone === undefined) throw new Error('no phantoms');
      const from = await MortalArchive.create(pool);
      await from.live(async (archive) => {
        for (const { bytes } of instances) expect(await storeBytes(archive, bytes)).toMatchObject({ status: 'stored' });
        await done(archive.migrate({ all: true }, { keepHot: true }));
      });
      const work = async (archive: Archive) => {
        await archive.remove(scopeOf(gone)).catch((error: unknown) => {
          // Done by the process that was killed.
          if (!hasCode(error, 'NOT_FOUND')) throw error;
        });
        const report = archive.erase();
        await done(report);
        if ((await report).pending.instances > 0) throw new Error('something is left to be erased');
      };
      await killEverywhere({ from, work, live, pointsMin: 30, ways: ['power'] });
    } finally {
      await pool.close();
    }
  }, 300_000);
});
