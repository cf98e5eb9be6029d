import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../core/clock.js';
import { parsePackId, parseSha256, parseSopUid } from '../core/ids.js';
import { generateKek } from './kek.js';
import { generateKeyring, type Keyring, withCurrentKek } from './keyring.js';
import { openManifest } from './manifest.js';
import { parseStatementName } from './names.js';
import { openTombstone, sealTombstone } from './tombstone.js';
import type { Tombstone } from './types.js';

const id = parsePackId('018f5e2a-7b00-7123-8abc-0123456789ab');
const keyring = generateKeyring({ random: systemRandom, clock: systemClock });
const sha256 = (text: string) => parseSha256(createHash('sha256').update(text).digest('hex'));
const UID = '1.2.826.0.1.3680043.8.498.77';
const tombstone: Tombstone = { seq: 42, entries: [{ sop: parseSopUid(UID), sha256: sha256('a') }] };

function seal(keys: Keyring = keyring, what = tombstone) {
  return sealTombstone({ tombstone: what, id, keyring: keys, random: systemRandom });
}

describe('a tombstone object', () => {
  it('opens as what was sealed, under the name that its bytes give it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1e15 - 1 }),
        fc.array(fc.tuple(fc.integer({ min: 0 }), fc.string()), { minLength: 1, maxLength: 40 }),
        async (seq, names) => {
          const entries = names.map(([n, text]) => ({ sop: parseSopUid(`1.2.${n}`), sha256: sha256(text) }));
          const { name, object } = await seal(keyring, { seq, entries });
          expect(await openTombstone(object, keyring)).toEqual({ seq, entries });
          const hash = createHash('sha256').update(object).digest('hex');
          expect(parseStatementName(name)).toEqual({ kind: 'tombstone', seq, sha256: hash });
        },
      ),
    );
  });

  it('shows no UID and no hash of an instance, in its name or its bytes (I10)', async () => {
    const { name, object } = await seal();
    for (const secret of [UID, sha256('a')]) {
      expect(name).not.toContain(secret);
      expect(Buffer.from(object).includes(secret)).toBe(false);
    }
    expect(Buffer.from(object).includes(Buffer.from(sha256('a'), 'hex'))).toBe(false);
  });

  it('is damage with any bit flipped or any byte less or more, never another delete', async () => {
    const { object } = await seal();
    await fc.assert(
      fc.asyncProperty(fc.nat(object.length * 8 - 1), async (bit) => {
        const changed = Buffer.from(object);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await expect(openTombstone(changed, keyring)).rejects.toThrow(expect.objectContaining({ code: 'CORRUPT' }));
      }),
    );
    for (const bytes of [object.subarray(0, -1), Buffer.concat([object, Buffer.alloc(1)]), Buffer.alloc(0)]) {
      await expect(openTombstone(bytes, keyring)).rejects.toThrow(expect.objectContaining({ code: 'CORRUPT' }));
    }
  });

  it('opens under an old key of the keyring, and under no other keyring', async () => {
    const { object } = await seal();
    const rotated = withCurrentKek(keyring, generateKek(systemRandom, systemClock));
    expect(await openTombstone(object, rotated)).toEqual(tombstone);
    const stranger = generateKeyring({ random: systemRandom, clock: systemClock });
    await expect(openTombstone(object, stranger)).rejects.toThrow(expect.objectContaining({ code: 'WRONG_KEY' }));
    const elsewhere = { ...keyring, archiveId: stranger.archiveId };
    await expect(openTombstone(object, elsewhere)).rejects.toThrow(expect.objectContaining({ code: 'FOREIGN' }));
  });

  it('does not open as a manifest, even with its magic', async () => {
    const changed = Buffer.from((await seal()).object);
    changed.write('FRMANIF\0', 'latin1');
    const split = changed.length - 32;
    changed.set(createHash('sha256').update(changed.subarray(0, split)).digest(), split);
    await expect(openManifest(changed, keyring)).rejects.toThrow(expect.objectContaining({ code: 'CORRUPT' }));
  });
});
