// filmroom link: a token that opens single studies, for somebody who is to see these and nothing else.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ArchiveError } from '../../tiering/core/errors.js';
import { isUid } from '../../tiering/core/ids.js';
import { EXIT } from '../exit.js';
import { type Io, note, print, printJson } from '../io.js';
import { type ServerOptions, serverCommand, withServer } from '../server-command.js';

interface Options extends ServerOptions {
  readonly study?: readonly string[];
  readonly expires: string;
  readonly name?: string;
}

function collectUid(value: string, before: readonly string[] = []): readonly string[] {
  if (!isUid(value)) throw new InvalidArgumentError('Not a Study Instance UID.');
  return [...before, value];
}

export function linkCommand(io: Io): Command {
  const command = serverCommand('link', 'make a token that opens some studies for reading, for some time')
    .addOption(new Option('--study <uid>', 'a study; may be given several times').argParser(collectUid))
    .option('--expires <age>', 'how long it opens them', '7d')
    .option('--name <text>', 'shows in the log when it is used');
  return withServer<Options>(io, command, async (client, { study, expires, name, json }) => {
    if (study === undefined)
      throw new ArchiveError('INVALID', 'which studies? Give --study UID, several times for several');
    const made = await client.link({ studies: study, expiresIn: expires, ...(name === undefined ? {} : { name }) });
    if (json === true) printJson(io, made);
    else {
      print(io, made.token);
      note(
        io,
        `Send it as Authorization: Bearer. It opens these studies until ${made.expiresAt}; changing auth.linkKey ends it.`,
      );
    }
    return EXIT.done;
  });
}
