// The part of the Index contract that is about queries. What matches is decided by dicom/match/matching.ts over everything
// (index-model.ts); the index must give the same rows, in the same order, page by page.
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Index, QueryRow, QuerySpec } from '../../tiering/index/index.js';
import { archive, querySpec } from './index-arbitraries.js';
import { commit, type IndexFactory, SEED, SHRINKING, useIndex } from './index-fixture.js';
import { expectedRows } from './index-model.js';
import { arrival, newPack, packId, seriesUid, sopUid, studyUid } from './index-samples.js';

const ALL: QuerySpec = { level: 'study', matches: [], fuzzy: false, limit: 100, offset: 0, include: [] };

function attributesOf(row: QueryRow | undefined): Record<string, { vr: string; Value?: unknown[] }> {
  return JSON.parse(row?.attributes ?? '{}') as Record<string, { vr: string; Value?: unknown[] }>;
}

const keyOf = (row: QueryRow) => `${row.study}/${row.series ?? ''}/${row.sop ?? ''}`;

export function describeQueries(factory: IndexFactory): void {
  describe('queries', () => {
    const index = useIndex(factory);
    beforeEach(async () => index().addPack(newPack(1)));
    describeRows(index);
    describeLimits(index);
  });

  it('queries answer as dicom/match/matching.ts says of every row, in order, on exact pages', async () => {
    const property = fc.asyncProperty(
      archive,
      fc.array(querySpec, { minLength: 100, maxLength: 150 }),
      async (arrivals, specs) => {
        const fixture = await factory();
        try {
          await fixture.index.addPack(newPack(1));
          await fixture.index.commitArrivals({ pack: packId(1), indexedTo: 1, instances: arrivals });
          for (const spec of specs) {
            const expected = expectedRows(arrivals, spec, (one) => gunzipSync(one.metadata).toString('utf8'));
            const page = await fixture.index.query({ ...spec, count: true });
            // Left out where counting would be work, right where it is given.
            expect(page.total ?? expected.length).toBe(expected.length);
            const end = spec.offset + spec.limit;
            expect(page.rows.map(keyOf), JSON.stringify(spec)).toEqual(expected.slice(spec.offset, end));
            expect(page.more).toBe(expected.length > end);
          }
        } finally {
          await fixture.dispose();
        }
      },
    );
    await fc.assert(property, { seed: SEED, numRuns: 10, ...SHRINKING });
  }, 120_000);
}

function describeRows(index: () => Index): void {
  it('carry the attributes of their level and those above, counts and modalities, ascending by tag', async () => {
    const named = { '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Wang^Xiao', Ideographic: '王^小' }] } };
    const modality = (text: string) => ({ series: { '00080060': { vr: 'CS', Value: [text] } }, study: named });
    await commit(
      index(),
      { study: 1, series: 1, instance: 1, seq: 1, attributes: modality('MR') },
      { study: 1, series: 1, instance: 2, seq: 2, attributes: modality('MR') },
      { study: 1, series: 2, instance: 1, seq: 3, attributes: modality('CT') },
    );
    const study = attributesOf((await index().query(ALL)).rows[0]);
    expect(study).toEqual({
      ...named,
      '00080005': { vr: 'CS', Value: ['ISO_IR 192'] },
      '00080056': { vr: 'CS', Value: ['ONLINE'] },
      '00080061': { vr: 'CS', Value: ['CT', 'MR'] },
      '00080062': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.2'] },
      '0020000D': { vr: 'UI', Value: [studyUid(1)] },
      '00201206': { vr: 'IS', Value: [2] },
      '00201208': { vr: 'IS', Value: [3] },
    });
    const [row] = (await index().query({ ...ALL, level: 'instance', offset: 2 })).rows;
    expect(row).toMatchObject({ study: studyUid(1), series: seriesUid(1, 2), sop: sopUid(1, 2, 1), online: true });
    const instance = attributesOf(row);
    expect(instance).toMatchObject({ ...study, '00080060': { Value: ['CT'] }, '00201209': { Value: [1] } });
    expect(Object.keys(JSON.parse(row?.attributes ?? '{}'))).toEqual(Object.keys(instance).sort());
    // Between the last attribute before (0008,1190) and the first behind it.
    expect(row?.attributes.slice(row.retrieveUrlAt)).toMatch(/^"00100010":/);
  });

  it('keep the spelling of numbers that JavaScript cannot hold', async () => {
    await commit(index(), { study: 1, series: 1, instance: 1, seq: 1 });
    const exact = '{"00101030":{"vr":"DS","Value":[70.10]},"00080001":{"vr":"UV","Value":[18446744073709551615]}}';
    const one = arrival({ study: 2, series: 1, instance: 1, seq: 2, pack: 1 });
    const attributes = { ...one.attributes, study: exact };
    await index().commitArrivals({ pack: packId(1), indexedTo: 2, instances: [{ ...one, attributes }] });
    const { rows } = await index().query({ ...ALL, study: studyUid(2) });
    expect(rows[0]?.attributes).toContain('70.10');
    expect(rows[0]?.attributes).toContain('18446744073709551615');
  });

  it('add what is asked for from the levels below or the full metadata of the lowest seq', async () => {
    const attributes = (text: string) => ({
      series: { '00080060': { vr: 'CS', Value: [text] } },
      full: { '00181160': { vr: 'SH', Value: [`filter ${text}`] } },
    });
    await commit(
      index(),
      { study: 1, series: 1, instance: 1, seq: 9, attributes: attributes('MR') },
      { study: 1, series: 2, instance: 1, seq: 4, attributes: attributes('CT') },
    );
    const include = ['00080060', '00181160', '00181161'];
    const [row] = (await index().query({ ...ALL, include })).rows;
    expect(attributesOf(row)).toMatchObject({ '00080060': { Value: ['CT'] }, '00181160': { Value: ['filter CT'] } });
    expect(attributesOf(row)).not.toHaveProperty('00181161');
    const all = await index().query({ ...ALL, level: 'instance', include: 'all' });
    expect(all.rows.map((one) => attributesOf(one)['00181160']?.Value)).toEqual([['filter MR'], ['filter CT']]);
  });

  it('say whether all of it is on a volume', async () => {
    await index().addPack(newPack(2, { kind: 'pack' }));
    await commit(index(), { study: 1, series: 1, instance: 1, seq: 1 });
    const other = arrival({ study: 1, series: 2, instance: 1, seq: 2, pack: 2 });
    await index().commitArrivals({ pack: packId(2), indexedTo: 1, instances: [other] });
    const online = async (level: QuerySpec['level']) =>
      (await index().query({ ...ALL, level })).rows.map((row) => row.online);
    expect([await online('study'), await online('series')]).toEqual([[true], [true, true]]);
    await index().setHot(packId(2), 'cold', null);
    expect([await online('study'), await online('series'), await online('instance')]).toEqual([
      [false],
      [true, false],
      [true, false],
    ]);
  });
}

function describeLimits(index: () => Index): void {
  it('refuse pages that are no pages, and take SQL and full-text syntax for what they are: text', async () => {
    await commit(index(), { study: 1, series: 1, instance: 1, seq: 1 });
    for (const bad of [{ offset: -1 }, { limit: 1.5 }, { limit: Number.NaN }]) {
      await expect(index().query({ ...ALL, ...bad })).rejects.toMatchObject({ code: 'INVALID' });
    }
    await expect(index().query({ ...ALL, limit: 1e9 })).rejects.toMatchObject({ code: 'LIMIT' });
    for (const value of [
      '"; DROP TABLE studies; --',
      "' OR 1=1",
      'a" OR "b',
      '%',
      '_',
      'name : x',
      '*'.repeat(5_000),
    ]) {
      for (const [tag, vr] of [
        ['00100010', 'PN'],
        ['00081030', 'LO'],
        ['00080050', 'SH'],
      ] as const) {
        const page = await index().query({ ...ALL, matches: [{ path: [tag], vr, values: [value] }] });
        expect(page.rows).toHaveLength(value.startsWith('*') ? 1 : 0);
      }
    }
    expect((await index().query(ALL)).rows).toHaveLength(1);
  });

  it('say how many rows match where the condition alone tells, and nothing unasked', async () => {
    const modality = (text: string) => ({ series: { '00080060': { vr: 'CS', Value: [text] } } });
    await commit(
      index(),
      { study: 1, series: 1, instance: 1, seq: 1, attributes: modality('CT') },
      { study: 1, series: 2, instance: 1, seq: 2, attributes: modality('MR') },
      { study: 2, series: 1, instance: 1, seq: 3, attributes: modality('CT') },
    );
    const total = async (spec: Partial<QuerySpec>) =>
      (await index().query({ ...ALL, limit: 0, count: true, ...spec })).total;
    expect(await total({})).toBe(2);
    expect(await total({ level: 'series' })).toBe(3);
    expect(await total({ level: 'instance', study: studyUid(1) })).toBe(2);
    expect(await total({ studies: [studyUid(2)] })).toBe(1);
    expect(await total({ studies: [] })).toBe(0);
    expect(await total({ matches: [{ path: ['00080061'], vr: 'CS', values: ['MR'] }] })).toBe(1);
    expect(await total({ count: false })).toBeUndefined();
    expect(await total({ limit: 2, offset: 5 })).toBe(2);
  });

  it('find a name fuzzily until its study is gone, and by the name that its study has then', async () => {
    const named = (alphabetic: string) => ({
      study: { '00100010': { vr: 'PN', Value: [{ Alphabetic: alphabetic }] } },
    });
    await commit(
      index(),
      { study: 1, series: 1, instance: 1, seq: 5, attributes: named('Schmidt^Anna') },
      { study: 1, series: 1, instance: 2, seq: 6, attributes: named('Meyer^Anna') },
    );
    const find = async (name: string) =>
      (await index().query({ ...ALL, fuzzy: true, matches: [{ path: ['00100010'], vr: 'PN', values: [name] }] })).rows
        .length;
    expect([await find('smith'), await find('maier')]).toEqual([1, 0]);
    // An earlier arrival of the same instance in another study takes it out of this one.
    await commit(index(), {
      study: 2,
      series: 1,
      instance: 1,
      seq: 1,
      sopOf: sopUid(1, 1, 1),
      attributes: named('Li'),
    });
    expect([await find('smith'), await find('maier'), await find('lee')]).toEqual([0, 1, 1]);
  });

  it('restricted to a set of studies see nothing of the others, however large the set', async () => {
    await commit(index(), ...[1, 2, 3].map((study) => ({ study, series: 1, instance: 1, seq: study })), {
      study: 3,
      series: 2,
      instance: 1,
      seq: 9,
    });
    const found = async (spec: Partial<QuerySpec>) => (await index().query({ ...ALL, ...spec })).rows.map(keyOf);
    const many = Array.from({ length: 9_997 }, (_, n) => studyUid(1_000 + n));
    expect(await found({ studies: [] })).toEqual([]);
    expect(await found({ studies: [...many, studyUid(3), studyUid(1)] })).toEqual([
      `${studyUid(1)}//`,
      `${studyUid(3)}//`,
    ]);
    expect(await found({ studies: [studyUid(1)], study: studyUid(3), level: 'series' })).toEqual([]);
    expect(await found({ studies: [studyUid(3)], level: 'instance' })).toHaveLength(2);
    expect(await found({ studies: [studyUid(3)], level: 'instance', offset: 2 })).toEqual([]);
    const tooMany = index().query({ ...ALL, studies: [...many, ...many] });
    await expect(tooMany).rejects.toMatchObject({ code: 'LIMIT' });
  });

  it('end when their caller gives up', async () => {
    await commit(index(), { study: 1, series: 1, instance: 1, seq: 1 });
    const gone = new AbortController();
    gone.abort();
    await expect(index().query(ALL, gone.signal)).rejects.toBe(gone.signal.reason);
    const going = new AbortController();
    const answer = index().query(ALL, going.signal);
    going.abort();
    await expect(answer).rejects.toBe(going.signal.reason);
    expect((await index().query(ALL)).rows).toHaveLength(1);
  });

  it('beyond the last row are empty, and page through distinct studies', async () => {
    const samples = Array.from({ length: 25 }, (_, n) => ({ study: n + 1, series: 1, instance: 1, seq: n + 1 }));
    await commit(index(), ...samples, ...samples.map((one) => ({ ...one, series: 2, seq: one.seq + 100 })));
    const seen: string[] = [];
    for (let offset = 0; offset <= 30; offset += 10) {
      const page = await index().query({ ...ALL, limit: 10, offset });
      expect(page.more).toBe(offset < 20);
      seen.push(...page.rows.map((row) => row.study));
    }
    expect(new Set(seen).size).toBe(25);
    expect(seen).toHaveLength(25);
  });
}
