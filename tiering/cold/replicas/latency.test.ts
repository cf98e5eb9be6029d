// What the latency record says of known series.
import { describe, expect, it } from 'vitest';
import { Latency } from './latency.js';

describe('Latency', () => {
  it('knows nothing at first, and ranks the unknown before all', () => {
    const latency = new Latency();
    expect([latency.meanMs('small'), latency.p95Ms('small'), latency.rankMs('small', 0)]).toEqual([null, null, 0]);
  });

  it('keeps kinds of work apart', () => {
    const latency = new Latency();
    latency.record('small', 5, 0);
    latency.record('large', 500, 0);
    expect([latency.meanMs('small'), latency.meanMs('large'), latency.meanMs('write')]).toEqual([5, 500, null]);
  });

  it('gives the 95th percentile of the last 64 calls', () => {
    const latency = new Latency();
    for (let at = 0; at < 100; at += 1) latency.record('small', 1_000, 0);
    for (let at = 1; at <= 64; at += 1) latency.record('small', at, 0);
    expect(latency.p95Ms('small')).toBe(61);
  });

  it('follows a change within a few calls', () => {
    const latency = new Latency();
    for (let at = 0; at < 50; at += 1) latency.record('small', 10, 0);
    for (let at = 0; at < 10; at += 1) latency.record('small', 1_000, 0);
    expect(latency.meanMs('small')).toBeGreaterThan(800);
  });

  it('takes a call that was given up as at least that long, and never as good news', () => {
    const latency = new Latency();
    for (let at = 0; at < 10; at += 1) latency.record('small', 100, 0);
    latency.recordAtLeast('small', 20, 0);
    expect(latency.meanMs('small')).toBe(100);
    latency.recordAtLeast('small', 400, 0);
    expect(latency.meanMs('small')).toBe(400);
  });

  it('trusts a mean less the older it is, so that a slow replica is tried again some day', () => {
    const latency = new Latency();
    latency.record('small', 800, 1_000);
    expect(latency.rankMs('small', 1_000)).toBe(800);
    expect(latency.rankMs('small', 31_000)).toBe(400);
    expect(latency.rankMs('small', 301_000)).toBeLessThan(1);
  });
});
