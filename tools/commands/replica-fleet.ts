// filmroom replica add, drain: replicas that come and go while the archive is in use.
import type { Command } from 'commander';
import type { DrainReport, FillReport } from '../../tiering/archive/archive.js';
import { EXIT, type ExitCode, exitCodeOfJob } from '../exit.js';
import { formatBytes, plural } from '../format.js';
import { type Io, note, print, printJson } from '../io.js';
import { describeJob, followJob, runJob } from '../job-command.js';
import { type ServerOptions, serverCommand, withServer } from '../server-command.js';

interface AddOptions extends ServerOptions {
  readonly rate?: string;
}

export function addCommand(io: Io): Command {
  const command = serverCommand(
    'add',
    'test a replica that the configuration has, and bring it everything that the others hold',
  )
    .argument('<name>', 'its name in the configuration that the server runs with')
    .option('--rate <rate>', 'what is written to it at most, such as 20MB/s')
    .addHelpText(
      'after',
      '\nPut it into the configuration and restart the server first. Stopped or killed, it goes on by itself at the same rate.',
    );
  return withServer<AddOptions>(io, command, async (client, { json, rate }, [replica = '']) => {
    const request = { kind: 'add-replica', replica, ...(rate === undefined ? {} : { rate }) };
    if (json === true) return runJob(io, client, request, true);
    const job = await followJob(io, client, request);
    const report = job.report as FillReport | null;
    if (report === null) {
      note(io, describeJob(job));
      return exitCodeOfJob(job.state);
    }
    const { packs, bytes, deletes, failures } = report;
    print(
      io,
      `add ${job.state}: ${plural(packs, 'pack')} (${formatBytes(bytes)}) and ${plural(deletes, 'delete')} brought to ${replica}`,
    );
    for (const { item, code, detail } of failures) note(io, `  ${item}: ${code}: ${detail}`);
    if (failures.length > 0) note(io, 'It is gone on with in the background; filmroom replica list says what is owed.');
    return exitCodeOfJob(job.state);
  });
}

interface DrainOptions extends ServerOptions {
  readonly erase?: boolean;
  readonly yes?: boolean;
}

export function drainCommand(io: Io): Command {
  const command = serverCommand(
    'drain',
    'take a replica out: bring to others what they lack, prove it there, then count on it no more',
  )
    .argument('<name>', 'its name in the configuration')
    .option('--erase', 'then remove the objects of this archive from it')
    .option('--yes', 'do it; without this only the plan is shown');
  return withServer<DrainOptions>(io, command, async (client, options, [replica = '']) => {
    const { erase = false, json = false } = options;
    const request = { kind: 'drain-replica', replica };
    if (options.yes !== true) {
      const job = await followJob(io, client, { ...request, plan: true });
      const plan = job.report as DrainReport | null;
      if (plan === null) {
        if (json) printJson(io, { state: job.state, error: job.error });
        note(io, describeJob(job));
        return exitCodeOfJob(job.state);
      }
      if (json)
        printJson(io, {
          replica,
          plan: { packs: plan.packs, bytes: plan.bytes, copied: plan.moved },
          confirmed: false,
        });
      const copied =
        plan.moved === 0 ? 'all of them are on enough others' : `${plan.moved} of them are copied to others first`;
      note(
        io,
        `Plan: nothing new goes to ${replica}; ${plural(plan.packs, 'pack')} there (${formatBytes(plan.bytes)}), ${copied}.`,
      );
      if (erase) note(io, `Then every object of this archive is removed from ${replica}.`);
      note(io, 'Nothing was done. Give --yes to do it.');
      return EXIT.usage;
    }
    if (json) return runJob(io, client, { ...request, erase }, true);
    const job = await followJob(io, client, { ...request, erase });
    const report = job.report as DrainReport | null;
    if (report !== null) return ended(io, job.state, report, erase);
    note(io, describeJob(job));
    return exitCodeOfJob(job.state);
  });
}

function ended(io: Io, state: string, report: DrainReport, erase: boolean): ExitCode {
  const { replica, packs, bytes, moved, erased, left, failures } = report;
  print(
    io,
    `drain ${state}: ${plural(packs, 'pack')} (${formatBytes(bytes)}) no longer counted on at ${replica}, ${moved} of them copied to others`,
  );
  if (erase && failures.length === 0) print(io, `${plural(erased, 'object')} removed, ${left} of others left alone`);
  for (const { item, code, detail } of failures) note(io, `  ${item}: ${code}: ${detail}`);
  note(
    io,
    failures.length === 0
      ? `Take ${replica} out of the configuration now; the server starts without it.`
      : 'Nothing was given up that is not proven elsewhere. Run it again, or take it back with filmroom replica add.',
  );
  return exitCodeOfJob(state);
}
