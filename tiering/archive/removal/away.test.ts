// Deletes while a replica or a volume is away, and when it comes back (I9).
import { mkdir, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { storeBytes } from '../../../test/support/archive-rig.js';
import {
  away,
  back,
  destroyRigs,
  expectDurable,
  files,
  first,
  found,
  ofStudy,
  PHANTOMS,
  rebuilt,
  rigOf,
  STUDIES,
  scopeOf,
  WAIT,
  without,
} from '../../../test/support/removal-rig.js';
import { parseStudyUid } from '../../core/ids.js';
import { openArchive } from '../open-archive.js';

afterEach(destroyRigs);

describe('a delete while something is away', () => {
  it('is pending while a replica is away, is told to it when it returns, and then holds from that replica alone', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    const one = first(PHANTOMS);
    await away(rig, 'r2');
    expect(await rig.archive.remove(scopeOf(one))).toMatchObject({ instances: 1, durable: 'pending' });
    expect(await found(rig.archive)).toEqual(without(one));
    expect((await rig.archive.status()).index.deletes).toEqual({ pending: 1, owed: 1 });
    await back(rig, 'r2');
    await expect.poll(async () => (await rig.archive.status()).index.deletes, WAIT).toEqual({ pending: 0, owed: 0 });
    await rig.close();
    await rm(rig.path('a'), { recursive: true });
    await away(rig, 'r1');
    expect(await rebuilt(rig)).toMatchObject({ deletes: 1, provisional: ['replica r1', 'volume a'] });
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(one));
  });

  it('is provisional in a rebuild without the one replica that knows it, and is in effect once that one is back (I9)', async () => {
    const rig = await rigOf({ replicas: ['r1', 'r2'], writeQuorum: 1 });
    await rig.archive.migrate({ all: true });
    const one = first(PHANTOMS);
    await away(rig, 'r2');
    expect(await rig.archive.remove(scopeOf(one))).toMatchObject({ durable: 'quorum' });
    await rig.close();
    await back(rig, 'r2');
    await away(rig, 'r1');
    await rm(rig.path('a', 'trays'), { recursive: true });
    await mkdir(rig.path('a', 'trays'));
    expect((await rebuilt(rig)).provisional).toEqual(['replica r1']);
    await rig.open();
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    await back(rig, 'r1');
    await expect.poll(async () => (await rig.archive.status()).deletesUnread, WAIT).toEqual([]);
    expect(await found(rig.archive)).toEqual(without(one));
    expect(rig.events.map(({ event }) => event)).toContain('deletes-came-late');
  });

  it('with no volume lives in the index and on the replicas, and a volume that returns brings nothing back', async () => {
    const rig = await rigOf();
    const [one, other] = [first(ofStudy(STUDIES[0] ?? '')), first(ofStudy(STUDIES[1] ?? ''))];
    await rig.archive.migrate({ studies: STUDIES.slice(0, 1) }, { keepHot: true });
    await away(rig, 'a');
    await mkdir(rig.path('a'));
    await expect.poll(async () => (await rig.archive.status()).ingest, WAIT).toBe('cloud-direct');
    await expectDurable(await rig.archive.remove(scopeOf(one)), rig);
    await expectDurable(await rig.archive.remove(scopeOf(other)), rig);
    await expect(rig.archive.instance(scopeOf(other))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await readdir(rig.path('a'))).toEqual([]);
    await back(rig, 'a');
    await expect.poll(async () => (await rig.archive.status()).ingest, WAIT).toBe('volume');
    expect(await found(rig.archive)).toEqual(without(one, other));
    await rig.reopen();
    expect(await found(rig.archive)).toEqual(without(one, other));
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(one, other));
  });

  it('of what lies on a volume that is away, stored again meanwhile on another, keeps the new one when it returns', async () => {
    const rig = await rigOf({ volumes: ['a', 'b'] });
    const status = await rig.archive.status();
    const used = (await files(rig.path('a', 'trays'))).length > 0 ? 'a' : 'b';
    expect(status.volumes.map((v) => v.state)).toEqual(['healthy', 'healthy']);
    await away(rig, used);
    await mkdir(rig.path(used));
    await expect
      .poll(async () => (await rig.archive.status()).volumes.find((v) => v.name === used)?.state, WAIT)
      .toBe('failed');
    const study = parseStudyUid(STUDIES[0] ?? '');
    const [again, ...gone] = ofStudy(study);
    if (again === undefined) throw new Error('no phantoms');
    await rig.archive.remove({ study });
    expect(await storeBytes(rig.archive, again.bytes)).toMatchObject({ status: 'stored' });
    await back(rig, used);
    await expect
      .poll(async () => (await rig.archive.status()).volumes.map((v) => v.state), WAIT)
      .toEqual(['healthy', 'healthy']);
    expect(await found(rig.archive)).toEqual(without(...gone));
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(...gone));
  });

  it('on a volume at its reserve goes into a tray there, where arrivals are not taken any more', async () => {
    const rig = await rigOf();
    const study = parseStudyUid(STUDIES[0] ?? '');
    const [again] = ofStudy(study);
    if (again === undefined) throw new Error('no phantoms');
    await rig.close();
    const parts = await rig.parts();
    // A real disk with all but 1 MiB of it taken, as far as anybody can tell.
    const volumes = parts.volumes.map(({ name, open }) => ({
      name,
      open: async () => {
        const volume = await open();
        volume.usage = () => Promise.resolve({ bytesTotal: 1024 ** 3, bytesFree: 1024 ** 2 });
        return volume;
      },
    }));
    const archive = await openArchive({ ...parts, volumes });
    try {
      expect((await archive.status()).ingest).toBe('cloud-direct');
      const before = await files(rig.path('a', 'trays'));
      expect(await archive.remove({ study })).toMatchObject({ studies: 1, durable: 'quorum' });
      const tray = (await files(rig.path('a', 'trays'))).filter((path) => !before.includes(path));
      expect((await readFile(first(tray))).includes(again.sop)).toBe(true);
      expect(await storeBytes(archive, again.bytes)).toMatchObject({ status: 'stored' });
      expect(await found(archive)).toEqual(without(...ofStudy(study).slice(1)));
    } finally {
      await archive.close();
    }
  });

  it('of a replica’s tombstone that was lost or changed is found by scrub and told again', async () => {
    const rig = await rigOf({ policy: { moverIntervalMs: 3_600_000 } });
    await rig.archive.remove(scopeOf(first(PHANTOMS)));
    await rig.archive.remove(scopeOf(first(PHANTOMS.slice(1))));
    const [lost, changed] = await files(rig.path('r2', 't'));
    if (lost === undefined || changed === undefined) throw new Error('two tombstones were written');
    await unlink(lost);
    const bytes = await readFile(changed);
    bytes[300] = (bytes[300] ?? 0) ^ 1;
    await writeFile(changed, bytes);
    const report = await rig.archive.scrub({ deep: true });
    expect(report.findings.map(({ where, fault }) => `${where} ${fault}`).sort()).toEqual(['r2 corrupt', 'r2 missing']);
    expect(await rig.archive.repair()).toMatchObject({ repaired: 2, failures: [] });
    expect((await rig.archive.scrub({ deep: true })).findings).toEqual([]);
    expect((await rig.archive.status()).index.deletes).toEqual({ pending: 0, owed: 0 });
  });
});
