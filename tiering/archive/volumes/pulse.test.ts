// What counts as slow, and what is told of before it fails, on a clock of the test's own.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../core/clock.js';
import { type CallKind, Pulse } from './pulse.js';

const MiB = 1024 * 1024;
let nowMs = 0;
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: async () => undefined };
let pulse: Pulse;
beforeEach(() => {
  nowMs = 0;
  pulse = new Pulse(clock);
});

function calls(count: number, ms: number, kind: CallKind = 'read', bytes = 0): void {
  for (let n = 0; n < count; n += 1) {
    const call = pulse.begin(kind, bytes);
    nowMs += ms;
    pulse.end(call, 'done');
  }
}

/** Looks every five seconds, with some calls between them. */
function rounds(count: number, ms: number): ReturnType<Pulse['look']> {
  let signs = pulse.look();
  for (let n = 0; n < count; n += 1) {
    const begun = nowMs;
    calls(10, ms);
    nowMs = Math.max(nowMs, begun + 5_000);
    signs = pulse.look();
  }
  return signs;
}

describe('the pulse of a volume', () => {
  it('is quiet while calls take what they take, and says what that is', () => {
    expect(rounds(20, 6)).toEqual({ slow: null, trend: null });
    expect(pulse.latencies().read).toBeGreaterThanOrEqual(6);
    expect(pulse.latencies().read).toBeLessThanOrEqual(9);
    expect(pulse.latencies().sync).toBeNull();
  });

  it('tells of calls that take ever longer before they are slow', () => {
    rounds(20, 6);
    const signs = rounds(4, 90);
    expect(signs.slow).toBeNull();
    expect(signs.trend).toMatch(/^reads take \d+ ms, usually [\d.]+ ms$/);
    // And not any more once it is over.
    expect(rounds(20, 6)).toEqual({ slow: null, trend: null });
  });

  it('is slow against its own habit, and by any measure where it has none', () => {
    rounds(20, 6);
    expect(rounds(3, 400).slow).toMatch(/^reads take/);
    pulse = new Pulse(clock);
    calls(5, 400);
    expect(pulse.look().slow).toBeNull();
    calls(5, 1_500);
    expect(pulse.look().slow).toMatch(/^reads take/);
  });

  it('does not take what is out of the ordinary for a habit', () => {
    rounds(20, 6);
    expect(rounds(30, 400).slow).not.toBeNull();
  });

  it('counts long calls by their length', () => {
    calls(60, 5, 'write', 0);
    calls(60, 60, 'write', 15 * MiB);
    expect(pulse.look()).toEqual({ slow: null, trend: null });
    expect(pulse.latencies().write).toBeLessThan(10);
  });

  it('sees a call that is not over', () => {
    rounds(5, 6);
    const hung = pulse.begin('read', MiB);
    nowMs += 2_500;
    expect(pulse.look().slow).toBeNull();
    nowMs += 2_500;
    expect(pulse.look().slow).toMatch(/^one of its reads is not over after 5000 ms$/);
    pulse.end(hung, 'given up');
    expect(rounds(30, 6).slow).toBeNull();
  });

  it('tells of single errors that probes do not show, when there are more of them than usual', () => {
    rounds(20, 6);
    const fail = () => pulse.end(pulse.begin('read', 0), 'failed');
    fail();
    fail();
    expect(pulse.look().trend).toBeNull();
    fail();
    fail();
    expect(pulse.look().trend).toBe('4 calls failed within the last minutes');
    nowMs += 3_600_000;
    pulse.look();
    expect(pulse.look().trend).toBeNull();
  });

  it('says nothing of calls that their callers gave up soon', () => {
    for (let n = 0; n < 50; n += 1) pulse.end(pulse.begin('read', 0), 'given up');
    expect(pulse.latencies().read).toBeNull();
  });
});
