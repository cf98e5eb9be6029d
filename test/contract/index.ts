// The contract suite of the Index boundary: tiering/index/index.ts, clause by clause. Each implementation calls
// `describeIndex`; the suites of packs and of queries come with it.
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { describeDeletes } from './index-deletes.js';
import { describeErasures } from './index-erasures.js';
import {
  collect,
  commit,
  dump,
  type IndexFactory,
  inflate,
  metadataTexts,
  SEED,
  SHRINKING,
  useIndex,
} from './index-fixture.js';
import { liveOf } from './index-model.js';
import { describePacks } from './index-packs.js';
import { describeQueries } from './index-query.js';
import { adopted, arrival, filed, newPack, packId, seriesUid, sopUid, studyUid } from './index-samples.js';

export function describeIndex(name: string, factory: IndexFactory): void {
  describe(`Index: ${name}`, () => {
    describeArrivals(factory);
    describeMetadata(factory);
    describeAdoption(factory);
    describeDeletes(factory);
    describeErasures(factory);
    describePacks(factory);
    describeQueries(factory);
  });
}

function describeArrivals(factory: IndexFactory): void {
  describe('arrivals', () => {
    const index = useIndex(factory);
    beforeEach(async () => index().addPack(newPack(1)));

    it('are visible as soon as the commit resolves, with every field as it was given', async () => {
      const [one] = await commit(index(), { study: 1, series: 1, instance: 1, seq: 7 });
      if (one === undefined) throw new Error('nothing was committed');
      const { attributes: _attributes, metadata: _metadata, layout, ...record } = one;
      expect(await index().lookup([one.sop, sopUid(1, 1, 2)])).toEqual(new Map([[one.sop, record]]));
      const scope = { study: one.study, series: one.series, sop: one.sop };
      expect(await index().instance(scope)).toEqual({ ...record, layout });
      expect(await index().highestSeq()).toBe(7);
      expect(await index().pack(packId(1))).toMatchObject({ bytes: 1_000_000, liveInstances: 1, liveBytes: 100 });
    });

    it('are not found under another study or series, nor when they never came', async () => {
      await commit(index(), { study: 1, series: 1, instance: 1, seq: 1 });
      const sop = sopUid(1, 1, 1);
      for (const scope of [
        { study: studyUid(2), series: seriesUid(1, 1), sop },
        { study: studyUid(1), series: seriesUid(1, 2), sop },
        { study: studyUid(1), series: seriesUid(1, 1), sop: sopUid(1, 1, 9) },
      ]) {
        await expect(index().instance(scope)).rejects.toMatchObject({ code: 'NOT_FOUND' });
        expect(await collect(index().instances(scope))).toEqual([]);
        expect(await collect(index().metadata(scope))).toEqual([]);
      }
    });

    it('of a pack that is not known are refused, and a batch that fails leaves nothing behind', async () => {
      const good = arrival({ study: 1, series: 1, instance: 1, seq: 1, pack: 1 });
      const strange = arrival({ study: 1, series: 1, instance: 2, seq: 2, pack: 2 });
      const unknown = { pack: packId(2), indexedTo: 1, instances: [strange] };
      await expect(index().commitArrivals(unknown)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      const mixed = { pack: packId(1), indexedTo: 1, instances: [good, strange] };
      const [failed, next] = await Promise.allSettled([
        index().commitArrivals(mixed),
        commit(index(), { study: 2, series: 1, instance: 1, seq: 3 }),
      ]);
      expect([failed.status, next.status]).toEqual(['rejected', 'fulfilled']);
      expect(await index().lookup([good.sop])).toEqual(new Map());
      expect((await index().lookup([sopUid(2, 1, 1)])).size).toBe(1);
    });

    it('after the tray is closed are refused', async () => {
      await index().closeTray(packId(1), 512);
      await expect(commit(index(), { study: 1, series: 1, instance: 1, seq: 1 })).rejects.toMatchObject({
        code: 'CONFLICT',
      });
      expect(await index().pack(packId(1))).toMatchObject({ hot: 'present', bytes: 512 });
    });

    it('with the SOP Instance UID of a live one are ignored when later and replace it when earlier', async () => {
      const sopOf = sopUid(1, 1, 1);
      await commit(index(), { study: 1, series: 1, instance: 1, seq: 5 });
      await commit(index(), { study: 2, series: 2, instance: 1, seq: 9, sopOf });
      expect((await index().lookup([sopOf])).get(sopOf)).toMatchObject({ seq: 5, study: studyUid(1) });
      await commit(index(), { study: 3, series: 3, instance: 1, seq: 2, sopOf });
      expect((await index().lookup([sopOf])).get(sopOf)).toMatchObject({ seq: 2, study: studyUid(3) });
      expect(await collect(index().instances({ study: studyUid(1) }))).toEqual([]);
      expect(JSON.parse(await dump(index()))[0]).toHaveLength(1);
      expect(await index().pack(packId(1))).toMatchObject({ liveInstances: 1, liveBytes: 100 });
      expect(await index().highestSeq()).toBe(9);
    });

    it('come in reading order, those without a number last, whatever the order of arrival', async () => {
      await commit(
        index(),
        { study: 1, series: 2, instance: 1, seq: 1, seriesNumber: null },
        { study: 1, series: 1, instance: 10, seq: 2 },
        { study: 1, series: 1, instance: 9, seq: 3 },
        { study: 1, series: 1, instance: 3, seq: 4, instanceNumber: null },
        { study: 1, series: 3, instance: 2, seq: 5, seriesNumber: 1 },
      );
      const sops = (await collect(index().instances({ study: studyUid(1) }))).map((one) => one.sop);
      expect(sops).toEqual([sopUid(1, 1, 9), sopUid(1, 1, 10), sopUid(1, 1, 3), sopUid(1, 3, 2), sopUid(1, 2, 1)]);
      const series = await collect(index().instances({ study: studyUid(1), series: seriesUid(1, 1) }));
      expect(series.map((one) => one.sop)).toEqual(sops.slice(0, 3));
    });

    it('of more than a page come complete and once', async () => {
      const samples = Array.from({ length: 2_345 }, (_, n) => ({
        study: 1,
        series: 1 + (n % 3),
        instance: n,
        instanceNumber: n % 7,
        seq: n + 1,
      }));
      await commit(index(), ...samples);
      const found = await collect(index().instances({ study: studyUid(1) }));
      expect(new Set(found.map((one) => one.sop)).size).toBe(2_345);
      expect(found).toHaveLength(2_345);
      expect(await metadataTexts(index(), { study: studyUid(1) })).toHaveLength(2_345);
    });
  });
}

function describeMetadata(factory: IndexFactory): void {
  describe('metadata', () => {
    const index = useIndex(factory);
    beforeEach(async () => index().addPack(newPack(1)));

    it('is the same before and after filing, whole bundles without picks', async () => {
      const arrivals = await commit(
        index(),
        ...[3, 1, 2].map((instance) => ({ study: 1, series: 1, instance, seq: instance })),
        { study: 1, series: 2, instance: 1, seq: 9 },
      );
      const scope = { study: studyUid(1) };
      const before = await metadataTexts(index(), scope);
      expect(before).toHaveLength(4);
      const sorted = [...arrivals].sort((a, b) => (a.sop < b.sop ? -1 : 1));
      await index().file(filed(newPack(2, { kind: 'pack' }), sorted, inflate));
      expect(await metadataTexts(index(), scope)).toEqual(before);
      const parts = await collect(index().metadata(scope));
      expect(parts.map((part) => [part.series, part.picks])).toEqual([
        [seriesUid(1, 1), null],
        [seriesUid(1, 2), null],
      ]);
      const one = await collect(index().metadata({ ...scope, series: seriesUid(1, 1), sop: sopUid(1, 1, 2) }));
      expect(one[0]?.picks).toHaveLength(1);
      expect(await metadataTexts(index(), { ...scope, series: seriesUid(1, 1), sop: sopUid(1, 1, 2) })).toEqual([
        before[1],
      ]);
    });

    it('mixes what is filed with what is not, and never shows a member that is dead', async () => {
      const arrivals = await commit(
        index(),
        ...[1, 2, 3].map((instance) => ({ study: 1, series: 1, instance, seq: 10 + instance })),
      );
      await index().file(filed(newPack(2, { kind: 'pack' }), arrivals, inflate));
      // An earlier arrival of the second one takes its place: the bundle's object of it is dead.
      await commit(
        index(),
        {
          study: 1,
          series: 1,
          instance: 2,
          seq: 1,
          attributes: { full: { '00181160': { vr: 'SH', Value: ['new'] } } },
        },
        { study: 1, series: 1, instance: 4, seq: 20 },
      );
      const texts = await metadataTexts(index(), { study: studyUid(1) });
      expect(texts).toHaveLength(4);
      expect(texts.filter((text) => text.includes('"new"'))).toHaveLength(1);
      expect(texts.filter((text) => text.includes(`"${sopUid(1, 1, 2)}"`))).toHaveLength(1);
    });

    it('of a tray makes the bundles of its contents, and gives them back one by one', async () => {
      const arrivals = await commit(
        index(),
        { study: 1, series: 1, instance: 2, seq: 1 },
        { study: 1, series: 1, instance: 1, seq: 2 },
        { study: 2, series: 1, instance: 1, seq: 3 },
      );
      const { members, bundles } = await index().packContents(packId(1));
      expect(members.map((member) => member.seq)).toEqual([1, 2, 3]);
      const texts = new Map(bundles.map((bundle) => [bundle.series, Buffer.from(inflate(bundle.gzip))]));
      for (const [at, member] of members.entries()) {
        const text = texts.get(member.series)?.subarray(member.metaStart, member.metaEnd).toString('utf8');
        expect(text).toBe(inflate(arrivals[at]?.metadata ?? new Uint8Array()));
        expect(member.layout).toBe(arrivals[at]?.layout);
      }
      const unfiled = await index().unfiledInstances(studyUid(1));
      expect(unfiled.map((one) => [one.sop, inflate(one.metadata)])).toEqual(
        [arrivals[1], arrivals[0]].map((one) => [one?.sop, inflate(one?.metadata ?? new Uint8Array())]),
      );
      expect(await index().unfiled()).toEqual([
        { study: studyUid(1), instances: 2, bytes: 200, firstMs: 10_001, lastMs: 10_002 },
        { study: studyUid(2), instances: 1, bytes: 100, firstMs: 10_003, lastMs: 10_003 },
      ]);
    });
  });
}

function describeAdoption(factory: IndexFactory): void {
  it('adopting packs in any order, any number of times, gives the same answers and the lowest seq of each instance', async () => {
    const place = fc.record({
      study: fc.integer({ min: 1, max: 3 }),
      series: fc.constant(1),
      instance: fc.integer({ min: 1, max: 4 }),
      label: fc.constantFrom('A', 'B', 'C'),
      pack: fc.integer({ min: 1, max: 5 }),
      // Half of them are some other study's SOP Instance UID: the lower seq takes it away from there.
      other: fc.option(fc.integer({ min: 1, max: 6 }), { freq: 3 }),
    });
    const described = (label: string) => ({
      study: { '00081030': { vr: 'LO', Value: [label] }, '00080020': { vr: 'DA', Value: [`2024010${label.length}`] } },
      series: { '00080060': { vr: 'CS', Value: [label] } },
    });
    const property = fc.asyncProperty(
      fc.array(place, { minLength: 1, maxLength: 25, size: 'max' }),
      fc.infiniteStream(fc.nat(1_000)),
      async (places, randoms) => {
        const arrivals = places.map(({ label, other, ...sample }, n) =>
          arrival({
            ...sample,
            seq: n + 1,
            attributes: described(label),
            ...(other === null ? {} : { sopOf: sopUid(9, 9, other) }),
          }),
        );
        const packs = [1, 2, 3, 4, 5].map((n) => {
          const inPack = arrivals.filter((one) => one.pack === packId(n));
          return adopted(newPack(n, { kind: n % 2 === 0 ? 'tray' : 'pack', hot: 'present' }), inPack, inflate);
        });
        const shuffled = [...packs, ...packs]
          .map((pack) => ({ pack, order: randoms.next().value ?? 0 }))
          .sort((a, b) => a.order - b.order);
        const answers: string[] = [];
        for (const order of [packs, shuffled.map(({ pack }) => pack)]) {
          const fixture = await factory();
          try {
            for (const pack of order) await fixture.index.adopt(pack);
            answers.push(await dump(fixture.index));
            const live = liveOf(arrivals);
            const found = await fixture.index.lookup(live.map((one) => one.sop));
            expect(live.map((one) => found.get(one.sop)?.seq)).toEqual(live.map((one) => one.seq));
            expect(await fixture.index.highestSeq()).toBe(arrivals.length);
            expect(await fixture.index.check()).toEqual([]);
          } finally {
            await fixture.dispose();
          }
        }
        expect(answers[1]).toBe(answers[0]);
      },
    );
    await fc.assert(property, { seed: SEED, numRuns: 8, ...SHRINKING });
  }, 120_000);

  it('a study whose leading instance is taken away shows the attributes of the next', async () => {
    const fixture = await factory();
    try {
      const described = (text: string) => ({
        study: { '00081030': { vr: 'LO', Value: [text] } },
        series: { '00080060': { vr: 'CS', Value: [text] } },
      });
      await fixture.index.addPack(newPack(1));
      const sopOf = sopUid(1, 1, 1);
      await commit(
        fixture.index,
        { study: 1, series: 1, instance: 1, seq: 5, attributes: described('FIRST') },
        { study: 1, series: 1, instance: 2, seq: 6, attributes: described('NEXT') },
      );
      await commit(fixture.index, { study: 2, series: 1, instance: 9, seq: 1, sopOf, attributes: described('OTHER') });
      const spec = { fuzzy: false, limit: 9, offset: 0, include: [] } as const;
      const { rows } = await fixture.index.query({ ...spec, level: 'series', study: studyUid(1), matches: [] });
      expect(rows).toHaveLength(1);
      expect(JSON.parse(rows[0]?.attributes ?? '{}')).toMatchObject({
        '00081030': { Value: ['NEXT'] },
        '00080060': { Value: ['NEXT'] },
        '00080061': { Value: ['NEXT'] },
        '00201208': { Value: [1] },
      });
      const key = (value: string) => ({ path: ['00081030'], vr: 'LO', values: [value] });
      for (const [value, studies] of [
        ['FIRST', []],
        ['N*T', [studyUid(1)]],
        ['OTHER', [studyUid(2)]],
      ] as const) {
        const found = await fixture.index.query({ ...spec, level: 'study', matches: [key(value)] });
        expect(found.rows.map((row) => row.study)).toEqual(studies);
      }
    } finally {
      await fixture.dispose();
    }
  });

  it('a pack that was filed and is adopted with its old tray keeps the packer’s copy, whichever comes first', async () => {
    const samples = [1, 2].map((instance) => ({ study: 1, series: 1, instance, seq: instance, pack: 1 }));
    const arrivals = samples.map(arrival);
    const tray = adopted(newPack(1, { hot: 'present' }), arrivals, inflate);
    const pack = adopted(newPack(2, { kind: 'pack' }), arrivals, inflate);
    for (const order of [
      [tray, pack],
      [pack, tray],
    ]) {
      const fixture = await factory();
      try {
        for (const one of order) await fixture.index.adopt(one);
        expect(await fixture.index.pack(packId(1))).toMatchObject({ liveInstances: 0 });
        expect(await fixture.index.pack(packId(2))).toMatchObject({ liveInstances: 2 });
        expect(await fixture.index.check()).toEqual([]);
      } finally {
        await fixture.dispose();
      }
    }
  });
}
