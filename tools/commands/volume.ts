// filmroom volume: the volumes and how each does; `fail` takes one out of use as if it had failed, `return` takes it back in.
import { Command } from 'commander';
import { EXIT } from '../exit.js';
import { formatBytes, formatTable, plural } from '../format.js';
import { type Io, note, print, printJson } from '../io.js';
import { type ServerOptions, serverCommand, withServer } from '../server-command.js';
import { describeVolume } from './status.js';

interface Options extends ServerOptions {
  readonly yes?: boolean;
}

export function volumeCommand(io: Io): Command {
  return new Command('volume')
    .description('look at volumes, take one out of use and back in')
    .addCommand(listCommand(io))
    .addCommand(failCommand(io))
    .addCommand(returnCommand(io));
}

function listCommand(io: Io): Command {
  return withServer(io, serverCommand('list', 'volumes, their state and their space'), async (client, { json }) => {
    const { volumes } = await client.status();
    if (json === true) printJson(io, { volumes });
    else {
      const rows = volumes.map((one) => [
        one.name,
        one.state,
        one.bytesFree === null ? '' : `${formatBytes(one.bytesFree)} free`,
        formatMs(one.latencyMs.read),
        formatMs(one.latencyMs.sync),
        describeVolume(one),
      ]);
      print(io, formatTable([['VOLUME', 'STATE', 'SPACE', 'READ', 'SYNC', ''], ...rows]));
    }
    return EXIT.done;
  });
}

/** Within which nine of ten calls are over. */
function formatMs(ms: number | null): string {
  return ms === null ? '' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function failCommand(io: Io): Command {
  const command = serverCommand('fail', 'use it no more, as if it had failed, until it is taken back in')
    .argument('<name>', 'its name in the configuration')
    .option('--yes', 'do it; without this the plan is shown and nothing is done');
  return withServer<Options>(io, command, async (client, { yes, json }, [name = '']) => {
    const { exposed } = await client.failVolume(name, yes !== true);
    if (json === true) printJson(io, { volume: name, exposed, confirmed: yes === true });
    else {
      const { instances, bytes } = exposed;
      const alone = `${plural(instances, 'instance')}, ${formatBytes(bytes)},`;
      print(
        io,
        instances === 0
          ? `Everything on ${name} is protected: it is read from the replicas meanwhile.`
          : `${alone} lie on ${name} and are not protected: they cannot be read until it is back. filmroom migrate --all --keep-hot protects them first.`,
      );
    }
    if (yes !== true) {
      note(io, 'Nothing was done. Give --yes to do it.');
      return EXIT.usage;
    }
    if (json !== true) print(io, `${name} is out of use. filmroom volume return ${name} takes it back in.`);
    return EXIT.done;
  });
}

function returnCommand(io: Io): Command {
  const command = serverCommand('return', 'take it back in: looked at, its tail read, then used again').argument(
    '<name>',
    'its name in the configuration',
  );
  return withServer<ServerOptions>(io, command, async (client, { json }, [name = '']) => {
    const { state } = await client.returnVolume(name);
    if (json === true) printJson(io, { volume: name, state });
    else if (state === 'healthy') print(io, `${name} is in use again`);
    else print(io, `${name} may be used again, and is ${state}: filmroom volume list says why`);
    return state === 'healthy' ? EXIT.done : EXIT.partly;
  });
}
