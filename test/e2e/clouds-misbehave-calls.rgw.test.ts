// FAULTS.md 45 to 54, one by one: what clouds do wrong while they are asked, over the whole archive: store, migrate, read cold, scrub,
// repair. Nothing is lost or changed, and nothing is absent while a cloud that may have it is away.
import { describe, expect, it } from 'vitest';
import { openArchive } from '../../tiering/archive/open-archive.js';
import { systemClock } from '../../tiering/core/clock.js';
import { parseObjectKey } from '../../tiering/core/ids.js';
import { flipped, type Misbehaviour } from '../support/chaos-proxy.js';
import type { Lie } from '../support/lying-lists.js';
import { found, PHANTOMS, rebuilt } from '../support/removal-rig.js';
import { allClouds, cloud, cold, describeClouds, isChunk, warm } from './clouds-misbehave-rig.js';

describeClouds('clouds that misbehave', () => {
  describe('what a call comes to', calls);
  describe('what a cloud says', answers);
});

function calls(): void {
  it.each<readonly [string, Misbehaviour]>([
    ['was applied and not answered', { name: 'swallow' }],
    ['was cut off before it was applied', { name: 'cut-request', afterBytes: 10_000 }],
  ])('45: a PUT that %s is tried again under the same name: no duplicate, no loss', async (_, fault) => {
    const one = await warm();
    await one.store();
    await cloud(0).misbehave(fault, { methods: ['PUT'], keys: isChunk, times: 1 });
    expect(await one.archive.migrate({ all: true })).toMatchObject({ failures: [] });
    expect(await one.debts()).toEqual([0, 0, 0]);
    await one.expectSameKeys();
    await one.expectEqual();
    await one.expectWholeAgain();
  });

  it('45: PUTs that are applied and never answered leave a debt, which is paid under the same names', async () => {
    const one = await warm();
    await one.store();
    await cloud(0).misbehave({ name: 'swallow' }, { methods: ['PUT'] });
    expect(await one.archive.migrate({ all: true })).toMatchObject({ failures: [], evicted: 3 });
    expect((await one.debts())[0]).toBeGreaterThan(0);
    await one.expectEqual();
    await one.expectWholeAgain();
    await one.expectSameKeys();
  });

  it('47: a storm of 503 is waited out with back-off; when all storm, reads are unavailable and the clouds are left alone', async () => {
    const one = await warm();
    await one.store();
    for (const proxy of allClouds().proxies)
      await proxy.misbehave({ name: 'refuse', status: 503, code: 'SlowDown' }, { share: 0.15 });
    await expect
      .poll(async () => (await one.archive.migrate({ all: true })).failures, { timeout: 60_000, interval: 100 })
      .toEqual([]);
    await one.expectNoneAbsent();
    for (const proxy of allClouds().proxies) {
      await proxy.behave();
      await proxy.misbehave({ name: 'refuse', status: 503, code: 'SlowDown' });
      proxy.forget();
    }
    for (let round = 0; round < 5; round += 1) {
      expect(await one.expectNoneAbsent()).toBe(PHANTOMS.length);
    }
    // 60 reads of up to three tries on three clouds would be 540 requests.
    const asked = allClouds().proxies.reduce((sum, { seen }) => sum + seen.filter(({ key }) => isChunk(key)).length, 0);
    expect(asked).toBeLessThan(100);
    await one.expectWholeAgain();
  });

  it('53: a connection that is cut within a body goes on at the byte where it was cut', async () => {
    const one = await cold();
    await cloud(1).misbehave({ name: 'down' });
    await cloud(2).misbehave({ name: 'down' });
    const { key, bytes } = await one.longestChunk();
    cloud(0).forget();
    await cloud(0).misbehave(
      { name: 'cut-answer', afterBytes: 70_000 },
      { methods: ['GET'], keys: (k) => k === key, times: 1 },
    );
    await one.archive.scrub({ deep: true });
    const ranges = cloud(0).seen.flatMap(({ key: k, range }) => (k === key ? [range] : []));
    expect(ranges).toHaveLength(2);
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(ranges[1] ?? '') ?? [];
    expect(Number(from)).toBeGreaterThan(0);
    expect(Number(from)).toBeLessThanOrEqual(70_000);
    expect(Number(to)).toBe(bytes.length - 1);
    await cloud(0).misbehave({ name: 'cut-answer', afterBytes: 1_000 }, { methods: ['GET'], share: 0.3 });
    await one.expectNoneAbsent();
    await one.expectWholeAgain();
  });

  it.each<readonly [string, string]>([
    ['whose name is not known', 'http://no-such-cloud.invalid'],
    ['where nothing listens', 'http://127.0.0.1:9'],
    ['that does not speak TLS', 'https-of-plain'],
  ])('53: a cloud %s is unavailable, says why, and costs nothing else', async (_, place) => {
    const endpoint = place === 'https-of-plain' ? cloud(0).endpoint.replace('http:', 'https:') : place;
    const one = await warm({ endpoints: { r1: endpoint } });
    await one.store();
    expect(await one.archive.migrate({ all: true })).toMatchObject({ failures: [], evicted: 3 });
    await one.expectEqual();
    const [r1] = (await one.archive.status()).replicas;
    expect(r1).toMatchObject({ name: 'r1', state: 'unavailable' });
    expect(r1?.detail).toBeTruthy();
    expect(await one.debts()).toEqual([3, 0, 0]);
  });

  it('53: a cloud that hangs on open connections is given up in time, and joins again', async () => {
    const one = await cold();
    await cloud(0).misbehave({ name: 'hang' });
    await one.expectEqual();
    await cloud(1).misbehave({ name: 'hang' });
    await cloud(2).misbehave({ name: 'hang' });
    expect(await one.expectNoneAbsent()).toBe(PHANTOMS.length);
    await one.expectWholeAgain();
  });

  it.each<readonly [string, Misbehaviour]>([
    ['answers late', { name: 'latency', ms: 700 }],
    ['has a thin line', { name: 'bandwidth', bytesPerSecond: 100_000 }],
  ])('54: of a cloud that %s little is asked once the others are known to be faster', async (_, fault) => {
    const one = await cold();
    await cloud(0).misbehave(fault, { methods: ['GET'], keys: isChunk });
    for (let round = 0; round < 2; round += 1) await one.expectEqual();
    for (const proxy of allClouds().proxies) proxy.forget();
    for (let round = 0; round < 4; round += 1) await one.expectEqual();
    const asked = allClouds().proxies.map(({ seen }) => seen.filter(({ key }) => isChunk(key)).length);
    expect(asked[0] ?? 0, `asked ${asked.join(', ')}`).toBeLessThan(((asked[1] ?? 0) + (asked[2] ?? 0)) / 4);
    await one.expectWholeAgain();
  });
}

function answers(): void {
  const other = (body: Buffer) => Buffer.from(body).reverse();
  it.each<readonly [string, Misbehaviour]>([
    ['an empty body', { name: 'garbage', status: 200, type: 'empty' }],
    ['a web page', { name: 'garbage', status: 200, type: 'html' }],
    ['XML of something else', { name: 'garbage', status: 206, type: 'xml' }],
    ['a web page for not found', { name: 'garbage', status: 404, type: 'html' }],
    ['half of it', { name: 'change-body', change: (body) => body.subarray(0, body.length / 2) }],
    ['one byte more', { name: 'change-body', change: (body) => Buffer.concat([body, Buffer.from([0])]) }],
    ['one bit changed', { name: 'change-body', change: (body) => flipped(body, -1) }],
    ['other bytes', { name: 'change-body', change: other }],
    [
      'another object',
      { name: 'change-body', change: (body, key) => cloud(0).stored(anotherThan(key)).subarray(0, body.length) },
    ],
    [
      'no ETag',
      { name: 'change-head', change: ({ status, headers }) => ({ status, headers: without(headers, 'etag') }) },
    ],
    [
      'another ETag each time',
      {
        name: 'change-head',
        change: ({ status, headers }) => ({ status, headers: { ...headers, etag: `"${Math.random()}"` } }),
      },
    ],
    [
      'another range',
      {
        name: 'change-head',
        change: ({ status, headers }) => ({ status, headers: { ...headers, 'content-range': 'bytes 0-9/10' } }),
      },
    ],
    ['the whole for a range', { name: 'ignore-range' }],
    ['a redirect', { name: 'refuse', status: 301, code: 'PermanentRedirect' }],
    ['another redirect', { name: 'refuse', status: 307, code: 'TemporaryRedirect' }],
  ])('46: a cloud that answers a GET with %s is not believed', async (_, fault) => {
    const one = await cold();
    await cloud(0).misbehave(fault, { methods: ['GET'], keys: isChunk });
    // Asked first and alone, then beside the others.
    await one.expectEqual();
    await cloud(1).misbehave({ name: 'down' });
    await cloud(2).misbehave({ name: 'down' });
    await one.expectNoneAbsent();
    await cloud(1).behave();
    await cloud(2).behave();
    await one.available();
    const report = await one.archive.scrub({ deep: true });
    expect([...new Set(report.findings.map(({ where }) => where))].filter((where) => where !== 'r1')).toEqual([]);
    expect(await one.archive.repair().then(({ repaired }) => repaired)).toBeGreaterThanOrEqual(0);
    await one.expectWholeAgain();
  });

  it.each<readonly [string, Misbehaviour]>([
    ['a web page', { name: 'garbage', status: 200, type: 'html' }],
    ['success, and keeps nothing', { name: 'garbage', status: 200, type: 'empty' }],
  ])('46: a cloud that answers a PUT with %s is not taken to hold it', async (_, fault) => {
    const one = await warm();
    await one.store();
    await cloud(0).misbehave(fault, { methods: ['PUT'] });
    expect(await one.archive.migrate({ all: true })).toMatchObject({ failures: [], evicted: 3 });
    expect(await one.debts()).toEqual([3, 0, 0]);
    await one.expectEqual();
    await one.expectWholeAgain();
  });

  it('48: a cloud that refuses the credentials is unavailable, not empty; it says so, and its debt is paid later', async () => {
    const one = await warm();
    await one.store();
    await cloud(0).misbehave({ name: 'refuse', status: 403, code: 'ExpiredToken' });
    expect(await one.archive.migrate({ all: true })).toMatchObject({ failures: [], evicted: 3 });
    await one.expectEqual();
    expect(await one.debts()).toEqual([3, 0, 0]);
    const detail = async () => (await one.archive.status()).replicas[0]?.detail;
    await expect.poll(detail, { timeout: 10_000 }).toMatch(/ExpiredToken/);
    await one.expectWholeAgain();
  });

  it.each<Lie>(['missing', 'extra', 'stale', 'disorder', 'twice', 'circle', 'foreign', 'empty'])(
    '50: a listing that lies (%s) costs a rebuild nothing, and nothing is removed for it',
    async (lie) => {
      const one = await cold();
      for (const key of ['photos/cat.jpg', 'c/00/not-ours', 'm/../x'.replace('..', 'dots')]) {
        await one.bucket(0).put(parseObjectKey(key), Buffer.from('somebody else’s'));
      }
      const before = await one.keys(0, '');
      await cloud(0).misbehave({ name: 'lying-list', lie }, { methods: ['LIST'] });
      expect(await rebuilt(one.rig)).toMatchObject({ instances: PHANTOMS.length });
      await one.rig.open();
      expect(await found(one.archive)).toEqual([...PHANTOMS]);
      await one.archive.scrub();
      await one.archive.repair();
      await one.expectWholeAgain();
      expect(await one.keys(0, '')).toEqual(before);
    },
  );

  it('51: a cloud that refuses checksum headers is not sent any', async () => {
    const checksums = (headers: Readonly<Record<string, unknown>>) =>
      Object.keys(headers).some((name) => /^x-amz-(checksum|sdk-checksum|trailer)/.test(name));
    for (const proxy of allClouds().proxies) {
      await proxy.misbehave({ name: 'refuse', status: 501, code: 'NotImplemented' }, { headers: checksums });
    }
    const one = await cold();
    await one.expectEqual();
    await one.expectWholeAgain();
  });

  it('52: a cloud whose clock differs is unavailable and says so; a clock that jumps back here harms nothing', async () => {
    const one = await cold();
    await cloud(0).misbehave({ name: 'refuse', status: 403, code: 'RequestTimeTooSkewed' });
    await one.expectEqual();
    const detail = async () => (await one.archive.status()).replicas[0]?.detail;
    await expect.poll(detail, { timeout: 10_000 }).toMatch(/RequestTimeTooSkewed.*NTP/);
    await allClouds().behave();
    await one.rig.close();
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() - 3_600_000 };
    const back = await openArchive({ ...(await one.rig.parts()), clock });
    expect(await back.recall({ all: true })).toMatchObject({ failures: [] });
    expect(await back.migrate({ all: true })).toMatchObject({ failures: [], evicted: 3 });
    expect(await back.scrub({ deep: true })).toMatchObject({ findings: [], unavailable: [] });
    await back.close();
    await one.rig.open();
    await one.expectWholeAgain();
  });
}

function without(headers: Readonly<Record<string, string>>, gone: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== gone));
}

/** The key of another chunk that was stored through the first cloud's proxy. */
function anotherThan(key: string): string {
  const chunks = cloud(0).seen.flatMap((seen) =>
    seen.method === 'PUT' && isChunk(seen.key) && seen.key !== key ? [seen.key] : [],
  );
  return chunks[chunks.length - 1] ?? key;
}
