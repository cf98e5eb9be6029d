// filmroom keys: which keys there are and what needs them, a new one, and away with one that nothing needs.
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { JobView } from '../../gateway/admin/jobs.js';
import type { StatusView } from '../../gateway/admin/status.js';
import { loadConfig } from '../../gateway/config-file.js';
import { readKeyring, writeKeyring } from '../../gateway/keyring-file.js';
import { recoverKeyring } from '../../gateway/keys.js';
import type { KeysReport, KeyUse, RotateReport } from '../../tiering/archive/archive.js';
import { systemRandom } from '../../tiering/core/clock.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { joinKeyring, splitKeyring } from '../../tiering/format/key-shares.js';
import { EXIT, type ExitCode, exitCodeOfJob } from '../exit.js';
import { formatBytes, formatTable, plural } from '../format.js';
import { finish, type Io, note, print, printJson } from '../io.js';
import { followJob, runJob } from '../job-command.js';
import { type ServerOptions, serverCommand, withServer } from '../server-command.js';

const KEEP_A_COPY =
  'Copy the keyring anew to the safe place that is not this machine: nothing written from now on opens with the old copy.';

export function keysCommand(io: Io): Command {
  return new Command('keys')
    .description('the keys that everything in the replicas is wrapped under')
    .addCommand(listCommand(io))
    .addCommand(rotateCommand(io))
    .addCommand(removeCommand(io))
    .addCommand(exportCommand(io))
    .addCommand(importCommand(io))
    .addCommand(fromTokenCommand(io));
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
  readonly reseal?: boolean;
  readonly yes?: boolean;
}

function rotateCommand(io: Io): Command {
  const command = serverCommand('rotate', 'make a new key and wrap everything on every replica under it')
    .option('--resume', 'make no new key: take what an earlier rotation could not reach to its end')
    .option('--reseal', 'a key leaked: also seal every pack anew under other keys, and send it to every replica again')
    .option('--yes', 'do it; without this nothing is done');
  return withServer<RotateOptions>(io, command, async (client, options) => {
    const resume = options.resume === true;
    if (options.yes !== true && !resume) {
      if (options.json === true) printJson(io, { confirmed: false });
      if (options.reseal === true) return planReseal(io, await client.status());
      note(
        io,
        'Plan: a new key is drawn (into the keyring, or on the token); then the manifest of every pack and every delete is written anew',
      );
      note(
        io,
        'under it, on every replica, and the older ones are removed. Images are neither read nor written, and reading goes on.',
      );
      note(io, 'Nothing was done. Give --yes to do it.');
      return EXIT.usage;
    }
    const request = { kind: 'rotate-keys', resume, ...(options.reseal === true ? { reseal: true } : {}) };
    if (options.json === true) return runJob(io, client, request, true);
    const job = await followJob(io, client, request);
    const report = reportOf<RotateReport>(job);
    if (report === null) return ended(io, job);
    const { key, rewrapped, resealed, bytes, removed, failures, unavailable } = report;
    print(
      io,
      `rotate ${job.state}: ${rewrapped} wrapped anew under ${key}, ${plural(removed, 'older object')} removed`,
    );
    if (options.reseal === true) print(io, `${plural(resealed, 'pack')} sealed anew, ${formatBytes(bytes)} sent`);
    for (const { item, code, detail } of failures) note(io, `  ${item}: ${code}: ${detail}`);
    const again = `filmroom keys rotate ${options.reseal === true ? '--reseal ' : ''}--resume`;
    for (const name of unavailable) note(io, `  ${name}: did not answer; run ${again} when it is back`);
    note(io, KEEP_A_COPY);
    return exitCodeOfJob(job.state);
  });
}

/** Says what would be sent, and what no key can take back. */
function planReseal(io: Io, { bytes, replicas }: StatusView): ExitCode {
  const stored = bytes.hot + bytes.cold;
  const each = `${formatBytes(stored)} to each of ${plural(replicas.length, 'replica')}`;
  note(
    io,
    `Plan: a new key is drawn; then every pack is sealed anew under keys of its own and sent again: up to ${each},`,
  );
  note(
    io,
    `${formatBytes(stored * replicas.length)} in all. What is cold is read from the replicas for it. Reading goes on. The old copies are removed`,
  );
  note(
    io,
    'a day after the new ones are proven, so a replica needs room for both until then. tiering.scrub.rate bounds what is written.',
  );
  note(
    io,
    'It cannot undo what happened: who copied objects and has the old key reads those copies for ever, and so are copies of',
  );
  note(io, 'buckets from before (backups, versions that a bucket keeps) readable with it until they are deleted.');
  note(io, 'Nothing was done. Give --yes to do it.');
  return EXIT.usage;
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
      if (options.json === true) printJson(io, { key, confirmed: false });
      note(
        io,
        `Plan: every replica is asked whether anything there needs key ${key}; if nothing does, it leaves the keyring.`,
      );
      note(
        io,
        'A copy of a replica that was made before (a backup, an old bucket) opens with that key only: keep the old keyring for it.',
      );
      note(io, "A key that a token holds stays on the token until the token's own tools destroy it.");
      note(io, 'Nothing was done. Give --yes to do it.');
      return EXIT.usage;
    }
    return runJob(io, client, { kind: 'remove-key', key }, options.json === true);
  });
}

interface ExportOptions {
  readonly keyring: string;
  readonly shares: string;
  readonly threshold: string;
  readonly out: string;
  readonly json?: boolean;
}

function exportCommand(io: Io): Command {
  return new Command('export')
    .description('split the keyring into texts to print, of which a number give it back; offline')
    .requiredOption('--keyring <path>', 'the keyring')
    .requiredOption('--shares <n>', 'how many people get one')
    .requiredOption('--threshold <m>', 'how many of them are needed')
    .requiredOption('--out <dir>', 'where share-1.txt and so on go; nothing is overwritten')
    .option('--json', 'the result as JSON on standard output')
    .action(async (options: ExportOptions) => {
      await finish(io, options.json === true, async () => {
        const keyring = readKeyring(resolve(io.cwd, options.keyring));
        const counts = { shares: Number(options.shares), threshold: Number(options.threshold) };
        const texts = await splitKeyring(keyring, { ...counts, random: systemRandom });
        const out = resolve(io.cwd, options.out);
        await mkdir(out, { recursive: true, mode: 0o700 });
        const files = texts.map((_, at) => resolve(out, `share-${at + 1}.txt`));
        const taken = files.find((file) => existsSync(file));
        if (taken !== undefined) throw new ArchiveError('INVALID', `${taken} exists already; it is never overwritten`);
        for (const [at, file] of files.entries()) {
          await writeFile(file, texts[at] ?? '', { flag: 'wx', mode: 0o600, flush: true });
        }
        if (options.json === true) printJson(io, { ...counts, files });
        else
          print(io, `wrote ${plural(files.length, 'share')} to ${out}; any ${counts.threshold} give the keyring back`);
        note(io, 'Print each, give it to its keeper, and delete the files. Export again after each rotation.');
        return EXIT.done;
      });
    });
}

function importCommand(io: Io): Command {
  return new Command('import')
    .description('put a keyring together from enough of its shares; offline')
    .argument('<share...>', 'files with one share each')
    .requiredOption('--out <path>', 'the keyring to write; never overwritten')
    .option('--json', 'the result as JSON on standard output')
    .action(async (shares: readonly string[], options: { readonly out: string; readonly json?: boolean }) => {
      await finish(io, options.json === true, async () => {
        const texts = shares.map((file) => readShare(resolve(io.cwd, file)));
        const keyring = await joinKeyring(texts);
        const path = resolve(io.cwd, options.out);
        await writeKeyring(path, keyring);
        const { archiveId, current } = keyring;
        if (options.json === true) printJson(io, { keyring: path, archiveId, current, keys: keyring.keys.length });
        else
          print(
            io,
            `wrote the keyring ${path}: archive ${archiveId}, ${plural(keyring.keys.length, 'key')}, current ${current}`,
          );
        return EXIT.done;
      });
    });
}

function fromTokenCommand(io: Io): Command {
  return new Command('from-token')
    .description('write a lost keyring anew, where a token (cold.pkcs11) holds the keys; offline')
    .requiredOption('--config <file>', 'the configuration')
    .option('--archive <id>', 'which archive, where the token has keys of several')
    .option('--json', 'the result as JSON on standard output')
    .action(async (options: { readonly config: string; readonly archive?: string; readonly json?: boolean }) => {
      await finish(io, options.json === true, async () => {
        const config = loadConfig(options.config, io.environment);
        const { archiveId, current, keys } = await recoverKeyring(config, options.archive ?? null);
        const path = config.cold.keyring;
        if (options.json === true) printJson(io, { keyring: path, archiveId, current, keys: keys.length });
        else
          print(
            io,
            `wrote the keyring ${path}: archive ${archiveId}, ${plural(keys.length, 'key')}, current ${current}`,
          );
        note(io, 'Keys that had their secret in the lost keyring are not among them.');
        return EXIT.done;
      });
    });
}

function readShare(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ArchiveError('INVALID', `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
}

/** The report of a job that came to an end of its own. */
function reportOf<R>(job: JobView): R | null {
  return job.report === null ? null : (job.report as unknown as R);
}

function ended(io: Io, job: JobView): ExitCode {
  note(io, `${job.kind} ${job.state}${job.error === null ? '' : `: ${job.error.detail}`}`);
  return exitCodeOfJob(job.state);
}
