// `filmroom replica test` as an operator runs it, against a real S3 server: what it finds, what it prints, and that it leaves nothing.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Buckets } from '../support/buckets.js';
import { type Rgw, rgwInstalled, startRgw } from '../support/rgw.js';
import { filmroom } from './gateway-clients.js';

let rgw: Rgw;
let buckets: Buckets;
let dir: string;

/** Writes a configuration with one replica of these settings, and tests it. */
async function test(settings: Readonly<Record<string, unknown>>, ...words: readonly string[]) {
  const { endpoint, accessKeyId, secretAccessKey, region } = buckets.site;
  const replica = { name: 'r1', endpoint, accessKeyId, secretAccessKey, region, ...settings };
  await writeFile(join(dir, 'filmroom.yaml'), JSON.stringify({ cold: { replicas: [replica] } }));
  return filmroom(['replica', 'test', 'r1', '--config', 'filmroom.yaml', ...words], { cwd: dir });
}

describe.skipIf(!rgwInstalled())('replica test on RGW (needs radosgw, ceph-mon, ceph-osd, ceph-common)', () => {
  beforeAll(async () => {
    rgw = await startRgw({ sites: 1 });
    buckets = new Buckets(rgw.sites[0]);
    dir = await mkdtemp(join(tmpdir(), 'filmroom-replica-test-'));
  });
  afterAll(async () => {
    buckets?.close();
    await rgw?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('finds a bucket fit, finds out what the server can do, and leaves nothing in it', async () => {
    await buckets.make('fit');
    const { code, stdout, stderr } = await test({ url: 's3://fit/a/b', provider: 'ceph' }, '--json');
    expect(code, stdout + stderr).toBe(0);
    const report = JSON.parse(stdout) as { checks: { check: string; level: string; detail: string }[]; speed: object };
    expect(report.checks.filter(({ level }) => level !== 'ok')).toEqual([
      { check: 'versions', level: 'shown', ok: true, detail: 'versioning off, object lock off' },
    ]);
    for (const name of ['list over several pages', 'refuse a wrong secret', 'conditional put', 'clock']) {
      expect(report.checks.map(({ check }) => check)).toContain(name);
    }
    expect(report.speed).toMatchObject({ objects: 6, latencyMs: { median: expect.any(Number) as number } });
    expect(await buckets.versions('fit')).toEqual([]);
  });

  it('says the same in a table for people, and what a provider that nobody knows could do', async () => {
    await buckets.make('people');
    const { code, stdout } = await test({ url: 's3://people' });
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/^replica r1: s3:\/\/people at http/);
    expect(stdout).toMatch(/ok +conditional put +honoured; the provider that is configured does not count on it/);
    expect(stdout).toMatch(/upload +[0-9.]+ [KMG]iB\/s/);
    expect(stdout.trim().split('\n').at(-1)).toBe('fit to hold a replica');
  });

  it('removes its versions too from a bucket that keeps them, and shows what it keeps', async () => {
    await buckets.make('versions', { versions: true });
    const { code, stdout } = await test({ url: 's3://versions', provider: 'ceph' }, '--json');
    expect(code, stdout).toBe(0);
    expect(stdout).toContain('versioning on, object lock off');
    // RGW 16.2 lets every writer be the first where the bucket keeps versions.
    expect(stdout).toMatch(/"check": "conditional put",\s+"level": "warning"/);
    expect(await buckets.versions('versions')).toEqual([]);
    await buckets.make('locked', { lock: true });
    expect((await test({ url: 's3://locked', provider: 'ceph' }, '--json')).stdout).toContain(
      'versioning on, object lock on, no default',
    );
  });

  it('finds unfit what cannot be written, and says why', async () => {
    for (const [settings, text] of [
      [{ url: 's3://not-there' }, 'NoSuchBucket'],
      [{ url: 's3://fit', secretAccessKey: 'wrong-secret' }, 'SignatureDoesNotMatch'],
    ] as const) {
      const { code, stdout } = await test(settings);
      expect(code, stdout).toBe(1);
      expect(stdout).toMatch(/FAILED +write/);
      expect(stdout).toContain(text);
      expect(stdout.trim().split('\n').at(-1)).toBe('NOT fit to hold a replica');
    }
  });
});
