// filmroom audit verify: whether the audit log is as it was written. Needs no server.
import { resolve } from 'node:path';
import { Command } from 'commander';
import { verifyAudit } from '../../gateway/audit/chain.js';
import { embeddedConfig, loadConfig } from '../../gateway/config-file.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { EXIT } from '../exit.js';
import { plural } from '../format.js';
import { finish, type Io, note, print, printJson } from '../io.js';

interface Options {
  readonly config?: string;
  readonly path?: string;
  readonly json?: boolean;
}

export function auditCommand(io: Io): Command {
  const verify = new Command('verify')
    .description('check that no line of the audit log was changed, taken out or put in')
    .option('--config <file>', 'configuration; default: ./data')
    .option('--path <dir>', 'the folder of the log, in place of the configuration’s')
    .option('--json', 'the result as JSON on standard output')
    .action(async (options: Options) => {
      await finish(io, options.json === true, async () => {
        const found = await verifyAudit(folderOf(io, options));
        if (options.json === true) printJson(io, found);
        else {
          const { files, lines, from, to, head, torn } = found;
          print(
            io,
            `${plural(lines, 'record')} in ${plural(files, 'file')}, from ${from ?? 'never'} to ${to ?? 'never'}`,
          );
          if (head !== null)
            print(io, `the last is number ${head.seq}, ${head.sha256}: the server's log must not name a later one`);
          if (torn > 0) print(io, `${plural(torn, 'line')} cut off by a crash`);
        }
        for (const problem of found.problems) note(io, `  ${problem}`);
        if (found.lines === 0) note(io, '  there is no audit log');
        return found.problems.length === 0 && found.lines > 0 ? EXIT.done : EXIT.failed;
      });
    });
  return new Command('audit').description('work with the audit log').addCommand(verify);
}

function folderOf(io: Io, { config: file, path }: Options): string {
  if (path !== undefined) return resolve(io.cwd, path);
  const { audit } = file === undefined ? embeddedConfig(io.cwd) : loadConfig(file, io.environment);
  if (audit === null)
    throw new ArchiveError('INVALID', 'audit is off in this configuration; name a folder with --path');
  return audit.path;
}
