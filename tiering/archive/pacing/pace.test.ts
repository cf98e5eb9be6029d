import { describe, expect, it } from 'vitest';
import { systemClock } from '../../core/clock.js';
import { atPace, Pace } from './pace.js';

/** A clock on which work takes what it says, and that notes how long it was asked to sleep. */
function rig(busy: boolean, viewed: () => boolean = () => false) {
  let now = 0;
  const rests: number[] = [];
  const clock = {
    ...systemClock,
    monotonicMs: () => now,
    sleep: (ms: number) => {
      rests.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
  const work = (ms: number) => () => {
    now += ms;
    return Promise.resolve(ms);
  };
  return { pace: new Pace(clock, () => busy, viewed), rests, work };
}

describe('Pace', () => {
  it('does not begin a step while somebody waits for cold images, and begins all the same after two seconds', async () => {
    let frames = 4;
    const some = rig(false, () => frames-- > 0);
    await some.pace.step(some.work(40));
    expect(some.rests).toEqual([25, 25, 25, 25]);
    const always = rig(false, () => true);
    await always.pace.step(always.work(40));
    expect(always.rests).toEqual([...Array.from({ length: 80 }, () => 25), 120]);
  });

  it('rests three times as long as a step took while arrivals come in', async () => {
    const { pace, rests, work } = rig(true);
    expect(await pace.step(work(40))).toBe(40);
    await pace.step(work(60_000));
    expect(rests).toEqual([120, 5_000]);
  });

  it('does not rest when nobody waits', async () => {
    const { pace, rests, work } = rig(false);
    await pace.step(work(40));
    expect(rests).toEqual([]);
  });

  it('does not rest after a step that failed, and passes on why', async () => {
    const { pace, rests } = rig(true);
    await expect(pace.step(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(rests).toEqual([]);
  });

  it('is left out for work that an operator waits for', async () => {
    const { rests, work } = rig(true);
    expect(await atPace(undefined, work(40))).toBe(40);
    expect(rests).toEqual([]);
  });
});
