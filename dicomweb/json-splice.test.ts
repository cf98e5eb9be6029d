import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { spliceAttributes } from './json-splice.js';

describe('spliceAttributes', () => {
  it('puts attributes where their tags belong and keeps the digits of numbers', () => {
    const text = '{"00080005":{"vr":"CS","Value":["a\\"}{["]},"00101030":{"vr":"DS","Value":[70.50]}}';
    expect(spliceAttributes(text, [['00081190', '{"vr":"UR"}']])).toBe(
      '{"00080005":{"vr":"CS","Value":["a\\"}{["]},"00081190":{"vr":"UR"},"00101030":{"vr":"DS","Value":[70.50]}}',
    );
  });

  it('replaces what is there, and fills an empty object', () => {
    expect(spliceAttributes('{"00080056":{"vr":"CS"}}', [['00080056', '{"vr":"XX"}']])).toBe(
      '{"00080056":{"vr":"XX"}}',
    );
    expect(spliceAttributes('{}', [['00080056', '{"vr":"CS"}']])).toBe('{"00080056":{"vr":"CS"}}');
  });

  it('leaves sequences and any strings as they are', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 4 }), (names) => {
        const object = {
          '00081115': { vr: 'SQ', Value: names.map((name) => ({ '00080056': { vr: 'CS', Value: [name] } })) },
          '00100010': { vr: 'PN', Value: names.map((name) => ({ Alphabetic: name })) },
        };
        const spliced: unknown = JSON.parse(spliceAttributes(JSON.stringify(object), [['00080056', '{"vr":"CS"}']]));
        expect(spliced).toEqual({ ...object, '00080056': { vr: 'CS' } });
      }),
      { verbose: true },
    );
  });
});
