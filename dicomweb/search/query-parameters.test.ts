import { describe, expect, it } from 'vitest';
import { parseStudyUid } from '../../tiering/core/ids.js';
import { DEFAULT_LIMITS } from '../limits.js';
import { parseQuery } from './query-parameters.js';

const parse = (text: string, level: 'study' | 'series' | 'instance' = 'study') =>
  parseQuery(level, null, new URLSearchParams(text), DEFAULT_LIMITS);

describe('parseQuery', () => {
  it('reads the work list query of OHIF', () => {
    const { spec, limitIsOurs } = parse(
      'limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030' +
        '&PatientName=*x*&00100020=*id*&ModalitiesInStudy=CT,MR&StudyDate=19700102-20261121&StudyInstanceUID=1.2%5C1.3',
    );
    expect(limitIsOurs).toBe(false);
    expect(spec).toEqual({
      level: 'study',
      limit: 101,
      offset: 0,
      fuzzy: false,
      include: ['00081030', '00080060', '00080090', '00100030'],
      matches: [
        { path: ['00100010'], vr: 'PN', values: ['*x*'] },
        { path: ['00100020'], vr: 'LO', values: ['*id*'] },
        { path: ['00080061'], vr: 'CS', values: ['CT', 'MR'] },
        { path: ['00080020'], vr: 'DA', values: ['19700102-20261121'] },
        { path: ['0020000D'], vr: 'UI', values: ['1.2', '1.3'] },
      ],
    });
  });

  it('reads nested paths by keyword and tag, repeated includefields and raw commas', () => {
    const { spec } = parse(
      'RequestAttributesSequence.00400007=a&includefield=StudyDate,00400275.00400007&includefield=0020000d',
    );
    expect(spec.matches[0]).toEqual({ path: ['00400275', '00400007'], vr: 'LO', values: ['a'] });
    expect(spec.include).toEqual(['00080020', '00400275', '0020000D']);
  });

  it('asks for what was matched to be in the answer, where it is of no level by itself', () => {
    expect(parse('PatientName=a&ConvolutionKernel=b&includefield=StudyDate').spec.include).toEqual([
      '00080020',
      '00181210',
    ]);
    expect(parse('ConvolutionKernel=b&includefield=all').spec.include).toBe('all');
  });

  it('gives the default page without a limit, the whole study inside of one, and clamps what is too large', () => {
    expect(parse('')).toMatchObject({ spec: { limit: 1000 }, limitIsOurs: true });
    expect(parse('limit=1000000000')).toMatchObject({ spec: { limit: 10_000 }, limitIsOurs: true });
    const scope = { study: parseStudyUid('1.2') };
    const inStudy = parseQuery('series', scope, new URLSearchParams(), DEFAULT_LIMITS);
    expect(inStudy.spec).toMatchObject({ limit: 10_000, study: '1.2' });
  });

  it('takes an empty value as universal matching and a run of stars as one', () => {
    expect(parse('PatientName=&00100020=*****a***').spec.matches.map((match) => match.values)).toEqual([[''], ['*a*']]);
  });

  it('leaves out what negotiates or busts caches', () => {
    expect(
      parse('accept=application/dicom%2Bjson&_=17&charset=utf-8&SpecificCharacterSet=ISO_IR%20192').spec.matches,
    ).toEqual([]);
  });

  it.each(['StudyDate=20260101-', 'StudyDate=-20260101', 'StudyTime=10-1130', 'StudyTime=101500.123456', 'StudyDate='])(
    'takes %s',
    (text) => {
      expect(parse(text).spec.matches).toHaveLength(1);
    },
  );

  it.each([
    ['offset=-1', 'offset'],
    ['limit=1e9', 'limit'],
    ['limit=abc', 'limit'],
    ['offset=99999999999', 'offset'],
    ['fuzzymatching=maybe', 'fuzzymatching'],
    ['StudyDate=2026-01-01', 'StudyDate'],
    ['StudyDate=20260231', 'StudyDate'],
    ['StudyDate=-', 'StudyDate'],
    ['StudyTime=2500', 'StudyTime'],
    ["StudyInstanceUID=1.2' OR 1=1 --", 'StudyInstanceUID'],
    ['StudyInstanceUID=../../x', 'StudyInstanceUID'],
    ['PatientID=a&00100020=b', '00100020'],
    ['PatientName=%00', 'PatientName'],
    ['RequestAttributesSequence=a', 'RequestAttributesSequence'],
    [`PatientName=${'x'.repeat(2000)}`, 'PatientName'],
    [Array.from({ length: 101 }, (_, n) => `x${n}=1`).join('&'), 'parameters'],
    [
      `includefield=${Array.from({ length: 300 }, (_, n) => (0x00100000 + n).toString(16).padStart(8, '0')).join()}`,
      'included',
    ],
  ])('refuses %s and names it', (text, named) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'INVALID', message: expect.stringContaining(named) }),
    );
  });

  it.each([
    ['NoSuchKeyword=1', ['NoSuchKeyword']],
    ['__proto__=1&constructor=1', ['__proto__', 'constructor']],
    ['0010001=1', ['0010001']],
    ['PatientName.NoSuch=1', ['PatientName.NoSuch']],
    ['includefield=NoSuchKeyword,StudyDate', ['NoSuchKeyword']],
  ])('leaves out %s and tells', (text, unknown) => {
    expect(parse(text)).toMatchObject({ unknown, spec: { matches: [] } });
  });

  it('joins lists by commas where the VR has none, by backslashes where it takes several, and by repeating', () => {
    const values = (text: string) => parse(text).spec.matches.map((match) => match.values);
    expect(values('ModalitiesInStudy=CT,MR&ModalitiesInStudy=US%5CSR')).toEqual([['CT', 'MR', 'US', 'SR']]);
    expect(values('StudyInstanceUID=1.2&0020000D=1.3,1.4')).toEqual([['1.2', '1.3', '1.4']]);
    expect(values('PatientID=a,b&AccessionNumber=c%5Cd')).toEqual([['a,b'], ['c', 'd']]);
    expect(values('StudyDate=20260101,20260201-20260203&SeriesNumber=1,2')).toEqual([
      ['20260101', '20260201-20260203'],
      ['1', '2'],
    ]);
    expect(values('PatientComments=a%5Cb')).toEqual([['a\\b']]);
    expect(values('PatientName=a&00100010=a')).toEqual([['a']]);
  });

  it('wants every value with multiplevaluematching, and what is empty with emptyvaluematching', () => {
    expect(parse('ModalitiesInStudy=CT%5CPT&multiplevaluematching=true').spec.matches).toEqual([
      { path: ['00080061'], vr: 'CS', values: ['CT'] },
      { path: ['00080061'], vr: 'CS', values: ['PT'] },
    ]);
    expect(parse('StudyInstanceUID=1.2,1.3&multiplevaluematching=true').spec.matches).toHaveLength(1);
    const empty = { values: [''], empty: true };
    expect(parse('AccessionNumber=""&StudyDate=""&emptyvaluematching=TRUE').spec.matches).toEqual([
      { path: ['00080050'], vr: 'SH', ...empty },
      { path: ['00080020'], vr: 'DA', ...empty },
    ]);
    expect(parse('RequestAttributesSequence=""&emptyvaluematching=true').spec.matches).toEqual([
      { path: ['00400275'], vr: 'SQ', ...empty },
    ]);
    expect(parse('AccessionNumber=""').spec.matches[0]?.values).toEqual(['""']);
  });

  it('takes a date range and a time range of the same form as one', () => {
    expect(parse('StudyDate=20060705-20060707&StudyTime=1000-1800&includefield=StudyTime').spec).toMatchObject({
      matches: [
        { path: ['00080020'], vr: 'DA', values: ['20060705-20060707'], time: { tag: '00080030', range: '1000-1800' } },
      ],
      include: ['00080030'],
    });
    for (const text of [
      'StudyDate=20060705-20060707&StudyTime=1000-',
      'StudyDate=20060705&StudyTime=1000-1800',
      'StudyDate=20060705-20060707&SeriesTime=1000-1800',
      'StudyDate=20060705-20060707&StudyTime=10',
    ]) {
      expect(parse(text).spec.matches.map((match) => match.time)).toEqual([undefined, undefined]);
    }
  });

  it('takes a star alone for any VR as universal, an unescaped plus in a date time, an empty sequence', () => {
    const { matches } = parse('StudyDate=*&AcquisitionDateTime=20260101120000+0800&ProcedureCodeSequence=').spec;
    expect(matches.map((match) => match.values)).toEqual([[''], ['20260101120000+0800'], ['']]);
    expect(parse('ProcedureCodeSequence=').spec.include).toEqual([]);
  });

  it('never repeats a value in a message', () => {
    expect(() => parse('StudyDate=Secret')).toThrow(/^(?!.*Secret)/);
  });
});
