// filmroom drill key: opens the copy of the keyring that lies in the safe, or its shares, and proves on every replica that it opens what lies
// there. Offline, beside the server or without it: a copy of the keyring is sent to nobody.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { Config } from '../../gateway/config.js';
import { embeddedConfig, loadConfig } from '../../gateway/config-file.js';
import { readKeyring } from '../../gateway/keyring-file.js';
import { openStore } from '../../gateway/replica-stores.js';
import { reportFolder } from '../../gateway/reports/folder.js';
import { SignedReports } from '../../tiering/archive/signed-reports.js';
import type { ObjectStore } from '../../tiering/cold/object-store.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { ArchiveError, codeOf } from '../../tiering/core/errors.js';
import type { ObjectKey } from '../../tiering/core/ids.js';
import { joinKeyring } from '../../tiering/format/key-shares.js';
import type { Keyring } from '../../tiering/format/keyring.js';
import { openManifest } from '../../tiering/format/manifest.js';
import { MANIFEST_PREFIX } from '../../tiering/format/names.js';
import { exitCodeOfCounts } from '../exit.js';
import { plural } from '../format.js';
import { finish, type Io, note, print, printJson } from '../io.js';

interface Options {
  readonly config?: string;
  readonly keyring?: string;
  readonly manifests: string;
  readonly json?: boolean;
}

interface Opened {
  readonly replica: string;
  readonly manifests: number;
  readonly opened: number;
  /** Why those that did not open did not, each once. */
  readonly faults: readonly string[];
}

export function keyDrillCommand(io: Io): Command {
  return new Command('key')
    .description('a copy of the keyring, or its shares, opens what lies on every replica; offline, nothing is changed')
    .argument('[share...]', 'files of shares, in place of --keyring')
    .option('--keyring <path>', 'the copy from the safe')
    .option('--config <file>', 'configuration that names the replicas; default: ./data')
    .option('--manifests <n>', 'how many are opened on each replica, spread over all', '50')
    .option('--json', 'the result as JSON on standard output')
    .action(async (shares: readonly string[], options: Options) => {
      await finish(io, options.json === true, async () => {
        const config =
          options.config === undefined ? embeddedConfig(io.cwd) : loadConfig(options.config, io.environment);
        const most = Number(options.manifests);
        if (!Number.isSafeInteger(most) || most < 1) throw new ArchiveError('INVALID', '--manifests: a whole number');
        const keyring = { ...(await copyOf(io, shares, options)), suites: config.cold.suites };
        const replicas = await Promise.all(config.cold.replicas.map((one) => openSome(one, keyring, most, io.signal)));
        const good = replicas.filter(({ faults }) => faults.length === 0).length;
        const outcome = good === replicas.length ? 'passed' : 'failed';
        const told = { what: 'key', archive: keyring.archiveId, shares: shares.length, outcome, replicas };
        const report = await keep(config, keyring, told);
        if (options.json === true) printJson(io, { ...told, report });
        else {
          print(io, `drill of key: ${outcome}`);
          for (const { replica, manifests, opened } of replicas) {
            print(io, `  ${replica}: ${opened} of ${plural(manifests, 'manifest')} opened`);
          }
          if (report !== null) print(io, `signed: ${report} (filmroom report show, verify)`);
        }
        for (const { replica, faults } of replicas) for (const fault of faults) note(io, `  ${replica}: ${fault}`);
        return exitCodeOfCounts(good, replicas.length - good);
      });
    });
}

async function copyOf(io: Io, shares: readonly string[], { keyring }: Options): Promise<Keyring> {
  if ((keyring === undefined) === (shares.length === 0)) {
    throw new ArchiveError('INVALID', 'give the copy by --keyring, or the files of its shares');
  }
  if (keyring !== undefined) return readKeyring(resolve(io.cwd, keyring));
  return joinKeyring(shares.map((file) => readFileSync(resolve(io.cwd, file), 'utf8')));
}

async function openSome(
  replica: Config['cold']['replicas'][number],
  keyring: Keyring,
  most: number,
  signal: AbortSignal,
): Promise<Opened> {
  const store = openStore(replica, false, { clock: systemClock, random: systemRandom });
  const faults = new Set<string>();
  let opened = 0;
  let manifests = 0;
  try {
    for (const key of await spread(store, most, signal)) {
      manifests += 1;
      try {
        await openManifest(await store.get(key, undefined, signal), keyring);
        opened += 1;
      } catch (error) {
        faults.add(`${codeOf(error)}: ${error instanceof Error ? error.message : 'unexpected'}`);
      }
    }
    // Nothing opened is nothing proven.
    if (manifests === 0) faults.add('ABSENT: there is no manifest on it');
  } catch (error) {
    faults.add(`${codeOf(error)}: ${error instanceof Error ? error.message : 'unexpected'}`);
  } finally {
    await store.close();
  }
  return { replica: replica.name, manifests, opened, faults: [...faults].slice(0, 10) };
}

/** So many of all manifests, evenly: whenever twice as many are held, every second one goes. */
async function spread(store: ObjectStore, most: number, signal: AbortSignal): Promise<readonly ObjectKey[]> {
  let held: ObjectKey[] = [];
  let step = 1;
  let seen = 0;
  for await (const { key } of store.list(MANIFEST_PREFIX, { signal })) {
    if (seen % step === 0) held.push(key);
    seen += 1;
    if (held.length < 2 * most) continue;
    held = held.filter((_, at) => at % 2 === 0);
    step *= 2;
  }
  const every = Math.max(1, Math.ceil(held.length / most));
  return held.filter((_, at) => at % every === 0);
}

/** Signed with the copy itself: that it can sign is part of what is shown. */
function keep(config: Config, keyring: Keyring, told: object): Promise<string | null> {
  const store = config.reports === null ? undefined : reportFolder(config.reports);
  let fault: string | null = null;
  const signer = { keys: { ring: keyring }, clock: systemClock, random: systemRandom };
  const reports = new SignedReports(store, { ...signer, onFailure: (detail) => (fault = detail) });
  return reports.save('drill', told).then((name) => {
    if (fault !== null) throw new ArchiveError('UNAVAILABLE', `the report is not kept: ${fault}`);
    return name;
  });
}
