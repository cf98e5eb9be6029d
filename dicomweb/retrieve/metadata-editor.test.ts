import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { editMetadata, type MetadataEdit } from './metadata-editor.js';

type Objects = readonly Readonly<Record<string, unknown>>[];

async function edited(objects: Objects, edit: MetadataEdit, size: number): Promise<string> {
  const bytes = Buffer.from(JSON.stringify(objects));
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const pieces: Buffer[] = [];
  for await (const piece of editMetadata(chunks(), edit)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString();
}

const TAGS = ['00080005', '00080018', '00083002', '00100010', '00204000', '7FE00010'] as const;
const text = fc.constantFrom('', 'a', '"', '\\', '\\"', '{', '}],', '王^小东', '"00083002":', ',');
const value = fc.oneof(
  fc.record({ vr: fc.constant('LO'), Value: fc.array(text, { maxLength: 3 }) }),
  fc.record({
    vr: fc.constant('SQ'),
    Value: fc.array(fc.dictionary(fc.constantFrom(...TAGS), fc.record({ vr: text }))),
  }),
);
/** Members ascending, as they are stored. */
const object = fc
  .tuple(fc.subarray([...TAGS]), fc.array(value, { minLength: TAGS.length, maxLength: TAGS.length }), fc.nat(999))
  .map(([tags, values, number]) =>
    Object.fromEntries(
      tags.map((tag, at): [string, unknown] => [
        tag,
        tag === '00080018' ? { vr: 'UI', Value: [`1.2.${number}`] } : values[at],
      ]),
    ),
  );

/** The same by parsing. */
function expected(objects: Objects, { keep, add }: MetadataEdit): unknown {
  return objects.map((each) => {
    const sop = (each['00080018'] as { Value: [string] } | undefined)?.Value[0] ?? '';
    const added = add?.value(sop) ?? null;
    const members = Object.entries(each).filter(
      ([tag]) => (keep === null || keep.has(tag)) && !(added !== null && tag === add?.tag),
    );
    if (added !== null && add !== null) members.push([add.tag, JSON.parse(added)]);
    return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

describe('editMetadata', () => {
  it('adds and leaves out what it is told, at any size of chunk, in the order of tags', async () => {
    const keeps = fc.option(fc.subarray([...TAGS]).map((tags) => new Set<string>(tags)));
    const adds = fc.option(
      fc.record({
        tag: fc.constantFrom('00083002', '00100010', 'FFFCFFFC'),
        value: fc.constant((sop: string) => (sop === '' ? null : `{"vr":"UI","Value":["${sop}.9"]}`)),
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(object, { maxLength: 5 }),
        keeps,
        adds,
        fc.integer({ min: 1, max: 80 }),
        async (objects, keep, add, size) => {
          const result = await edited(objects, { keep, add }, size);
          expect(result).toBe(JSON.stringify(expected(objects, { keep, add })));
        },
      ),
      { verbose: true, numRuns: 500 },
    );
  });

  it('keeps the digits of numbers as they were written', async () => {
    const source = '[{"00080018":{"vr":"UI","Value":["1"]},"00281053":{"vr":"DS","Value":[1.0e+0,10.50]}}]';
    async function* chunks(): AsyncGenerator<Buffer> {
      yield Buffer.from(source);
    }
    let result = '';
    const edit: MetadataEdit = { keep: new Set(['00281053']), add: null };
    for await (const piece of editMetadata(chunks(), edit)) result += piece.toString();
    expect(result).toBe('[{"00281053":{"vr":"DS","Value":[1.0e+0,10.50]}}]');
  });
});
