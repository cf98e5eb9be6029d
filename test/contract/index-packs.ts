// The part of the Index contract that is about packs, their seals and placements, and the state of the whole.
import { beforeEach, describe, expect, it } from 'vitest';
import { parseObjectKey, parseReplicaName, parseVolumeName } from '../../tiering/core/ids.js';
import type { Index, PackFilter } from '../../tiering/index/index.js';
import { collect, commit, dump, type IndexFactory, inflate, useIndex } from './index-fixture.js';
import { describeResealing } from './index-reseal.js';
import {
  adopted,
  arrival,
  chunkName,
  filed,
  manifestName,
  newPack,
  packId,
  seal,
  sopUid,
  studyUid,
  VOLUME,
} from './index-samples.js';

const R1 = parseReplicaName('r1');
const R2 = parseReplicaName('r2');
const R3 = parseReplicaName('r3');

async function idsOf(index: Index, filter: PackFilter): Promise<number[]> {
  return (await collect(index.packs(filter))).map((pack) => Number.parseInt(pack.id.slice(-4), 16));
}

export function describePacks(factory: IndexFactory): void {
  describe('packs', () => {
    const index = useIndex(factory);
    describeRecords(index);
    describe('and a filter', () => describeFilters(index));
    describe('and the names of objects', () => describeGarbage(index));
    describe('that are sealed anew', () => describeResealing(index));
    describeWhole(index);
  });

  it('an index that is closed and opened again is as it was', async () => {
    const fixture = await factory();
    try {
      const { index } = fixture;
      await index.addPack(newPack(1));
      const arrivals = await commit(
        index,
        { study: 1, series: 1, instance: 1, seq: 1 },
        { study: 2, series: 1, instance: 1, seq: 2 },
      );
      await index.file(filed(newPack(2, { kind: 'pack' }), arrivals.slice(1), inflate));
      await index.setSetting('key', 'one');
      await index.setSetting('key', 'two');
      const before = [await dump(index), await index.pack(packId(1)), await index.pack(packId(2))];
      const again = await fixture.reopen();
      expect([await dump(again), await again.pack(packId(1)), await again.pack(packId(2))]).toEqual(before);
      expect([await again.setting('key'), await again.setting('other')]).toEqual(['two', undefined]);
      expect(await again.highestSeq()).toBe(2);
      expect(await again.check()).toEqual([]);
    } finally {
      await fixture.dispose();
    }
  });
}

function describeRecords(index: () => Index): void {
  it('are what was added; the same again is no error, another of that id is', async () => {
    await index().addPack(newPack(1));
    await index().addPack(newPack(1));
    await expect(index().addPack(newPack(1, { kind: 'pack' }))).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await index().pack(packId(1))).toEqual({
      ...newPack(1),
      seal: null,
      manifest: null,
      placements: [],
      liveInstances: 0,
      liveBytes: 0,
    });
    expect(await index().pack(packId(2))).toBeUndefined();
  });

  it('keep the seal that was drawn first, and the first name of each chunk', async () => {
    await index().addPack(newPack(1, { kind: 'pack' }));
    await expect(index().nameChunk(packId(1), 0, chunkName('a'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await index().setSeal(packId(1), seal(1));
    await index().setSeal(packId(1), seal(1));
    await expect(index().setSeal(packId(1), seal(2))).rejects.toMatchObject({ code: 'CONFLICT' });
    await index().nameChunk(packId(1), 0, chunkName('a'));
    await index().nameChunk(packId(1), 0, chunkName('a'));
    await expect(index().nameChunk(packId(1), 0, chunkName('b'))).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(index().nameChunk(packId(1), 2, chunkName('b'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const [first, second] = seal(1).chunks;
    expect((await index().pack(packId(1)))?.seal).toEqual({
      ...seal(1),
      chunks: [{ ...first, name: chunkName('a') }, second],
    });
  });

  it('take a newer manifest and refuse an older one', async () => {
    await index().addPack(newPack(1, { kind: 'pack' }));
    await index().setManifest(packId(1), { name: manifestName(1), generation: 1 });
    await index().setManifest(packId(1), { name: manifestName(2), generation: 2 });
    await index().setManifest(packId(1), { name: manifestName(2), generation: 2 });
    await expect(index().setManifest(packId(1), { name: manifestName(1), generation: 1 })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect((await index().pack(packId(1)))?.manifest).toEqual({ name: manifestName(2), generation: 2 });
  });

  it('take another wrap of the same key with the manifest that says so, or neither', async () => {
    await index().addPack(newPack(1, { kind: 'pack' }));
    const { kekId: _kek, ...rest } = seal(1);
    const wrap = { ...rest, kekId: 'k2', wrapSalt: new Uint8Array(32).fill(9), wrappedDek: new Uint8Array(48).fill(9) };
    const second = { name: manifestName(2), generation: 2 };
    await expect(index().rewrap(packId(1), wrap, second)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(index().rewrap(packId(2), wrap, second)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await index().setSeal(packId(1), seal(1));
    await index().setManifest(packId(1), { name: manifestName(1), generation: 1 });
    await expect(
      index().rewrap(packId(1), { ...wrap, dekId: new Uint8Array(16).fill(7) }, second),
    ).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(await index().pack(packId(1))).toMatchObject({ seal: seal(1), manifest: { generation: 1 } });
    await index().rewrap(packId(1), wrap, second);
    await expect(
      index().rewrap(packId(1), { ...wrap, kekId: 'k3' }, { name: manifestName(1), generation: 1 }),
    ).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await index().pack(packId(1))).toMatchObject({ seal: wrap, manifest: second });
    await index().rewrap(packId(1), { ...wrap, kekId: 'k3' }, null);
    expect(await index().pack(packId(1))).toMatchObject({ seal: { ...wrap, kekId: 'k3' }, manifest: second });
  });

  it('hold one placement a replica, the last that was set', async () => {
    await index().addPack(newPack(1, { kind: 'pack' }));
    await index().setPlacement(packId(1), { replica: R2, verifiedMs: 1 });
    await index().setPlacement(packId(1), { replica: R1, verifiedMs: 2 });
    await index().setPlacement(packId(1), { replica: R2, verifiedMs: 3 });
    expect((await index().pack(packId(1)))?.placements).toEqual([
      { replica: R1, verifiedMs: 2 },
      { replica: R2, verifiedMs: 3 },
    ]);
    await index().removePlacement(packId(1), R1);
    expect((await index().pack(packId(1)))?.placements).toEqual([{ replica: R2, verifiedMs: 3 }]);
  });

  it('are dropped only when nothing lives in them, and dropping again is no error', async () => {
    await index().addPack(newPack(1));
    const arrivals = await commit(index(), { study: 1, series: 1, instance: 1, seq: 1 });
    await expect(index().dropPack(packId(1))).rejects.toMatchObject({ code: 'CONFLICT' });
    await index().file(filed(newPack(2, { kind: 'pack' }), arrivals, inflate));
    await index().dropPack(packId(1));
    await index().dropPack(packId(1));
    expect(await index().pack(packId(1))).toBeUndefined();
    expect((await index().lookup([sopUid(1, 1, 1)])).get(sopUid(1, 1, 1))?.pack).toBe(packId(2));
    expect(await index().check()).toEqual([]);
  });

  it('that are filed take over only members whose row still has that seq', async () => {
    await index().addPack(newPack(1));
    const arrivals = await commit(
      index(),
      { study: 1, series: 1, instance: 1, seq: 5 },
      { study: 1, series: 1, instance: 2, seq: 6 },
    );
    await commit(index(), { study: 1, series: 1, instance: 2, seq: 2 });
    const never = arrival({ study: 1, series: 1, instance: 3, seq: 9, pack: 1 });
    await index().file(filed(newPack(2, { kind: 'pack' }), [...arrivals, never], inflate));
    const found = await index().lookup([1, 2, 3].map((n) => sopUid(1, 1, n)));
    expect([...found.values()].map(({ sop, pack }) => [sop, pack])).toEqual([
      [sopUid(1, 1, 1), packId(2)],
      [sopUid(1, 1, 2), packId(1)],
    ]);
    const { members } = await index().packContents(packId(2));
    expect(members.map((member) => member.sop)).toEqual([sopUid(1, 1, 1)]);
  });

  it('that are adopted bring their seal, manifest and placements, the newest generation winning', async () => {
    const arrivals = [arrival({ study: 1, series: 1, instance: 1, seq: 1, pack: 1 })];
    const plain = adopted(newPack(1, { kind: 'pack', hot: 'cold' }), arrivals, inflate);
    const first = { name: manifestName(1), generation: 1 };
    const second = { name: manifestName(2), generation: 2 };
    const placed = (replica: typeof R1) => [{ replica, verifiedMs: 5 }];
    await index().adopt({ ...plain, seal: seal(2), manifest: second, placements: placed(R1) });
    // An older wrap of the same DEK: the chunks are the same.
    await index().adopt({ ...plain, seal: { ...seal(2), kekId: 'kek-0' }, manifest: first, placements: placed(R2) });
    await index().adopt({ ...plain, pack: newPack(1, { kind: 'pack' }) });
    expect(await index().pack(packId(1))).toMatchObject({
      hot: 'present',
      volume: VOLUME,
      seal: seal(2),
      manifest: second,
      placements: [{ replica: R1 }, { replica: R2 }],
      liveInstances: 1,
    });
  });
}

function describeFilters(index: () => Index): void {
  beforeEach(async () => {
    await index().addPack(newPack(1));
    await index().addPack(newPack(2, { kind: 'pack' }));
    await index().addPack(newPack(3, { kind: 'pack', hot: 'cold' }));
    await index().addPack(newPack(4, { kind: 'pack', hot: 'missing' }));
    for (const n of [2, 3]) await index().setPlacement(packId(n), { replica: R1, verifiedMs: 1 });
    await index().setPlacement(packId(3), { replica: R2, verifiedMs: 1 });
    await commit(index(), { study: 1, series: 1, instance: 1, seq: 1 });
    await index().adopt(
      adopted(newPack(2, { kind: 'pack' }), [arrival({ study: 2, series: 1, instance: 1, seq: 2, pack: 2 })], inflate),
    );
  });

  it('are found by each part of a filter, oldest first', async () => {
    expect(await idsOf(index(), {})).toEqual([1, 2, 3, 4]);
    expect(await idsOf(index(), { limit: 2 })).toEqual([1, 2]);
    expect(await idsOf(index(), { kind: 'tray' })).toEqual([1]);
    expect(await idsOf(index(), { hot: ['cold', 'missing'] })).toEqual([3, 4]);
    expect(await idsOf(index(), { volume: VOLUME })).toEqual([1, 2, 4]);
    expect(await idsOf(index(), { volume: parseVolumeName('b') })).toEqual([]);
    expect(await idsOf(index(), { lackingOn: [R1, R2] })).toEqual([1, 2, 4]);
    expect(await idsOf(index(), { lackingOn: [R1] })).toEqual([1, 4]);
    expect(await idsOf(index(), { lackingOn: [] })).toEqual([]);
    expect(await idsOf(index(), { placementsMin: 1 })).toEqual([2, 3]);
    expect(await idsOf(index(), { createdBeforeMs: 1_003 })).toEqual([1, 2]);
    expect(await idsOf(index(), { empty: true })).toEqual([3, 4]);
    expect(await idsOf(index(), { empty: false, kind: 'pack' })).toEqual([2]);
    expect(await idsOf(index(), { study: studyUid(2) })).toEqual([2]);
    expect(await idsOf(index(), { ids: [packId(4), packId(2), packId(99)] })).toEqual([2, 4]);
  });

  it('come least recently opened first when asked so', async () => {
    await index().touch(studyUid(1), 50_000);
    await index().touch(studyUid(1), 40_000);
    expect(await idsOf(index(), { order: 'accessed' })).toEqual([2, 3, 4, 1]);
    expect(await idsOf(index(), { order: 'recent' })).toEqual([1, 4, 3, 2]);
  });

  it('of a volume that is lost are missing at once, and only they; its trays take nothing more', async () => {
    expect(await index().loseVolume(parseVolumeName('b'))).toBe(0);
    // The tray that was open and the pack that was there; the one that was missing before is missing still.
    expect(await index().loseVolume(VOLUME)).toBe(2);
    expect(await idsOf(index(), { hot: ['missing'], volume: VOLUME })).toEqual([1, 2, 4]);
    expect(await idsOf(index(), { hot: ['cold'] })).toEqual([3]);
    await expect(commit(index(), { study: 1, series: 1, instance: 2, seq: 9 })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    const status = await index().status({ writeQuorum: 1, replicas: [R1, R2] });
    expect(status).toMatchObject({ studies: { hot: 0, cold: 2 }, lostHot: { packs: 1 } });
    expect(await index().loseVolume(VOLUME)).toBe(0);
  });

  it('of more than a page come complete and once', async () => {
    const ids = Array.from({ length: 600 }, (_, n) => n + 10);
    await Promise.all(ids.map((n) => index().addPack(newPack(n, { kind: 'pack' }))));
    expect(await idsOf(index(), { kind: 'pack', hot: ['present'] })).toEqual([2, ...ids]);
    expect(await idsOf(index(), { limit: 301 })).toHaveLength(301);
    expect(await idsOf(index(), { kind: 'pack', hot: ['present'], order: 'recent' })).toEqual([...ids.reverse(), 2]);
  });
}

function describeGarbage(index: () => Index): void {
  it('are thrown away with their pack, manifest first, unless something has them again; what nobody has is unknown', async () => {
    const nobody = parseObjectKey('photos/cat.jpg');
    const names = [chunkName('a'), chunkName('b'), manifestName(1), nobody];
    await index().addPack(newPack(1, { kind: 'pack' }));
    await index().setSeal(packId(1), seal(1));
    await index().nameChunk(packId(1), 0, chunkName('a'));
    await index().nameChunk(packId(1), 1, chunkName('b'));
    await index().setManifest(packId(1), { name: manifestName(1), generation: 1 });
    expect(await index().unknownObjects(names)).toEqual([nobody]);
    expect(await index().garbage(Number.MAX_SAFE_INTEGER)).toEqual([]);
    await index().setManifest(packId(1), { name: manifestName(2), generation: 2 });
    expect(await index().garbage(Number.MAX_SAFE_INTEGER)).toEqual([manifestName(1)]);
    await index().dropPack(packId(1));
    expect(await index().garbage(Number.MAX_SAFE_INTEGER)).toHaveLength(4);
    expect(await index().garbage(0)).toEqual([]);
    expect(await index().unknownObjects(names)).toEqual([nobody]);
    await index().clearGarbage([manifestName(1), manifestName(2)]);
    expect(await index().unknownObjects(names)).toEqual([manifestName(1), nobody]);
    await index().addPack(newPack(2, { kind: 'pack' }));
    await index().setSeal(packId(2), seal(2));
    await index().nameChunk(packId(2), 0, chunkName('a'));
    expect(await index().garbage(Number.MAX_SAFE_INTEGER)).toEqual([chunkName('b')]);
    expect(await index().unknownObjects([])).toEqual([]);
  });

  it('are announced before they are put: garbage until something has them', async () => {
    const announced = [chunkName('a'), chunkName('b'), manifestName(1), manifestName(2)];
    await index().announceObjects(announced);
    await index().announceObjects(announced);
    expect(await index().unknownObjects(announced)).toEqual([]);
    expect(new Set(await index().garbage(Number.MAX_SAFE_INTEGER))).toEqual(new Set(announced));
    await index().addPack(newPack(1, { kind: 'pack' }));
    await index().setSeal(packId(1), seal(1));
    await index().nameChunk(packId(1), 0, chunkName('a'));
    await index().setManifest(packId(1), { name: manifestName(1), generation: 1 });
    expect(new Set(await index().garbage(Number.MAX_SAFE_INTEGER))).toEqual(new Set([chunkName('b'), manifestName(2)]));
    // Nothing of the announcement is left behind it: what is dropped is dated by the drop.
    await index().clearGarbage([chunkName('b'), manifestName(2)]);
    await index().dropPack(packId(1));
    expect(new Set(await index().garbage(Number.MAX_SAFE_INTEGER))).toEqual(new Set([chunkName('a'), manifestName(1)]));
  });

  it('that come after one are what is left of a pass', async () => {
    for (const n of [1, 2, 3]) await index().addPack({ ...newPack(n), createdMs: 1_000 + Math.floor(n / 2) });
    const [, second] = await collect(index().packs({}));
    expect(await idsOf(index(), second === undefined ? {} : { after: second })).toEqual([3]);
  });
}

function describeWhole(index: () => Index): void {
  it('count as hot, protected, cold, unprotected and owed', async () => {
    await index().addPack(newPack(1));
    const options = { writeQuorum: 2, replicas: [R1, R2] };
    await commit(
      index(),
      { study: 1, series: 1, instance: 1, seq: 1 },
      { study: 2, series: 1, instance: 1, seq: 2 },
      { study: 3, series: 1, instance: 1, seq: 3 },
    );
    expect(await index().status(options)).toMatchObject({
      studies: { total: 3, hot: 3, protected: 0, cold: 0 },
      instances: 3,
      unprotected: { instances: 3, bytes: 300, oldestArrivedMs: 10_001 },
    });
    for (const study of [1, 2]) {
      const arrivals = [arrival({ study, series: 1, instance: 1, seq: study, pack: 1 })];
      await index().file(filed(newPack(10 + study, { kind: 'pack', bytes: 1_024 }), arrivals, inflate));
      await index().setPlacement(packId(10 + study), { replica: R1, verifiedMs: 1 });
    }
    await index().setPlacement(packId(12), { replica: R2, verifiedMs: 1 });
    await index().setPlacement(packId(11), { replica: R2, verifiedMs: 1 });
    await index().setHot(packId(12), 'cold', null);
    await index().removePlacement(packId(11), R2);
    expect(await index().status(options)).toEqual({
      studies: { total: 3, hot: 2, protected: 0, cold: 1 },
      bytes: { hot: 1_001_024, cold: 1_024 },
      instances: 3,
      unprotected: { instances: 2, bytes: 200, oldestArrivedMs: 10_001 },
      lostHot: { packs: 0, bytes: 0 },
      deletes: { pending: 0, owed: 0 },
      erasurePending: { instances: 0, bytes: 0 },
      debt: new Map([
        [R1, { packs: 0, bytes: 0, oldestMs: null }],
        [R2, { packs: 1, bytes: 1_024, oldestMs: expect.any(Number) }],
      ]),
    });
    await index().setPlacement(packId(11), { replica: R2, verifiedMs: 1 });
    expect((await index().status(options)).studies).toEqual({ total: 3, hot: 2, protected: 1, cold: 1 });
    expect((await index().status(options)).unprotected).toMatchObject({ instances: 1, oldestArrivedMs: 10_003 });
  });

  it('count as protected only with enough copies in enough failure domains, on replicas that count', async () => {
    await index().addPack(newPack(1));
    await commit(index(), ...[1, 2, 3].map((study) => ({ study, series: 1, instance: 1, seq: study })));
    const held = [
      [R1, R2],
      [R1, R3],
      [R1, R2, R3],
    ];
    for (const [at, replicas] of held.entries()) {
      const study = at + 1;
      const arrivals = [arrival({ study, series: 1, instance: 1, seq: study, pack: 1 })];
      await index().file(filed(newPack(10 + study, { kind: 'pack', bytes: 1_024 }), arrivals, inflate));
      for (const replica of replicas) await index().setPlacement(packId(10 + study), { replica, verifiedMs: 1 });
    }
    const replicas = [R1, R2, R3];
    const counts = async (rule: Parameters<Index['status']>[0]) => {
      const { studies, unprotected } = await index().status(rule);
      return [studies.protected, unprotected.instances];
    };
    expect(await counts({ writeQuorum: 2, replicas })).toEqual([3, 0]);
    const domainOf = ['here', 'here', 'there'];
    expect(await counts({ writeQuorum: 2, replicas, domains: 2, domainOf })).toEqual([2, 1]);
    expect(await counts({ writeQuorum: 3, replicas, domains: 2, domainOf })).toEqual([1, 2]);
    // R3 is leaving, or is not configured any more.
    expect(await counts({ writeQuorum: 2, replicas: [R1, R2] })).toEqual([2, 1]);
    expect(await counts({ writeQuorum: 1, replicas: [R2] })).toEqual([2, 1]);
    expect(await idsOf(index(), { placedOn: R2 })).toEqual([11, 13]);
    expect(await idsOf(index(), { placedOn: R3 })).toEqual([12, 13]);
  });

  it('remember damage by chunk and replica until it is cleared', async () => {
    await index().addPack(newPack(1, { kind: 'pack' }));
    await index().addPack(newPack(2, { kind: 'pack' }));
    const damage = { pack: packId(1), chunk: 3, replica: R1, fault: 'missing' } as const;
    await index().addException(damage);
    await index().addException({ ...damage, fault: 'corrupt' });
    await index().addException({ ...damage, pack: packId(2), chunk: -1 });
    expect(await index().exceptions(packId(1))).toEqual([{ ...damage, fault: 'corrupt' }]);
    expect(await index().exceptions()).toHaveLength(2);
    await index().clearException(damage);
    expect(await index().exceptions(packId(1))).toEqual([]);
  });
}
