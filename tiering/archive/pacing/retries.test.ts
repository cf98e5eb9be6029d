import { describe, expect, it } from 'vitest';
import type { Clock } from '../../core/clock.js';
import { Retries } from './retries.js';

function clockAt(): Clock & { now: number } {
  return {
    now: 0,
    nowMs() {
      return this.now;
    },
    monotonicMs() {
      return this.now;
    },
    sleep: () => Promise.resolve(),
  };
}

describe('Retries', () => {
  it('lets an item be tried at once, and later each time that it fails', () => {
    const clock = clockAt();
    const retries = new Retries(clock);
    const waits: number[] = [];
    expect(retries.mayTry('a')).toBe(true);
    for (let failure = 0; failure < 12; failure += 1) {
      retries.failed('a');
      const from = clock.now;
      while (!retries.mayTry('a')) clock.now += 1_000;
      waits.push(clock.now - from);
    }
    expect(waits.slice(0, 4)).toEqual([2_000, 4_000, 8_000, 16_000]);
    expect(waits.at(-1)).toBe(600_000);
    expect(retries.mayTry('b')).toBe(true);
  });

  it('forgets the failures of an item that worked', () => {
    const clock = clockAt();
    const retries = new Retries(clock);
    retries.failed('a');
    retries.failed('a');
    retries.succeeded('a');
    expect(retries.mayTry('a')).toBe(true);
    retries.failed('a');
    clock.now += 2_000;
    expect(retries.mayTry('a')).toBe(true);
  });
});
