// filmroom erase: makes the bytes of what was deleted before leave every volume and replica now.
import type { Command } from 'commander';
import { EXIT } from '../exit.js';
import { formatBytes, plural } from '../format.js';
import { type Io, note, printJson } from '../io.js';
import { runJob } from '../job-command.js';
import { type ServerOptions, serverCommand, withServer } from '../server-command.js';

interface Options extends ServerOptions {
  readonly yes?: boolean;
}

export function eraseCommand(io: Io): Command {
  const command = serverCommand('erase', 'erase the bytes of what was deleted, everywhere and at once').option(
    '--yes',
    'do it; without this the plan is shown and nothing is done',
  );
  return withServer<Options>(io, command, async (client, { yes, json }) => {
    if (yes === true) return runJob(io, client, { kind: 'erase', erase: true }, json === true);
    const { erasurePending: plan } = await client.status();
    if (json === true) printJson(io, { plan, confirmed: false });
    note(io, `Plan: ${plural(plan.instances, 'deleted instance')}, ${formatBytes(plan.bytes)}.`);
    note(io, 'Packs that hold others too are written anew and protected first.');
    note(io, 'Nothing was done. Give --yes to do it.');
    return EXIT.usage;
  });
}
