// A hospital can always leave: packs are tars that tar reads, one bucket and the keyring give every file back, another S3 client sees
// what was written, and a lost index is made again from either tier with the same answers (I2, I8).
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client as MinioClient } from 'minio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PhantomInstance, phantomStudies } from '../../dicom/phantom/phantom.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { type Rgw, type RgwSite, rgwInstalled, startRgw } from '../support/rgw.js';
import { retrieve, stow } from '../support/stow.js';
import { type DicomJson, filmroom, makeReplicas, search, sha256Of } from './gateway-clients.js';

const run = promisify(execFile);
const BUCKET = 'leaving';

function pathOf({ study, series, sop }: PhantomInstance): string {
  return `${study}/${series}/${sop}.dcm`;
}

async function filesUnder(folder: string, suffix: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => name.endsWith(suffix)).sort();
}

/** SHA-256 of every file below, by its path. */
async function hashesUnder(folder: string, suffix: string): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  for (const name of await filesUnder(folder, suffix)) hashes.set(name, sha256Of(await readFile(join(folder, name))));
  return hashes;
}

/** What QIDO-RS says of the whole archive, at three levels, but for which tier it is in. */
async function answersOf(url: string): Promise<readonly (readonly DicomJson[])[]> {
  const answers: (readonly DicomJson[])[] = [];
  for (const [path, key] of [
    ['studies', '0020000D'],
    ['series', '0020000E'],
    ['instances', '00080018'],
  ] as const) {
    const rows = await search(url, `${path}?includefield=all&limit=1000`);
    const uid = (row: DicomJson) => String(row[key]?.Value?.[0]);
    const told = rows.map(({ '00080056': _availability, ...row }) => row);
    answers.push(told.sort((a, b) => (uid(a) < uid(b) ? -1 : 1)));
  }
  return answers;
}

describe.skipIf(!rgwInstalled())('leaving (needs radosgw, ceph-mon, ceph-osd, ceph-common)', () => {
  const phantoms = [...phantomStudies({ seed: 77, studies: 5, slices: 5, shrink: 8 })];
  const expected = new Map(phantoms.map((one) => [pathOf(one), sha256Of(one.bytes)]));
  let rgw: Rgw;
  let gateway: GatewayProcess;
  let place: string;
  let before: readonly (readonly DicomJson[])[];
  const inGateway = (name: string) => join(gateway.dir, name);

  function siteAt(at: number): RgwSite {
    return rgw.sites[at] ?? expect.fail('no such site');
  }

  async function differing(): Promise<readonly string[]> {
    const bad: string[] = [];
    for (const one of phantoms) {
      const got = await retrieve(gateway.url, one).then(sha256Of, String);
      if (got !== expected.get(pathOf(one))) bad.push(`${one.fileName}: ${got}`);
    }
    return bad;
  }

  beforeAll(async () => {
    rgw = await startRgw({ sites: 2 });
    place = await mkdtemp(join(tmpdir(), 'filmroom-leave-'));
    gateway = await GatewayProcess.prepare({
      index: { url: 'sqlite:./index/filmroom.db' },
      hot: { volumes: [{ name: 'a', path: './hot' }] },
      cold: { keyring: './keyring.json', replicas: await makeReplicas(rgw, BUCKET) },
      tiering: { recall: 'never' },
    });
    await gateway.start();
    const answer = await stow(
      gateway.url,
      phantoms.map((one) => one.bytes),
    );
    expect(answer.status, answer.text.slice(0, 300)).toBe(200);
    const kept = await gateway.job('migrate', { all: true, keepHot: true });
    expect(kept, JSON.stringify(kept)).toMatchObject({ state: 'done', report: { failures: [], evicted: 0 } });
    before = await answersOf(gateway.url);
    expect(before.map((rows) => rows.length)).toEqual([
      new Set(phantoms.map((one) => one.study)).size,
      new Set(phantoms.map((one) => one.series)).size,
      phantoms.length,
    ]);
  });
  afterAll(async () => {
    await gateway?.destroy();
    await rgw?.close();
    await rm(place, { recursive: true, force: true });
  });

  it('tar lists every instance of the packs, one study a pack, and unpacks the bytes that were sent', async () => {
    const out = join(place, 'untarred');
    await mkdir(out);
    const names: string[] = [];
    for (const pack of await filesUnder(inGateway('hot/packs'), '.tar')) {
      const tar = join(inGateway('hot/packs'), pack);
      const members = (await run('tar', ['tf', tar])).stdout.trim().split('\n');
      expect(new Set(members.map((name) => name.split('/')[0])).size, pack).toBe(1);
      names.push(...members);
      await run('tar', ['xf', tar, '-C', out]);
    }
    expect(names.sort()).toEqual([...expected.keys()].sort());
    expect(await hashesUnder(out, '.dcm')).toEqual(expected);
  });

  it('another S3 client reads chunks that hash to their names, and no UID or name of a patient in any key', async () => {
    const { endpoint, accessKeyId: accessKey, secretAccessKey: secretKey, region } = siteAt(1);
    const { hostname, port } = new URL(endpoint);
    const client = new MinioClient({
      endPoint: hostname,
      port: Number(port),
      useSSL: false,
      accessKey,
      secretKey,
      region,
    });
    const keys: string[] = [];
    for await (const item of client.listObjectsV2(BUCKET, '', true)) {
      const { name } = item as { readonly name?: string };
      if (name !== undefined) keys.push(name);
    }
    const chunks = keys.filter((key) => key.startsWith('c/'));
    expect(chunks.length).toBeGreaterThanOrEqual(5);
    for (const key of chunks) {
      const pieces: Buffer[] = [];
      for await (const piece of await client.getObject(BUCKET, key)) pieces.push(piece as Buffer);
      const hash = sha256Of(Buffer.concat(pieces));
      expect(key).toBe(`c/${hash.slice(0, 2)}/${hash}`);
    }
    for (const key of keys) {
      expect(key).toMatch(/^(README\.txt|config|c\/[0-9a-f]{2}\/[0-9a-f]{64}|m\/[0-9a-f-]{36}\/[0-9]+-[0-9a-f]{8})$/);
    }
  });

  it('one bucket and the keyring give every file back: no server, no index, no volume, the other cloud dead', async () => {
    await gateway.kill('SIGTERM');
    const alone = join(place, 'alone');
    await mkdir(alone);
    await copyFile(inGateway('keyring.json'), join(alone, 'keyring.json'));
    await rename(gateway.dir, `${gateway.dir}.away`);
    await siteAt(0).stop();
    try {
      const { endpoint, accessKeyId, secretAccessKey, region } = siteAt(1);
      const options = ['--replica', `s3://${BUCKET}`, '--endpoint', endpoint, '--region', region, '--path-style'];
      const environment = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
      const words = [
        'extract',
        ...options,
        '--provider',
        'ceph',
        '--keyring',
        'keyring.json',
        '--out',
        'out',
        '--json',
      ];
      const result = await filmroom(words, { cwd: alone, environment });
      expect(result.code, result.stderr).toBe(0);
      expect(JSON.parse(result.stdout)).toMatchObject({ instances: phantoms.length, failures: [] });
      expect(await filesUnder(join(alone, 'out'), '.part')).toEqual([]);
      expect(await hashesUnder(join(alone, 'out'), '.dcm')).toEqual(expected);
    } finally {
      await siteAt(0).start();
      await rename(`${gateway.dir}.away`, gateway.dir);
    }
  });

  it('a lost index is made again from the packs of the volume alone, with the same answers', async () => {
    await rm(inGateway('index'), { recursive: true });
    await Promise.all(rgw.sites.map((site) => site.stop()));
    let rebuilt: Awaited<ReturnType<typeof filmroom>>;
    try {
      rebuilt = await filmroom(['rebuild-index', '--config', gateway.configPath, '--json']);
    } finally {
      await Promise.all(rgw.sites.map((site) => site.start()));
    }
    // Partly done: what the replicas may know more is not known yet.
    expect(rebuilt.code, rebuilt.stderr).toBe(3);
    expect(JSON.parse(rebuilt.stdout)).toMatchObject({ unavailable: ['r1', 'r2'], failures: [] });
    await gateway.start();
    expect(await answersOf(gateway.url)).toEqual(before);
    expect(await differing()).toEqual([]);
    await gateway.kill('SIGTERM');
  });

  it('a lost index and a lost volume are made again from one replica, with the same answers', async () => {
    await rm(inGateway('index'), { recursive: true });
    await rm(inGateway('hot'), { recursive: true });
    await siteAt(0).stop();
    try {
      const rebuilt = await filmroom(['rebuild-index', '--config', gateway.configPath, '--json']);
      expect(rebuilt.code, rebuilt.stderr).toBe(3);
      expect(JSON.parse(rebuilt.stdout)).toMatchObject({
        instances: phantoms.length,
        unavailable: ['r1'],
        failures: [],
      });
      await gateway.start();
      expect(await answersOf(gateway.url)).toEqual(before);
      expect(await differing()).toEqual([]);
      await gateway.kill('SIGTERM');
    } finally {
      await siteAt(0).start();
    }
  });

  it('with every replica back, rebuild-index ends with 0 and a recall brings everything back to the volume', async () => {
    const rebuilt = await filmroom(['rebuild-index', '--config', gateway.configPath]);
    expect(rebuilt.code, rebuilt.stderr).toBe(0);
    await gateway.start();
    const recalled = await gateway.job('recall', { all: true });
    expect(recalled, JSON.stringify(recalled)).toMatchObject({ state: 'done', report: { failures: [] } });
    await Promise.all(rgw.sites.map((site) => site.stop()));
    try {
      expect(await differing()).toEqual([]);
    } finally {
      await Promise.all(rgw.sites.map((site) => site.start()));
    }
    expect(await answersOf(gateway.url)).toEqual(before);
  });
});
