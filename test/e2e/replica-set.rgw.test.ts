// The replicas over three real S3 clouds, which are frozen and killed one by one while reads and writes go on.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ReplicaSet } from '../../tiering/cold/replicas/replica-set.js';
import { createS3Store } from '../../tiering/cold/s3/s3-object-store.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { parseObjectKey, parseReplicaName } from '../../tiering/core/ids.js';
import { describeObjectStore } from '../contract/object-store.js';
import { bytesOf } from '../support/bytes.js';
import { type Rgw, type RgwSite, rgwInstalled, startRgw } from '../support/rgw.js';
import { makeBucket } from './gateway-clients.js';

const ARCHIVE = '0190b6f4-7c1e-7d3a-8a55-0123456789ab';
const body = bytesOf(500_000, 3);
const keep = (bytes: Uint8Array) => bytes;
const keyOf = (number: number) => parseObjectKey(`c/00/${number}`);
const name = (number: number) => parseReplicaName(`cloud-${number}`);
let rgw: Rgw;
let buckets = 0;

async function makeSet(create = true): Promise<ReplicaSet> {
  const bucket = `replica-${buckets}`;
  if (create) await Promise.all(rgw.sites.map((site) => makeBucket(site, bucket)));
  const replicas = rgw.sites.map((site, at) => {
    const { endpoint, region, accessKeyId, secretAccessKey } = site;
    const place = { bucket, endpoint, region, accessKeyId, secretAccessKey, provider: 'ceph' } as const;
    return { name: name(at + 1), store: createS3Store({ ...place, clock: systemClock, random: systemRandom }) };
  });
  const set = new ReplicaSet(replicas, {
    ...{ writeQuorum: 2, clock: systemClock, random: systemRandom, archiveId: ARCHIVE },
  });
  await set.open({ create });
  return set;
}

function siteAt(number: number): RgwSite {
  return rgw.sites[number - 1] ?? expect.fail('no such site');
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const began = performance.now();
  const value = await work();
  return { value, ms: performance.now() - began };
}

async function readAll(set: ReplicaSet, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const { value, ms } = await timed(() => set.read(keyOf(at % 10), { start: 1000, end: 66_536 }, keep));
    expect(Buffer.compare(value, body.subarray(1000, 66_536))).toBe(0);
    times.push(ms);
  }
  return times.sort((a, b) => a - b);
}

describe.skipIf(!rgwInstalled())(
  'replicas on three Ceph clouds (needs radosgw, ceph-mon, ceph-osd, ceph-common)',
  () => {
    beforeAll(async () => {
      rgw = await startRgw({ sites: 3 });
    });
    afterAll(() => rgw?.close());

    describeObjectStore(
      'three S3 clouds, quorum two',
      async () => {
        buckets += 1;
        const composed = await makeSet();
        return { store: composed.asObjectStore(), dispose: () => composed.close() };
      },
      {
        supports: { programs: 3 },
        skip: { 'goes through more keys than a page holds, and on from any of them': 'slow' },
      },
    );
    describe('that fail', failures);
  },
);

function failures(): void {
  let set: ReplicaSet;
  beforeEach(async () => {
    buckets += 1;
    set = await makeSet();
    for (let at = 0; at < 10; at += 1) {
      expect([...(await set.putQuorum(keyOf(at), body)).values()]).toEqual(['stored', 'stored', 'stored']);
    }
    await readAll(set, 30);
  });
  /** What a test that failed in the middle left frozen. */
  let thaw: RgwSite | undefined;
  afterEach(async () => {
    thaw?.resume();
    thaw = undefined;
    await set.close();
  });

  it.each([1, 2, 3])('reads go on, in bounded time, while cloud %i is frozen', async (number) => {
    siteAt(number).pause();
    try {
      const times = await readAll(set, 60);
      expect(times.at(-1), 'the slowest').toBeLessThan(6_000);
      expect(times[30], 'the median').toBeLessThan(600);
    } finally {
      siteAt(number).resume();
    }
  });

  it('writes reach their quorum while a cloud is frozen, stop waiting for it, and it joins again', async () => {
    siteAt(2).pause();
    thaw = siteAt(2);
    const first = await timed(() => set.putQuorum(keyOf(100), body));
    expect(first.value.get(name(2))).toMatchObject({ code: 'UNAVAILABLE' });
    expect([first.value.get(name(1)), first.value.get(name(3))]).toEqual(['stored', 'stored']);
    expect(first.ms).toBeLessThan(10_000);
    for (let at = 0; at < 4; at += 1) await set.putQuorum(keyOf(101 + at), body);
    const settled = await timed(() => set.putQuorum(keyOf(110), body));
    expect(settled.ms).toBeLessThan(4_000);
    expect(set.state()[1]).toMatchObject({ state: 'unavailable' });
    siteAt(2).resume();
    await set.probe();
    // It answers again; that it missed writes is said until one works.
    expect(set.state()[1]).toMatchObject({
      state: 'available',
      detail: expect.stringContaining('last write') as string,
    });
    expect((await set.putQuorum(keyOf(111), body)).get(name(2))).toBe('stored');
    expect(set.state()[1]).toMatchObject({ state: 'available', detail: null });
  });

  it('reads and writes go on when a cloud is killed, and it joins after its restart', async () => {
    await siteAt(3).stop();
    const times = await readAll(set, 60);
    expect(times.at(-1)).toBeLessThan(6_000);
    const { value, ms } = await timed(() => set.putQuorum(keyOf(200), body));
    expect(value.get(name(3))).toMatchObject({ code: 'UNAVAILABLE' });
    expect(ms).toBeLessThan(5_000);
    const late = await makeSet(false);
    expect(late.state().map(({ state }) => state)).toEqual(['available', 'available', 'unavailable']);
    await siteAt(3).start();
    for (const one of [set, late]) {
      await one.probe();
      expect(one.state().map(({ state }) => state)).toEqual(['available', 'available', 'available']);
    }
    await late.close();
  });

  it('never says absent, and loses no read, while two of three are dead', async () => {
    await siteAt(1).stop();
    await siteAt(2).stop();
    try {
      expect(Buffer.compare(await set.read(keyOf(0), undefined, keep), body)).toBe(0);
      await expect(set.read(keyOf(999), undefined, keep)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      await expect(set.putQuorum(keyOf(201), body)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    } finally {
      await siteAt(1).start();
      await siteAt(2).start();
    }
    await set.probe();
    await expect(set.read(keyOf(999), undefined, keep)).rejects.toMatchObject({ code: 'ABSENT' });
  });

  it('takes a cloud whose account is suspended for unavailable, and reads from the others', async () => {
    await siteAt(1).admin('user', 'suspend', '--uid=filmroom');
    try {
      await readAll(set, 10);
      const results = await set.putQuorum(keyOf(300), body);
      expect(results.get(name(1))).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringMatching(/Suspended/) });
    } finally {
      await siteAt(1).admin('user', 'enable', '--uid=filmroom');
    }
  });
}
