import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonMembers } from './json-members.js';

const SEED = Number(process.env['SEED'] ?? 20_261_121);

describe('the members of a JSON object', () => {
  it('are those that JSON.parse finds, compact or spaced', () => {
    const object = fc.dictionary(fc.stringMatching(/^[0-9A-F]{8}$/), fc.jsonValue(), { noNullPrototype: true });
    const property = fc.property(object, fc.constantFrom(undefined, 2), (value, indent) => {
      const members = jsonMembers(JSON.stringify(value, null, indent));
      expect(Object.fromEntries([...members].map(([name, text]) => [name, JSON.parse(text) as unknown]))).toEqual(
        JSON.parse(JSON.stringify(value)),
      );
    });
    fc.assert(property, { seed: SEED, numRuns: 500 });
  });

  it('keep the spelling of numbers', () => {
    expect(jsonMembers('{"00101030":{"Value":[70.10,1E2]}}').get('00101030')).toBe('{"Value":[70.10,1E2]}');
  });

  it('of anything else are refused', () => {
    for (const text of ['', '[]', '{', '{"a"}', '{"a":', '{"a":1', '{"a":1,}x', '{"a":"b', '{}{}', 'null']) {
      expect(() => jsonMembers(text), text).toThrowError(expect.objectContaining({ code: 'CORRUPT' }));
    }
  });
});
