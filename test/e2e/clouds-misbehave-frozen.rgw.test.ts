// One of three clouds freezes (SIGSTOP: connections stay open and nothing answers) while many read: no more than one slow read on each
// connection, then reads as fast as before; when it thaws, what it was owed is paid with no command. Compared within the run: the bound of
// a healthy read is many times its median, and a frozen cloud's silence is a second and more.
import { expect, it } from 'vitest';
import { PHANTOMS, WAIT } from '../support/removal-rig.js';
import { allClouds, type CloudArchive, cold, describeClouds, warm } from './clouds-misbehave-rig.js';

const READERS = 6;
const ROUNDS = 4;

function siteAt(at: number) {
  return allClouds().rgw.sites[at] ?? expect.fail('no such cloud');
}

/** How long each read of each reader took, in ms and in order. Every byte is compared. */
async function load(one: CloudArchive): Promise<number[][]> {
  const reader = async () => {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const phantom of PHANTOMS) {
        const began = performance.now();
        expect(Buffer.compare(await one.read(phantom), phantom.bytes)).toBe(0);
        times.push(performance.now() - began);
      }
    }
    return times;
  };
  return Promise.all(Array.from({ length: READERS }, reader));
}

function medianOf(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? expect.fail('no times');
}

describeClouds('a cloud that freezes', () => {
  it.each([0, 1, 2])('under read load costs each connection at most one slow read (cloud %i)', async (frozen) => {
    const one = await cold();
    await load(one);
    const healthy = medianOf((await load(one)).flat());
    siteAt(frozen).pause();
    try {
      const readers = await load(one);
      // A read that met the frozen cloud waited for a hedge at least. One more of each reader for what else the machine does meanwhile.
      const slow = Math.max(40, 20 * healthy);
      for (const times of readers) {
        expect(times.filter((ms) => ms > slow).length, `slower than ${slow} ms`).toBeLessThanOrEqual(2);
      }
      const after = medianOf((await load(one)).flat());
      expect(after / healthy).toBeLessThan(5);
    } finally {
      siteAt(frozen).resume();
    }
    await one.expectWholeAgain();
  });

  it('is owed what was stored meanwhile, and is paid when it thaws, with no command', async () => {
    const one = await warm({ policy: { protectAfterMs: 0, settleMs: 100, fileAfterMs: 100 } });
    siteAt(1).pause();
    try {
      await one.store();
      const protectedStudies = async () => (await one.archive.status()).index.studies.protected;
      await expect.poll(protectedStudies, { timeout: 60_000, interval: 50 }).toBe(3);
      const [r1, r2, r3] = await one.debts();
      expect([r1, (r2 ?? 0) > 0, r3]).toEqual([0, true, 0]);
      await one.expectEqual();
    } finally {
      siteAt(1).resume();
    }
    await expect.poll(() => one.debts(), { ...WAIT, timeout: 60_000 }).toEqual([0, 0, 0]);
    await one.expectSameKeys();
    await one.expectWholeAgain();
  });
});
