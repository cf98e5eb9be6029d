import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock, systemRandom } from '../core/clock.js';
import { packIdMs, parsePackId } from '../core/ids.js';
import { PackIds, packIdBytes, packIdOf } from './pack-id.js';

function clockOf(times: readonly number[]): Clock {
  let call = 0;
  return { ...systemClock, nowMs: () => times[Math.min(call++, times.length - 1)] ?? 0 };
}

describe('pack ids', () => {
  it('are UUIDs of version 7 that carry the time', () => {
    const id = new PackIds(clockOf([1_700_000_000_000]), systemRandom).next();
    expect(packIdMs(id)).toBe(1_700_000_000_000);
    expect(packIdOf(packIdBytes(id))).toBe(id);
  });

  it('ascend as text whatever the clock does', () => {
    const times = fc.array(fc.integer({ min: 1_600_000_000_000, max: 1_600_000_000_050 }), {
      minLength: 2,
      maxLength: 60,
    });
    fc.assert(
      fc.property(times, (clock) => {
        const ids = new PackIds(clockOf(clock), systemRandom);
        const made = clock.map(() => ids.next());
        return made.every((id, at) => at === 0 || id > (made[at - 1] ?? ''));
      }),
    );
  });

  it('ascend when more are made in a millisecond than its counter holds', () => {
    const ids = new PackIds(clockOf([1_700_000_000_000]), systemRandom);
    const made = Array.from({ length: 10_000 }, () => ids.next());
    expect(made.toSorted()).toEqual(made);
    expect(new Set(made).size).toBe(made.length);
  });

  it('go on after the last one of an earlier run, though the clock was set back', () => {
    const last = parsePackId('018f5e2a-7b00-7fff-bfff-ffffffffffff');
    const ids = new PackIds(clockOf([1_000]), systemRandom, last);
    const first = ids.next();
    expect(first > last).toBe(true);
    expect(ids.next() > first).toBe(true);
  });
});
