// The state machine of a volume in every order of events: what is never true, and what always comes true in the end.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VolumeHealth } from './volume-health.js';

const SEED = Number(process.env['HEALTH_SEED'] ?? Date.now() % 1_000_000_007);
const PROBE_MS = 5_000;

/** A volume in use, at time 0. */
function inUse(): VolumeHealth {
  const health = new VolumeHealth();
  health.serves(null);
  return health;
}

/** Good probes that it takes until a failed volume serves again. */
function probesToServe(health: VolumeHealth, nowMs: number): number {
  for (let probes = 1; ; probes += 1) {
    if (probes > 1_000) expect.fail('it never returned');
    if (health.probedWell(nowMs) === 'return') {
      health.returning();
      health.serves(null);
      return probes;
    }
  }
}

describe('a volume', () => {
  it('is suspect after an error, and its probe decides', () => {
    const health = inUse();
    expect(health.suspected('EIO')).toBe(true);
    expect(health).toMatchObject({ state: 'suspect', detail: 'EIO', readable: true, writable: false });
    health.serves(null);
    expect(health).toMatchObject({ state: 'healthy', detail: null, writable: true });
    health.suspected('EIO');
    health.failed(0, 'EROFS');
    expect(health).toMatchObject({ state: 'failed', detail: 'EROFS', readable: false, writable: false });
    // What a failed one is asked still is no news.
    expect(health.suspected('EIO')).toBe(false);
    expect(health.state).toBe('failed');
  });

  it('that is slow is read and written, and is quick only after three looks in a row', () => {
    const health = inUse();
    health.serves('reads take 2000 ms');
    expect(health).toMatchObject({ state: 'slow', readable: true, writable: true });
    health.serves(null);
    health.serves(null);
    health.serves('reads take 1500 ms');
    health.serves(null);
    health.serves(null);
    expect(health.state).toBe('slow');
    health.serves(null);
    expect(health.state).toBe('healthy');
    health.lags('a read is not over');
    expect(health.state).toBe('slow');
  });

  it('needs more good probes the more often it failed lately, a bounded number, and two again after a quiet time', () => {
    const health = inUse();
    const needed: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      health.failed(n * PROBE_MS, 'EIO');
      needed.push(probesToServe(health, n * PROBE_MS));
    }
    expect(needed).toEqual([2, 2, 4, 8, 16, 32, 32, 32]);
    health.failed(3_600_000, 'EIO');
    expect(probesToServe(health, 3_600_000)).toBe(2);
  });

  it('counts only good probes in a row, and a failure once however long it lasts', () => {
    const health = inUse();
    for (let n = 0; n < 50; n += 1) health.failed(n, 'EIO');
    expect(health.probedWell(60)).toBe('wait');
    health.failed(61, 'EIO');
    expect(health.probedWell(62)).toBe('wait');
    expect(health.probedWell(63)).toBe('return');
  });

  it('that was taken out is as if it had failed, and the operator is the first good probe when it is taken in', () => {
    const health = inUse();
    for (let n = 0; n < 6; n += 1) {
      health.failed(n, 'EIO');
      probesToServe(health, n);
    }
    health.takeOut('by the operator');
    expect(health).toMatchObject({ out: true, state: 'failed', readable: false });
    health.takeIn();
    expect(health.out).toBe(false);
    expect(probesToServe(health, 10)).toBe(1);
  });
});

type Step = 'error' | 'bad' | 'good' | 'slow' | 'lag';

/** What a probe every five seconds makes of it; resolves the state after each step. */
function run(health: VolumeHealth, steps: readonly Step[], fromMs = 0): string[] {
  return steps.map((step, n) => {
    const now = fromMs + n * PROBE_MS;
    if (step === 'error') health.suspected('EIO');
    else if (step === 'lag') health.lags('a read is not over');
    else if (step === 'bad') health.failed(now, 'EIO');
    else if (health.probedWell(now) !== 'wait') {
      if (health.state === 'failed') health.returning();
      health.serves(step === 'slow' ? 'slow' : null);
    }
    return health.state;
  });
}

const steps = fc.array(fc.constantFrom<Step>('error', 'bad', 'good', 'slow', 'lag'), { maxLength: 200 });

describe(`in any order of events (HEALTH_SEED=${SEED})`, () => {
  it('a failed volume is never used before good probes in a row, and nothing but a probe fails one', () => {
    fc.assert(
      fc.property(steps, (order) => {
        const health = inUse();
        const states = ['healthy', ...run(health, order)];
        let good = 0;
        for (const [n, step] of order.entries()) {
          const [before, after] = [states[n], states[n + 1]];
          good = step === 'good' || step === 'slow' ? good + 1 : step === 'bad' ? 0 : good;
          if (before === 'failed' && after !== 'failed') expect(good).toBeGreaterThanOrEqual(2);
          if (before !== 'failed' && after === 'failed') expect(step).toBe('bad');
          if (after === 'healthy' && before !== 'healthy') expect(step).toBe('good');
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('a volume that works from some moment on is healthy in the end', () => {
    fc.assert(
      fc.property(steps, (order) => {
        const health = inUse();
        run(health, order);
        const states = run(health, new Array<Step>(36).fill('good'), order.length * PROBE_MS);
        expect(states.at(-1)).toBe('healthy');
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('one that flaps for an hour changes its state a few times, not hundreds of times', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 2, max: 12 }), (bad, good) => {
        const health = inUse();
        const hour: Step[] = [];
        while (hour.length < 720) {
          hour.push(...new Array<Step>(bad).fill('bad'), ...new Array<Step>(good).fill('good'));
        }
        const states = run(health, hour);
        const returns = states.filter((state, n) => n > 0 && state === 'healthy' && states[n - 1] === 'failed').length;
        // At once it would come back up to 240 times.
        expect(returns).toBeLessThanOrEqual(30);
      }),
      { seed: SEED, numRuns: 60 },
    );
  });
});
