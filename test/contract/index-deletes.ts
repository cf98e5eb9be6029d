// Deletes, as part of the Index contract: what is named is gone at once and stays gone (I9), what comes after it lives, and
// counts and derived attributes are those of the instances that are left.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { type ObjectKey, parseReplicaName, parseSha256 } from '../../tiering/core/ids.js';
import { tombstoneName } from '../../tiering/format/names.js';
import type { ArrivedInstance, Index, TombstoneRecord } from '../../tiering/index/index.js';
import { collect, commit, dump, type IndexFactory, inflate, SEED, SHRINKING, useIndex } from './index-fixture.js';
import { adopted, arrival, filed, newPack, packId, seriesUid, sopUid, studyUid } from './index-samples.js';

const R1 = parseReplicaName('r1');
const R2 = parseReplicaName('r2');
const sha256 = (text: string) => parseSha256(createHash('sha256').update(text).digest('hex'));

/** A delete of these instances, as the archive would record it. */
function tombstone(
  seq: number,
  instances: readonly Pick<ArrivedInstance, 'sop' | 'sha256'>[],
  salt = '',
): TombstoneRecord {
  const entries = instances.map((one) => ({ sop: one.sop, sha256: one.sha256 }));
  const object = Buffer.from(`sealed ${seq} ${salt}`);
  return { seq, entries, name: tombstoneName(seq, sha256(`${seq}${salt}`)), object: new Uint8Array(object) };
}

async function names(index: Index, filter: Parameters<Index['tombstones']>[0]): Promise<ObjectKey[]> {
  return (await collect(index.tombstones(filter))).map((one) => one.name);
}

export function describeDeletes(factory: IndexFactory): void {
  describe('deletes', () => {
    const index = useIndex(factory);
    beforeEach(async () => index().addPack(newPack(1)));
    describeEffect(index);
    describeRecords(index);
    it(
      'in any order among arrivals, and again, leave exactly what was stored and not deleted after',
      () => anyOrder(factory),
      120_000,
    );
  });
}

function describeEffect(index: () => Index): void {
  it('end what they name at once, on every way to it', async () => {
    const [one, two] = await commit(
      index(),
      { study: 1, series: 1, instance: 1, seq: 1 },
      { study: 1, series: 1, instance: 2, seq: 2 },
    );
    if (one === undefined || two === undefined) throw new Error('nothing was committed');
    expect(await index().bury([tombstone(3, [one])])).toBe(1);
    const scope = { study: one.study, series: one.series, sop: one.sop };
    await expect(index().instance(scope)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await index().lookup([one.sop, two.sop])).size).toBe(1);
    expect((await collect(index().instances({ study: one.study }))).map(({ sop }) => sop)).toEqual([two.sop]);
    expect(await collect(index().metadata(scope))).toEqual([]);
    expect(await index().pack(packId(1))).toMatchObject({ liveInstances: 1, liveBytes: 100 });
    expect(await index().unfiled()).toMatchObject([{ instances: 1, firstMs: 10_002, lastMs: 10_002 }]);
    expect(await index().highestSeq()).toBe(3);
    expect(await index().check()).toEqual([]);
  });

  it('keep counts and derived attributes those of what is left; the last instance takes its series and study along', async () => {
    const described = (date: string, modality: string) => ({
      study: { '00080020': { vr: 'DA', Value: [date] } },
      series: { '00080060': { vr: 'CS', Value: [modality] } },
    });
    const [ct, mr, other] = await commit(
      index(),
      { study: 1, series: 1, instance: 1, seq: 1, attributes: described('20240101', 'CT') },
      { study: 1, series: 2, instance: 1, seq: 2, attributes: described('20240202', 'MR') },
      { study: 2, series: 1, instance: 1, seq: 3 },
    );
    if (ct === undefined || mr === undefined || other === undefined) throw new Error('nothing was committed');
    await index().bury([tombstone(4, [ct])]);
    const all = { matches: [], fuzzy: false, limit: 10, offset: 0, include: [] } as const;
    const study = await index().query({ ...all, level: 'study', study: ct.study });
    expect(JSON.parse(study.rows[0]?.attributes ?? '{}')).toMatchObject({
      '00080020': { Value: ['20240202'] },
      '00080061': { Value: ['MR'] },
      '00201206': { Value: [1] },
      '00201208': { Value: [1] },
    });
    const series = await index().query({ ...all, level: 'series' });
    expect(series.rows.map((row) => row.series)).not.toContain(seriesUid(1, 1));
    const gone = { path: ['00080020'], vr: 'DA', values: ['20240101'] };
    expect((await index().query({ ...all, level: 'study', matches: [gone] })).rows).toEqual([]);
    await index().bury([tombstone(5, [mr])]);
    expect((await index().query({ ...all, level: 'study' })).rows.map((row) => row.study)).toEqual([studyUid(2)]);
    const status = await index().status({ writeQuorum: 1, replicas: [R1] });
    expect([status.studies.total, status.instances]).toEqual([1, 1]);
    expect(await index().check()).toEqual([]);
  });

  it('let nothing older come back from a tray, a pack or a filing that was under way, and let what is newer live', async () => {
    const old = { study: 1, series: 1, instance: 1, seq: 1 };
    const [first] = await commit(index(), old);
    if (first === undefined) throw new Error('nothing was committed');
    await index().bury([tombstone(5, [first])]);
    await commit(index(), old);
    await index().file(filed(newPack(2, { kind: 'pack' }), [first], inflate));
    await index().adopt(adopted(newPack(3, { kind: 'pack', hot: 'cold' }), [first], inflate));
    expect((await index().lookup([first.sop])).size).toBe(0);
    const again = { ...arrival({ ...old, pack: 1 }), seq: 6 };
    await index().commitArrivals({ pack: packId(1), indexedTo: 2_000_000, instances: [again] });
    expect((await index().lookup([first.sop])).get(first.sop)).toMatchObject({ seq: 6 });
    await index().bury([tombstone(5, [first])]);
    expect((await index().lookup([first.sop])).size).toBe(1);
  });

  it('leave alone what has other bytes, or is not there', async () => {
    const [one] = await commit(index(), { study: 1, series: 1, instance: 1, seq: 1 });
    if (one === undefined) throw new Error('nothing was committed');
    const stranger = { sop: sopUid(7, 7, 7), sha256: one.sha256 };
    expect(await index().bury([tombstone(5, [{ ...one, sha256: sha256('other bytes') }, stranger])])).toBe(0);
    expect((await index().lookup([one.sop])).size).toBe(1);
  });

  it('in a batch of a tray count before its arrivals, and all of it or nothing is visible', async () => {
    const [one] = await commit(index(), { study: 1, series: 1, instance: 1, seq: 1 });
    if (one === undefined) throw new Error('nothing was committed');
    const again = { ...arrival({ study: 1, series: 1, instance: 1, seq: 1, pack: 1 }), seq: 3 };
    const batch = { pack: packId(1), indexedTo: 2_000_000, instances: [again], tombstones: [tombstone(2, [one])] };
    await index().commitArrivals(batch);
    expect((await index().lookup([one.sop])).get(one.sop)).toMatchObject({ seq: 3 });
    const strange = arrival({ study: 2, series: 1, instance: 1, seq: 5, pack: 9 });
    const failing = { ...batch, instances: [strange], tombstones: [tombstone(4, [again])] };
    await expect(index().commitArrivals(failing)).rejects.toMatchObject({ code: 'INVALID' });
    expect((await index().lookup([one.sop])).size).toBe(1);
    expect(await names(index(), {})).toHaveLength(1);
  });

  it('with a pack that is taken in count before its members, and neither is there without the other', async () => {
    const [one] = await commit(index(), { study: 1, series: 1, instance: 1, seq: 1 });
    if (one === undefined) throw new Error('nothing was committed');
    const pack = newPack(2, { kind: 'pack', hot: 'cold' });
    const again = { ...arrival({ study: 1, series: 1, instance: 1, seq: 1, pack: 2 }), seq: 3 };
    const strange = { ...adopted(pack, [again], inflate), attributes: [] };
    await expect(index().adopt(strange, [tombstone(2, [one])])).rejects.toMatchObject({ code: 'INVALID' });
    expect((await index().lookup([one.sop])).get(one.sop)).toMatchObject({ seq: 1 });
    expect(await names(index(), {})).toEqual([]);
    await index().adopt(adopted(pack, [again], inflate), [tombstone(2, [one])]);
    expect((await index().lookup([one.sop])).get(one.sop)).toMatchObject({ seq: 3, pack: packId(2) });
    expect(await names(index(), {})).toHaveLength(1);
    expect(await index().check()).toEqual([]);
  });
}

function describeRecords(index: () => Index): void {
  const some = [1, 2].map((n) => ({ sop: sopUid(1, 1, n), sha256: sha256(String(n)) }));

  it('are kept with what they say, their object, their tray and their replicas', async () => {
    const record = tombstone(7, some);
    await index().bury([record]);
    const [stored] = await collect(index().tombstones({}));
    expect(stored).toEqual({ ...record, tray: null, replicas: [] });
    await index().setTombstonePlacement(record.name, R2);
    await index().setTombstonePlacement(record.name, R1);
    await index().setTombstonePlacement(record.name, R1);
    const nameless = tombstone(8, some).name;
    await expect(index().setTombstonePlacement(nameless, R1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await collect(index().tombstones({}))).toMatchObject([{ replicas: [R1, R2] }]);
  });

  it('are one record however often and under whatever name they are found', async () => {
    const record = tombstone(7, some);
    await index().bury([record]);
    // Nobody is known to hold the first: the one that was found takes its place, and keeps it from then on.
    const found = tombstone(7, [...some].reverse(), 'sealed again');
    await index().bury([found]);
    expect(await collect(index().tombstones({}))).toMatchObject([{ name: found.name }]);
    await index().setTombstonePlacement(found.name, R1);
    await index().bury([record]);
    expect(await collect(index().tombstones({}))).toMatchObject([{ name: found.name, replicas: [R1] }]);
  });

  it('take another object for the same delete, which no replica holds yet', async () => {
    const record = tombstone(7, some);
    const again = tombstone(7, some, 'under a new key');
    await index().bury([record]);
    await index().setTombstonePlacement(record.name, R1);
    await index().resealTombstone(record.name, again);
    expect(await collect(index().tombstones({}))).toEqual([
      { ...again, entries: record.entries, tray: null, replicas: [] },
    ]);
    expect(await names(index(), { lackingOn: [R1] })).toEqual([again.name]);
    await expect(index().resealTombstone(record.name, again)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await index().setTombstonePlacement(again.name, R1);
    await index().resealTombstone(again.name, again);
    expect(await collect(index().tombstones({}))).toMatchObject([{ name: again.name, replicas: [R1] }]);
  });

  it('keep their tray until a later one holds them', async () => {
    await index().addPack(newPack(2));
    const record = tombstone(7, some);
    const none = { indexedTo: 0, instances: [], tombstones: [record] };
    await index().commitArrivals({ ...none, pack: packId(1) });
    expect(await names(index(), { tray: packId(1) })).toEqual([record.name]);
    await index().closeTray(packId(1), 0);
    await expect(index().dropPack(packId(1))).rejects.toMatchObject({ code: 'CONFLICT' });
    await index().commitArrivals({ ...none, pack: packId(2) });
    expect(await names(index(), { tray: packId(1) })).toEqual([]);
    await index().dropPack(packId(1));
    expect(await names(index(), { tray: packId(2) })).toEqual([record.name]);
  });

  it('are owed to the replicas that lack them', async () => {
    const records = [10, 11, 12].map((seq) => tombstone(seq, some));
    await index().bury(records);
    const [first, second, third] = records.map((one) => one.name);
    if (first === undefined || second === undefined || third === undefined) throw new Error('three were made');
    for (const name of [first, second]) await index().setTombstonePlacement(name, R1);
    await index().setTombstonePlacement(first, R2);
    expect(await names(index(), { lackingOn: [R1, R2] })).toEqual([second, third]);
    expect(await names(index(), { lackingOn: [R1] })).toEqual([third]);
    expect(await names(index(), { lackingOn: [parseReplicaName('new')] })).toHaveLength(3);
    const deletes = async () => (await index().status({ writeQuorum: 1, replicas: [R1, R2] })).deletes;
    expect(await deletes()).toEqual({ pending: 1, owed: 2 });
    expect(await index().removeTombstonePlacement(first, R1)).toBe(true);
    expect(await index().removeTombstonePlacement(first, R2)).toBe(true);
    expect(await deletes()).toEqual({ pending: 2, owed: 3 });
    const anew = tombstone(13, some).name;
    await index().resealTombstone(second, { name: anew, object: new Uint8Array([1]) });
    expect(await index().removeTombstonePlacement(second, R1)).toBe(false);
    expect(await names(index(), { lackingOn: [R1, R2] })).toEqual([first, anew, third]);
  });

  it('of more than a page come complete and once', async () => {
    const records = Array.from({ length: 120 }, (_, n) => tombstone(n + 1, some));
    await index().bury(records);
    expect(await names(index(), {})).toEqual(records.map((one) => one.name));
  });
}

/** A history: each step stores an instance under one of a few UIDs, or deletes what is live under it. */
async function anyOrder(factory: IndexFactory): Promise<void> {
  const step = fc.record({
    instance: fc.integer({ min: 1, max: 4 }),
    study: fc.integer({ min: 1, max: 2 }),
    pack: fc.integer({ min: 1, max: 4 }),
    label: fc.constantFrom('A', 'B'),
  });
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 4, maxLength: 30, size: 'max' }),
    fc.infiniteStream(fc.nat(1_000)),
    async (steps, randoms) => {
      const live = new Map<string, ArrivedInstance>();
      const arrivals: ArrivedInstance[] = [];
      const deletes: TombstoneRecord[] = [];
      for (const [n, { label, ...sample }] of steps.entries()) {
        const attributes = { study: { '00081030': { vr: 'LO', Value: [`${label}${n}`] } } };
        const sop = sopUid(9, 9, sample.instance);
        const present = live.get(sop);
        if (present !== undefined) {
          deletes.push(tombstone(n + 1, [present]));
          live.delete(sop);
          continue;
        }
        const one = { ...arrival({ ...sample, series: 1, seq: n + 1, sopOf: sop, attributes }), sha256: sha256(label) };
        arrivals.push(one);
        live.set(sop, one);
      }
      const packs = [1, 2, 3, 4].map((n) =>
        adopted(
          newPack(n, { kind: n % 2 === 0 ? 'tray' : 'pack', hot: 'present' }),
          arrivals.filter((one) => one.pack === packId(n)),
          inflate,
        ),
      );
      const survivors = [1, 2, 3, 4].map((n) =>
        adopted(
          newPack(n, { kind: n % 2 === 0 ? 'tray' : 'pack', hot: 'present' }),
          [...live.values()].filter((one) => one.pack === packId(n)),
          inflate,
        ),
      );
      const shuffle = <T>(items: readonly T[]) =>
        items
          .map((item) => ({ item, order: randoms.next().value ?? 0 }))
          .sort((a, b) => a.order - b.order)
          .map(({ item }) => item);
      const answers: string[] = [];
      for (const [buried, order] of [
        [[], survivors],
        [deletes, packs],
        [shuffle([...deletes, ...deletes]), shuffle([...packs, ...packs])],
      ] as const) {
        const fixture = await factory();
        try {
          await fixture.index.bury(buried);
          for (const pack of order) await fixture.index.adopt(pack);
          answers.push(await dump(fixture.index));
          expect(await fixture.index.check()).toEqual([]);
        } finally {
          await fixture.dispose();
        }
      }
      // As it happened, one step after the other, and then everything found once more.
      const fixture = await factory();
      try {
        for (const n of [11, 12, 13, 14]) await fixture.index.addPack(newPack(n));
        const history = [...arrivals, ...deletes].sort((a, b) => a.seq - b.seq);
        for (const one of history) {
          if ('entries' in one) expect(await fixture.index.bury([one])).toBe(1);
          else {
            const pack = packId(11 + (one.seq % 4));
            await fixture.index.commitArrivals({ pack, indexedTo: 1e6, instances: [{ ...one, pack }] });
          }
        }
        answers.push(await dump(fixture.index));
        for (const pack of shuffle(packs)) await fixture.index.adopt(pack);
        answers.push(await dump(fixture.index));
      } finally {
        await fixture.dispose();
      }
      expect(new Set(answers).size).toBe(1);
    },
  );
  await fc.assert(property, { seed: SEED, numRuns: 15, ...SHRINKING });
}
