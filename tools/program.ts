// The command line: every command of `filmroom`, each made in a file of its own under commands/.
import { Command, CommanderError } from 'commander';
import { auditCommand } from './commands/audit.js';
import { configCommand } from './commands/config.js';
import { deleteCommand } from './commands/delete.js';
import { doctorCommand } from './commands/doctor.js';
import { drillCommand } from './commands/drill.js';
import { eraseCommand } from './commands/erase.js';
import { extractCommand } from './commands/extract.js';
import { holdCommand } from './commands/hold.js';
import { importCommand } from './commands/import.js';
import { initCommand } from './commands/init.js';
import { jobsCommand } from './commands/jobs.js';
import { keysCommand } from './commands/keys.js';
import { linkCommand } from './commands/link.js';
import { migrateCommand } from './commands/migrate.js';
import { rebuildIndexCommand } from './commands/rebuild-index.js';
import { recallCommand, repatriateCommand } from './commands/recall.js';
import { repairCommand } from './commands/repair.js';
import { replicaCommand } from './commands/replica.js';
import { reportCommand } from './commands/report.js';
import { sampleCommand } from './commands/sample.js';
import { scrubCommand } from './commands/scrub.js';
import { serveCommand } from './commands/serve.js';
import { statusCommand } from './commands/status.js';
import { volumeCommand } from './commands/volume.js';
import { EXIT } from './exit.js';
import type { Io } from './io.js';

const COMMANDS = [
  serveCommand,
  initCommand,
  configCommand,
  doctorCommand,
  sampleCommand,
  importCommand,
  statusCommand,
  migrateCommand,
  recallCommand,
  repatriateCommand,
  deleteCommand,
  eraseCommand,
  holdCommand,
  scrubCommand,
  repairCommand,
  keysCommand,
  jobsCommand,
  linkCommand,
  volumeCommand,
  drillCommand,
  replicaCommand,
  auditCommand,
  reportCommand,
  rebuildIndexCommand,
  extractCommand,
];

/** Runs `filmroom` with `args` (without node and script). Resolves when the command is over; how it went is in `io.exit`. */
export async function runProgram(io: Io, args: readonly string[], version: string): Promise<void> {
  const program = new Command('filmroom')
    .description('A tiered PACS image storage gateway.')
    .version(version)
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 usage or configuration, 3 partly done.');
  for (const make of COMMANDS) program.addCommand(make(io));
  tame(program, io);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    io.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage);
  }
}

/** Commander throws instead of ending the process, and writes where it is told to; for every command below too. */
function tame(command: Command, io: Io): void {
  command.exitOverride();
  command.configureOutput({
    writeOut: (text) => void io.stdout.write(text),
    writeErr: (text) => void io.stderr.write(text),
  });
  command.allowExcessArguments(false);
  command.showHelpAfterError('(--help says more)');
  for (const sub of command.commands) tame(sub, io);
}
