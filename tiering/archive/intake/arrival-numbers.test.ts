import { describe, expect, it } from 'vitest';
import { ArrivalNumbers } from './arrival-numbers.js';

const NOON = Date.UTC(2031, 4, 6, 12);

describe('arrival numbers', () => {
  it('of a process are above those of an earlier one, whatever the index has forgotten', () => {
    const before = new ArrivalNumbers(0, NOON);
    const given = Array.from({ length: 500 }, () => before.next());
    expect(given).toEqual(given.map((_, at) => (given[0] ?? 0) + at));
    const after = new ArrivalNumbers(0, NOON + 1000);
    expect(after.next()).toBeGreaterThan(given.at(-1) ?? 0);
  });

  it('go on above what the index and volumes know, with a clock that was set back', () => {
    const known = new ArrivalNumbers(0, NOON).next();
    const numbers = new ArrivalNumbers(known, NOON - 3_600_000);
    expect(numbers.next()).toBe(known + 1);
    numbers.goOnAbove(known + 1000);
    expect(numbers.next()).toBe(known + 1001);
    numbers.goOnAbove(3);
    expect(numbers.next()).toBe(known + 1002);
  });

  it.each([Number.NaN, -5, Date.UTC(2900, 0, 1)])('do without a clock that says %d', (nowMs) => {
    expect(new ArrivalNumbers(7, nowMs).next()).toBe(8);
  });
});
