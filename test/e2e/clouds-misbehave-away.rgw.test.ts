// FAULTS.md 47, 49, 55 and 56: clouds that are away, or are there for two at once. Nothing is absent while a cloud that may have it is away,
// over DICOMweb too, and all goes on with what is left.
import { expect, it } from 'vitest';
import type { Misbehaviour } from '../support/chaos-proxy.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { PHANTOMS } from '../support/removal-rig.js';
import { retrieve, stow } from '../support/stow.js';
import { allClouds, cloud, cold, describeClouds, isChunk, warm } from './clouds-misbehave-rig.js';
import { makeReplicas, sha256Of } from './gateway-clients.js';

describeClouds('clouds that are away', absences);

function absences(): void {
  it.each<readonly [string, Misbehaviour]>([
    ['NoSuchKey', { name: 'refuse', status: 404, code: 'NoSuchKey' }],
    ['NoSuchBucket', { name: 'refuse', status: 404, code: 'NoSuchBucket' }],
    ['a bare 404', { name: 'garbage', status: 404, type: 'empty' }],
  ])('49: %s of one cloud while the others are away is unavailable, never absent', async (_, fault) => {
    const one = await cold();
    await cloud(0).misbehave(fault, { methods: ['GET', 'HEAD'], keys: isChunk });
    await one.expectEqual();
    for (const gone of [1, 2]) await cloud(gone).misbehave({ name: 'down' });
    expect(await one.expectNoneAbsent()).toBe(PHANTOMS.length);
    expect(await one.archive.scrub({ deep: true })).toMatchObject({
      unavailable: expect.arrayContaining(['r2', 'r3']),
    });
    await one.archive.repair();
    expect(await one.expectNoneAbsent()).toBe(PHANTOMS.length);
    await one.expectWholeAgain();
  });

  it('47, 49: over DICOMweb: 503 with Retry-After while clouds are away, never 404, and equal bytes when one is back', async () => {
    const replicas = await makeReplicas(allClouds().rgw, 'chaos-gateway');
    const gateway = await GatewayProcess.prepare({
      index: { url: 'sqlite:./index/filmroom.db' },
      hot: { volumes: [{ name: 'a', path: './volume' }] },
      cold: {
        keyring: './keyring.json',
        replicas: replicas.map((replica, at) => ({ ...replica, endpoint: cloud(at).endpoint })),
      },
      tiering: { recall: 'never' },
    });
    try {
      await gateway.start();
      const sent = await stow(
        gateway.url,
        PHANTOMS.map(({ bytes }) => bytes),
      );
      expect(sent.status, sent.text.slice(0, 300)).toBe(200);
      expect(await gateway.job('migrate', { all: true })).toMatchObject({ state: 'done' });
      await cloud(0).misbehave(
        { name: 'refuse', status: 404, code: 'NoSuchKey' },
        { methods: ['GET', 'HEAD'], keys: isChunk },
      );
      await cloud(1).misbehave({ name: 'refuse', status: 503, code: 'SlowDown' });
      await cloud(2).misbehave({ name: 'down' });
      for (const { study, series, sop } of PHANTOMS) {
        const path = `studies/${study}/series/${series}/instances/${sop}`;
        const answer = await fetch(`${gateway.url}/dicomweb/${path}`, {
          headers: { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' },
        });
        await answer.arrayBuffer();
        expect(answer.status).toBe(503);
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      }
      await cloud(1).behave();
      for (const phantom of PHANTOMS) {
        const equal = async () => sha256Of(await retrieve(gateway.url, phantom).catch(() => Buffer.alloc(0)));
        await expect.poll(equal, { timeout: 20_000, interval: 100 }).toBe(sha256Of(phantom.bytes));
      }
    } finally {
      await gateway.destroy();
    }
  });

  it('55: with all clouds away hot reads and stores go on, nothing is evicted, and the debt is paid when they are back', async () => {
    const one = await warm();
    const [cold0, hot] = [PHANTOMS.slice(0, 4), PHANTOMS.slice(4)];
    await one.store(cold0);
    await one.archive.migrate({ all: true });
    for (const proxy of allClouds().proxies) await proxy.misbehave({ name: 'down' });
    await one.store(hot);
    await one.expectEqual(hot);
    expect(await one.expectNoneAbsent(cold0)).toBe(cold0.length);
    const report = await one.archive.migrate({ all: true });
    expect(report.evicted).toBe(0);
    expect(report.failures.length).toBeGreaterThan(0);
    expect(report.failures.map(({ code }) => code)).toEqual(report.failures.map(() => 'UNAVAILABLE'));
    await one.expectEqual(hot);
    expect((await one.archive.status()).ingest).toBe('volume');
    await allClouds().behave();
    await one.available();
    expect(await one.archive.migrate({ all: true })).toMatchObject({ failures: [] });
    await one.expectWholeAgain();
  });

  it('56: two who migrate the same at once make one copy of it; a second gateway is kept out', async () => {
    const one = await warm();
    await one.store();
    await expect(one.rig.parts()).rejects.toMatchObject({ code: 'LOCKED' });
    const all = { all: true } as const;
    const reports = await Promise.all([1, 2, 3].map(() => one.archive.migrate(all)));
    expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
    expect(await one.debts()).toEqual([0, 0, 0]);
    await one.expectSameKeys();
    expect(await one.keys(0, 'm/')).toHaveLength(3);
    await one.expectWholeAgain();
  });
}
