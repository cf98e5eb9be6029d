import { describe, expect, it } from 'vitest';
import { keywordOf } from './dictionary.js';
import { LEVEL_TAGS, levelAttributesOfJson, levelOfTag } from './level-attributes.js';

describe('level attributes', () => {
  it('belong to one level each, are known to the dictionary, and are in ascending order', () => {
    const all = [...LEVEL_TAGS.study, ...LEVEL_TAGS.series, ...LEVEL_TAGS.instance];
    expect(new Set(all).size).toBe(all.length);
    for (const tag of all) expect([tag, keywordOf(tag)]).toEqual([tag, expect.any(String)]);
    for (const tags of Object.values(LEVEL_TAGS)) expect([...tags].sort()).toEqual(tags);
  });

  it('include what QIDO-RS must return at each level', () => {
    expect(LEVEL_TAGS.study).toEqual(
      expect.arrayContaining([
        '00080020',
        '00080030',
        '00080050',
        '00080090',
        '00100010',
        '00100020',
        '00100030',
        '00100040',
        '0020000D',
        '00200010',
      ]),
    );
    expect(LEVEL_TAGS.series).toEqual(
      expect.arrayContaining(['00080060', '0008103E', '0020000E', '00200011', '00400244', '00400245', '00400275']),
    );
    expect(LEVEL_TAGS.instance).toEqual(
      expect.arrayContaining(['00080016', '00080018', '00200013', '00280008', '00280010', '00280011', '00280100']),
    );
  });

  it('are found by number', () => {
    expect([levelOfTag(0x00100010), levelOfTag(0x00080060), levelOfTag(0x00200013), levelOfTag(0x7fe00010)]).toEqual([
      'study',
      'series',
      'instance',
      undefined,
    ]);
  });

  it('are cut out of metadata as they are spelled there', () => {
    const text =
      '{"00100020":{"vr":"LO","Value":["a\\"},{\\\\"]},"00181150":{"vr":"IS","Value":[1]},"00200013":{"vr":"IS","Value":[1.50]}}';
    expect(levelAttributesOfJson(text)).toEqual({
      study: '{"00100020":{"vr":"LO","Value":["a\\"},{\\\\"]}}',
      series: '{}',
      instance: '{"00200013":{"vr":"IS","Value":[1.50]}}',
    });
    expect(levelAttributesOfJson('{}')).toEqual({ study: '{}', series: '{}', instance: '{}' });
  });

  it.each([
    '',
    '[]',
    '{"00100020":{"vr":"LO"}',
    '{"00100020":{"vr":"LO"}}x',
    '{ "00100020":{}}',
    '{"x":{}}',
    '{"00100020":"',
    'null',
  ])('calls %j corrupt', (text) => {
    expect(() => levelAttributesOfJson(text)).toThrow(expect.objectContaining({ code: 'CORRUPT' }) as Error);
  });
});
