// Replicas that come and go under a running archive, as an operator does it: real clouds, the command line, restarts in between.
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { Buckets } from '../support/buckets.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { type Rgw, rgwInstalled, startRgw } from '../support/rgw.js';
import { filmroom, makeReplicas, type ReplicaSection } from './gateway-clients.js';

let rgw: Rgw;
let gateway: GatewayProcess;
let clouds: readonly ReplicaSection[];
let hashes: readonly string[];

/** The server anew with these replicas; the first two fail together. */
async function restartWith(...replicas: readonly Record<string, unknown>[]): Promise<void> {
  await gateway.kill('SIGTERM');
  const port = Number(new URL(gateway.url).port);
  await writeFile(
    gateway.configPath,
    stringify({ http: { port }, hot: { settle: '1s' }, cold: { writeQuorum: 2, replicas } }),
  );
  await gateway.start();
}

async function ask(...args: readonly string[]) {
  const environment = { FILMROOM_SERVER: gateway.url };
  const { code, stdout, stderr } = await filmroom([...args, '--json'], { cwd: gateway.dir, environment });
  return { code, stderr, json: JSON.parse(stdout) as Record<string, unknown> };
}

/** SHA-256 of everything that one replica gives back with the keyring and nothing else. */
async function extracted(replica: ReplicaSection, out: string): Promise<readonly string[]> {
  const { endpoint, accessKeyId, secretAccessKey, region } = replica as ReplicaSection & Record<string, string>;
  const words = [
    '--replica',
    replica.url,
    ...(endpoint === undefined ? [] : ['--endpoint', endpoint, '--region', region ?? '']),
  ];
  const { code, stderr } = await filmroom(['extract', ...words, '--keyring', 'data/keyring.json', '--out', out], {
    cwd: gateway.dir,
    environment: { AWS_ACCESS_KEY_ID: accessKeyId ?? '', AWS_SECRET_ACCESS_KEY: secretAccessKey ?? '' },
  });
  expect(code, stderr).toBe(0);
  return hashesBelow(join(gateway.dir, out));
}

async function hashesBelow(dir: string): Promise<readonly string[]> {
  const files = (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.dcm'));
  const all = await Promise.all(
    files.map(async (name) =>
      createHash('sha256')
        .update(await readFile(join(dir, name)))
        .digest('hex'),
    ),
  );
  return all.sort();
}

describe.skipIf(!rgwInstalled())('replicas that come and go (needs radosgw, ceph-mon, ceph-osd, ceph-common)', () => {
  beforeAll(async () => {
    rgw = await startRgw({ sites: 2 });
    clouds = await makeReplicas(rgw, 'fleet');
    gateway = await GatewayProcess.prepare();
  });
  afterAll(async () => {
    await gateway?.destroy();
    await rgw?.close();
  });
  const directory = { name: 'dir', url: 'file:./data/replica' };
  const cloud = (at: number): ReplicaSection => {
    const found = clouds[at];
    if (found === undefined) throw new Error(`no cloud ${at}`);
    return found;
  };

  it('a third replica is tested, made, and brought what the others hold, with every hot copy gone', async () => {
    await restartWith(cloud(0), directory);
    expect((await ask('sample', '--out', 'samples')).code).toBe(0);
    expect((await ask('import', 'samples')).code).toBe(0);
    hashes = await hashesBelow(join(gateway.dir, 'samples'));
    const migrated = await ask('migrate', '--all', '--yes');
    expect(migrated.code, migrated.stderr).toBe(0);
    expect(await ask('replica', 'add', 'r2')).toMatchObject({ code: 1, json: { error: { code: 'INVALID' } } });

    await restartWith(cloud(0), directory, cloud(1));
    const added = await ask('replica', 'add', 'r2', '--rate', '200MB/s');
    expect(added.code, added.stderr).toBe(0);
    expect(added.json).toMatchObject({ state: 'done', replica: 'r2', failures: [] });
    const { json } = await ask('replica', 'list');
    expect(json['replicas']).toMatchObject([
      { name: 'r1' },
      { name: 'dir' },
      { name: 'r2', state: 'available', standing: 'member', debt: { packs: 0 } },
    ]);
    expect(await extracted(cloud(1), 'from-r2')).toEqual(hashes);
  });

  it('one is drained by plan and --yes, erased, and the server starts with its line and without it', async () => {
    const plan = await ask('replica', 'drain', 'r1', '--erase');
    expect(plan).toMatchObject({ code: 2, json: { confirmed: false, plan: { copied: 0 } } });
    const drained = await ask('replica', 'drain', 'r1', '--erase', '--yes');
    expect(drained.code, drained.stderr).toBe(0);
    expect(drained.json).toMatchObject({ state: 'done', left: 0, failures: [] });
    const buckets = new Buckets(rgw.sites[0]);
    expect(await buckets.versions('fleet')).toEqual([]);
    buckets.close();

    await restartWith(cloud(0), directory, cloud(1));
    expect((await ask('replica', 'list')).json['replicas']).toMatchObject([{ name: 'dir' }, { name: 'r2' }]);
    await restartWith(directory, cloud(1));
    const { json } = await ask('status');
    expect(json).toMatchObject({ unprotected: { instances: 0 }, deletes: { owed: 0 } });
    const scrubbed = await ask('scrub', '--deep');
    expect(scrubbed).toMatchObject({ code: 0, json: { findings: [], unavailable: [] } });
    expect(gateway.output).not.toMatch(/"level":(40|50|60)/);
    expect(await extracted({ ...directory, url: 'file:./data/replica' }, 'from-dir')).toEqual(hashes);
  });

  it('is refused where the others could not hold enough', async () => {
    expect(await ask('replica', 'drain', 'r2', '--yes')).toMatchObject({
      code: 1,
      json: { error: { code: 'CONFLICT', detail: expect.stringContaining('Add another replica first') as string } },
    });
    const { json } = await ask('replica', 'list');
    expect(json['replicas']).toMatchObject([{ standing: 'member' }, { standing: 'member' }]);
  });
});
