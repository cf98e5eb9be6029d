// The production archive on simulated time, disks and clouds, under a nemesis (DESIGN section 10). FILMROOM_SEED: the first seed; FILMROOM_HISTORIES: how
// many, in place of as many as fit into a minute. A seed that is printed here is run again, with every step, by
// `npm run simulate -- --seed SEED --histories 1 --log`.
import './virtual-time.js';
import { describe, expect, it } from 'vitest';
import { but } from '../../support/but.js';
import { IndexDisk } from './disk-index.js';
import { type Outcome, runHistory } from './history.js';
import { MUTATIONS } from './mutations.js';
import { type Plan, planOf, type Step } from './plan.js';
import { shrink } from './shrink.js';
import type { Decorators } from './world.js';

const SLICE_MS = 60_000;
const SEED = Number(process.env['FILMROOM_SEED'] ?? 1);
const HISTORIES = process.env['FILMROOM_HISTORIES'];
/** A mistake of the archive shows in so many histories. */
const MUTANT_HISTORIES = 80;

const index = new IndexDisk();

function told({ seed, violations, log }: Outcome): string {
  return [`seed ${seed}`, ...violations, ...log].join('\n');
}

describe('simulation', () => {
  it('the same seed is the same history, event by event', async () => {
    for (const seed of [SEED, SEED + 6]) {
      const first = await runHistory(index, planOf(seed));
      const again = await runHistory(index, planOf(seed));
      expect(again.log).toEqual(first.log);
      expect(again.digest).toBe(first.digest);
    }
    const other = await runHistory(index, planOf(SEED + 1));
    expect(other.digest).not.toBe((await runHistory(index, planOf(SEED))).digest);
  }, 60_000);

  it(
    'nothing acknowledged is lost or changed, nothing deleted comes back, and everything comes to rest',
    async () => {
      const began = performance.now();
      let done = 0;
      const enough = () => (HISTORIES === undefined ? performance.now() - began > SLICE_MS : done >= Number(HISTORIES));
      for (let seed = SEED; !enough(); seed += 1, done += 1) {
        const plan = planOf(seed);
        const outcome = await runHistory(index, plan);
        if (outcome.violations.length > 0) {
          const least = await shrink(index, plan);
          expect.fail(`${told(outcome)}\n\nthe least that shows it:\n${told(await runHistory(index, least))}`);
        }
      }
      process.stdout.write(`simulation: ${done} histories from seed ${SEED}, all good\n`);
    },
    24 * 3_600_000,
  );

  it.each(Object.entries(MUTATIONS))(
    'it would be found that %s',
    async (_, mutation) => {
      let found: Outcome | undefined;
      for (let seed = 1; found === undefined && seed <= MUTANT_HISTORIES; seed += 1) {
        const outcome = await runHistory(index, planOf(seed), mutation);
        if (outcome.violations.length > 0) found = outcome;
      }
      expect(found).toBeDefined();
    },
    120_000,
  );
});

describe('regressions that histories have found', () => {
  const world = planOf(1).world;
  const store: Step = { do: 'store', study: 0, from: 0, count: 2, other: false, await: true };
  const plans = (steps: (calls: number, undone: boolean) => readonly Step[]): Plan[] =>
    [1, 2, 3, 4, 5, 6].flatMap((calls) =>
      [true, false].map((undone) => ({ seed: calls, world: { ...world, seed: calls }, steps: steps(calls, undone) })),
    );
  const broken = async (all: readonly Plan[], decorators: Decorators = {}): Promise<readonly string[]> => {
    const outcomes: Outcome[] = [];
    for (const plan of all) outcomes.push(await runHistory(index, plan, decorators));
    return outcomes.flatMap(({ violations }) => violations);
  };

  it('what a killed process wrote is on the disk before it is promised to anyone (seed 132)', async () => {
    const all = plans((calls, undone) => [
      { do: 'die', how: 'kill', calls, undone },
      store,
      { do: 'wait', ms: 5_000 },
      // It is there already, and that is as good as a promise.
      store,
      { do: 'die', how: 'power', calls: 1, undone: true },
      { do: 'store', study: 1, from: 0, count: 1, other: false, await: true },
    ]);
    expect(await broken(all)).toEqual([]);
    const unsynced: Decorators = { volume: (volume) => but(volume, { sync: () => Promise.resolve() }) };
    expect(await broken(all, unsynced)).not.toEqual([]);
  }, 60_000);

  it('what failed for the index stays failed, whatever was answered since (seed 1033)', async () => {
    const one = (other: boolean): Step => ({ ...store, study: 1, count: 1, other });
    const full: Step = { do: 'index', fault: 'FULL', ms: 50 };
    const after: readonly Step[] = [
      { do: 'wait', ms: 100 },
      { do: 'die', how: 'kill', calls: 1, undone: true },
      { ...store, study: 2 },
      { do: 'wait', ms: 20_000 },
    ];
    const other = plans(() => [store, full, one(false), { do: 'wait', ms: 20_000 }, one(true), ...after]);
    const remove: Step = { do: 'delete', study: 1, instance: null, await: true };
    const again = plans(() => [one(false), full, remove, { do: 'wait', ms: 20_000 }, one(false), ...after]);
    expect(await broken([...other.slice(0, 4), ...again.slice(0, 4)])).toEqual([]);
  }, 60_000);

  it('what failed for the index and its volume at once stays failed, whatever was answered since (seed 4000452)', async () => {
    const one: Step = { ...store, study: 1, count: 1 };
    const all = plans((calls) => [
      one,
      { do: 'migrate', study: 1, keepHot: false, await: true },
      { ...store, study: 2 },
      { do: 'disk', at: 0, fault: 'erring', ms: 15_000 },
      { do: 'index', fault: 'UNAVAILABLE', ms: 50 },
      { do: 'delete', study: 1, instance: calls, await: true },
      { do: 'wait', ms: 5_000 },
      one,
      { do: 'wait', ms: 20_000 },
    ]);
    expect(await broken(all)).toEqual([]);
  }, 60_000);

  it('damage that was found while the index could not be written is mended once it can (seed 432)', async () => {
    const all = plans((calls) => [
      { ...store, count: 1 },
      { do: 'migrate', study: 0, keepHot: true, await: true },
      { do: 'harm-object', way: 'lose', pick: calls * 2 },
      { do: 'index', fault: 'UNAVAILABLE', ms: 15_000 },
      { do: 'scrub', deep: true, await: true },
      { do: 'wait', ms: 60_000 },
    ]);
    expect(await broken(all.slice(0, 4))).toEqual([]);
  }, 60_000);

  it('a byte between the images of a hot pack that changes keeps no replica waiting for the pack (seed 101072)', async () => {
    const all = plans((calls) => [
      store,
      { do: 'cloud', at: 2, fault: 'refusing', ms: 60_000 },
      { do: 'migrate', study: 0, keepHot: true, await: true },
      // Near the end of the file, where the tar ends.
      { do: 'harm-file', pick: (2 ** 24 - calls * 16) * 256 },
    ]);
    const three = all.slice(0, 6).map((plan) => ({ ...plan, world: { ...plan.world, clouds: 3 } }));
    expect(await broken(three)).toEqual([]);
  }, 60_000);

  it('what a killed process committed is on the disk before a replica is told of it (seed 103260)', async () => {
    const all = plans((calls, undone) => [
      store,
      { do: 'disk', at: 0, fault: 'gone', ms: 5 * 60_000 },
      { do: 'wait', ms: 2_000 },
      { do: 'die', how: 'kill', calls, undone },
      { do: 'hold', study: 0, await: true },
      { do: 'wait', ms: 30_000 },
      { do: 'die', how: 'power', calls: 1, undone: true },
      { ...store, study: 1 },
    ]);
    expect(await broken(all)).toEqual([]);
  }, 60_000);

  it('a chunk of a pack that is deleted while it is sealed leaves the replicas, whatever is cut (seed 103508)', async () => {
    const all = [5, 10].flatMap((ms) =>
      [18, 19, 20, 21, 22, 23].map(
        (calls): Plan => ({
          seed: 3,
          world: { ...world, seed: 3 },
          steps: [
            store,
            { do: 'die', how: 'power', calls, undone: false },
            { do: 'migrate', study: 0, keepHot: false, await: false },
            { do: 'wait', ms },
            { do: 'delete', study: 0, instance: null, await: true },
          ],
        }),
      ),
    );
    expect(await broken(all)).toEqual([]);
    let named = false;
    const hasty: Decorators = {
      index: (one) =>
        but(one, {
          nameChunk: async (...chunk) => {
            await one.nameChunk(...chunk);
            named = true;
          },
          commitDurable: async () => {
            if (!named) await one.commitDurable();
            named = false;
          },
        }),
    };
    expect(await broken(all, hasty)).not.toEqual([]);
  }, 60_000);

  it('a rebuild that read no deletes would be found', async () => {
    const [plan] = plans(() => [
      store,
      { do: 'migrate', study: 0, keepHot: true, await: true },
      { do: 'delete', study: 0, instance: 0, await: true },
      { do: 'wait', ms: 2 * 60_000 },
      { do: 'restart' },
      { do: 'wait', ms: 2 * 60_000 },
      { do: 'lose-index' },
      { do: 'wait', ms: 60_000 },
    ]);
    if (plan === undefined) throw new Error('there is a plan');
    expect(await broken([plan])).toEqual([]);
    let lives = 0;
    const deaf: Decorators = {
      index: (one) => {
        lives += 1;
        if (lives < 3) return one;
        const commitArrivals: typeof one.commitArrivals = (batch) => one.commitArrivals({ ...batch, tombstones: [] });
        return but(one, { bury: () => Promise.resolve(0), commitArrivals });
      },
    };
    expect(await broken([plan], deaf)).not.toEqual([]);
  }, 60_000);
});
