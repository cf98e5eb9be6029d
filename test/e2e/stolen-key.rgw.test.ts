// A thief has the gateway's key and another S3 client, and deletes or overwrites every object of every replica. The archive gives
// everything back: from locked versions where the key owns the bucket, from kept ones where a policy lets it put and not remove.
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client as MinioClient } from 'minio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { Buckets } from '../support/buckets.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { type Rgw, rgwInstalled, startRgw } from '../support/rgw.js';
import { filmroom, get, search } from './gateway-clients.js';

/** As docs/operations.md has it. */
const GATEWAY_MAY = [
  ...['ListBucket', 'ListBucketVersions', 'GetBucketVersioning', 'GetBucketObjectLockConfiguration'],
  ...['GetObject', 'GetObjectVersion', 'PutObject', 'GetObjectRetention', 'PutObjectRetention'],
];

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

let rgw: Rgw;
let buckets: Buckets;
let gateway: GatewayProcess;
let hashes: readonly string[];
let owner: Keys;
let user: Keys;

async function ask(...args: readonly string[]) {
  const environment = { FILMROOM_SERVER: gateway.url };
  const { code, stdout, stderr } = await filmroom([...args, '--json'], { cwd: gateway.dir, environment });
  return { code, stderr, json: JSON.parse(stdout) as Record<string, unknown> };
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** SHA-256 of everything that the server gives back now. */
async function given(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const row of await search(gateway.url, 'instances?limit=1000')) {
    const value = (tag: string) => String(row[tag]?.Value?.[0]);
    const path = `studies/${value('0020000D')}/series/${value('0020000E')}/instances/${value('00080018')}`;
    const answer = await get(`${gateway.url}/dicomweb/${path}`, 'application/dicom; transfer-syntax=*');
    if (answer.ok) found.push(sha256(Buffer.from(await answer.arrayBuffer())));
    else await answer.arrayBuffer();
  }
  return found.sort();
}

function thief({ accessKeyId: accessKey, secretAccessKey: secretKey }: Keys): MinioClient {
  const { hostname, port } = new URL(buckets.site.endpoint);
  const { region } = buckets.site;
  return new MinioClient({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey, region });
}

interface Loot {
  deleted: number;
  overwritten: number;
  /** Tries that the server refused. */
  refused: number;
}

/** Deletes every other object with every version it can, and overwrites the rest. */
async function ravage(client: MinioClient, bucket: string): Promise<Loot> {
  const loot = { deleted: 0, overwritten: 0, refused: 0 };
  const before = await buckets.versions(bucket);
  for (const { key, versionId } of before) {
    await client.removeObject(bucket, key, { versionId, governanceBypass: true }).catch(() => {
      loot.refused += 1;
    });
  }
  // Of `config` there are several versions.
  for (const [at, key] of [...new Set(before.map((one) => one.key))].entries()) {
    if (at % 2 === 0) {
      await client.removeObject(bucket, key).then(
        () => {
          loot.deleted += 1;
        },
        async () => {
          loot.refused += 1;
          await client.putObject(bucket, key, 'gone');
          loot.overwritten += 1;
        },
      );
    } else {
      await client.putObject(bucket, key, Buffer.alloc(5000, 'pay me'));
      loot.overwritten += 1;
    }
  }
  const left = (await buckets.versions(bucket)).filter((one) => before.some((old) => old.versionId === one.versionId));
  expect(left).toHaveLength(before.length);
  return loot;
}

/** SHA-256 of what a bucket gives back with the keyring and nothing else. */
async function extracted(bucket: string, keys: Keys): Promise<readonly string[]> {
  const out = `out-${bucket}-${String(Date.now())}`;
  const where = ['--replica', `s3://${bucket}`, '--endpoint', buckets.site.endpoint];
  const environment = { AWS_ACCESS_KEY_ID: keys.accessKeyId, AWS_SECRET_ACCESS_KEY: keys.secretAccessKey };
  const words = ['extract', ...where, '--keyring', 'data/keyring.json', '--out', out];
  const { code, stderr } = await filmroom(words, { cwd: gateway.dir, environment });
  expect(code, stderr).toBe(0);
  const dir = join(gateway.dir, out);
  const files = (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.dcm'));
  return (await Promise.all(files.map(async (name) => sha256(await readFile(join(dir, name)))))).sort();
}

describe.skipIf(!rgwInstalled())('a stolen gateway key (needs radosgw, ceph-mon, ceph-osd, ceph-common)', () => {
  beforeAll(async () => {
    rgw = await startRgw({ sites: 1 });
    buckets = new Buckets(rgw.sites[0]);
    owner = buckets.site;
    user = await buckets.addUser('gateway');
    await buckets.make('locked', { lock: true });
    await buckets.make('kept', { versions: true });
    await buckets.allow('kept', { gateway: GATEWAY_MAY });
    gateway = await GatewayProcess.prepare();
    const { endpoint, region } = buckets.site;
    const replica = (name: string, keys: Keys) => ({
      ...{ name, url: `s3://${name}`, endpoint, region, provider: 'ceph' },
      ...{ accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey },
    });
    const replicas = [
      { ...replica('locked', owner), objectLock: { mode: 'COMPLIANCE', days: 30 } },
      replica('kept', user),
    ];
    const port = Number(new URL(gateway.url).port);
    const scrub = { every: '15d' };
    await writeFile(
      gateway.configPath,
      stringify({ http: { port }, cold: { replicas }, tiering: { recall: 'never', scrub } }),
    );
    await gateway.start();
    expect((await ask('sample', '--out', 'samples')).code).toBe(0);
    expect((await ask('import', 'samples')).code).toBe(0);
    const dir = join(gateway.dir, 'samples');
    hashes = (
      await Promise.all((await readdir(dir)).map(async (name) => sha256(await readFile(join(dir, name)))))
    ).sort();
  });
  afterAll(async () => {
    await gateway?.destroy();
    buckets?.close();
    await rgw?.close();
  });

  it('everything in the bucket with object lock is locked, for the whole term', async () => {
    const migrated = await ask('migrate', '--all', '--yes');
    expect(migrated.code, migrated.stderr).toBe(0);
    expect(await given()).toEqual(hashes);
    const versions = await buckets.versions('locked');
    expect(versions.length).toBeGreaterThan(10);
    for (const { key } of versions) {
      const days = (Date.parse((await buckets.lockOf('locked', key)).until) - Date.now()) / 86_400_000;
      expect(days, key).toBeGreaterThan(29.9);
    }
  });

  it('cannot destroy the archive: what is deleted and overwritten everywhere is put back', async () => {
    const locked = await ravage(thief(owner), 'locked');
    expect(locked.refused).toBeGreaterThan(10);
    expect(locked.deleted).toBeGreaterThan(5);
    const kept = await ravage(thief(user), 'kept');
    // Not one object could be deleted, nor any version: the policy lets the key put and no more.
    expect(kept).toMatchObject({ deleted: 0 });
    expect(kept.overwritten).toBe((await buckets.names('kept')).length);

    const first = await ask('repair');
    expect(first.json, first.stderr).toHaveProperty('repaired');
    const { json } = await ask('replica', 'list');
    expect(json['replicas']).toMatchObject([{ state: 'available' }, { state: 'available' }]);
    const found = await ask('scrub', '--deep');
    expect(found.json).toMatchObject({ unavailable: [] });
    expect((found.json['findings'] as unknown[]).length).toBeGreaterThan(10);
    const repaired = await ask('repair');
    expect(repaired.code, repaired.stderr).toBe(0);
    expect((await ask('scrub', '--deep')).json).toMatchObject({ findings: [], unavailable: [] });
    expect(await given()).toEqual(hashes);
    expect(await extracted('locked', owner)).toEqual(hashes);
  });

  it('nor with index and volume gone too: the bucket is put back by itself and gives everything back', async () => {
    await gateway.kill('SIGTERM');
    await ravage(thief(user), 'kept');
    const { code, stdout, stderr } = await filmroom(
      ['replica', 'restore', 'kept', '--config', 'filmroom.yaml', '--json'],
      { cwd: gateway.dir },
    );
    expect(code, stderr).toBe(0);
    const names = (await buckets.names('kept')).length;
    expect(JSON.parse(stdout)).toEqual({ name: 'kept', objects: names, restored: names, lost: [] });
    expect(await extracted('kept', user)).toEqual(hashes);
    await gateway.start();
  });

  it('a key that may not delete is no error: what is thrown away stays, and the list says so', async () => {
    const rotated = await ask('keys', 'rotate', '--yes');
    expect(rotated.code, rotated.stderr).toBe(0);
    const { json } = await ask('replica', 'list');
    expect(json['replicas']).toMatchObject([
      { name: 'locked', state: 'available', detail: null },
      { name: 'kept', state: 'available', detail: expect.stringContaining('may not delete') as string },
    ]);
    expect(await given()).toEqual(hashes);
  });
});
