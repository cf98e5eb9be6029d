// Random archives and random queries for the property tests of an index: few distinct letters and values, so that
// keys hit, and the odd data that real archives have.
import fc from 'fast-check';
import type { ArrivedInstance, AttributeMatch, QueryLevel, QuerySpec } from '../../tiering/index/index.js';
import { arrival, CT, seriesUid, sopUid, studyUid } from './index-samples.js';

const MR = '1.2.840.10008.5.1.4.1.1.4';

const NAMES = [
  { Alphabetic: 'Wang^XiaoDong', Ideographic: '王^小东' },
  { Alphabetic: 'WANG^XIAOMING', Ideographic: '王^小明', Phonetic: 'ㄨㄤˊ' },
  { Ideographic: '欧阳^娜娜' },
  { Alphabetic: 'Müller^Jörg^^Dr.' },
  { Alphabetic: 'Muller^Anna' },
  { Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎', Phonetic: 'やまだ^たろう' },
  { Alphabetic: "O'Neil-Smith^Sam" },
  { Ideographic: '𠮷田^一' },
  { Ideographic: '单^雄信' },
  { Alphabetic: 'Schmidt^Łucja' },
  { Alphabetic: 'ΑΣΑΣ^ς' },
];

const LETTERS = fc.constantFrom('a', 'A', 'b', 'é', 'e', '王', '小', '东', '𠮷', ' ', '^', '-', '_', '1', 'Σ', 'ς');
const word = fc.array(LETTERS, { maxLength: 6 }).map((letters) => letters.join(''));

const name = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 2, arbitrary: fc.record({ Alphabetic: word, Ideographic: word }) },
);
const date = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 28 }).map((day) => `202401${String(day).padStart(2, '0')}`) },
  { weight: 1, arbitrary: fc.constantFrom('2024.01.07', 'unknown', '') },
);
const id = fc.oneof(fc.constantFrom('P1', 'P10', 'P11', ' P1 ', 'p1'), word);
const modality = fc.constantFrom('CT', 'MR', 'US', 'SEG');

const long = `${'x'.repeat(1_100)}王小东`;

type Level = fc.Arbitrary<Readonly<Record<string, unknown>>>;

/** Attributes of each level. `odd`: some have several values where the standard has one, or overlong ones. */
function levels(odd: boolean): {
  readonly study: Level;
  readonly series: Level;
  readonly instance: Level;
  readonly full: Level;
} {
  const attribute = (vr: string, value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
    fc.oneof(
      { weight: 12, arbitrary: value.map((one) => ({ vr, Value: [one] })) },
      { weight: 2, arbitrary: fc.constant({ vr }) },
      { weight: odd ? 1 : 0, arbitrary: fc.tuple(value, value).map((two) => ({ vr, Value: two })) },
    );
  const description = fc.oneof({ weight: 20, arbitrary: word }, { weight: odd ? 1 : 0, arbitrary: fc.constant(long) });
  return {
    study: fc.record(
      {
        '00080020': attribute('DA', date),
        '00080030': attribute('TM', fc.constantFrom('10', '1015', '101530.5', '235959')),
        '00080050': attribute('SH', id),
        '00080090': attribute('PN', name),
        '00081030': attribute('LO', description),
        '00100010': attribute('PN', name),
        '00100020': attribute('LO', id),
      },
      { requiredKeys: ['00100010', '00100020'] },
    ),
    series: fc.record(
      { '00080060': attribute('CS', modality), '0008103E': attribute('LO', word) },
      { requiredKeys: [] },
    ),
    instance: fc.record(
      {
        '00200013': attribute('IS', fc.integer({ min: 1, max: 3 })),
        '00280010': attribute('US', fc.constantFrom(64, 512)),
      },
      { requiredKeys: [] },
    ),
    full: fc.record(
      { '00181160': attribute('SH', word), '00180050': attribute('DS', fc.constantFrom(1, 2.5)) },
      { requiredKeys: [] },
    ),
  };
}

const place = fc.record({
  study: fc.integer({ min: 1, max: 30 }),
  series: fc.integer({ min: 1, max: 3 }),
  instance: fc.integer({ min: 1, max: 3 }),
  number: fc.option(fc.integer({ min: 1, max: 3 }), { nil: null }),
  sopClass: fc.constantFrom(CT, MR),
});

function arrivals(odd: boolean): fc.Arbitrary<readonly ArrivedInstance[]> {
  const row = fc.record({ at: place, attributes: fc.record(levels(odd)) });
  return fc
    .array(row, { minLength: 1, maxLength: 90, size: 'max' })
    .map((rows) =>
      rows.map(({ at, attributes }, n) =>
        arrival({ ...at, seq: n + 1, pack: 1, instanceNumber: at.number, seriesNumber: at.number, attributes }),
      ),
    );
}

/** Arrivals in pack 1 with distinct seqs; some repeat a SOP Instance UID, some disagree on their study's attributes. */
export const archive: fc.Arbitrary<readonly ArrivedInstance[]> = fc.oneof(arrivals(false), arrivals(true));

/** A key for a text: as it is, cut, with wildcards, or anything. */
const textKey = fc
  .tuple(
    fc.oneof(word, id, fc.constantFrom(...NAMES.flatMap((one) => Object.values(one)))),
    fc.nat(6),
    fc.nat(6),
    fc.nat(5),
  )
  .map(([text, from, length, shape]) => {
    const letters = Array.from(text);
    const part = letters.slice(from, from + length).join('');
    const holed = letters.map((letter, at) => (at % 3 === from % 3 ? '?' : letter)).join('');
    return [text, `*${part}*`, `${part}*`, `*${part}`, holed, `${part}*${letters.slice(-1).join('')}`][shape] ?? text;
  });
/** What people type to find those names otherwise than they are written. */
const nameKey = fc.constantFrom(
  'wxd',
  'wangxiao',
  'xiaodong wang',
  '*wang*',
  'ouyang',
  'oynn',
  'shan',
  'cxx',
  'mueller',
  'mular',
  'smith lucja',
  'oneil',
  'sam oneil',
  '王小',
  'm?ller',
  'w*g',
  '*x',
  'jor',
  'yamata',
  'O',
  '小',
  'wang1 xiao3',
  '=',
  '-',
  "'",
);
const dateKey = fc
  .tuple(date, date, fc.nat(4))
  .map(([a, b, shape]) => [a, `${a}-${b}`, `${a}-`, `-${b}`, '20240101-20240131'][shape] ?? a);

function key(tag: string, vr: string, value: fc.Arbitrary<string>): fc.Arbitrary<AttributeMatch> {
  return fc.array(value, { minLength: 1, maxLength: 2 }).map((values) => ({ path: [tag], vr, values }));
}

const anyKey: fc.Arbitrary<AttributeMatch> = fc.oneof(
  { weight: 4, arbitrary: key('00100010', 'PN', textKey) },
  { weight: 3, arbitrary: key('00100010', 'PN', nameKey) },
  { weight: 1, arbitrary: key('00080090', 'PN', nameKey) },
  { weight: 2, arbitrary: key('00100020', 'LO', textKey) },
  { weight: 2, arbitrary: key('00080020', 'DA', dateKey) },
  { weight: 1, arbitrary: key('00080030', 'TM', fc.constantFrom('10', '1015-', '-1200', '101530-101531', 'x')) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom('20240105-20240120', '20240110-', '-20240120', '20240107-20240107'),
        fc.constantFrom('1000-1600', '1014-', '-1014', '10-2359'),
      )
      .map(([dates, range]) => ({ path: ['00080020'], vr: 'DA', values: [dates], time: { tag: '00080030', range } })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('00100010/PN', '00080020/DA', '00080050/SH', '0008103E/LO', '00280010/US', '00181160/SH')
      .map((one) => ({ path: [one.slice(0, 8)], vr: one.slice(9), values: [''], empty: true })),
  },
  { weight: 1, arbitrary: key('00080050', 'SH', textKey) },
  { weight: 1, arbitrary: key('00080090', 'PN', textKey) },
  { weight: 2, arbitrary: key('00081030', 'LO', textKey) },
  { weight: 1, arbitrary: key('00080061', 'CS', fc.constantFrom('CT', 'MR', 'C*', '')) },
  { weight: 1, arbitrary: key('00080062', 'UI', fc.constantFrom(CT, MR)) },
  { weight: 1, arbitrary: key('00201206', 'IS', fc.constantFrom('1', '2')) },
  { weight: 1, arbitrary: key('00080060', 'CS', fc.constantFrom('CT', 'SEG', '*R', '')) },
  { weight: 1, arbitrary: key('0008103E', 'LO', textKey) },
  { weight: 1, arbitrary: key('00280010', 'US', fc.constantFrom('64', '512')) },
  { weight: 1, arbitrary: key('00181160', 'SH', textKey) },
  { weight: 1, arbitrary: key('00180050', 'DS', fc.constantFrom('1.0', '2.50')) },
  { weight: 1, arbitrary: key('0020000D', 'UI', fc.integer({ min: 1, max: 12 }).map(studyUid)) },
  {
    weight: 1,
    arbitrary: key(
      '0020000E',
      'UI',
      fc.integer({ min: 1, max: 12 }).map((n) => seriesUid(n, 1)),
    ),
  },
  {
    weight: 1,
    arbitrary: key(
      '00080018',
      'UI',
      fc.integer({ min: 1, max: 12 }).map((n) => sopUid(n, 1, 1)),
    ),
  },
);

type Scoped = readonly [number | null, number | null];

const anyScope: fc.Arbitrary<Scoped> = fc.tuple(
  fc.integer({ min: 1, max: 12 }),
  fc.option<number, null>(fc.integer({ min: 1, max: 3 }), { nil: null }),
);

export const querySpec: fc.Arbitrary<QuerySpec> = fc
  .record({
    level: fc.constantFrom<QueryLevel>('study', 'series', 'instance'),
    scope: fc.oneof({ weight: 5, arbitrary: fc.constant<Scoped>([null, null]) }, { weight: 1, arbitrary: anyScope }),
    // One key mostly: more of them rarely leave a row.
    matches: fc.oneof(
      { weight: 4, arbitrary: fc.tuple(anyKey) },
      { weight: 2, arbitrary: fc.array(anyKey, { maxLength: 3 }) },
    ),
    among: fc.option(fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 12 }), { nil: null, freq: 3 }),
    fuzzy: fc.boolean(),
    limit: fc.integer({ min: 1, max: 20 }),
    offset: fc.oneof(
      { weight: 2, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 8 }) },
    ),
  })
  .map(({ scope: [study, series], among, ...spec }) => ({
    ...spec,
    include: [],
    ...(among === null ? {} : { studies: among.map(studyUid) }),
    ...(study === null ? {} : { study: studyUid(study) }),
    ...(study === null || series === null ? {} : { series: seriesUid(study, series) }),
  }));
