// The index's own failures on a running server, by real means: its disk full, its pages flipped, an older copy put back, its log lost, two
// processes. Each is told in words that say what to do; none is served as if nothing were wrong.
import { execFileSync } from 'node:child_process';
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type PhantomInstance, phantomStudies } from '../../dicom/phantom/phantom.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { canMount, mountTmpfs, unmount } from '../support/mounts.js';
import { stow } from '../support/stow.js';
import { filmroom, search, sha256Of } from './gateway-clients.js';

const PHANTOMS = [...phantomStudies({ seed: 77, studies: 3, slices: 4, shrink: 8 })];
const HALF = Math.floor(PHANTOMS.length / 2);
const WAIT = { timeout: 120_000, interval: 200 };

let gateway: GatewayProcess;
const inIndex = (...names: readonly string[]) => join(gateway.dir, 'data', 'index', ...names);

interface Status {
  readonly stopped: { readonly reason: string; readonly restart: boolean } | null;
  readonly rebuild: object | null;
}

async function status(): Promise<Status> {
  return (await (await fetch(`${gateway.url}/admin/api/status`)).json()) as Status;
}

async function store(phantoms: readonly PhantomInstance[]): Promise<void> {
  const answer = await stow(
    gateway.url,
    phantoms.map(({ bytes }) => bytes),
  );
  expect(answer.status).toBe(200);
}

async function expectWhole(phantoms: readonly PhantomInstance[]): Promise<void> {
  for (const { study, series, sop, bytes } of phantoms) {
    const path = `studies/${study}/series/${series}/instances/${sop}`;
    const headers = { accept: 'application/dicom; transfer-syntax=*' };
    const answer = await fetch(`${gateway.url}/dicomweb/${path}`, { headers });
    expect(answer.status).toBe(200);
    expect(sha256Of(Buffer.from(await answer.arrayBuffer()))).toBe(sha256Of(bytes));
  }
  expect(await search(gateway.url, 'instances?limit=1000')).toHaveLength(phantoms.length);
}

/** What it says when it will not start. */
async function refusal(): Promise<string> {
  const { code, stderr } = await filmroom(['serve', '--config', gateway.configPath], { cwd: gateway.dir });
  expect(code).toBe(1);
  return stderr;
}

async function rebuild(): Promise<void> {
  await gateway.start(60_000, ['--rebuild']);
  await vi.waitFor(async () => expect((await status()).rebuild).toBeNull(), WAIT);
  expect((await readdir(inIndex())).filter((name) => name.includes('.set-aside-')).length).toBeGreaterThan(0);
}

beforeEach(async () => {
  gateway = await GatewayProcess.prepare();
});
afterEach(async () => gateway.destroy());

describe.skipIf(!canMount)('an index whose disk is full (needs root)', () => {
  it('is read as ever, takes nothing, says so, and goes on by itself', async () => {
    await mkdir(inIndex(), { recursive: true });
    mountTmpfs(inIndex(), '8m');
    try {
      await gateway.start();
      await store(PHANTOMS.slice(0, HALF));
      try {
        execFileSync('dd', ['if=/dev/zero', `of=${inIndex('filler')}`, 'bs=64k'], { stdio: 'ignore' });
      } catch {
        // That it ends with ENOSPC is the point.
      }
      // A few fit into what the log has already; then every one is refused in words.
      await vi.waitFor(async () => {
        const answer = await stow(
          gateway.url,
          PHANTOMS.slice(HALF).map(({ bytes }) => bytes),
        );
        expect(answer.status).toBe(503);
        expect((await status()).stopped).toMatchObject({ restart: false });
      }, WAIT);
      const refused = await stow(gateway.url, [PHANTOMS.at(-1)?.bytes ?? Buffer.alloc(0)]);
      expect(refused.status).toBe(503);
      expect((await status()).stopped?.reason).toContain('free space on the disk of the index');
      expect(await (await fetch(`${gateway.url}/metrics`)).text()).toContain('filmroom_index_writable 0');
      expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
      for (const { study } of PHANTOMS.slice(0, HALF)) {
        expect((await fetch(`${gateway.url}/dicomweb/studies/${study}/metadata`)).status).toBe(200);
      }
      // The movers rest: no line a second.
      const lines = gateway.output.length;
      await sleep(4_000);
      expect(gateway.output.length - lines).toBeLessThan(2_000);
      await rm(inIndex('filler'));
      await vi.waitFor(async () => expect((await status()).stopped).toBeNull(), WAIT);
      await store(PHANTOMS.slice(HALF));
      await expectWhole(PHANTOMS);
      await gateway.restart();
      await expectWhole(PHANTOMS);
    } finally {
      await gateway.kill();
      unmount(inIndex());
    }
  }, 300_000);
});

describe('an index file', () => {
  it('that is an older copy, or lost its log, is refused in words, and set aside by --rebuild', async () => {
    await gateway.start();
    await store(PHANTOMS.slice(0, HALF));
    await gateway.kill('SIGTERM');
    await cp(inIndex(), join(gateway.dir, 'older'), { recursive: true });
    await gateway.start();
    await store(PHANTOMS.slice(HALF));
    expect((await gateway.job('migrate', { all: true })).state).toBe('done');
    await gateway.kill('SIGKILL');
    // Killed, it is no older copy.
    await gateway.start();
    await expectWhole(PHANTOMS);
    await gateway.kill('SIGTERM');
    await rm(inIndex(), { recursive: true });
    await cp(join(gateway.dir, 'older'), inIndex(), { recursive: true });
    expect(await refusal()).toMatch(/older copy: (volume|replica).*--rebuild/s);
    await rebuild();
    await expectWhole(PHANTOMS);
    await gateway.restart();
    await expectWhole(PHANTOMS);
  }, 300_000);

  it('that was cut short is refused, with flipped pages stops all writing, and is made again; a second process is refused', async () => {
    await gateway.start();
    await store(PHANTOMS);
    expect((await gateway.job('migrate', { all: true, keepHot: true })).state).toBe('done');
    expect(await refusal()).toMatch(/held by another process/);
    await gateway.kill('SIGTERM');
    execFileSync(
      'dd',
      ['if=/dev/urandom', `of=${inIndex('filmroom.db')}`, 'bs=4096', 'seek=40', 'count=30', 'conv=notrunc'],
      { stdio: 'ignore' },
    );
    const [first] = await Promise.allSettled([gateway.start()]);
    if (first.status === 'fulfilled') {
      await vi.waitFor(async () => expect((await status()).stopped).toMatchObject({ restart: true }), WAIT);
      const ready = await fetch(`${gateway.url}/readyz`);
      expect(ready.status).toBe(503);
      expect(await ready.text()).toContain('--rebuild');
      await gateway.kill('SIGKILL');
    }
    await writeFile(inIndex('filmroom.db'), 'cut short');
    expect(await refusal()).toMatch(/damaged.*--rebuild/s);
    await rebuild();
    await expectWhole(PHANTOMS);
  }, 300_000);
});
