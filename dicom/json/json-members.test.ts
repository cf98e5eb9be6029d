import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonMembers } from './json-members.js';

const SEED = Number(process.env['SEED'] ?? 20_261_121);

describe('the members of a JSON object', () => {
  it('are those that JSON.parse finds, compact or spaced', () => {
    const object = fc.dictionary(fc.stringMatching(/^[0-9A-F]{8}$/), fc.jsonValue(), { noNullPrototype: true });
    const property = fc.property(object, fc.constantFrom(undefined, 2), (value, indent) => {
      const members = jsonMembers(JSON.stringify(value, null, indent));
      expect(members.map(({ name }) => name)).toEqual(Object.keys(value));
      expect(JSON.parse(`{${members.map(({ text }) => text).join(',')}}`)).toEqual(JSON.parse(JSON.stringify(value)));
    });
    fc.assert(property, { seed: SEED, numRuns: 500 });
  });

  it('keep the spelling of numbers', () => {
    expect(jsonMembers('{"00101030":{"Value":[70.10,1E2]}}')).toEqual([
      { name: '00101030', text: '"00101030":{"Value":[70.10,1E2]}' },
    ]);
  });

  it('of anything else are refused', () => {
    for (const text of ['', '[]', '{', '{"a"}', '{"a":', '{"a":1', '{"a":1,}x', '{"a":"b', '{}{}', 'null']) {
      expect(() => jsonMembers(text), text).toThrowError(expect.objectContaining({ code: 'CORRUPT' }));
    }
  });
});
