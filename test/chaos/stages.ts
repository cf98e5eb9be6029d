// The servers at which faults are tried. Movers work all the time at all of them: what was stored is filed after a second and copied after
// another, so that a fault meets them in the middle of it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makeReplicas } from '../e2e/gateway-clients.js';
import { ChaosProxy } from '../support/chaos-proxy.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { mountTmpfs, unmount } from '../support/mounts.js';
import { NbdDisk } from '../support/nbd-disk.js';
import { NetworkLink } from '../support/network-link.js';
import { type Rgw, startRgw } from '../support/rgw.js';
import { TlsFront } from '../support/tls-front.js';
import type { StageName } from './fault.js';
import { Site, type SiteParts } from './site.js';

type Section = Record<string, unknown>;

/** Of the third cloud, where it is asked by name: Ceph takes any other one for a bucket's. */
const NAME = 'localhost';

const FOLDERS = [1, 2, 3].map((at) => `replica-${at}`);

/** Sections of the configuration that all have. */
export function configOf(replicas: readonly Section[], more: Section = {}): Section {
  return {
    index: { url: 'sqlite:./index/filmroom.db' },
    hot: { volumes: [{ name: 'a', path: './disk/volume' }], settle: '1s' },
    cold: { keyring: './keyring.json', replicas },
    tiering: { recall: 'never', protectAfter: '1s' },
    audit: { path: './audit' },
    ...more,
  };
}

const inFolders = FOLDERS.map((folder, at) => ({ name: `r${at + 1}`, url: `file:./${folder}` }));

/** Starts clouds at the first question, for all that ask; `close` ends them. */
export class SharedClouds {
  #rgw: Promise<Rgw> | null = null;

  rgw(): Promise<Rgw> {
    this.#rgw ??= started();
    return this.#rgw;
  }

  async close(): Promise<void> {
    await (await this.#rgw?.catch(() => null))?.close();
    this.#rgw = null;
  }
}

/** Ceph's own tools crash now and then on a busy machine, while they set a site up. */
async function started(): Promise<Rgw> {
  for (let left = CLOUD_ATTEMPTS_MAX; ; left -= 1) {
    try {
      return await startRgw({ sites: 3 });
    } catch (error) {
      if (left === 1) throw error;
    }
  }
}

/** Where other work takes the machine. */
const START_MS_MAX = 120_000;

const CLOUD_ATTEMPTS_MAX = 5;

let made = 0;

/** A filled site of its own at this stage. */
export async function makeSite(stage: StageName, clouds: SharedClouds): Promise<Site> {
  made += 1;
  const number = made;
  const parts = await STAGES[stage](clouds, number);
  const site = new Site(parts, number * 10_000);
  try {
    await site.gateway.start(START_MS_MAX);
    await site.fill();
    return site;
  } catch (error) {
    await site.close();
    throw error;
  }
}

const STAGES: Readonly<Record<StageName, (clouds: SharedClouds, number: number) => Promise<SiteParts>>> = {
  plain,
  // The same, beside it, for what takes its time.
  patient: plain,

  disks: () => onDisks(configOf(inFolders)),

  // A second volume beside it, with less room.
  pair: () => {
    const volumes = [
      { name: 'a', path: './disk/volume' },
      { name: 'b', path: './disk/second' },
    ];
    return onDisks(configOf(inFolders, { hot: { volumes, settle: '1s' } }), 'second');
  },

  clouds: (clouds, number) => inClouds(clouds, `chaos-${process.pid}-${number}`),
  lines: (clouds, number) => inClouds(clouds, `chaos-${process.pid}-${number}`, true),
};

/** Volume and index each on a disk that can fail; small file systems for the audit log, a replica and a second volume. */
async function onDisks(config: Section, second?: string): Promise<SiteParts> {
  const gateway = await GatewayProcess.prepare(config);
  const at = (...names: readonly string[]) => join(gateway.dir, ...names);
  const undo: SiteParts['undo'][number][] = [];
  const disk = async (name: string, path: string, size: string) => {
    const one = await NbdDisk.create(at(`nbd-${name}`), path, { size });
    undo.push(() => one.dispose());
    return one;
  };
  const small = (path: string, size: string) => {
    mkdirSync(path);
    mountTmpfs(path, size);
    undo.push(() => unmount(path));
  };
  mkdirSync(at('disk'));
  // Room for half an hour of the load: a soak goes on here for as long.
  const volume = await disk('volume', at('disk/volume'), '512M');
  const disks = { volume, index: await disk('index', at('index'), '256M') };
  small(at('audit'), '32m');
  small(at('replica-3'), '384m');
  if (second !== undefined) small(at('disk', second), '96m');
  return { ...partsOf(gateway), disks, undo, folders: FOLDERS.map((folder) => at(folder)) };
}

/** Three clouds, each behind a proxy; with `lines`, each over a line that can be cut as well. */
async function inClouds(clouds: SharedClouds, bucket: string, withLines = false): Promise<SiteParts> {
  const rgw = await clouds.rgw();
  const proxies = await Promise.all(rgw.sites.map(({ endpoint }, at) => ChaosProxy.start(endpoint, at + 1)));
  const undo: SiteParts['undo'][number][] = proxies.map((proxy) => () => proxy.close());
  const replicas = await makeReplicas(rgw, bucket);
  const behind = replicas.map((replica, at) => ({ ...replica, endpoint: proxies[at]?.endpoint }));
  const gateway = await GatewayProcess.prepare(configOf(behind));
  mkdirSync(join(gateway.dir, 'disk'));
  const parts = { ...partsOf(gateway), rgw, proxies, undo };
  if (!withLines) return parts;
  const ports = proxies.map(({ endpoint }) => Number(new URL(endpoint).port));
  const [net, tls] = [await NetworkLink.start(ports[0] ?? 0), await TlsFront.start(proxies[1]?.endpoint ?? '')];
  undo.push(
    () => net.close(),
    () => tls.close(),
  );
  // A hosts file of the server's own, in a mount namespace of its own.
  const hosts = join(gateway.dir, 'hosts');
  const know = (known: boolean) => writeFileSync(hosts, known ? `127.0.0.1 ${NAME}\n` : '\n');
  know(true);
  gateway.wrapper = ['unshare', '-m', 'sh', '-c', `mount --bind ${hosts} /etc/hosts && exec "$0" "$@"`];
  const authority = join(gateway.dir, 'ca.pem');
  writeFileSync(authority, tls.ca);
  gateway.environment = { NODE_EXTRA_CA_CERTS: authority };
  const endpoints = [net.endpoint, tls.endpoint, `http://${NAME}:${ports[2]}`];
  const over = replicas.map((replica, at) => ({ ...replica, endpoint: endpoints[at] }));
  const config = configOf(over, { http: { host: '127.0.0.1', port: Number(new URL(gateway.url).port) } });
  writeFileSync(gateway.configPath, stringify(config));
  return { ...parts, lines: { net, tls, know } };
}

async function plain(): Promise<SiteParts> {
  const gateway = await GatewayProcess.prepare(configOf(inFolders));
  mkdirSync(join(gateway.dir, 'disk'));
  return { ...partsOf(gateway), folders: FOLDERS.map((folder) => join(gateway.dir, folder)) };
}

function partsOf(gateway: GatewayProcess): SiteParts {
  return { gateway, folders: [], rgw: null, proxies: [], disks: null, lines: null, undo: [] };
}
