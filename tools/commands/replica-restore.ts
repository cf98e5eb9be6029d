// filmroom replica restore: puts back what was deleted or overwritten in a bucket that keeps versions; without a server and without an index.
import { Command } from 'commander';
import { readKeyring } from '../../gateway/keyring-file.js';
import { openStore } from '../../gateway/replica-stores.js';
import { restoreStore } from '../../tiering/cold/replicas/restore.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { configuredReplica } from '../configured-replica.js';
import { EXIT } from '../exit.js';
import { plural } from '../format.js';
import { finish, type Io, note, print, printJson } from '../io.js';
import { createProgressLine } from '../progress.js';

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

export function restoreCommand(io: Io): Command {
  return new Command('restore')
    .description(
      'put back what somebody deleted or overwrote in a bucket that keeps versions; offline, or beside the server',
    )
    .argument('<name>', 'its name in the configuration')
    .option('--config <file>', 'configuration; default: ./data')
    .option('--json', 'the result as JSON on standard output')
    .addHelpText(
      'after',
      '\nOf every name the oldest version that is what the name says is made the newest again. What was deleted rightly comes back too;\nit is known to be deleted, and is thrown away again.',
    )
    .action(async (name: string, options: Options) => {
      await finish(io, options.json === true, async () => {
        const { config, replica } = configuredReplica(io, name, options.config);
        const { archiveId } = readKeyring(config.cold.keyring);
        const store = openStore(replica, false, { clock: systemClock, random: systemRandom });
        const line = createProgressLine(io.stderr, 'restore', () => performance.now());
        try {
          const onProgress = (objects: number) =>
            line.update({ step: 'objects', packsDone: objects, packsTotal: objects, bytesDone: 0, bytesTotal: 0 });
          const { objects, restored, lost } = await restoreStore(store, { archiveId, signal: io.signal, onProgress });
          line.end();
          if (options.json === true) printJson(io, { name, objects, restored, lost });
          else
            print(
              io,
              `${plural(objects, 'object')} looked at, ${restored} put back, ${lost.length} with no good version`,
            );
          for (const key of lost) note(io, `  ${key}: no version is what its name says`);
          return lost.length === 0 ? EXIT.done : EXIT.partly;
        } finally {
          line.end();
          await store.close();
        }
      });
    });
}
