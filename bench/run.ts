// Runs the benchmarks one after the other, each in a process of its own, and prints one table, or with --json one JSON array.
//   node dist/bench/run.js [--json] [NAME...]
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { formatReports, type Report } from './support/report.js';

const NAMES = [
  'stow',
  'retrieve',
  'frames',
  'qido',
  'metadata',
  'seal-and-copy',
  'cloud-direct',
  'recall',
  'cold-frame',
  'freeze',
  'rebuild',
] as const;
/** Many times what one takes on a quiet machine. */
const BENCH_MS_MAX = 600_000;
const run = promisify(execFile);

async function runOne(name: string): Promise<Report> {
  const path = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const { stdout } = await run(process.execPath, [path, '--json'], {
    timeout: BENCH_MS_MAX,
    maxBuffer: 16 * 1024 * 1024,
  });
  return JSON.parse(stdout) as Report;
}

const words = process.argv.slice(2);
const json = words.includes('--json');
const wanted = words.filter((word) => !word.startsWith('--'));
const unknown = wanted.filter((word) => !(NAMES as readonly string[]).includes(word));
if (unknown.length > 0) {
  process.stderr.write(`no benchmark is called ${unknown.join(', ')}; there are: ${NAMES.join(', ')}\n`);
  process.exit(2);
}
const reports: Report[] = [];
for (const name of wanted.length > 0 ? wanted : NAMES) {
  if (!json) process.stderr.write(`${name} ...\n`);
  reports.push(await runOne(name));
}
process.stdout.write(json ? `${JSON.stringify(reports, null, 2)}\n` : formatReports(reports));
