import { describe, expect, it } from 'vitest';
import { parseStudyUid } from '../tiering/core/ids.js';
import { DEFAULT_LIMITS } from './limits.js';
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
    expect(parse('accept=application/dicom%2Bjson&_=17&charset=utf-8').spec.matches).toEqual([]);
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
    ['NoSuchKeyword=1', 'NoSuchKeyword'],
    ['__proto__=1', '__proto__'],
    ['constructor=1', 'constructor'],
    ['0010001=1', '0010001'],
    ['StudyDate=2026-01-01', 'StudyDate'],
    ['StudyDate=20260231', 'StudyDate'],
    ['StudyDate=-', 'StudyDate'],
    ['StudyTime=2500', 'StudyTime'],
    ["StudyInstanceUID=1.2' OR 1=1 --", 'StudyInstanceUID'],
    ['StudyInstanceUID=../../x', 'StudyInstanceUID'],
    ['includefield=NoSuchKeyword', 'includefield'],
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

  it('never repeats a value in a message', () => {
    expect(() => parse('StudyDate=Secret')).toThrow(/^(?!.*Secret)/);
  });
});
