// The S3 store against a real S3 server (Ceph RADOS Gateway): the contract, a second client that reads what
// the first wrote, and refused, full, frozen and killed servers.
import { createHash } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { Client as MinioClient } from 'minio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../tiering/cold/object-store.js';
import { createS3Store } from '../../tiering/cold/s3/s3-object-store.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { parseObjectKey, parseSha256 } from '../../tiering/core/ids.js';
import { describeObjectStore, expectUnavailable } from '../contract/object-store.js';
import { bytesOf } from '../support/bytes.js';
import { type Rgw, type RgwSite, rgwInstalled, startRgw } from '../support/rgw.js';

const key = parseObjectKey;
let rgw: Rgw;
let site: RgwSite;

async function makeBucket(bucket: string): Promise<void> {
  const { endpoint, region, accessKeyId, secretAccessKey } = site;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
}

function open(bucket: string, more: Partial<Parameters<typeof createS3Store>[0]> = {}): ObjectStore {
  const { endpoint, region, accessKeyId, secretAccessKey } = site;
  const own = {
    bucket,
    endpoint,
    region,
    accessKeyId,
    secretAccessKey,
    forcePathStyle: true,
    provider: 'ceph',
  } as const;
  return createS3Store({ ...own, clock: systemClock, random: systemRandom, ...more });
}

async function listed(store: ObjectStore, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const entry of store.list(prefix)) keys.push(entry.key);
  return keys;
}

function minio(): MinioClient {
  const { hostname, port } = new URL(site.endpoint);
  const { accessKeyId: accessKey, secretAccessKey: secretKey, region } = site;
  return new MinioClient({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey, region });
}

describe.skipIf(!rgwInstalled())('S3 on Ceph RADOS Gateway (needs radosgw, ceph-mon, ceph-osd, ceph-common)', () => {
  beforeAll(async () => {
    rgw = await startRgw({ sites: 1 });
    const [first] = rgw.sites;
    if (first === undefined) throw new Error('no site');
    site = first;
    await makeBucket('faults');
  });
  afterAll(() => rgw?.close());

  for (const [name, bucket, prefix] of [
    ['S3 on RGW', 'contract', ''],
    ['S3 on RGW, below a prefix', 'contract-prefix', 'hospital/a'],
  ] as const) {
    describeObjectStore(
      name,
      async () => {
        await makeBucket(bucket);
        // A neighbour's objects, which must never show.
        const root = open(bucket);
        if (prefix !== '') await root.put(key('hospital/ab/neighbour'), bytesOf(1));
        await root.close();
        return {
          store: open(bucket, { prefix }),
          missing: () => open('no-such-bucket', { prefix }),
          reopen: () => open(bucket, { prefix }),
          dispose: async () => undefined,
        };
      },
      { supports: { programs: 8 } },
    );
  }

  it('writes objects that another client reads byte for byte, and reads what that one wrote', async () => {
    const store = open('faults', { prefix: 'peer' });
    const client = minio();
    for (const length of [0, 1, 65_536, 8 * 1024 * 1024 + 17]) {
      const body = bytesOf(length, length + 3);
      const sha256 = parseSha256(createHash('sha256').update(body).digest('hex'));
      await store.put(key(`c/${length}`), body, { sha256 });
      const pieces: Buffer[] = [];
      for await (const piece of await client.getObject('faults', `peer/c/${length}`)) pieces.push(piece as Buffer);
      expect(Buffer.concat(pieces).equals(body)).toBe(true);
      await client.putObject('faults', `peer/m/${length}`, Buffer.from(body), length);
      expect(Buffer.from(await store.get(key(`m/${length}`))).equals(body)).toBe(true);
    }
    await store.close();
  });

  it('skips foreign keys of other clients in a listing, whatever is in them', async () => {
    const store = open('faults', { prefix: 'foreign' });
    const client = minio();
    const odd = ['a b', 'a+b', 'ä', '医', 'a%2Fb', 'a&b', '<a>', '..a', 'z/'];
    for (const name of odd) await client.putObject('faults', `foreign/${name}`, Buffer.from('x'), 1);
    for (const name of ['a', 'a-b', 'y']) await store.put(key(name), bytesOf(2));
    expect(await listed(store)).toEqual(['a', 'a-b', 'y']);
    await store.close();
  });

  it('names a wrong secret, an unknown key and a missing bucket, and never calls them absent', async () => {
    for (const [store, text] of [
      [open('faults', { secretAccessKey: 'wrong' }), /SignatureDoesNotMatch/],
      [open('faults', { accessKeyId: 'nobody' }), /InvalidAccessKeyId/],
      [open('not-there'), /NoSuchBucket/],
    ] as const) {
      await expect(store.get(key('a'))).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringMatching(text),
      });
      await expectUnavailable(store);
      await store.close();
    }
  });

  it('is UNAVAILABLE while its account is suspended, and well again afterwards', async () => {
    const store = open('faults', { prefix: 'suspend' });
    await store.put(key('a'), bytesOf(10));
    await site.admin('user', 'suspend', '--uid=filmroom');
    try {
      await expect(store.get(key('a'))).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringMatching(/UserSuspended/),
      });
      await expectUnavailable(store);
    } finally {
      await site.admin('user', 'enable', '--uid=filmroom');
    }
    expect((await store.get(key('a'))).byteLength).toBe(10);
    await store.close();
  });

  it('answers FULL when a quota is reached', async () => {
    await makeBucket('quota');
    const store = open('quota');
    await site.admin('quota', 'set', '--quota-scope=bucket', '--bucket=quota', '--max-size=1M');
    await site.admin('quota', 'enable', '--quota-scope=bucket', '--bucket=quota');
    const fill = async () => {
      for (let at = 0; at < 40; at += 1) await store.put(key(`a/${at}`), bytesOf(200_000));
    };
    await expect(fill()).rejects.toMatchObject({ code: 'FULL', message: expect.stringMatching(/QuotaExceeded/) });
    await store.close();
  });

  it('is UNAVAILABLE within its time while the server is frozen, and goes on when it thaws', async () => {
    const store = open('faults', { prefix: 'freeze', idleMs: 700, attemptsMax: 2 });
    await store.put(key('a'), bytesOf(10));
    site.pause();
    try {
      const began = performance.now();
      await expect(store.get(key('a'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await expect(store.put(key('b'), bytesOf(100_000))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(performance.now() - began).toBeLessThan(10_000);
    } finally {
      site.resume();
    }
    expect((await store.get(key('a'))).byteLength).toBe(10);
    await store.close();
  });

  it('lets a caller go within moments of its signal while the server is frozen', async () => {
    const store = open('faults', { prefix: 'freeze' });
    await store.put(key('a'), bytesOf(10));
    site.pause();
    try {
      const began = performance.now();
      await expect(store.get(key('a'), undefined, AbortSignal.timeout(100))).rejects.toMatchObject({ code: 'ABORTED' });
      expect(performance.now() - began).toBeLessThan(5_000);
    } finally {
      site.resume();
    }
    await store.close();
  });

  it('is UNAVAILABLE at once when the server was killed, in the middle of its calls too, and well after a restart', async () => {
    const store = open('faults', { prefix: 'kill' });
    const body = bytesOf(8 * 1024 * 1024);
    await store.put(key('a'), body);
    const reads = Promise.allSettled(Array.from({ length: 8 }, () => store.get(key('a'))));
    await new Promise((resolve) => setTimeout(resolve, 15));
    await site.stop();
    for (const result of await reads) {
      if (result.status === 'fulfilled') expect(Buffer.compare(result.value, body)).toBe(0);
      else expect(result.reason).toMatchObject({ code: 'UNAVAILABLE' });
    }
    const began = performance.now();
    await expectUnavailable(store);
    expect(performance.now() - began).toBeLessThan(3_000);
    await site.start();
    expect(Buffer.compare(await store.get(key('a')), body)).toBe(0);
    await store.close();
  });
});
