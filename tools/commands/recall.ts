// filmroom recall and repatriate: cold to hot. The same job; repatriate is the name for leaving the cloud altogether.
import type { Command } from 'commander';
import type { Io } from '../io.js';
import { runJob } from '../job-command.js';
import { addSelectors, type SelectorOptions, selectionBody } from '../selectors.js';
import { type ServerOptions, serverCommand, withServer } from '../server-command.js';

type Options = ServerOptions & SelectorOptions;

function bringBack(io: Io, kind: 'recall' | 'repatriate', description: string): Command {
  const command = addSelectors(serverCommand(kind, description));
  return withServer<Options>(io, command, (client, options) =>
    runJob(io, client, { kind, ...selectionBody(options) }, options.json === true),
  );
}

export function recallCommand(io: Io): Command {
  return bringBack(io, 'recall', 'bring cold studies back to a volume; the replicas keep their copies');
}

export function repatriateCommand(io: Io): Command {
  return bringBack(io, 'repatriate', 'leave the cloud: recall at scale, with the same selectors');
}
