// Runs one job of the server for a command: shows its progress, prints its report, gives its exit code.
import type { JobView } from '../gateway/admin/jobs.js';
import type { ErasePlace, EraseReport } from '../tiering/archive/archive.js';
import type { ServerClient } from './client.js';
import { type ExitCode, exitCodeOfJob } from './exit.js';
import { formatBytes, plural } from './format.js';
import { type Io, note, print, printJson } from './io.js';
import { createProgressLine } from './progress.js';

/** @param request `{ kind, … }` as POST /admin/api/jobs takes it. */
export async function runJob(
  io: Io,
  client: ServerClient,
  request: { readonly kind: string; readonly [key: string]: unknown },
  json: boolean,
): Promise<ExitCode> {
  const job = await followJob(io, client, request);
  if (json)
    printJson(io, { id: job.id, state: job.state, ...job.report, ...(job.error === null ? {} : { error: job.error }) });
  else print(io, describeJob(job));
  for (const { name, pending, detail } of placesOf(job)) {
    if (pending > 0) note(io, `  ${name}: ${pending} still to be erased${detail === null ? '' : `: ${detail}`}`);
  }
  for (const { item, code, detail } of failuresOf(job)) note(io, `  ${item}: ${code}: ${detail}`);
  return exitCodeOfJob(job.state);
}

/** The job at its end, its progress shown meanwhile. */
export async function followJob(
  io: Io,
  client: ServerClient,
  request: { readonly kind: string; readonly [key: string]: unknown },
): Promise<JobView> {
  const line = createProgressLine(io.stderr, request.kind, () => performance.now());
  try {
    return await client.runJob(request, ({ progress }) => {
      if (progress !== null) line.update(progress);
    });
  } finally {
    line.end();
  }
}

/** Of an erase, alone or after a delete: what became of the bytes on each volume and replica. */
function placesOf(job: JobView): readonly ErasePlace[] {
  const report = job.report as (Partial<EraseReport> & { readonly erased?: Partial<EraseReport> }) | null;
  return report?.places ?? report?.erased?.places ?? [];
}

function failuresOf(job: JobView): readonly { item: string; code: string; detail: string }[] {
  return [
    ...(job.report?.failures ?? []),
    ...(job.report?.unavailable ?? []).map((item) => ({
      item,
      code: 'UNAVAILABLE',
      detail: placesOf(job).length > 0 ? 'not everything there is erased' : 'did not answer; nothing is known of it',
    })),
  ];
}

/** Of an erase, what is left; of a delete with --erase, what is gone and what is left. */
function describeErased(key: 'pending' | 'erased', value: unknown): readonly string[] {
  const { instances, bytes, pending } = value as Size & { readonly pending?: Size };
  if (key === 'pending') return instances === 0 ? [] : [`${plural(instances, 'instance')} not yet erased`];
  const gone = `${plural(instances, 'instance')} erased, ${formatBytes(bytes)}`;
  return [gone, ...(pending === undefined ? [] : describeErased('pending', pending))];
}

interface Size {
  readonly instances: number;
  readonly bytes: number;
}

/** One line: how it ended and what was done, in the words of its report. */
export function describeJob(job: JobView): string {
  const head = `${job.kind} ${job.state}`;
  if (job.error !== null && job.state !== 'cancelled') return `${head}: ${job.error.detail}`;
  const words: Readonly<Record<string, (n: number) => string>> = {
    studies: (n) => plural(n, 'study', 'studies'),
    packs: (n) => plural(n, 'pack'),
    objects: (n) => `${plural(n, 'object')} looked at`,
    instances: (n) => plural(n, 'instance'),
    repaired: (n) => `${n} repaired`,
    bytes: formatBytes,
    evicted: (n) => `${n} evicted`,
  };
  const parts: string[] = [];
  for (const [key, value] of Object.entries(job.report ?? {})) {
    if (typeof value === 'number') parts.push(words[key]?.(value) ?? `${key} ${value}`);
    if (key === 'durable' && value === 'pending') parts.push('replicas that are away are told when they are back');
    if (key === 'pending' || key === 'erased') parts.push(...describeErased(key, value));
    if (key === 'findings' && Array.isArray(value)) parts.push(plural(value.length, 'finding'));
  }
  return parts.length === 0 ? head : `${head}: ${parts.join(', ')}`;
}
