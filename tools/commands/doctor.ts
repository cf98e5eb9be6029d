// filmroom doctor: looks at everything that an installation stands on, and says what is wrong and what to do. Changes nothing.
import { existsSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Command } from 'commander';
import type { Config, ReplicaConfig } from '../../gateway/config.js';
import { embeddedConfig, loadConfig } from '../../gateway/config-file.js';
import { keyringExists, keyringModeFault, readKeyring } from '../../gateway/keyring-file.js';
import { openKeys } from '../../gateway/keys.js';
import { openStore } from '../../gateway/replica-stores.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { hasCode } from '../../tiering/core/errors.js';
import { withDeadline } from '../../tiering/core/queues.js';
import { CONFIG_NAME, parseConfig } from '../../tiering/format/names.js';
import { EXIT } from '../exit.js';
import { formatBytes, formatTable } from '../format.js';
import { finish, type Io, print, printJson } from '../io.js';

/** `fail`: it will not work. `warn`: it works, and something is unwise. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'fail';
  readonly subject: string;
  readonly detail: string;
}

const NODE_MIN = [20, 19] as const;
const REPLICA_MS = 15_000;
const FREE_SHARE_MIN = 0.1;

export function doctorCommand(io: Io): Command {
  return new Command('doctor')
    .description('look at what this installation stands on: Node, configuration, disks, keyring, replicas')
    .option('--config <file>', 'configuration; default: ./data')
    .option('--json', 'the result as JSON on standard output')
    .action(async (options: { config?: string; json?: boolean }) => {
      await finish(io, options.json === true, async () => {
        const config =
          options.config === undefined ? embeddedConfig(io.cwd) : loadConfig(options.config, io.environment);
        const findings = await examine(config, process.versions.node);
        if (options.json === true) printJson(io, { findings });
        else print(io, formatTable(findings.map((one) => [one.level, one.subject, one.detail])));
        return findings.some((one) => one.level === 'fail') ? EXIT.failed : EXIT.done;
      });
    });
}

export async function examine(config: Config, nodeVersion: string): Promise<readonly Finding[]> {
  const replicas = await Promise.all(config.cold.replicas.map((replica) => examineReplica(replica, config)));
  return [
    examineNode(nodeVersion),
    ...examineKeyring(config.cold.keyring),
    ...(await examineToken(config)),
    ...(await Promise.all(config.hot.volumes.map(({ name, path }) => examineVolume(name, path)))),
    ...examineDisks(config),
    ...replicas,
    ...config.ignored.map(
      (key): Finding => ({ level: 'warn', subject: key, detail: 'is not acted on by this version' }),
    ),
  ];
}

export function examineNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const subject = `Node ${version}`;
  if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
    return { level: 'fail', subject, detail: `Filmroom needs Node ${NODE_MIN.join('.')} or later` };
  }
  return { level: 'ok', subject, detail: '' };
}

function examineKeyring(path: string): readonly Finding[] {
  const subject = 'keyring';
  if (!keyringExists(path)) {
    return [{ level: 'warn', subject, detail: `${path} is not there; the first start of a new archive makes it` }];
  }
  const fault = keyringModeFault(path);
  if (fault !== null) return [{ level: 'fail', subject, detail: fault }];
  try {
    const { keys } = readKeyring(path);
    return [{ level: 'ok', subject, detail: `${path}, ${keys.length} key(s); keep a copy off this machine` }];
  } catch (error) {
    return [{ level: 'fail', subject, detail: (error as Error).message }];
  }
}

async function examineToken(config: Config): Promise<readonly Finding[]> {
  const { keyring, pkcs11 } = config.cold;
  if (pkcs11 === null || !keyringExists(keyring)) return [];
  const subject = `token ${pkcs11.token}`;
  try {
    const keys = await openKeys(config, { create: false, clock: systemClock, random: systemRandom });
    keys.close();
    const held = keys.keyring.keys.filter(({ secret }) => secret === null).length;
    if (keys.warning !== null) return [{ level: 'fail', subject, detail: keys.warning }];
    return [{ level: 'ok', subject, detail: `answers; holds ${held} key(s) of the keyring; see that it is backed up` }];
  } catch (error) {
    return [{ level: 'fail', subject, detail: (error as Error).message }];
  }
}

/** The device of a path, or of the nearest folder above it that exists. */
function deviceOf(path: string): number {
  let at = path;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return statSync(at).dev;
}

async function examineVolume(name: string, path: string): Promise<Finding> {
  const subject = `volume ${name}`;
  if (!existsSync(path)) {
    return { level: 'warn', subject, detail: `${path} is not there; it is made at the first start, and never again` };
  }
  const { bsize, blocks, bavail } = await withDeadline(REPLICA_MS, path, () => statfs(path));
  const free = bavail * bsize;
  const detail = `${path}, ${formatBytes(free)} of ${formatBytes(blocks * bsize)} free`;
  return { level: bavail < blocks * FREE_SHARE_MIN ? 'warn' : 'ok', subject, detail };
}

/** Things that share a disk are lost together. */
function examineDisks(config: Config): readonly Finding[] {
  const findings: Finding[] = [];
  const index = deviceOf(dirname(config.index.path));
  const volumes = config.hot.volumes.map(({ name, path }) => ({ name, device: deviceOf(path) }));
  const shared = volumes.filter(({ device }) => device === index).map(({ name }) => name);
  findings.push(
    shared.length > 0
      ? {
          level: 'warn',
          subject: 'index',
          detail: `is on the same disk as volume ${shared.join(', ')}; if that disk goes, both go (the replicas rebuild them)`,
        }
      : { level: 'ok', subject: 'index', detail: 'has a disk of its own' },
  );
  for (const { name, url } of config.cold.replicas) {
    if (!url.startsWith('file:')) continue;
    const device = deviceOf(url.slice('file:'.length));
    const beside = volumes.find((volume) => volume.device === device);
    if (beside === undefined) continue;
    findings.push({
      level: 'warn',
      subject: `replica ${name}`,
      detail: `is on the same disk as volume ${beside.name}: good for a trial, no protection`,
    });
  }
  return findings;
}

async function examineReplica(replica: ReplicaConfig, config: Config): Promise<Finding> {
  const subject = `replica ${replica.name}`;
  const store = openStore(replica, false, { clock: systemClock, random: systemRandom });
  try {
    const bytes = await withDeadline(REPLICA_MS, replica.url, (signal) => store.get(CONFIG_NAME, undefined, signal));
    const { archiveId } = parseConfig(bytes);
    const mine = keyringExists(config.cold.keyring) ? readKeyring(config.cold.keyring).archiveId : undefined;
    return mine === undefined || mine === archiveId
      ? { level: 'ok', subject, detail: `answers; archive ${archiveId}` }
      : { level: 'fail', subject, detail: `belongs to archive ${archiveId}, the keyring to ${mine}` };
  } catch (error) {
    if (hasCode(error, 'ABSENT')) return { level: 'ok', subject, detail: 'answers; not part of an archive yet' };
    const neverMade = replica.url.startsWith('file:') && !existsSync(replica.url.slice('file:'.length));
    const detail = neverMade ? 'is not there; it is made at the first start' : (error as Error).message;
    return { level: neverMade ? 'warn' : 'fail', subject, detail };
  } finally {
    await store.close();
  }
}
