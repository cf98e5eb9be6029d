import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePackId, parseSha256 } from '../../core/ids.js';
import { MemberCheck } from './member-check.js';

const PACK = parsePackId('01939b00-0000-7000-8000-000000000000');

/** Members of the given sizes with gaps between them, and the bytes they lie in. */
function pack(sizes: readonly number[], gap: number) {
  const bytes = randomBytes(sizes.reduce((sum, size) => sum + size + gap, gap));
  let at = gap;
  const members = sizes.map((size) => {
    const sha256 = parseSha256(
      createHash('sha256')
        .update(bytes.subarray(at, at + size))
        .digest('hex'),
    );
    const member = { start: at, end: at + size, sha256 };
    at += size + gap;
    return member;
  });
  return { bytes, members };
}

async function run(bytes: Uint8Array, members: ReturnType<typeof pack>['members'], step: number, skipInner = false) {
  const check = new MemberCheck(PACK, members);
  for (let at = 0; at < bytes.length; at += step) await check.update(bytes.subarray(at, at + step), { skipInner });
  check.finish();
}

describe('MemberCheck', () => {
  it('accepts members however the pack is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 0, max: 64 }),
        fc.integer({ min: 1, max: 400 }),
        async (sizes, gap, step) => {
          const { bytes, members } = pack(sizes, gap);
          await run(bytes, members, step);
          await run(bytes, members, step, true);
        },
      ),
      { verbose: true },
    );
  });

  it('finds one flipped bit in any member', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 1, max: 200 }),
        fc.nat(99),
        async (n, step, at) => {
          const { bytes, members } = pack([100, 100, 100, 100], 7);
          const start = members[n]?.start ?? 0;
          bytes[start + at] = (bytes[start + at] ?? 0) ^ 1;
          await expect(run(bytes, members, step)).rejects.toMatchObject({ code: 'CORRUPT' });
        },
      ),
      { verbose: true },
    );
  });

  it('refuses a pack that ends before its last member', async () => {
    const { bytes, members } = pack([100, 100], 5);
    await expect(run(bytes.subarray(0, 150), members, 64)).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  it('leaves to the worker only members that lie wholly inside of the piece', async () => {
    const { members } = pack([10, 10, 10], 2);
    const check = new MemberCheck(PACK, members);
    expect(check.innerMembers(0, 20)).toEqual([members[0]]);
  });
});
