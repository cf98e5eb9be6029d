// What every command that talks to the server has: --server, --token, --json; and how such a command runs.
import { Command } from 'commander';
import { ArchiveError } from '../tiering/core/errors.js';
import { ServerClient } from './client.js';
import type { ExitCode } from './exit.js';
import { finish, type Io } from './io.js';

export interface ServerOptions {
  readonly server?: string;
  readonly token?: string;
  readonly json?: boolean;
}

export const DEFAULT_SERVER = 'http://127.0.0.1:8080';

export function serverCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--server <url>', `address of the server (or FILMROOM_SERVER; default ${DEFAULT_SERVER})`)
    .option('--token <token>', 'bearer token (or FILMROOM_TOKEN, which other users of the machine cannot see)')
    .option('--json', 'the result as JSON on standard output');
}

/** The client that the options and the environment describe. INVALID for an address that is no URL. */
export function clientOf(io: Io, options: ServerOptions): ServerClient {
  const url = options.server ?? io.environment['FILMROOM_SERVER'] ?? DEFAULT_SERVER;
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new ArchiveError('INVALID', '--server must be a URL such as http://127.0.0.1:8080');
  }
  const token = options.token ?? io.environment['FILMROOM_TOKEN'];
  return new ServerClient({ url: url.replace(/\/+$/, ''), token }, io.signal);
}

/** Gives `command` its action: `run` with a client, ended by the table of exit codes. */
export function withServer<O extends ServerOptions>(
  io: Io,
  command: Command,
  run: (client: ServerClient, options: O, args: readonly string[]) => Promise<ExitCode>,
): Command {
  return command.action(async () => {
    const options = command.opts<O>();
    await finish(io, options.json === true, async () => run(clientOf(io, options), options, command.args));
  });
}
