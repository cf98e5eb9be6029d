// Random faults of the library in a row, for a long time, each server the same process throughout: at the end it must hold no more descriptors and
// no more memory than when it had warmed up, and its event loop must turn as it did. By hand:
//   npm run soak -- --for 30m [--seed N] [--stages plain,disks,clouds]
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDuration } from '../../gateway/units.js';
import { generator } from '../support/chaos-proxy.js';
import type { Fault, StageName } from './fault.js';
import { LIBRARY } from './library.js';
import { lacks } from './needs.js';
import type { Site } from './site.js';
import { makeSite, SharedClouds } from './stages.js';
import { tryFault } from './try-fault.js';

const MIB = 2 ** 20;
/** Caches, pools and connections have filled by then. */
const WARM_UP_SHARE = 0.2;
/** Before each measurement, with nothing asked: sockets close, memory is collected. */
const QUIET_MS = 8_000;
const HANDLES_GROWTH_MAX = 64;
/** Open pack files, which each volume caches: 256 of them, and trays. They count by themselves, since that cache is full only after many studies. */
const VOLUME_FILES_MAX = 256 + 32;
/** Of a heap that is collected when it must be, and of more studies than before. */
const MEMORY_GROWTH_BYTES_MAX = 192 * MIB;
const DELAY_GROWTH_MS_MAX = 150;

interface Measure {
  /** Descriptors of anything but files of the volume. */
  readonly handles: number;
  readonly volumeFiles: number;
  readonly memoryBytes: number;
  /** p99 of the event loop's delay since the last question. */
  readonly delayMs: number;
}

interface Result {
  readonly stage: StageName;
  readonly faults: number;
  readonly before: Measure;
  readonly after: Measure;
  readonly problems: readonly string[];
}

async function delayOf(site: Site): Promise<number> {
  const text = await (await fetch(`${site.url}/metrics`)).text();
  return Number(/^nodejs_eventloop_lag_p99_seconds (\S+)/m.exec(text)?.[1] ?? 0) * 1_000;
}

async function measure(site: Site): Promise<Measure> {
  // The question empties the histogram: what counts is how it turns from here on.
  await delayOf(site);
  await sleep(QUIET_MS);
  const delayMs = await delayOf(site);
  const open = targetsOf(`/proc/${site.gateway.pid}/fd`);
  const volumeFiles = open.filter((path) => path.startsWith(site.volume)).length;
  const handles = open.length - volumeFiles;
  return { handles, volumeFiles, memoryBytes: await site.gateway.residentBytes(), delayMs };
}

/** What the descriptors stand for; one that was closed meanwhile is none. */
function targetsOf(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)];
    } catch {
      return [];
    }
  });
}

/** Those that leave the process running, and whose server others may use after them. */
function faultsOf(stage: StageName): readonly Fault[] {
  return LIBRARY.filter((one) => {
    const { kind, restarts = kind === 'process' || kind === 'index' } = one;
    return one.stage === stage && !restarts && !one.alone && lacks(one) === null;
  });
}

function grown({ before, after }: Pick<Result, 'before' | 'after'>): string[] {
  return [
    ...(after.handles - before.handles > HANDLES_GROWTH_MAX ? ['descriptors grew'] : []),
    ...(after.volumeFiles > VOLUME_FILES_MAX ? ['more files of the volume are open than its cache holds'] : []),
    ...(after.memoryBytes - before.memoryBytes > MEMORY_GROWTH_BYTES_MAX ? ['memory grew'] : []),
    ...(after.delayMs - before.delayMs > DELAY_GROWTH_MS_MAX ? ['the event loop is slower'] : []),
  ];
}

async function soak(stage: StageName, forMs: number, seed: number, clouds: SharedClouds): Promise<Result> {
  const faults = faultsOf(stage);
  const random = generator(seed);
  const site = await makeSite(stage, clouds);
  const { pid } = site.gateway;
  const began = performance.now();
  const problems: string[] = [];
  let count = 0;
  const go = async (untilMs: number) => {
    while (performance.now() - began < untilMs) {
      const fault = faults[Math.floor(random() * faults.length)];
      if (fault === undefined) throw new Error(`no fault of stage ${stage} can be made on this machine`);
      const row = await tryFault(fault, site);
      count += 1;
      for (const problem of row.problems) problems.push(`${fault.name}: ${problem}`);
      process.stderr.write(
        `${stage} ${count}: ${fault.name}: ${row.problems.length === 0 ? 'ok' : row.problems.join('; ')}\n`,
      );
    }
  };
  try {
    await go(forMs * WARM_UP_SHARE);
    const before = await measure(site);
    await go(forMs);
    const bad = await site.compare(site.stored);
    const after = await measure(site);
    if (site.gateway.pid !== pid) problems.push('the server is another process');
    return { stage, faults: count, before, after, problems: [...problems, ...bad, ...grown({ before, after })] };
  } finally {
    await site.close();
  }
}

function show({ handles, volumeFiles, memoryBytes, delayMs }: Measure): string {
  return `${handles} descriptors and ${volumeFiles} files of the volume, ${Math.round(memoryBytes / MIB)} MiB resident, event loop p99 ${delayMs.toFixed(1)} ms`;
}

const words = process.argv.slice(2);
const after = (flag: string) => (words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined);
const forMs = parseDuration(after('--for') ?? '30m');
const seed = Number(after('--seed') ?? Date.now() % 1_000_000_007);
const stages = (after('--stages') ?? 'plain,disks,clouds').split(',') as StageName[];
process.stdout.write(`soak of ${after('--for') ?? '30m'}, seed ${seed}, at ${stages.join(', ')}\n`);
const clouds = new SharedClouds();
try {
  const results = await Promise.all(stages.map((stage, at) => soak(stage, forMs, seed + at, clouds)));
  for (const { stage, faults, before, after: end, problems } of results) {
    process.stdout.write(`${stage}: ${faults} faults\n  before: ${show(before)}\n  after:  ${show(end)}\n`);
    for (const problem of problems) process.stdout.write(`  NOT AS EXPECTED: ${problem}\n`);
    if (problems.length > 0) process.exitCode = 1;
  }
} finally {
  await clouds.close();
}
