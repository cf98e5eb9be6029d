// filmroom volume: the volumes and how each does; `fail` takes one out of use as if it had failed, `return` takes it back in, `adopt` takes in an
// empty disk in its place, `ledger` says what became of those that were away.
import { Command } from 'commander';
import type { AdoptReport, FailbackLedger, FileCount } from '../../tiering/archive/archive.js';
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
    .description('look at volumes, take one out of use and back in, or replace it')
    .addCommand(listCommand(io))
    .addCommand(failCommand(io))
    .addCommand(returnCommand(io))
    .addCommand(adoptCommand(io))
    .addCommand(ledgerCommand(io));
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
    else if (isInUse(state)) print(io, `${name} is in use again`);
    else print(io, `${name} may be used again, and is ${state}: filmroom volume list says why`);
    return isInUse(state) ? EXIT.done : EXIT.partly;
  });
}

/** Studies that are named on the screen; --json has the first 1,000. */
const STUDIES_SHOWN = 20;

/** A slow one is in use, too. */
function isInUse(state: string | null): boolean {
  return state === 'healthy' || state === 'slow';
}

function adoptCommand(io: Io): Command {
  const command = serverCommand('adopt', 'take in an empty disk in its place; what lay on the old one is given up')
    .argument('<name>', 'its name in the configuration')
    .option('--yes', 'do it; without this what is given up is shown and nothing is done');
  return withServer<Options>(io, command, async (client, { yes, json }, [name = '']) => {
    const report = await client.adoptVolume(name, yes !== true);
    if (json === true) printJson(io, { ...report, confirmed: yes === true });
    else print(io, describeAdoption(name, report));
    if (yes !== true) {
      note(io, 'Nothing was done. Give --yes to do it.');
      return EXIT.usage;
    }
    if (json !== true) print(io, `${name} is ${report.state}. filmroom status says what is still to be brought back.`);
    return isInUse(report.state) ? EXIT.done : EXIT.partly;
  });
}

function describeAdoption(name: string, { place, recalled, lost }: AdoptReport): string {
  const studies = lost.studies.slice(0, STUDIES_SHOWN).map((study) => `  ${study}`);
  const more = lost.studies.length - studies.length;
  return [
    `${place.path}: empty, ${formatBytes(place.bytesFree)} of ${formatBytes(place.bytesTotal)} free`,
    ...(place.mountPoint ? [] : [`no disk is mounted there: what is stored goes to the disk of the folder above it`]),
    `${plural(recalled.packs, 'pack')}, ${formatBytes(recalled.bytes)}, of ${name} are on replicas and are brought back, what was opened last first`,
    lost.instances === 0
      ? 'nothing was on the old disk alone'
      : `given up: ${plural(lost.instances, 'instance')}, ${formatBytes(lost.bytes)}, that were on the old disk alone, of these studies; send them again`,
    ...studies,
    ...(more > 0 ? [`  and ${more} more (--json)`] : []),
  ].join('\n');
}

function ledgerCommand(io: Io): Command {
  const command = serverCommand(
    'ledger',
    'what became of volumes that were away: found, missing, repaired, still at risk',
  ).argument('[name]', 'its name in the configuration; default: all');
  return withServer<ServerOptions>(io, command, async (client, { json }, [name = '']) => {
    const ledgers = await client.ledgers(name);
    if (json === true) printJson(io, { ledgers });
    else print(io, ledgers.length === 0 ? 'no volume was away' : ledgers.map(describeLedger).join('\n\n'));
    return EXIT.done;
  });
}

function describeLedger(ledger: FailbackLedger): string {
  const count = ({ packs, instances, bytes }: FileCount) =>
    packs === 0 ? 'nothing' : `${plural(packs, 'file')}, ${plural(instances, 'instance')}, ${formatBytes(bytes)}`;
  const { found, atRisk } = ledger;
  return [
    `${ledger.volume}: ${ledger.how} ${ledger.returnedAt}, away since ${ledger.awaySince}: ${ledger.outcome}`,
    formatTable([
      ['found', count(found) + (found.adopted === 0 ? '' : `; ${found.adopted} of them unknown before`)],
      ['of that hashed', count(ledger.hashed)],
      ['missing', count(ledger.missing)],
      ['corrupt', count(ledger.corrupt)],
      ['repaired', count(ledger.repaired)],
      ['taken in meanwhile', count(ledger.takenIn)],
      ['lost', count(atRisk.lost)],
      ['not protected', count(atRisk.unprotected)],
      ...(ledger.report === null ? [] : [['signed', ledger.report]]),
    ]),
  ].join('\n');
}
