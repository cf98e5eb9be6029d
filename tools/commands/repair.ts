// filmroom repair: mends what scrubs and readers noted, from any good copy, and pays what replicas are owed.
import type { Command } from 'commander';
import type { Io } from '../io.js';
import { runJob } from '../job-command.js';
import { serverCommand, withServer } from '../server-command.js';

export function repairCommand(io: Io): Command {
  const command = serverCommand('repair', 'mend what was found damaged, and copy what replicas lack');
  return withServer(io, command, (client, { json }) => runJob(io, client, { kind: 'repair' }, json === true));
}
