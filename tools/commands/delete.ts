// filmroom delete: a study, a series or an instance, from every tier at once; without --yes it only shows what it would do.
import { type Command, InvalidArgumentError } from 'commander';
import { ArchiveError } from '../../tiering/core/errors.js';
import { isUid } from '../../tiering/core/ids.js';
import { EXIT } from '../exit.js';
import { formatBytes, plural } from '../format.js';
import { type Io, note, printJson } from '../io.js';
import { runJob } from '../job-command.js';
import { type ServerOptions, serverCommand, withServer } from '../server-command.js';

interface Options extends ServerOptions {
  readonly study: readonly string[];
  readonly series?: string;
  readonly instance?: string;
  readonly erase?: boolean;
  readonly yes?: boolean;
}

function uid(value: string): string {
  if (!isUid(value)) throw new InvalidArgumentError('Not a UID.');
  return value;
}

function collectUid(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), uid(value)];
}

export function deleteCommand(io: Io): Command {
  const command = serverCommand('delete', 'delete studies, a series or an instance; they may be stored again later')
    .requiredOption('--study <uid>', 'a study; may be given several times', collectUid)
    .option('--series <uid>', 'only this series of the study', uid)
    .option('--instance <uid>', 'only this instance of the series', uid)
    .option('--erase', 'the bytes leave every volume and replica at once, not in the course of time')
    .option('--yes', 'do it; without this the plan is shown and nothing is done');
  return withServer<Options>(io, command, async (client, { study, series, instance, erase, yes, json }) => {
    if (series !== undefined && study.length > 1) throw new ArchiveError('INVALID', '--series is of one --study');
    if (instance !== undefined && series === undefined) {
      throw new ArchiveError('INVALID', '--instance needs its --series');
    }
    const what = {
      studies: study,
      ...(series === undefined ? {} : { series }),
      ...(instance === undefined ? {} : { instance }),
      ...(erase === true ? { erase } : {}),
    };
    if (yes !== true) {
      const plan = await client.planDeletion(what);
      if (json === true) printJson(io, { plan, confirmed: false });
      note(
        io,
        `Plan: ${plural(plan.instances, 'instance')} of ${plural(plan.studies, 'study', 'studies')}, ${formatBytes(plan.bytes)}.`,
      );
      for (const { study: held, detail } of plan.refused ?? []) note(io, `  ${held}: ${detail}`);
      if (plan.refused !== undefined) note(io, 'Nothing of it can be deleted while that is so.');
      note(io, 'They are not found from then on, on no volume, no replica and in no rebuild.');
      if (erase === true) note(io, 'Their bytes are erased; packs that hold others too are written anew.');
      note(io, 'Nothing was done. Give --yes to do it.');
      return EXIT.usage;
    }
    return runJob(io, client, { kind: 'delete', ...what }, json === true);
  });
}
