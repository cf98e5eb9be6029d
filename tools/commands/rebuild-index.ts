// filmroom rebuild-index: makes a lost index again from volumes and replicas. Offline: the server must not run. May be killed
// and run again.
import { Command } from 'commander';
import { embeddedConfig, loadConfig } from '../../gateway/config-file.js';
import { rebuildIndexOf } from '../../gateway/rebuild.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { exitCodeOfCounts } from '../exit.js';
import { plural } from '../format.js';
import { finish, type Io, note, print, printJson } from '../io.js';
import { createProgressLine } from '../progress.js';

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

export function rebuildIndexCommand(io: Io): Command {
  return new Command('rebuild-index')
    .description(
      'make a lost index again from the volumes and the replicas; the server must not run (serve --rebuild does it while searches go on)',
    )
    .option('--config <file>', 'configuration; default: ./data')
    .option('--json', 'the result as JSON on standard output')
    .action(async ({ config: file, json }: Options) => {
      await finish(io, json === true, async () => {
        const config = file === undefined ? embeddedConfig(io.cwd) : loadConfig(file, io.environment);
        const line = createProgressLine(io.stderr, 'rebuild-index', () => performance.now());
        try {
          const report = await rebuildIndexOf(
            config,
            { clock: systemClock, random: systemRandom },
            { signal: io.signal, onProgress: (progress) => line.update(progress) },
          );
          line.end();
          if (json === true) printJson(io, report);
          else
            print(
              io,
              `rebuilt from ${plural(report.packs, 'pack')}: ${plural(report.instances, 'instance')}, ${report.perSecond} a second`,
            );
          for (const { item, code, detail } of report.failures) note(io, `  ${item}: ${code}: ${detail}`);
          for (const name of report.unavailable)
            note(io, `  ${name} did not answer: what only it holds is missing; run this again`);
          if (report.provisional.length > 0) {
            note(
              io,
              `  provisional: ${report.provisional.join(', ')} may know of deletes; what was deleted may show until then`,
            );
          }
          return exitCodeOfCounts(report.packs, report.failures.length + report.unavailable.length);
        } finally {
          line.end();
        }
      });
    });
}
