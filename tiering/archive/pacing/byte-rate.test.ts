import { expect, it } from 'vitest';
import type { Clock } from '../../core/clock.js';
import { ByteRate } from './byte-rate.js';

function clockAt(start: number): Clock & { atMs: number } {
  const clock = {
    atMs: start,
    nowMs: () => clock.atMs,
    monotonicMs: () => clock.atMs,
    sleep: async (ms: number) => {
      clock.atMs += ms;
    },
  };
  return clock;
}

it('keeps to so many bytes a second on average, and saves nothing up', async () => {
  const clock = clockAt(1_000);
  const rate = new ByteRate(clock, 1_000_000);
  for (let at = 0; at < 10; at += 1) await rate.spend(500_000);
  expect(clock.atMs).toBe(1_000 + 5_000);
  clock.atMs += 60_000;
  await rate.spend(1_000_000);
  expect(clock.atMs).toBe(67_000);
});

it('without a limit never waits', async () => {
  const clock = clockAt(0);
  await new ByteRate(clock, null).spend(1e12);
  expect(clock.atMs).toBe(0);
});
