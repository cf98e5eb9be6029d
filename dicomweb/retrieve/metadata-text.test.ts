import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rewriteBulkRoot } from './metadata-text.js';

async function rewrite(text: string, size: number, root: string): Promise<string> {
  async function* chunks(): AsyncGenerator<Buffer> {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const pieces: Buffer[] = [];
  for await (const piece of rewriteBulkRoot(chunks(), root)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

describe('rewriteBulkRoot', () => {
  it('rewrites every URI and nothing else, at any size of chunk', async () => {
    const value = fc.constantFrom('/dicomweb/studies/1', '"BulkDataURI":"/dicomweb/', 'BulkDataURI', '王', '\\');
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 8 }), fc.integer({ min: 1, max: 60 }), async (values, size) => {
        const object = (root: string) =>
          JSON.stringify(
            values.map((each) => ({
              '00100010': { vr: 'LO', Value: [each] },
              '7FE00010': { vr: 'OW', BulkDataURI: `${root}/x` },
            })),
          );
        expect(await rewrite(object('/dicomweb'), size, 'https://a.example/b')).toBe(object('https://a.example/b'));
      }),
      { verbose: true },
    );
  });
});
