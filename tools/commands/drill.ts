// filmroom drill: rehearses a failure on the live system, with shadow studies that are read and stored all the while, and says what it would cost.
import { Command } from 'commander';
import {
  DRILL_KINDS,
  type DrillKind,
  type DrillPlan,
  type DrillReport,
} from '../../tiering/archive/drills/drill-report.js';
import { EXIT, exitCodeOfJob } from '../exit.js';
import { formatBytes, plural } from '../format.js';
import { type Io, note, print, printJson } from '../io.js';
import { followJob } from '../job-command.js';
import { type ServerOptions, serverCommand, withServer } from '../server-command.js';
import { keyDrillCommand } from './drill-key.js';

interface Options extends ServerOptions {
  readonly for: string;
  readonly yes?: boolean;
  readonly anyway?: boolean;
}

const ABOUT: Readonly<Record<DrillKind, string>> = {
  volume: 'a volume is out of use for a while, as if its disk had failed',
  replica: 'a replica does not answer for a while',
  link: 'the line to one replica, or to all of them, is cut for a while: nothing comes back',
  'brown-out': 'the line to one replica, or to all of them, is slow but alive for a while: a second late, 1 MiB/s',
  index: 'the index is made again from the replicas beside the live one, and the two are compared',
};

export function drillCommand(io: Io): Command {
  const drill = new Command('drill').description(
    'rehearse a failure safely, measure what it would cost, sign a report',
  );
  for (const what of DRILL_KINDS) drill.addCommand(oneOf(io, what));
  return drill.addCommand(keyDrillCommand(io));
}

function oneOf(io: Io, what: DrillKind): Command {
  const command = serverCommand(what, ABOUT[what])
    .option(
      '--for <time>',
      what === 'index' ? 'it may take so long at most' : 'how long it lasts',
      what === 'index' ? '1h' : '1m',
    )
    .option('--yes', 'do it; without this the plan is shown and nothing is done')
    .option('--anyway', 'also where something speaks against it');
  if (what !== 'index') command.argument('[name]', `which ${what === 'volume' ? 'volume' : 'replica'}`);
  return withServer<Options>(io, command, async (client, options, [name]) => {
    const { yes, anyway, json, for: lasts } = options;
    const request = { what, ...(name === undefined ? {} : { name }), for: lasts, anyway: anyway === true };
    const plan = await client.planDrill(request);
    if (yes !== true) {
      if (json === true) printJson(io, { ...plan, confirmed: false });
      else for (const line of describePlan(plan, lasts)) print(io, line);
      note(io, 'Nothing was done. Give --yes to do it.');
      return EXIT.usage;
    }
    const job = await followJob(io, client, { kind: 'drill', ...request });
    const report = job.report as DrillReport | null;
    if (json === true)
      printJson(io, { id: job.id, state: job.state, ...report, ...(job.error === null ? {} : { error: job.error }) });
    else if (report === null) print(io, `drill ${job.state}: ${job.error?.detail ?? ''}`);
    else for (const line of describeDrill(report)) print(io, line);
    if (report !== null && report.outcome !== 'passed') return EXIT.failed;
    return exitCodeOfJob(job.state);
  });
}

function describePlan({ what, name, exposed, objections }: DrillPlan, lasts: string): readonly string[] {
  return [
    `A drill of ${name === null ? `the ${what}` : `${what} ${name}`} for ${lasts}: ${ABOUT[what]}.`,
    'Shadow studies (patient DRILL^FILMROOM) are stored and read meanwhile, and deleted in the end.',
    ...(exposed === null
      ? []
      : [
          exposed.instances === 0
            ? 'Everything can be read meanwhile, from its other copies.'
            : `${plural(exposed.instances, 'instance')}, ${formatBytes(exposed.bytes)}, cannot be read meanwhile.`,
        ]),
    ...objections.map((one) => `Against it: ${one}.`),
  ];
}

function describeDrill(report: DrillReport): readonly string[] {
  const { what, name, outcome, rto, rpo, reads, stores, compared } = report;
  const after = (ms: number | null) => (ms === null ? 'not seen' : `${(ms / 1000).toFixed(1)} s`);
  return [
    `drill of ${what}${name === null ? '' : ` ${name}`}: ${outcome}`,
    ...(what === 'index'
      ? [`made again in ${after(rto.recoveredMs)}`]
      : [
          `noticed after ${after(rto.detectedMs)}; first good read after ${after(rto.firstReadMs)}, store after ${after(rto.firstStoreMs)}; as before ${after(rto.recoveredMs)} after its end`,
          `meanwhile ${reads.failed} of ${plural(reads.tried, 'read')} and ${stores.failed} of ${plural(stores.tried, 'store')} failed, the slowest ${after(Math.max(reads.slowestMs, stores.slowestMs))}`,
        ]),
    ...(compared === null
      ? []
      : [
          `${plural(compared.instances, 'instance')} of ${plural(compared.studies, 'study', 'studies')} compared, ${compared.different} different`,
        ]),
    rpo.instances === 0
      ? 'nothing would have been lost'
      : `${plural(rpo.instances, 'instance')}${rpo.bytes === 0 ? '' : `, ${formatBytes(rpo.bytes)},`} would have been lost${rpo.oldestAgeSeconds === null ? '' : `, the oldest ${rpo.oldestAgeSeconds} s old`}`,
    ...report.failures.map(({ item, code, detail }) => `  ${item}: ${code}: ${detail}`),
    ...(report.report === null ? [] : [`signed: ${report.report} (filmroom report show, verify)`]),
  ];
}
