// filmroom keys: which keys there are and what needs them, a new one, and away with one that nothing needs.
import { Command } from 'commander';
import type { JobView } from '../../gateway/admin/jobs.js';
import type { KeysReport, KeyUse, RotateReport } from '../../tiering/archive/archive.js';
import { EXIT, type ExitCode, exitCodeOfJob } from '../exit.js';
import { formatTable, plural } from '../format.js';
import { type Io, note, print } from '../io.js';
import { followJob, runJob } from '../job-command.js';
import { type ServerOptions, serverCommand, withServer } from '../server-command.js';

const KEEP_A_COPY =
  'Copy the keyring anew to the safe place that is not this machine: nothing written from now on opens with the old copy.';

export function keysCommand(io: Io): Command {
  return new Command('keys')
    .description('the keys that everything in the replicas is wrapped under')
    .addCommand(listCommand(io))
    .addCommand(rotateCommand(io))
    .addCommand(removeCommand(io));
}

function listCommand(io: Io): Command {
  const command = serverCommand(
    'list',
    'keys, which one is current, and what every replica holds under each',
  ).addHelpText('after', '\nCounts are manifests + deletes, read from the replicas themselves.');
  return withServer(io, command, async (client, { json }) => {
    if (json === true) return runJob(io, client, { kind: 'list-keys' }, true);
    const job = await followJob(io, client, { kind: 'list-keys' });
    const report = reportOf<KeysReport>(job);
    if (report === null) return ended(io, job);
    const [key] = report.keys;
    const names = (key?.replicas ?? []).map(({ name }) => name);
    print(io, formatTable([['KEY', 'MADE', ...names, 'INDEX'], ...report.keys.map(rowOf)]));
    for (const item of report.unreadable) note(io, `  ${item}: damaged; its key cannot be told`);
    for (const name of report.unavailable) note(io, `  ${name}: did not answer, or is not configured; not counted`);
    return exitCodeOfJob(job.state);
  });
}

function rowOf({ id, createdAt, current, replicas, index }: KeyUse): readonly string[] {
  const mark = createdAt === null ? ' (not in the keyring)' : current ? ' (current)' : '';
  return [
    `${id}${mark}`,
    createdAt?.slice(0, 10) ?? '',
    ...replicas.map(({ manifests, tombstones }) => `${manifests} + ${tombstones}`),
    `${index.packs} + ${index.tombstones}`,
  ];
}

interface RotateOptions extends ServerOptions {
  readonly resume?: boolean;
  readonly yes?: boolean;
}

function rotateCommand(io: Io): Command {
  const command = serverCommand('rotate', 'make a new key and wrap everything on every replica under it')
    .option('--resume', 'make no new key: take what an earlier rotation could not reach to its end')
    .option('--yes', 'do it; without this nothing is done');
  return withServer<RotateOptions>(io, command, async (client, options) => {
    const resume = options.resume === true;
    if (options.yes !== true && !resume) {
      note(
        io,
        'Plan: a new key is written into the keyring; then the manifest of every pack and every delete is written anew',
      );
      note(
        io,
        'under it, on every replica, and the older ones are removed. Images are neither read nor written, and reading goes on.',
      );
      note(io, 'Nothing was done. Give --yes to do it.');
      return EXIT.usage;
    }
    const request = { kind: 'rotate-keys', resume };
    if (options.json === true) return runJob(io, client, request, true);
    const job = await followJob(io, client, request);
    const report = reportOf<RotateReport>(job);
    if (report === null) return ended(io, job);
    const { key, rewrapped, removed, failures, unavailable } = report;
    print(
      io,
      `rotate ${job.state}: ${rewrapped} wrapped anew under ${key}, ${plural(removed, 'older object')} removed`,
    );
    for (const { item, code, detail } of failures) note(io, `  ${item}: ${code}: ${detail}`);
    for (const name of unavailable)
      note(io, `  ${name}: did not answer; run filmroom keys rotate --resume when it is back`);
    note(io, KEEP_A_COPY);
    return exitCodeOfJob(job.state);
  });
}

interface RemoveOptions extends ServerOptions {
  readonly yes?: boolean;
}

function removeCommand(io: Io): Command {
  const command = serverCommand('remove', 'take a key out of the keyring that nothing on any replica needs')
    .argument('<key>', 'its id, as filmroom keys list shows it')
    .option('--yes', 'do it; without this nothing is done');
  return withServer<RemoveOptions>(io, command, async (client, options, [key = '']) => {
    if (options.yes !== true) {
      note(
        io,
        `Plan: every replica is asked whether anything there needs key ${key}; if nothing does, it leaves the keyring.`,
      );
      note(
        io,
        'A copy of a replica that was made before (a backup, an old bucket) opens with that key only: keep the old keyring for it.',
      );
      note(io, 'Nothing was done. Give --yes to do it.');
      return EXIT.usage;
    }
    return runJob(io, client, { kind: 'remove-key', key }, options.json === true);
  });
}

/** The report of a job that came to an end of its own. */
function reportOf<R>(job: JobView): R | null {
  return job.report === null ? null : (job.report as unknown as R);
}

function ended(io: Io, job: JobView): ExitCode {
  note(io, `${job.kind} ${job.state}${job.error === null ? '' : `: ${job.error.detail}`}`);
  return exitCodeOfJob(job.state);
}
