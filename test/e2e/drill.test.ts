// Drills as an operator holds them: by the command, on a running server that others use, and with the server killed in the middle of one.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { phantomStudies } from '../../dicom/phantom/phantom.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { stow } from '../support/stow.js';
import { filmroom, search } from './gateway-clients.js';

const PHANTOMS = [...phantomStudies({ seed: 91, studies: 2, slices: 3, shrink: 8 })];
const WAIT = { timeout: 120_000, interval: 200 };
const MS = expect.any(Number) as number;
const MEASURED = { detectedMs: MS, firstReadMs: MS, firstStoreMs: MS, recoveredMs: MS };

let gateway: GatewayProcess;
beforeAll(async () => {
  gateway = await GatewayProcess.prepare();
  await gateway.start();
  const sent = await stow(
    gateway.url,
    PHANTOMS.map(({ bytes }) => bytes),
  );
  expect(sent.status).toBe(200);
  expect((await gateway.job('migrate', { all: true, keepHot: true })).state).toBe('done');
}, 60_000);
afterAll(async () => gateway?.destroy());

const drill = (...args: readonly string[]) =>
  filmroom(['drill', ...args, '--json'], { cwd: gateway.dir, environment: { FILMROOM_SERVER: gateway.url } });

/** The signed reports of drills; the folder is made by the first report of all. */
async function kept(): Promise<readonly string[]> {
  const names = await readdir(join(gateway.dir, 'data', 'reports')).catch(() => []);
  return names.filter((name) => name.startsWith('drill-'));
}

interface Status {
  readonly volumes: readonly { readonly state: string }[];
  readonly drills: readonly { readonly what: string; readonly outcome: string }[];
}

async function status(): Promise<Status> {
  return (await (await fetch(`${gateway.url}/admin/api/status`)).json()) as Status;
}

describe('filmroom drill', () => {
  it('shows its plan, and does nothing without --yes', async () => {
    const plan = await drill('volume');
    expect(plan.code).toBe(2);
    expect(JSON.parse(plan.stdout)).toMatchObject({
      what: 'volume',
      name: 'a',
      exposed: { instances: 0 },
      objections: [],
    });
    expect((await status()).drills).toEqual([]);
  });

  it.each([
    ['replica', ['r1', '--for', '2s']],
    ['volume', ['a', '--for', '2s']],
    // Long enough for two looks, of which one finds that nothing answers.
    ['link', ['--for', '16s']],
    ['brown-out', ['--for', '2s']],
    ['index', []],
  ])(
    '%s: passes, is signed, shows in the metrics, and leaves nothing behind',
    async (what, args) => {
      const held = await drill(what, ...args, '--yes');
      expect(held, held.stdout + held.stderr).toMatchObject({ code: 0 });
      const report = JSON.parse(held.stdout) as { report: string; rto: unknown };
      expect(report).toMatchObject({ what, outcome: 'passed', reads: { failed: 0 }, stores: { failed: 0 } });
      process.stdout.write(`drill of ${what}: ${JSON.stringify(report.rto)}\n`);
      if (what === 'volume' || what === 'link') expect(report.rto).toEqual(MEASURED);
      const file = join(gateway.dir, 'data', 'reports', report.report);
      const verified = await filmroom(['report', 'verify', file, '--keyring', join(gateway.dir, 'data/keyring.json')]);
      expect(verified).toMatchObject({ code: 0 });
      const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
      expect(metrics).toMatch(new RegExp(`filmroom_drill_passed\\{what="${what}",name="[^"]*"\\} 1`));
      expect(await search(gateway.url, 'instances?limit=1000')).toHaveLength(PHANTOMS.length);
    },
    120_000,
  );

  it('key: a copy of the keyring, or three shares, open every replica; another archive’s does not', async () => {
    const at = { cwd: gateway.dir };
    const config = ['--config', gateway.configPath, '--json'];
    const copy = await filmroom(['drill', 'key', '--keyring', 'data/keyring.json', ...config], at);
    expect(copy, copy.stderr).toMatchObject({ code: 0 });
    const report = JSON.parse(copy.stdout) as { report: string; replicas: { opened: number }[] };
    expect(report).toMatchObject({ outcome: 'passed', replicas: [{ faults: [] }, { faults: [] }] });
    for (const { opened } of report.replicas) expect(opened).toBeGreaterThan(0);
    const file = join(gateway.dir, 'data', 'reports', report.report);
    expect(await filmroom(['report', 'verify', file, '--keyring', 'data/keyring.json'], at)).toMatchObject({ code: 0 });
    const split = [
      'keys',
      'export',
      '--keyring',
      'data/keyring.json',
      '--shares',
      '5',
      '--threshold',
      '3',
      '--out',
      'shares',
    ];
    expect(await filmroom(split, at)).toMatchObject({ code: 0 });
    const shares = [1, 3, 4].map((n) => `shares/share-${n}.txt`);
    expect(await filmroom(['drill', 'key', ...shares, ...config], at)).toMatchObject({ code: 0 });
    expect(await filmroom(['drill', 'key', ...shares.slice(1), ...config], at)).toMatchObject({ code: 2 });
    await filmroom(['init', 'other/filmroom.yaml'], at);
    const other = await filmroom(['drill', 'key', '--keyring', 'other/data/keyring.json', ...config], at);
    expect(other.code).toBe(1);
    expect(other.stdout).toContain('WRONG_KEY');
  }, 300_000);

  it('killed in the middle: the next start ends it, and reports it', async () => {
    const running = drill('volume', 'a', '--for', '10m', '--yes');
    await vi.waitFor(async () => expect((await status()).volumes[0]).toMatchObject({ state: 'failed' }), WAIT);
    await sleep(1_500);
    await gateway.kill('SIGKILL');
    expect((await running).code).toBe(1);
    const before = (await kept()).length;
    await gateway.start();
    await vi.waitFor(async () => {
      const { drills, volumes } = await status();
      expect(drills[0]).toMatchObject({ what: 'volume', outcome: 'interrupted' });
      expect(['healthy', 'slow']).toContain(volumes[0]?.state);
    }, WAIT);
    expect(await kept()).toHaveLength(before + 1);
    expect(await search(gateway.url, 'instances?limit=1000')).toHaveLength(PHANTOMS.length);
    expect(gateway.output).toContain('drill-interrupted');
  }, 300_000);
});
