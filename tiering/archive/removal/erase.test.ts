// Erase and compaction: the bytes of what was deleted leave trays, packs, volumes, replicas and the index; what lives beside them stays whole.
import { mkdir, readFile, rm } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import {
  away,
  back,
  destroyRigs,
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
import { compactDuePacks } from '../filing/compact.js';
import { Pace } from '../pacing/pace.js';
import { Retries } from '../pacing/retries.js';
import { extractReplica } from '../recovery/extract.js';

afterEach(destroyRigs);

const NOTHING = { instances: 0, bytes: 0 };
const one = first(PHANTOMS);

async function pending(rig: ArchiveRig) {
  return (await rig.archive.status()).index.erasurePending;
}

/** Bytes that only this phantom has. */
function markOf(phantom: (typeof PHANTOMS)[number]): Buffer {
  const others = without(phantom).map(({ bytes }) => Buffer.from(bytes));
  for (let at = 1_024; at + 256 < phantom.bytes.length; at += 256) {
    const mark = Buffer.from(phantom.bytes.subarray(at, at + 256));
    if (!others.some((bytes) => bytes.includes(mark))) return mark;
  }
  throw new Error('a phantom that is like the others');
}

/** Files of the volume in which the phantom lies. */
async function onVolume(rig: ArchiveRig, phantom: (typeof PHANTOMS)[number]): Promise<readonly string[]> {
  const part = markOf(phantom);
  const holding: string[] = [];
  for (const path of [...(await files(rig.path('a', 'trays'))), ...(await files(rig.path('a', 'packs')))]) {
    // What is removed meanwhile holds nothing.
    const bytes = await readFile(path).catch(() => Buffer.of());
    if (bytes.includes(part)) holding.push(path);
  }
  return holding;
}

/** Every chunk that the replicas hold, and every one that the index has: the same when nothing is left over. */
async function expectNothingLeftOver(rig: ArchiveRig): Promise<void> {
  expect((await rig.archive.scrub({ deep: true })).findings).toEqual([]);
  expect(await rig.archive.repair()).toMatchObject({ removed: 0, failures: [] });
}

async function extracted(rig: ArchiveRig, replica: string): Promise<number> {
  const report = await extractReplica({
    store: await rig.store(replica),
    keyring: rig.keyring,
    out: async (_path, bytes) => {
      await readAll(bytes);
    },
  });
  expect(report.failures).toEqual([]);
  return report.instances;
}

describe('erase', () => {
  it('of what lies in the open tray files what lives in it and removes it', async () => {
    const rig = await rigOf();
    const { deletes } = await rig.archive.remove(scopeOf(one));
    expect(await pending(rig)).toEqual({ instances: 1, bytes: one.bytes.length });
    expect(await onVolume(rig, one)).toHaveLength(1);
    const report = await rig.archive.erase({ deletes });
    expect(report).toMatchObject({
      instances: 1,
      bytes: one.bytes.length,
      pending: NOTHING,
      failures: [],
      unavailable: [],
    });
    expect(report.places).toContainEqual({ name: 'a', kind: 'volume', erased: 1, pending: 0, detail: null });
    expect(await onVolume(rig, one)).toEqual([]);
    expect(await found(rig.archive)).toEqual(without(one));
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(one));
    expect(await pending(rig)).toEqual(NOTHING);
  });

  it('of a hot pack on replicas writes it anew, protected, and removes the old one everywhere', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true }, { keepHot: true });
    const { deletes } = await rig.archive.remove(scopeOf(one));
    const report = await rig.archive.erase({ deletes });
    expect(report).toMatchObject({ instances: 1, pending: NOTHING, failures: [], unavailable: [] });
    expect(report.places.map(({ name, erased }) => [name, erased > 0])).toEqual([
      ['a', true],
      ['r1', true],
      ['r2', true],
    ]);
    expect(await onVolume(rig, one)).toEqual([]);
    expect(await found(rig.archive)).toEqual(without(one));
    const status = await rig.archive.status();
    expect(status.index.studies).toMatchObject({ total: 3, hot: 3, protected: 3 });
    expect(status.index.unprotected.instances).toBe(0);
    await expectNothingLeftOver(rig);
    for (const replica of rig.replicaNames) expect(await extracted(rig, replica)).toBe(PHANTOMS.length - 1);
  });

  it('of a cold pack leaves it cold', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    const gone = STUDIES.map(ofStudy).flatMap((all) => (all.length > 1 ? all.slice(0, 1) : []));
    expect(gone.length).toBeGreaterThan(1);
    for (const phantom of gone) await rig.archive.remove(scopeOf(phantom));
    expect((await pending(rig)).instances).toBe(gone.length);
    const report = await rig.archive.erase();
    expect(report).toMatchObject({
      packs: gone.length,
      instances: gone.length,
      pending: NOTHING,
      failures: [],
      unavailable: [],
    });
    expect((await rig.archive.status()).index.studies).toMatchObject({ total: 3, cold: 3 });
    expect(await files(rig.path('a', 'packs'))).toEqual([]);
    expect(await found(rig.archive)).toEqual(without(...gone));
    await expectNothingLeftOver(rig);
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(...gone));
    expect(await pending(rig)).toEqual(NOTHING);
    // There is nothing more to do.
    expect(await rig.archive.erase()).toMatchObject({ packs: 0, instances: 0, pending: NOTHING, unavailable: [] });
  });

  it('of a whole study removes its packs, and of trays that were filed before what is left there', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ studies: STUDIES.slice(0, 1) });
    const study = first(STUDIES);
    const { deletes } = await rig.archive.remove({ study });
    expect(await pending(rig)).toMatchObject({ instances: ofStudy(study).length });
    expect(await rig.archive.erase({ deletes })).toMatchObject({ pending: NOTHING, failures: [], unavailable: [] });
    for (const phantom of ofStudy(study)) expect(await onVolume(rig, phantom)).toEqual([]);
    expect(await found(rig.archive)).toEqual(without(...ofStudy(study)));
    await expectNothingLeftOver(rig);
  });

  it('with a replica away says what is pending there, and finishes when it is back', async () => {
    const rig = await rigOf({ replicas: ['r1', 'r2', 'r3'], writeQuorum: 2 });
    await rig.archive.migrate({ all: true });
    await away(rig, 'r3');
    await expect
      .poll(async () => (await rig.archive.status()).replicas.find(({ name }) => name === 'r3')?.state, WAIT)
      .toBe('unavailable');
    const { deletes } = await rig.archive.remove(scopeOf(one));
    const report = await rig.archive.erase({ deletes });
    expect(report.unavailable).toEqual(['r3']);
    expect(report.pending).toEqual({ instances: 1, bytes: one.bytes.length });
    const place = report.places.find(({ name }) => name === 'r3');
    expect([place?.erased, (place?.pending ?? 0) > 0, place?.detail !== null]).toEqual([0, true, true]);
    await back(rig, 'r3');
    await expect
      .poll(async () => (await rig.archive.status()).replicas.map(({ state }) => state), WAIT)
      .toEqual(['available', 'available', 'available']);
    expect(await rig.archive.erase()).toMatchObject({ instances: 1, pending: NOTHING, failures: [], unavailable: [] });
    expect(await found(rig.archive)).toEqual(without(one));
    await rig.archive.repair();
    await expectNothingLeftOver(rig);
  });

  it('with fewer replicas than the quorum changes nothing that is protected', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    await away(rig, 'r2');
    await expect
      .poll(async () => (await rig.archive.status()).replicas.find(({ name }) => name === 'r2')?.state, WAIT)
      .toBe('unavailable');
    await rig.archive.remove(scopeOf(one));
    const report = await rig.archive.erase();
    expect(report.failures).toMatchObject([{ code: 'UNAVAILABLE' }]);
    expect(report.unavailable).toEqual(['r1', 'r2']);
    expect((await pending(rig)).instances).toBe(1);
    expect(await found(rig.archive)).toEqual(without(one));
    await back(rig, 'r2');
    await expect
      .poll(async () => (await rig.archive.status()).replicas.map(({ state }) => state), WAIT)
      .toEqual(['available', 'available']);
    expect(await rig.archive.erase()).toMatchObject({ pending: NOTHING, failures: [], unavailable: [] });
    expect(await found(rig.archive)).toEqual(without(one));
  });

  it('without any volume writes the new pack to the replicas', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    await away(rig, 'a');
    await mkdir(rig.path('a'));
    await expect.poll(async () => (await rig.archive.status()).ingest, WAIT).toBe('cloud-direct');
    // One that is sealed in a tray of its own, and one that lies among others in a pack.
    await rig.archive.remove(scopeOf(one));
    expect(await storeBytes(rig.archive, one.bytes)).toMatchObject({ status: 'stored' });
    await rig.archive.remove(scopeOf(one));
    expect((await pending(rig)).instances).toBe(1);
    const report = await rig.archive.erase();
    expect(report).toMatchObject({ packs: 2, instances: 1, pending: NOTHING, failures: [], unavailable: [] });
    expect(await found(rig.archive)).toEqual(without(one));
    for (const replica of rig.replicaNames) expect(await extracted(rig, replica)).toBe(PHANTOMS.length - 1);
    await expectNothingLeftOver(rig);
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(one));
  });

  it('under readers gives them the right bytes or none', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    const neighbours = ofStudy(one.study)
      .filter((phantom) => phantom !== one)
      .slice(0, 3);
    const records = await Promise.all(neighbours.map((phantom) => rig.archive.instance(scopeOf(phantom))));
    let reading = true;
    let read = 0;
    // A reader that fails is told of by Promise.all at the end.
    const readers = records.map(async (record, n) => {
      while (reading) {
        const bytes = await readAll(rig.archive.read(record));
        expect(Buffer.compare(bytes, neighbours[n]?.bytes ?? Buffer.of())).toBe(0);
        read += 1;
        await setTimeout(5);
      }
    });
    await rig.archive.remove(scopeOf(one));
    expect(await rig.archive.erase()).toMatchObject({ pending: NOTHING, failures: [] });
    // Old records once more: where they pointed nothing is any more.
    const before = read;
    await expect.poll(() => read > before + 2 * records.length, WAIT).toBe(true);
    reading = false;
    await Promise.all(readers);
    await expectNothingLeftOver(rig);
  });

  it('of an instance that was stored again leaves the new one', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    await rig.archive.remove(scopeOf(one));
    expect(await storeBytes(rig.archive, one.bytes)).toMatchObject({ status: 'stored' });
    expect(await rig.archive.erase()).toMatchObject({ pending: NOTHING, failures: [], unavailable: [] });
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(PHANTOMS);
  });

  it('waits for deletes that are unread since a rebuild', async () => {
    const rig = await rigOf({ replicas: ['r1', 'r2'], writeQuorum: 1 });
    await rig.archive.migrate({ all: true });
    await rig.archive.remove(scopeOf(one));
    await away(rig, 'r2');
    await rebuilt(rig);
    await rig.open();
    await expect(rig.archive.erase()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('what is to be erased', () => {
  it('is known again after a rebuild, wherever it lies', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ studies: STUDIES.slice(0, 2) });
    const gone = STUDIES.map((study) => first(ofStudy(study)));
    for (const phantom of gone) await rig.archive.remove(scopeOf(phantom));
    const before = await pending(rig);
    expect(before.instances).toBe(3);
    await rebuilt(rig);
    await rig.open();
    expect(await pending(rig)).toEqual(before);
    expect(await rig.archive.erase()).toMatchObject({ pending: NOTHING, failures: [], unavailable: [] });
    expect(await found(rig.archive)).toEqual(without(...gone));
    await rig.close();
    await rm(rig.path('a'), { recursive: true });
    const left = STUDIES.slice(0, 2).flatMap((study) => ofStudy(study).slice(1));
    expect(await extracted(rig, 'r1')).toBe(left.length);
  });
});

describe('compaction', () => {
  it('writes a pack of which more than a quarter is deleted anew by itself, and leaves others as they are', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    // One of two in one study, one of nine in another.
    const two = STUDIES.map(ofStudy).find((all) => all.length === 2);
    const nine = STUDIES.map(ofStudy).find((all) => all.length === 9);
    const gone = [first(two?.slice(1) ?? []), first(nine ?? [])];
    for (const phantom of gone) await rig.archive.remove(scopeOf(phantom));
    await rig.close();
    const ctx = await rig.context();
    const pace = new Pace(ctx.clock, () => false);
    const { signal } = new AbortController();
    const before = (await ctx.index.erasures()).map(({ pack }) => pack);
    expect(await compactDuePacks(ctx, new Retries(ctx.clock), pace, signal)).toBe(1);
    expect(await compactDuePacks(ctx, new Retries(ctx.clock), pace, signal)).toBe(0);
    const live = await Promise.all(before.map(async (id) => (await ctx.index.pack(id))?.liveInstances));
    expect(new Set(live)).toEqual(new Set([0, 8]));
    await rig.reopen();
    expect(await found(rig.archive)).toEqual(without(...gone));
    // The old pack is garbage, and is kept for its grace period.
    expect((await pending(rig)).instances).toBe(2);
    expect(await rig.archive.erase()).toMatchObject({ packs: 2, instances: 2, pending: NOTHING, failures: [] });
    expect(await found(rig.archive)).toEqual(without(...gone));
    await expectNothingLeftOver(rig);
  });
});
