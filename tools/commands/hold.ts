// filmroom hold: legal holds. Nothing of a study under hold is deleted by anybody until the hold is cleared.
import { Command, InvalidArgumentError } from 'commander';
import { isUid } from '../../tiering/core/ids.js';
import { EXIT } from '../exit.js';
import { formatTable } from '../format.js';
import { type Io, print, printJson } from '../io.js';
import { type ServerOptions, serverCommand, withServer } from '../server-command.js';

interface Options extends ServerOptions {
  readonly study: string;
  readonly reason?: string;
}

export function holdCommand(io: Io): Command {
  return new Command('hold')
    .description('legal holds: studies of which nothing may be deleted')
    .addCommand(setCommand(io))
    .addCommand(clearCommand(io))
    .addCommand(listCommand(io));
}

function uid(value: string): string {
  if (!isUid(value)) throw new InvalidArgumentError('Not a UID.');
  return value;
}

function setCommand(io: Io): Command {
  const command = serverCommand('set', 'put a study under hold')
    .requiredOption('--study <uid>', 'the study', uid)
    .option('--reason <text>', 'why; shown to whoever tries to delete');
  return withServer<Options>(io, command, async (client, { study, reason, json }) => {
    const report = await client.setHold(study, reason ?? '');
    if (json === true) printJson(io, { study, held: true, ...report });
    else print(io, `held${report.durable === 'pending' ? PENDING : ''}`);
    return EXIT.done;
  });
}

const PENDING = '; replicas that are away are told when they are back';

function clearCommand(io: Io): Command {
  const command = serverCommand('clear', 'clear the hold of a study').requiredOption('--study <uid>', 'the study', uid);
  return withServer<Options>(io, command, async (client, { study, json }) => {
    const report = await client.clearHold(study);
    if (json === true) printJson(io, { study, held: false, ...report });
    else print(io, `cleared${report.durable === 'pending' ? PENDING : ''}`);
    return EXIT.done;
  });
}

function listCommand(io: Io): Command {
  return withServer(io, serverCommand('list', 'studies under hold'), async (client, { json }) => {
    const holds = await client.holds();
    if (json === true) printJson(io, { holds });
    else if (holds.length === 0) print(io, 'no study is under legal hold');
    else
      print(io, formatTable([['STUDY', 'SINCE', 'REASON'], ...holds.map((one) => [one.study, one.since, one.reason])]));
    return EXIT.done;
  });
}
