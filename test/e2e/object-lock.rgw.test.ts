// Locks, separate keys for deletes, and versions of a real S3 server, by the store alone.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ReplicaSet } from '../../tiering/cold/replicas/replica-set.js';
import { createS3Store } from '../../tiering/cold/s3/s3-object-store.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { parseObjectKey, parseReplicaName } from '../../tiering/core/ids.js';
import { Buckets } from '../support/buckets.js';
import { bytesOf } from '../support/bytes.js';
import { type Rgw, rgwInstalled, startRgw } from '../support/rgw.js';

const DAY_MS = 86_400_000;
const key = parseObjectKey;

let rgw: Rgw;
let buckets: Buckets;

function open(bucket: string, more: Partial<Parameters<typeof createS3Store>[0]> = {}) {
  const { endpoint, region, accessKeyId, secretAccessKey } = buckets.site;
  const environment = { clock: systemClock, random: systemRandom };
  return createS3Store({
    bucket,
    endpoint,
    region,
    accessKeyId,
    secretAccessKey,
    provider: 'ceph',
    ...environment,
    ...more,
  });
}

async function daysLocked(bucket: string, name: string): Promise<number> {
  return (Date.parse((await buckets.lockOf(bucket, name)).until) - Date.now()) / DAY_MS;
}

describe.skipIf(!rgwInstalled())('object lock on RGW (needs radosgw, ceph-mon, ceph-osd, ceph-common)', () => {
  beforeAll(async () => {
    rgw = await startRgw({ sites: 1 });
    buckets = new Buckets(rgw.sites[0]);
  });
  afterAll(async () => {
    buckets?.close();
    await rgw?.close();
  });

  it('locks what is put, and locks it again once less than half of the term is left', async () => {
    await buckets.make('locks', { lock: true });
    const objectLock = { mode: 'GOVERNANCE', days: 10 } as const;
    const store = open('locks', { objectLock });
    await store.put(key('c/one'), bytesOf(1000));
    expect(await daysLocked('locks', 'c/one')).toBeCloseTo(10, 1);
    expect(await store.renew?.(key('c/one'))).toBe(false);
    for (const [days, renewed, left] of [
      [4, false, 10],
      [6, true, 16],
      [10, false, 16],
      [12, true, 22],
    ] as const) {
      const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + days * DAY_MS };
      const later = open('locks', { objectLock, clock });
      expect(await later.renew?.(key('c/one')), `after ${days} days`).toBe(renewed);
      expect(await daysLocked('locks', 'c/one')).toBeCloseTo(left, 1);
      await later.close();
    }
    // A delete hides it and removes nothing.
    await store.delete(key('c/one'));
    await expect(store.head(key('c/one'))).rejects.toMatchObject({ code: 'ABSENT' });
    const kept = await buckets.versions('locks');
    expect(kept).toHaveLength(2);
    expect(kept.filter(({ deleteMarker }) => deleteMarker)).toHaveLength(1);
    await store.close();
  });

  it('deletes with the other key alone; without one that may, FORBIDDEN, and the replica is as well as before', async () => {
    await buckets.make('rights');
    const user = await buckets.addUser('writer');
    const remover = await buckets.addUser('remover');
    await buckets.allow('rights', {
      writer: ['ListBucket', 'GetObject', 'PutObject'],
      remover: ['DeleteObject'],
    });
    const name = parseReplicaName('r1');
    const archiveId = '6f1c9a1e-0000-4000-8000-000000000001';
    const setOf = (store: ReturnType<typeof open>) =>
      new ReplicaSet([{ name, store }], { writeQuorum: 1, clock: systemClock, random: systemRandom, archiveId });
    const without = setOf(open('rights', user));
    await without.open({ create: true });
    for (let n = 0; n < 5; n += 1) {
      await without.store(name).put(key(`c/${n}`), bytesOf(100));
      await expect(without.store(name).delete(key(`c/${n}`))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    expect(without.state()).toMatchObject([
      { state: 'available', detail: expect.stringContaining('may not delete') as string },
    ]);
    await without.close();
    const { accessKeyId: deleteAccessKeyId, secretAccessKey: deleteSecretAccessKey } = remover;
    const both = setOf(open('rights', { ...user, deleteAccessKeyId, deleteSecretAccessKey }));
    await both.open({ create: false });
    for (let n = 0; n < 5; n += 1) await both.store(name).delete(key(`c/${n}`));
    expect(await buckets.names('rights')).toEqual(['README.txt', 'config']);
    expect(both.state()).toMatchObject([{ state: 'available', detail: null }]);
    await both.close();
  });
});
