import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../core/clock.js';
import { generateKek } from './kek.js';
import { joinKeyring, splitKeyring } from './key-shares.js';
import { generateKeyring, type Keyring, serializeKeyring, withCurrentKek } from './keyring.js';

const SEED = 20_261_122;

function keyringOf(keys: number): Keyring {
  let keyring = generateKeyring({ random: systemRandom, clock: systemClock });
  for (let more = 1; more < keys; more += 1) keyring = withCurrentKek(keyring, generateKek(systemRandom, systemClock));
  return keyring;
}

const ring = keyringOf(2);
const sharesOf = (keyring: Keyring, shares: number, threshold: number) =>
  splitKeyring(keyring, { shares, threshold, random: systemRandom });

describe('a keyring in shares', () => {
  it('comes back from any of them that are enough, in any order, and from no fewer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 8 }).chain((shares) =>
          fc.record({
            shares: fc.constant(shares),
            threshold: fc.integer({ min: 2, max: shares }),
            order: fc.shuffledSubarray(
              Array.from({ length: shares }, (_, at) => at),
              { minLength: shares },
            ),
            keys: fc.integer({ min: 1, max: 4 }),
          }),
        ),
        async ({ shares, threshold, order, keys }) => {
          const keyring = keyringOf(keys);
          const texts = await sharesOf(keyring, shares, threshold);
          const picked = order.slice(0, threshold).map((at) => texts[at] ?? '');
          expect(serializeKeyring(await joinKeyring(picked))).toBe(serializeKeyring(keyring));
          await expect(joinKeyring(picked.slice(1))).rejects.toMatchObject({
            code: 'INVALID',
            message: expect.stringContaining(`${threshold} are needed`) as string,
          });
          const doubled = [...picked.slice(1), picked[1] ?? ''];
          await expect(joinKeyring(doubled)).rejects.toMatchObject({ code: 'INVALID' });
        },
      ),
      { numRuns: 40, seed: SEED },
    );
  });

  it('survives a typist: capitals, spaces, Windows line ends, and text around it', async () => {
    const texts = await sharesOf(ring, 3, 2);
    const typed = texts
      .slice(1)
      .map((text) => `Copied by hand.\r\n${text.replaceAll('\n', '\r\n').replaceAll('a', 'A')}\r\n`);
    const spoiled = typed.map((text) =>
      text.replace(/FILMROOM KEYRING SHARE/i, 'FILMROOM KEYRING SHARE').replaceAll(' = ', '   =  '),
    );
    expect(serializeKeyring(await joinKeyring(spoiled))).toBe(serializeKeyring(ring));
  });

  it('names the line that was copied wrongly, whichever digit it is, and what is missing', async () => {
    const [first = '', second = ''] = await sharesOf(ring, 2, 2);
    const lines = first.split('\n');
    const data = lines.flatMap((line, at) => (/^\d{3}: /.test(line) ? [at] : []));
    for (const [number, at] of data.entries()) {
      const line = lines[at] ?? '';
      for (let column = 5; column < line.length; column += 1) {
        const digit = line[column] ?? '';
        if (!/[0-9a-f]/.test(digit)) continue;
        const wrong = line.slice(0, column) + (digit === '7' ? '8' : '7') + line.slice(column + 1);
        await expect(joinKeyring([lines.with(at, wrong).join('\n'), second])).rejects.toMatchObject({
          code: 'INVALID',
          // One wrong line in 65,536 has the right sum: the last checksum notices it.
          message: expect.stringMatching(
            new RegExp(`^share 1: (line ${number + 1} was copied wrongly|its lines do not match)`),
          ) as string,
        });
      }
      await expect(joinKeyring([lines.toSpliced(at, 1).join('\n'), second])).rejects.toMatchObject({ code: 'INVALID' });
    }
  });

  it('of two splits are not mixed', async () => {
    const [one = ''] = await sharesOf(ring, 2, 2);
    const [, other = ''] = await sharesOf(ring, 2, 2);
    await expect(joinKeyring([one, other])).rejects.toMatchObject({ code: 'INVALID', message: /of split/ });
  });

  it('say what they are for, and nothing of the keys but their number and the id of the current one', async () => {
    const [text = ''] = await sharesOf(ring, 5, 3);
    expect(text).toContain('share 1 of 5');
    expect(text).toContain(ring.archiveId);
    expect(text).toContain('filmroom keys import');
    for (const { secret } of ring.keys)
      expect(text.replaceAll(/\s/g, '')).not.toContain(Buffer.from(secret ?? []).toString('hex'));
  });

  it.each([
    [1, 1],
    [3, 1],
    [3, 4],
    [256, 2],
    [Number.NaN, 2],
  ])('are not made as %d with a threshold of %d', async (shares, threshold) => {
    await expect(sharesOf(ring, shares, threshold)).rejects.toMatchObject({ code: 'INVALID' });
  });

  it.each([[''], ['FILMROOM KEYRING SHARE 1'], ['FILMROOM KEYRING SHARE 1\nSplit: 0\nThreshold: 1']])(
    'are not read from %j',
    async (text) => {
      await expect(joinKeyring([text, text])).rejects.toMatchObject({ code: 'INVALID' });
    },
  );
});
