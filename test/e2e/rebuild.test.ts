// A lost server, in small: what bench/rebuild.ts does with 100,000 instances. Then once more by `serve --rebuild`, killed while it runs, and started
// again without being told: it goes on, and refuses to take the half of an index for a whole one.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { phantomCt } from '../../dicom/phantom/phantom.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { coldArchive, type Dump, dumpQido, loseAllButOneReplica, rebuildOffline } from '../support/rebuild-drill.js';
import { stow } from '../support/stow.js';
import { filmroom } from './gateway-clients.js';

const INSTANCES = 2_000;

let gateway: GatewayProcess;
let before: Dump;
beforeAll(async () => {
  gateway = await coldArchive(INSTANCES);
  before = await dumpQido(gateway.url);
  await loseAllButOneReplica(gateway);
}, 100_000);
afterAll(async () => gateway?.destroy());

interface Status {
  readonly instances: number;
  readonly rebuild: { readonly packsDone: number; readonly packsTotal: number } | null;
}

async function status(): Promise<Status> {
  return (await (await fetch(`${gateway.url}/admin/api/status`)).json()) as Status;
}

async function whenWhole(): Promise<void> {
  while ((await status()).rebuild !== null) await sleep(20);
}

describe('a server that lost its index, its hot tier and all replicas but one', () => {
  it('is not served as if it were empty', async () => {
    const refused = await filmroom(['serve', '--config', gateway.configPath], { cwd: gateway.dir });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('filmroom serve --rebuild');
  });

  it('gives the same answers to every query, byte by byte, after rebuild-index', async () => {
    const { code, report } = await rebuildOffline(gateway);
    expect({ code, report }).toMatchObject({ code: 0, report: { packs: 5, instances: INSTANCES, failures: [] } });
    await gateway.start();
    expect(await dumpQido(gateway.url)).toEqual(before);
  }, 60_000);

  it('serves while it rebuilds, goes on by itself after a kill, and takes nothing until it is whole', async () => {
    await gateway.kill('SIGTERM');
    await rm(join(gateway.dir, 'data', 'index'), { recursive: true });
    await gateway.start(30_000, ['--rebuild']);
    await gateway.kill('SIGKILL');
    await gateway.start();
    const ready = await (await fetch(`${gateway.url}/readyz`)).text();
    if (ready !== 'ready\n') {
      expect(ready).toContain('provisional');
      // Stored before: taken as a duplicate once it is whole.
      const sent = await stow(gateway.url, [phantomCt({ seed: 5, index: 0, rows: 8, columns: 8 }).bytes]);
      if ((await status()).rebuild !== null) expect(sent.status).toBe(503);
    }
    await whenWhole();
    expect(await dumpQido(gateway.url)).toEqual(before);
    expect(await (await fetch(`${gateway.url}/readyz`)).text()).toBe('ready\n');
  }, 60_000);
});
