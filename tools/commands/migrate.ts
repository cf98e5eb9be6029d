// filmroom migrate: hot to cold. Protects, proves, and deletes the hot copies; without --yes it only shows what it would do.
import type { Command } from 'commander';
import { EXIT } from '../exit.js';
import { formatBytes, plural } from '../format.js';
import { type Io, note, printJson } from '../io.js';
import { runJob } from '../job-command.js';
import { addSelectors, type SelectorOptions, selectionBody } from '../selectors.js';
import { type ServerOptions, serverCommand, withServer } from '../server-command.js';

interface Options extends ServerOptions, SelectorOptions {
  readonly keepHot?: boolean;
  readonly yes?: boolean;
}

export function migrateCommand(io: Io): Command {
  const command = addSelectors(
    serverCommand('migrate', 'protect studies in the replicas, prove it, and delete their hot copies'),
  )
    .option('--keep-hot', 'protect and prove, and keep the hot copies')
    .option('--yes', 'do it; without this the plan is shown and nothing is done');
  return withServer<Options>(io, command, async (client, options) => {
    const selection = selectionBody(options);
    const json = options.json === true;
    const keepHot = options.keepHot === true;
    if (options.yes !== true && !keepHot) {
      const plan = await client.plan(selection);
      if (json) printJson(io, { plan, confirmed: false });
      const least = plan.more ? 'at least ' : '';
      note(
        io,
        `Plan: ${least}${plural(plan.studies, 'study', 'studies')}, ${plural(plan.instances, 'instance')}, ${formatBytes(plan.bytes)}.`,
      );
      note(io, 'Each is copied to the replicas, read back and verified; then its hot copy is deleted.');
      note(io, 'Nothing was done. Give --yes to do it, or --keep-hot to protect without deleting.');
      return EXIT.usage;
    }
    return runJob(io, client, { kind: 'migrate', ...selection, keepHot }, json);
  });
}
