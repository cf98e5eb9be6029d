// The servers at which faults are tried. Movers work all the time at all of them: what was stored is filed after a second and copied after
// another, so that a fault meets them in the middle of it.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeReplicas } from '../e2e/gateway-clients.js';
import { ChaosProxy } from '../support/chaos-proxy.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { mountTmpfs, unmount } from '../support/mounts.js';
import { NbdDisk } from '../support/nbd-disk.js';
import { type Rgw, startRgw } from '../support/rgw.js';
import type { StageName } from './fault.js';
import { Site, type SiteParts } from './site.js';

type Section = Record<string, unknown>;

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
    this.#rgw ??= startRgw({ sites: 3 });
    return this.#rgw;
  }

  async close(): Promise<void> {
    await (await this.#rgw)?.close();
    this.#rgw = null;
  }
}

let made = 0;

/** A filled site of its own at this stage. */
export async function makeSite(stage: StageName, clouds: SharedClouds): Promise<Site> {
  made += 1;
  const parts = await STAGES[stage](clouds);
  const site = new Site(parts, made * 10_000);
  try {
    await site.gateway.start();
    await site.fill();
    return site;
  } catch (error) {
    await site.close();
    throw error;
  }
}

const STAGES: Readonly<Record<StageName, (clouds: SharedClouds) => Promise<SiteParts>>> = {
  plain,
  // The same, beside it, for what takes its time.
  patient: plain,

  disks: async () => {
    const gateway = await GatewayProcess.prepare(configOf(inFolders));
    const at = (...names: readonly string[]) => join(gateway.dir, ...names);
    const undo: SiteParts['undo'][number][] = [];
    const disk = async (name: string, path: string) => {
      const made = await NbdDisk.create(at(`nbd-${name}`), path, { size: '256M' });
      undo.push(() => made.dispose());
      return made;
    };
    const small = (path: string, size: string) => {
      mkdirSync(path);
      mountTmpfs(path, size);
      undo.push(() => unmount(path));
    };
    mkdirSync(at('disk'));
    const disks = { volume: await disk('volume', at('disk/volume')), index: await disk('index', at('index')) };
    small(at('audit'), '8m');
    small(at('replica-3'), '96m');
    return { ...partsOf(gateway), disks, undo, folders: FOLDERS.map((folder) => at(folder)) };
  },

  clouds: async (clouds) => {
    const rgw = await clouds.rgw();
    const proxies = await Promise.all(rgw.sites.map(({ endpoint }, at) => ChaosProxy.start(endpoint, at + 1)));
    const replicas = await makeReplicas(rgw, `chaos-${made}`);
    const behind = replicas.map((replica, at) => ({ ...replica, endpoint: proxies[at]?.endpoint }));
    const gateway = await GatewayProcess.prepare(configOf(behind));
    mkdirSync(join(gateway.dir, 'disk'));
    const undo = proxies.map((proxy) => () => proxy.close());
    return { ...partsOf(gateway), rgw, proxies, undo };
  },
};

async function plain(): Promise<SiteParts> {
  const gateway = await GatewayProcess.prepare(configOf(inFolders));
  mkdirSync(join(gateway.dir, 'disk'));
  return { ...partsOf(gateway), folders: FOLDERS.map((folder) => join(gateway.dir, folder)) };
}

function partsOf(gateway: GatewayProcess): SiteParts {
  return { gateway, folders: [], rgw: null, proxies: [], disks: null, undo: [] };
}
