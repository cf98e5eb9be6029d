// One fault at one site: the load begins, the fault is attempted, and then everything must be as it ought to be, whatever the fault was.
import type { Fault, Row } from './fault.js';
import { Load } from './load.js';
import type { Site } from './site.js';
import { Trial } from './trial.js';

/** Said of answers that took longer than a person would wait. */
const SLOW_MS = 2_000;

export async function tryFault(fault: Fault, site: Site): Promise<Row> {
  const load = new Load(site);
  const trial = new Trial(site, load);
  const problems: string[] = [];
  let failed = load.failures;
  try {
    await trial.lasts(0);
    trial.mark();
    await fault.attempt(trial);
  } catch (error) {
    problems.push(firstLine(error));
  } finally {
    await load.stop();
    failed = load.failures;
  }
  site.stored.push(...load.stored);
  const { reads, stores, changed } = load;
  for (const name of changed) problems.push(`changed while it was read: ${name}`);
  if (fault.mayFail !== 'reads and stores' && reads.failed > 0) problems.push(`reads failed: ${reads.first}`);
  if (fault.mayFail === 'nothing' && stores.failed > 0) problems.push(`stores failed: ${stores.first}`);
  try {
    problems.push(...(await site.verify(load.stored)));
  } catch (error) {
    problems.push(`afterwards: ${firstLine(error)}`);
  }
  const slow = [
    ...(reads.slowestMs > SLOW_MS ? [`slowest read ${seconds(reads.slowestMs)}`] : []),
    ...(stores.slowestMs > SLOW_MS ? [`slowest store ${seconds(stores.slowestMs)}`] : []),
  ];
  const seen = [trial.seen, ...slow].filter((text) => text !== '').join('; ');
  const { detectMs, recoverMs } = trial;
  return { fault, seen, failed, detectMs, recoverMs, problems, skipped: null };
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, 300) ?? '';
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

export function skippedRow(fault: Fault, skipped: string): Row {
  return { fault, seen: '', failed: '', detectMs: null, recoverMs: null, problems: [], skipped };
}
