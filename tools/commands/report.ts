// filmroom report: the signed reports that an archive wrote, and whether one is as it was signed. Needs no server.
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { Config } from '../../gateway/config.js';
import { embeddedConfig, loadConfig } from '../../gateway/config-file.js';
import { readKeyring } from '../../gateway/keyring-file.js';
import { openKeys } from '../../gateway/keys.js';
import { listReports, readNamedReport, readReportFile } from '../../gateway/reports/folder.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { Keyring } from '../../tiering/format/keyring.js';
import { readReport, requireOwnKey, type SignedReport } from '../../tiering/format/signature.js';
import { EXIT } from '../exit.js';
import { formatTable } from '../format.js';
import { finish, type Io, note, print, printJson } from '../io.js';

interface Options {
  readonly config?: string;
  readonly path?: string;
  readonly keyring?: string;
  readonly json?: boolean;
}

export function reportCommand(io: Io): Command {
  return new Command('report')
    .description('signed reports of drills and failbacks: list, show, verify')
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(verifyCommand(io));
}

function offline(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--config <file>', 'configuration; default: ./data')
    .option('--json', 'the result as JSON on standard output');
}

function listCommand(io: Io): Command {
  return offline('list', 'the reports that there are, the newest first')
    .option('--path <dir>', 'the folder of reports, in place of the configuration’s')
    .action(async (options: Options) => {
      await finish(io, options.json === true, async () => {
        const reports = await listReports(folderOf(io, options));
        if (options.json === true) printJson(io, { reports });
        else if (reports.length === 0) note(io, 'There are no reports.');
        else print(io, formatTable([['AT', 'KIND', 'NAME'], ...reports.map(({ at, kind, name }) => [at, kind, name])]));
        return EXIT.done;
      });
    });
}

function showCommand(io: Io): Command {
  return offline('show', 'what a report says; its signature is verified, whose it is only by verify')
    .argument('<name>', 'as report list has it')
    .option('--path <dir>', 'the folder of reports, in place of the configuration’s')
    .action(async (name: string, options: Options) => {
      await finish(io, options.json === true, async () => {
        const report = readReport(await readNamedReport(folderOf(io, options), name));
        printJson(io, shown(report));
        return EXIT.done;
      });
    });
}

function verifyCommand(io: Io): Command {
  return offline('verify', 'whether the report in FILE is as the archive of this keyring signed it')
    .argument('<file>', 'the file of the report, wherever it is')
    .option('--keyring <path>', 'keyring, in place of the configuration’s')
    .action(async (file: string, options: Options) => {
      await finish(io, options.json === true, async () => {
        const report = readReport(await readReportFile(resolve(io.cwd, file)));
        await withKeyring(io, options, (keyring) => requireOwnKey(report, keyring));
        const { report: _, ...about } = shown(report);
        if (options.json === true) printJson(io, { verified: true, ...about });
        else {
          const { kind, at, archive, key } = about;
          print(io, `good: a ${kind} report of ${at}, signed by archive ${archive} under key ${key}`);
        }
        return EXIT.done;
      });
    });
}

function shown({ archive, key, kind, atMs, report }: SignedReport) {
  return { archive, key, kind, at: new Date(atMs).toISOString(), report };
}

function configOf(io: Io, { config }: Options): Config {
  return config === undefined ? embeddedConfig(io.cwd) : loadConfig(resolve(io.cwd, config), io.environment);
}

function folderOf(io: Io, options: Options): string {
  if (options.path !== undefined) return resolve(io.cwd, options.path);
  const { reports } = configOf(io, options);
  if (reports === null) {
    throw new ArchiveError('INVALID', 'reports are off in this configuration; name a folder with --path');
  }
  return reports.path;
}

/** A keyring file that is named needs no configuration; keys on a token need theirs. */
async function withKeyring(io: Io, options: Options, use: (keyring: Keyring) => Promise<void>): Promise<void> {
  if (options.keyring !== undefined && options.config === undefined) {
    return use(readKeyring(resolve(io.cwd, options.keyring)));
  }
  const { cold } = configOf(io, options);
  const keyring = options.keyring === undefined ? cold.keyring : resolve(io.cwd, options.keyring);
  const keys = await openKeys(
    { cold: { ...cold, keyring } },
    { create: false, clock: systemClock, random: systemRandom },
  );
  try {
    await use(keys.keyring);
  } finally {
    keys.close();
  }
}
