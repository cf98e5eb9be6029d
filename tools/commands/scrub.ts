// filmroom scrub: compares replicas and volumes with the index, and says what it found.
import type { Command } from 'commander';
import type { Io } from '../io.js';
import { runJob } from '../job-command.js';
import { type ServerOptions, serverCommand, withServer } from '../server-command.js';

interface Options extends ServerOptions {
  readonly deep?: boolean;
}

export function scrubCommand(io: Io): Command {
  const command = serverCommand('scrub', 'look for missing and damaged objects; repair mends what is found').option(
    '--deep',
    'read and hash every object, not only names and sizes',
  );
  return withServer<Options>(io, command, (client, { deep, json }) =>
    runJob(io, client, { kind: 'scrub', deep: deep === true }, json === true),
  );
}
