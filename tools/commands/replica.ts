// filmroom replica: `list` what the server knows of its replicas; `test` one before it is trusted.
import { Command } from 'commander';
import type { ReplicaConfig } from '../../gateway/config.js';
import { probePlace } from '../../gateway/replica-stores.js';
import type { CheckLevel } from '../../tiering/cold/probe/findings.js';
import type { ProbeReport } from '../../tiering/cold/probe/probe.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { configuredReplica } from '../configured-replica.js';
import { EXIT } from '../exit.js';
import { formatBytes, formatTable, plural } from '../format.js';
import { finish, type Io, print, printJson } from '../io.js';
import { serverCommand, withServer } from '../server-command.js';
import { addCommand, drainCommand } from './replica-fleet.js';
import { restoreCommand } from './replica-restore.js';
import { describeDebt } from './status.js';

export function replicaCommand(io: Io): Command {
  return new Command('replica')
    .description('look at replicas, take them in and out')
    .addCommand(listCommand(io))
    .addCommand(testCommand(io))
    .addCommand(addCommand(io))
    .addCommand(drainCommand(io))
    .addCommand(restoreCommand(io));
}

function listCommand(io: Io): Command {
  return withServer(
    io,
    serverCommand('list', 'replicas, their state and what they are owed'),
    async (client, { json }) => {
      const { replicas } = await client.status();
      if (json) printJson(io, { replicas });
      else {
        const rows = replicas.map(({ name, state, standing, latencyMs, debt, detail }) => [
          name,
          standing === 'member' ? state : `${state}, ${standing}`,
          latencyMs === null ? '' : `${latencyMs.toFixed(0)} ms`,
          describeDebt(debt),
          detail ?? '',
        ]);
        print(io, formatTable([['REPLICA', 'STATE', 'LATENCY', 'OWED', ''], ...rows]));
      }
      return EXIT.done;
    },
  );
}

function testCommand(io: Io): Command {
  return new Command('test')
    .description('write, read, list and delete a few objects of its own, and check every answer')
    .argument('<name>', 'its name in the configuration')
    .option('--config <file>', 'configuration; default: ./data')
    .option('--json', 'the result as JSON on standard output')
    .action(async (name: string, options: { config?: string; json?: boolean }) => {
      await finish(io, options.json === true, async () => {
        const { replica } = configuredReplica(io, name, options.config);
        const report = await probePlace(replica, { clock: systemClock, random: systemRandom });
        if (options.json === true) printJson(io, { name, ...report });
        else print(io, describeProbe(replica, report));
        return report.ok ? EXIT.done : EXIT.failed;
      });
    });
}

const MARKS: Readonly<Record<CheckLevel, string>> = {
  ok: 'ok',
  lacking: 'lacking',
  warning: 'WARNING',
  failed: 'FAILED',
  shown: '',
};

function describeProbe({ name, url, endpoint }: ReplicaConfig, { ok, checks, speed }: ProbeReport): string {
  const rate = (bytesPerSecond: number) => `${formatBytes(bytesPerSecond)}/s`;
  const shown = checks.filter(({ level }) => level === 'shown').map(({ check, detail }) => ['', check, detail]);
  const measured =
    speed === null
      ? []
      : [
          [
            '',
            'upload',
            `${rate(speed.uploadBytesPerSecond)}, ${plural(speed.objects, 'object')} of ${formatBytes(speed.objectBytes)}`,
          ],
          ['', 'download', rate(speed.downloadBytesPerSecond)],
          ['', 'latency', `${speed.latencyMs.median} ms, at worst ${speed.latencyMs.worst} ms, for 64 KiB`],
        ];
  return [
    `replica ${name}: ${url}${endpoint === undefined ? '' : ` at ${endpoint}`}`,
    '',
    formatTable([
      ...checks
        .filter(({ level }) => level !== 'shown')
        .map(({ check, level, detail }) => [MARKS[level], check, detail]),
      ...shown,
      ...measured,
    ]),
    '',
    ok ? 'fit to hold a replica' : 'NOT fit to hold a replica',
  ].join('\n');
}
