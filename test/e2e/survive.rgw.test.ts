// What must go on while something is gone: a cloud killed or frozen, the volume gone, read-only, full or failing, the index deleted. The
// real server over three real S3 clouds; every byte is compared before, during and after.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type PhantomInstance, phantomStudies } from '../../dicom/phantom/phantom.js';
import type { StatusView } from '../../gateway/admin/status.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { canMount } from '../support/mounts.js';
import { type Rgw, type RgwSite, rgwInstalled, startRgw } from '../support/rgw.js';
import { retrieve, stow } from '../support/stow.js';
import { BREAKABLE_DISKS } from './broken-disk.js';
import { filmroom, makeReplicas, sha256Of } from './gateway-clients.js';

const NEEDS = 'needs radosgw, ceph-mon, ceph-osd, ceph-common';
/** A read while a cloud hangs: its own time limit, and the next cloud's answer. */
const READ_MS_MAX = 8_000;
/** A little more than the pause between two probes. */
const PROBE_MS = 6_000;
/** Two probes, five seconds apart, and what a returning volume is asked. */
const RETURN_MS_MAX = 40_000;

let rgw: Rgw;
let gateways: GatewayProcess[] = [];
let archives = 0;

function siteAt(at: number): RgwSite {
  return rgw.sites[at] ?? expect.fail('no such site');
}

function phantomsOf(seed: number): readonly PhantomInstance[] {
  return [...phantomStudies({ seed, studies: 3, slices: 4, shrink: 8 })];
}

async function makeGateway(): Promise<GatewayProcess> {
  archives += 1;
  const gateway = await GatewayProcess.prepare({
    index: { url: 'sqlite:./index/filmroom.db' },
    hot: { volumes: [{ name: 'a', path: './disk/volume' }] },
    cold: { keyring: './keyring.json', replicas: await makeReplicas(rgw, `survive-${archives}`) },
    tiering: { recall: 'never' },
  });
  gateways.push(gateway);
  return gateway;
}

async function storeAll(gateway: GatewayProcess, phantoms: readonly PhantomInstance[]): Promise<void> {
  const answer = await stow(
    gateway.url,
    phantoms.map(({ bytes }) => bytes),
  );
  expect(answer.status, answer.text.slice(0, 300)).toBe(200);
  expect(answer.stored).toHaveLength(phantoms.length);
}

async function succeed(gateway: GatewayProcess, kind: string, body: Record<string, unknown> = {}) {
  const job = await gateway.job(kind, body);
  expect(job, JSON.stringify(job)).toMatchObject({ state: 'done' });
  return job['report'] as Record<string, unknown>;
}

/**
 * Sends to a disk that is failing at this moment, as a modality does: what was refused is sent again, and is taken within a few rounds.
 * Nothing of it may be said to be stored and then be gone.
 */
async function storeMeanwhile(gateway: GatewayProcess, phantoms: readonly PhantomInstance[]): Promise<void> {
  let left = phantoms;
  for (let round = 1; left.length > 0; round++) {
    expect(round, `${left.length} instances are refused again and again`).toBeLessThan(10);
    const answer = await stow(
      gateway.url,
      left.map(({ bytes }) => bytes),
    );
    expect([200, 202, 409, 503], answer.text.slice(0, 300)).toContain(answer.status);
    const stored = new Set(answer.stored);
    left = left.filter(({ sop }) => !stored.has(sop));
    if (left.length > 0) await sleep(500);
  }
}

/** What does not come back as it was sent, and the slowest read. */
async function compare(gateway: GatewayProcess, phantoms: readonly PhantomInstance[]) {
  const bad: string[] = [];
  let slowestMs = 0;
  for (const one of phantoms) {
    const began = performance.now();
    const got = await retrieve(gateway.url, one).then(sha256Of, String);
    slowestMs = Math.max(slowestMs, performance.now() - began);
    if (got !== sha256Of(one.bytes)) bad.push(`${one.fileName}: ${got}`);
  }
  return { bad, slowestMs };
}

async function statusOf(gateway: GatewayProcess): Promise<StatusView> {
  return (await (await fetch(`${gateway.url}/admin/api/status`)).json()) as StatusView;
}

async function until(what: string, msMax: number, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + msMax;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${msMax} ms`);
    await sleep(100);
  }
}

async function scrubFindings(gateway: GatewayProcess): Promise<unknown> {
  return (await succeed(gateway, 'scrub', { deep: true }))['findings'];
}

describe.skipIf(!rgwInstalled())(`surviving (${NEEDS})`, () => {
  beforeAll(async () => {
    rgw = await startRgw({ sites: 3 });
  });
  afterAll(() => rgw?.close());
  afterEach(async () => {
    for (const gateway of gateways) await gateway.destroy();
    gateways = [];
  });

  it('with a cloud killed, reads, recalls, stores and migrates go on, and repair pays the debt when it is back', async () => {
    const gateway = await makeGateway();
    await gateway.start();
    const [old, recent] = [phantomsOf(1), phantomsOf(2)];
    await storeAll(gateway, old);
    await succeed(gateway, 'migrate', { all: true });
    await siteAt(0).stop();
    try {
      expect((await compare(gateway, old)).bad).toEqual([]);
      await storeAll(gateway, recent);
      const studies = [...new Set(recent.map(({ study }) => study))];
      await succeed(gateway, 'migrate', { studies });
      expect((await compare(gateway, recent)).bad).toEqual([]);
      await succeed(gateway, 'recall', { all: true });
      expect((await compare(gateway, [...old, ...recent])).bad).toEqual([]);
      await until('the debt shows', 10_000, async () => {
        const replica = (await statusOf(gateway)).replicas[0];
        return replica?.state === 'unavailable' && replica.debt.packs === studies.length;
      });
    } finally {
      await siteAt(0).start();
    }
    await until('the cloud is back', 30_000, async () => (await statusOf(gateway)).replicas[0]?.state === 'available');
    await succeed(gateway, 'repair');
    await until('the debt is paid', 10_000, async () => (await statusOf(gateway)).replicas[0]?.debt.packs === 0);
    expect(await scrubFindings(gateway)).toEqual([]);
  });

  it('with a cloud frozen, reads and recalls go on within a bound', async () => {
    const gateway = await makeGateway();
    await gateway.start();
    const old = phantomsOf(3);
    await storeAll(gateway, old);
    await succeed(gateway, 'migrate', { all: true });
    siteAt(1).pause();
    try {
      const { bad, slowestMs } = await compare(gateway, old);
      expect(bad).toEqual([]);
      expect(slowestMs).toBeLessThan(READ_MS_MAX);
      const began = performance.now();
      await succeed(gateway, 'recall', { all: true });
      expect(performance.now() - began).toBeLessThan(30_000);
    } finally {
      siteAt(1).resume();
    }
    expect((await compare(gateway, old)).bad).toEqual([]);
  });

  it('a volume that was deleted for good costs nothing that was protected, over a restart too', async () => {
    const gateway = await makeGateway();
    await gateway.start();
    const [old, recent] = [phantomsOf(4), phantomsOf(5)];
    await storeAll(gateway, old);
    await succeed(gateway, 'migrate', { all: true, keepHot: true });
    await rm(join(gateway.dir, 'disk/volume'), { recursive: true });
    expect((await compare(gateway, old)).bad).toEqual([]);
    await storeAll(gateway, recent);
    await gateway.restart();
    expect((await statusOf(gateway)).ingest).toBe('cloud-direct');
    expect((await compare(gateway, [...old, ...recent])).bad).toEqual([]);
  });

  describe.skipIf(!canMount)('on disks that break (needs root on Linux, for mount)', () => {
    it.each(BREAKABLE_DISKS)(
      'a volume that is %s: what can be read is, new studies are stored cloud-direct, all is equal after its return',
      async (_, disk) => {
        const gateway = await makeGateway();
        const path = join(gateway.dir, 'disk/volume');
        try {
          await mkdir(join(gateway.dir, 'disk'));
          disk.prepare(path);
          await gateway.start();
          const [old, recent] = [phantomsOf(6), phantomsOf(7)];
          await storeAll(gateway, old);
          await succeed(gateway, 'migrate', { all: true, keepHot: true });
          const unprotected = phantomsOf(12);
          await storeAll(gateway, unprotected);
          disk.break(path);
          // The first to come may still be taken by a disk that has not failed yet: unprotected, and there again when it is.
          const first = phantomsOf(8);
          await storeMeanwhile(gateway, first);
          await until('cloud-direct', 20_000, async () => (await statusOf(gateway)).ingest === 'cloud-direct');
          await storeAll(gateway, recent);
          const now = disk.readable ? [...old, ...recent, ...unprotected] : [...old, ...recent];
          expect((await compare(gateway, now)).bad, 'while it is broken').toEqual([]);
          // Probes go on meanwhile, and must not take away what still reads.
          if (disk.readable) await sleep(PROBE_MS);
          expect((await compare(gateway, now)).bad, 'while it is broken, probed').toEqual([]);
          disk.mend(path);
          await until('ingest', RETURN_MS_MAX, async () => (await statusOf(gateway)).ingest === 'volume');
          expect((await statusOf(gateway)).volumes[0]?.state).toBe('healthy');
          const late = phantomsOf(11);
          const all = [...old, ...unprotected, ...first, ...recent, ...late];
          await storeAll(gateway, late);
          expect((await compare(gateway, all)).bad, 'after its return').toEqual([]);
          await succeed(gateway, 'migrate', { all: true });
          await succeed(gateway, 'recall', { all: true });
          expect((await compare(gateway, all)).bad, 'in the end').toEqual([]);
          expect(await scrubFindings(gateway)).toEqual([]);
          await gateway.kill('SIGTERM');
        } finally {
          await gateway.kill();
          disk.dispose(path);
        }
      },
    );
  });

  it('a server whose index was deleted refuses to start blindly; rebuild-index mends it', async () => {
    const gateway = await makeGateway();
    await gateway.start();
    const [cold, hot] = [phantomsOf(9), phantomsOf(10)];
    await storeAll(gateway, cold);
    await succeed(gateway, 'migrate', { all: true });
    await storeAll(gateway, hot);
    await gateway.kill('SIGTERM');
    await rm(join(gateway.dir, 'index'), { recursive: true });
    const refusal = await filmroom(['serve', '--config', gateway.configPath]);
    expect(refusal.code).toBe(1);
    expect(refusal.stderr).toContain('filmroom rebuild-index');
    const rebuilt = await filmroom(['rebuild-index', '--config', gateway.configPath, '--json']);
    expect(rebuilt.code, rebuilt.stderr).toBe(0);
    await gateway.start();
    expect((await compare(gateway, [...cold, ...hot])).bad).toEqual([]);
    await succeed(gateway, 'migrate', { all: true });
    expect((await compare(gateway, [...cold, ...hot])).bad).toEqual([]);
  });
});
