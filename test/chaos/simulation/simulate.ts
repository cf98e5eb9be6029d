// `npm run simulate -- --histories 100000 --seed 1`: histories one after another, seed by seed, in one process. Prints how far it is and, of each that
// breaks something, its seed and steps.
import './virtual-time.js';
import { parseArgs } from 'node:util';
import { IndexDisk } from './disk-index.js';
import { type Outcome, runHistory } from './history.js';
import { planOf } from './plan.js';

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    log: { type: 'boolean', default: false },
    'stop-at': { type: 'string', default: '10' },
  },
});

const index = new IndexDisk();
const first = Number(values.seed);
const count = Number(values.histories);
const began = performance.now();
const faults: Record<string, number> = {};
const failed: number[] = [];
let calls = 0;
let writes = 0;
let steps = 0;

for (let seed = first; seed < first + count; seed += 1) {
  const outcome = await runHistory(index, planOf(seed));
  calls += outcome.calls;
  writes += outcome.writes;
  steps += outcome.steps;
  for (const [name, times] of Object.entries(outcome.faults)) faults[name] = (faults[name] ?? 0) + times;
  if (outcome.violations.length > 0) {
    failed.push(seed);
    tell(outcome);
    if (failed.length >= Number(values['stop-at'])) break;
  }
  if ((seed - first + 1) % 100 === 0) progress(seed - first + 1);
}
progress(steps === 0 ? 0 : count);
console.log(
  JSON.stringify({
    first,
    count,
    calls,
    writes,
    steps,
    faults,
    failed,
    seconds: Math.round((performance.now() - began) / 1000),
  }),
);
process.exitCode = failed.length === 0 ? 0 : 1;

function tell({ seed, violations, log }: Outcome): void {
  console.log(`seed ${seed}: ${violations.slice(0, 3).join('\n  ')}`);
  if (values.log) console.log(log.map((line) => `    ${line}`).join('\n'));
}

function progress(done: number): void {
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${done} histories, ${calls} calls, ${failed.length} failed, ${seconds.toFixed(1)} s, ${((seconds * 1000) / Math.max(1, done)).toFixed(1)} ms each`,
  );
}
