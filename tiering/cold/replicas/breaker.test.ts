// The breaker as a table of times.
import { describe, expect, it } from 'vitest';
import { BREAKER_FAILURES, BREAKER_OPEN_MS, BREAKER_OPEN_MS_MAX } from '../limits.js';
import { Breaker } from './breaker.js';

function opened(atMs: number): Breaker {
  const breaker = new Breaker();
  for (let at = 0; at < BREAKER_FAILURES; at += 1) breaker.failed(atMs, 0.5);
  return breaker;
}

describe('Breaker', () => {
  it('opens at the last of several failures in a row, and an answer in between begins the count anew', () => {
    const breaker = new Breaker();
    for (let round = 0; round < 5; round += 1) {
      for (let at = 1; at < BREAKER_FAILURES; at += 1) breaker.failed(0, 0.5);
      expect(breaker.open).toBe(false);
      breaker.answered();
    }
    expect(opened(0).open).toBe(true);
  });

  it('may be probed after its time, and is open until a probe succeeds, whatever late answers come', () => {
    const breaker = opened(1_000);
    expect(breaker.mayProbe(1_000 + BREAKER_OPEN_MS - 1)).toBe(false);
    expect(breaker.mayProbe(1_000 + BREAKER_OPEN_MS)).toBe(true);
    breaker.answered();
    expect(breaker.open).toBe(true);
    breaker.close();
    expect(breaker.open).toBe(false);
  });

  it('waits twice as long after each probe that fails, up to its bound, and from the start after a success', () => {
    const breaker = opened(0);
    let expected = BREAKER_OPEN_MS;
    for (let at = 0; at < 10; at += 1) {
      expected = Math.min(BREAKER_OPEN_MS_MAX, expected * 2);
      breaker.trip(0, 0.5);
      expect(breaker.mayProbe(expected - 1)).toBe(false);
      expect(breaker.mayProbe(expected)).toBe(true);
    }
    breaker.close();
    breaker.trip(0, 0.5);
    expect(breaker.mayProbe(BREAKER_OPEN_MS)).toBe(true);
  });

  it('spreads its times by a quarter either way', () => {
    for (const [share, factor] of [
      [0, 0.75],
      [0.999_999, 1.25],
    ] as const) {
      const breaker = new Breaker();
      breaker.trip(0, share);
      expect(breaker.mayProbe(BREAKER_OPEN_MS * factor - 2)).toBe(false);
      expect(breaker.mayProbe(BREAKER_OPEN_MS * factor)).toBe(true);
    }
  });
});
