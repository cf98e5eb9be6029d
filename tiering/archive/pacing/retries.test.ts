import { describe, expect, it } from 'vitest';
import type { Standby } from '../../cold/replicas/guarded-replica.js';
import type { Clock } from '../../core/clock.js';
import { ArchiveError } from '../../core/errors.js';
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

describe('Retries of what waits for somebody', () => {
  const AWAY = new ArchiveError('UNAVAILABLE', 'it does not answer');
  const BAD = new ArchiveError('CORRUPT', 'it is not what it was');

  /** Items that each failed so often that they would wait for minutes, for r1 as it was then. */
  function waiting(items: readonly string[], state: Standby['state'], error: ArchiveError) {
    const clock = clockAt();
    const one = { r1: { state, returns: 0 } as Standby, r2: { state: 'well', returns: 0 } as Standby };
    const retries = new Retries(clock, () => new Map(Object.entries(one)));
    for (const item of items) for (let n = 0; n < 9; n += 1) retries.failed(item, error);
    clock.now += 1_000;
    const due = () => items.filter((item) => retries.mayTry(item));
    return { clock, one, retries, due };
  }

  it('is due at once when that one is back, all of it and in its order', () => {
    const { one, due } = waiting(['a', 'b', 'c'], 'away', AWAY);
    expect(due()).toEqual([]);
    one.r2 = { state: 'well', returns: 1 };
    expect(due(), 'another one came back').toEqual([]);
    one.r1 = { state: 'well', returns: 1 };
    expect(due()).toEqual(['a', 'b', 'c']);
  });

  it('a volume that is back is no replica of that name', () => {
    const clock = clockAt();
    const one: { a: Standby; 'volume a': Standby } = {
      a: { state: 'well', returns: 0 },
      'volume a': { state: 'away', returns: 0 },
    };
    const retries = new Retries(clock, () => new Map(Object.entries(one)));
    retries.failed('study', AWAY);
    one.a = { state: 'well', returns: 1 };
    expect(retries.mayTry('study')).toBe(false);
    one['volume a'] = { state: 'well', returns: 1 };
    expect(retries.mayTry('study')).toBe(true);
  });

  it('when it is back and takes nothing yet, one tries it and the others wait for what becomes of that', () => {
    const { clock, one, retries, due } = waiting(['a', 'b', 'c'], 'away', AWAY);
    one.r1 = { state: 'ailing', returns: 1 };
    expect(due()).toEqual(['a', 'b', 'c']);
    retries.failed('a', AWAY);
    expect(due()).toEqual([]);
    clock.now += 29_000;
    expect(due()).toEqual([]);
    clock.now += 1_000;
    retries.failed('a', AWAY);
    expect(due(), 'one try in half a minute').toEqual([]);
    clock.now += 30_000;
    // It works: what else had failed there need not wait.
    one.r1 = { state: 'well', returns: 1 };
    retries.succeeded('a');
    expect(due()).toEqual(['a', 'b', 'c']);
    retries.failed('b', BAD);
    expect(due()).toEqual(['a', 'c']);
  });

  it('what fails by its own fault waits as ever, whoever comes back', () => {
    const own = waiting(['a'], 'away', BAD);
    own.one.r1 = { state: 'well', returns: 1 };
    expect(own.due()).toEqual([]);
    // Others get through all the while: not who is asked fails, but what is sent.
    const poison = waiting(['a'], 'ailing', AWAY);
    poison.one.r1 = { state: 'well', returns: 0 };
    let tries = 0;
    for (let second = 0; second < 3_600; second += 1) {
      poison.clock.now += 1_000;
      poison.retries.succeeded(`other ${second}`);
      if (poison.due().length === 0) continue;
      tries += 1;
      poison.one.r1 = { state: 'ailing', returns: 0 };
      poison.retries.failed('a', AWAY);
      poison.one.r1 = { state: 'well', returns: 0 };
    }
    expect(tries).toBeLessThanOrEqual(7);
  });
});
