// Data sets as PS3.18 JSON for property tests: values of every VR that come back as they went in, private so that no dictionary
// has a say, with a valid identity.
import fc from 'fast-check';

interface Attribute {
  readonly vr: string;
  readonly [member: string]: unknown;
}
export type DataSetJson = Readonly<Record<string, Attribute>>;

const values = (vr: string, one: fc.Arbitrary<unknown>, most = 3): fc.Arbitrary<Attribute> =>
  fc.array(one, { minLength: 1, maxLength: most }).map((Value) => ({ vr, Value }));

/** Text without what PS3.5 6.2 takes for padding, for a separator or for an escape sequence. */
const text = (most: number) =>
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: most })
    .map((each) => each.replace(/[\\^=\p{Cc}]/gu, '').trim())
    .filter((each) => each !== '');
const code = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,14}[A-Z0-9]$/);
const group = fc.array(text(6), { minLength: 1, maxLength: 5 }).map((parts) => parts.join('^'));
const name = fc
  .record({ Alphabetic: group, Ideographic: group, Phonetic: group }, { requiredKeys: [] })
  .filter((each) => Object.keys(each).length > 0)
  .map(
    ({ Alphabetic, Ideographic, Phonetic }) =>
      JSON.parse(JSON.stringify({ Alphabetic, Ideographic, Phonetic })) as unknown,
  );
const integer = (min: number, max: number) => fc.integer({ min, max });
const binary = (vr: string, unit: number): fc.Arbitrary<Attribute> =>
  fc.array(integer(0, 255), { minLength: 1, maxLength: 8 }).map((bytes) => ({
    vr,
    InlineBinary: Buffer.concat(Array.from({ length: Math.max(unit, 2) }, () => Buffer.from(bytes))).toString('base64'),
  }));
const real = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const big = (min: bigint, max: bigint) =>
  fc.bigInt({ min, max }).map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : String(value)));
const EMPTY = ['CS', 'LO', 'PN', 'DS', 'US', 'FD', 'AT', 'SQ', 'UN', 'UT'];

const leaf: fc.Arbitrary<Attribute> = fc.oneof(
  ...['AE', 'CS', 'SH', 'LO'].map((vr) => values(vr, code)),
  ...['SH', 'LO', 'UC'].map((vr) =>
    values(vr, fc.oneof(text(16), fc.constant(null), code)).filter(({ Value }) => (Value as unknown[]).at(-1) !== null),
  ),
  ...['ST', 'LT', 'UT', 'UR'].map((vr) => values(vr, vr === 'UR' ? code : text(40), 1)),
  values('PN', name),
  values('DA', fc.constant('20260102')),
  values('TM', fc.constant('101500.25')),
  values('UI', fc.constant('1.2.840.10008.1')),
  values(
    'DS',
    integer(-1_000_000, 1_000_000).map((value) => value / 1000),
  ),
  values('IS', integer(-(2 ** 31), 2 ** 31 - 1)),
  values('US', integer(0, 0xffff)),
  values('SS', integer(-0x8000, 0x7fff)),
  values('UL', integer(0, 0xffffffff)),
  values('SL', integer(-0x80000000, 0x7fffffff)),
  values('UV', big(0n, 2n ** 64n - 1n)),
  values('SV', big(-(2n ** 63n), 2n ** 63n - 1n)),
  values('FL', real.map((value) => Math.fround(value) + 0).filter(Number.isFinite)),
  values('FD', real),
  values(
    'AT',
    integer(0, 0xffffffff).map((tag) => tag.toString(16).toUpperCase().padStart(8, '0')),
  ),
  binary('OB', 1),
  binary('OW', 2),
  binary('OF', 4),
  binary('OD', 8),
  binary('UN', 1),
  fc.constantFrom(...EMPTY).map((vr) => ({ vr })),
);

const { inner } = fc.letrec<{ inner: DataSetJson; attribute: Attribute }>((tie) => ({
  attribute: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    fc.array(tie('inner'), { minLength: 1, maxLength: 3 }).map((Value) => ({ vr: 'SQ', Value })),
  ),
  inner: fc.array(fc.tuple(integer(0, 255), tie('attribute')), { maxLength: 6 }).map(privateDataSet),
}));

/** In ascending order, as the server writes it. */
function privateDataSet(attributes: readonly (readonly [number, Attribute])[]): DataSetJson {
  const byElement = new Map(attributes);
  const all: [string, Attribute][] = [...byElement].map(([element, attribute]) => [
    `00991${element.toString(16).toUpperCase().padStart(3, '0')}`,
    attribute,
  ]);
  if (all.length > 0) all.push(['00990010', { vr: 'LO', Value: ['FILMROOM TEST'] }]);
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const uid = (value: string): Attribute => ({ vr: 'UI', Value: [value] });

/** A whole instance. */
export const dataSetJson: fc.Arbitrary<DataSetJson> = inner.map((own) => ({
  '00080005': { vr: 'CS', Value: ['ISO_IR 192'] },
  '00080016': uid('1.2.840.10008.5.1.4.1.1.66'),
  '00080018': uid('1.2.3.4'),
  '0020000D': uid('1.2'),
  '0020000E': uid('1.2.3'),
  ...own,
}));
