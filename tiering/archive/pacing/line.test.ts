import { expect, it } from 'vitest';
import type { Clock } from '../../core/clock.js';
import { Line } from './line.js';
import { Viewers } from './viewers.js';

const NO_RATES = { uploadBytesPerSecond: null, downloadBytesPerSecond: null };
const lengthOf = ({ length }: Uint8Array) => length;

/** Time goes on only while somebody sleeps. */
function virtualClock(onSleep: (nowMs: number) => void = () => undefined): Clock & { atMs: number } {
  const clock = {
    atMs: 0,
    nowMs: () => clock.atMs,
    monotonicMs: () => clock.atMs,
    sleep: async (ms: number) => {
      clock.atMs += ms;
      onSleep(clock.atMs);
    },
  };
  return clock;
}

it('bulk reads of all jobs together keep to the rate of the line', async () => {
  const clock = virtualClock();
  const line = new Line(clock, new Viewers(), { ...NO_RATES, downloadBytesPerSecond: 1_000_000 });
  for (let n = 0; n < 8; n += 1) await line.fetch(() => Promise.resolve(new Uint8Array(500_000)), lengthOf);
  expect(clock.atMs).toBe(4_000);
});

it('a bulk read waits until nobody waits for cold images, and no longer than two seconds', async () => {
  const viewers = new Viewers();
  let end = viewers.begin();
  const clock = virtualClock((nowMs) => nowMs >= 300 && end());
  const line = new Line(clock, viewers, NO_RATES);
  let beganMs = 0;
  const read = () => {
    beganMs = clock.atMs;
    return Promise.resolve(new Uint8Array(10));
  };
  await line.fetch(read, lengthOf);
  expect(beganMs).toBe(300);
  end = () => undefined;
  viewers.begin();
  const askedMs = clock.atMs;
  await line.fetch(read, lengthOf);
  expect(beganMs - askedMs).toBe(2_000);
});
