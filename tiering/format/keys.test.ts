import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Random, systemClock, systemRandom } from '../core/clock.js';
import { parsePackId } from '../core/ids.js';
import { CHUNK_BYTES } from '../core/limits.js';
import { chunkCommitment } from './chunk.js';
import { generateKek } from './kek.js';
import {
  currentKek,
  generateKeyring,
  type Keyring,
  kekById,
  parseKeyring,
  serializeKeyring,
  withCurrentKek,
} from './keyring.js';
import { drawSeal, unwrapDek, wrapDek } from './keys.js';

const pack = parsePackId('018f5e2a-7b00-7123-8abc-0123456789ab');
const other = parsePackId('018f5e2a-7b00-7123-8abc-0123456789ac');
const plainKeyring = generateKeyring({ random: systemRandom, clock: systemClock });

/** Swaps one field of the keyring's JSON. */
function withField(path: readonly (string | number)[], value: unknown): string {
  const root = JSON.parse(serializeKeyring(plainKeyring)) as Record<string | number, unknown>;
  let at = root;
  for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, unknown>;
  at[path.at(-1) ?? ''] = value;
  return JSON.stringify(root);
}

describe('a keyring', () => {
  it('reads back as it was written', () => {
    expect(parseKeyring(serializeKeyring(plainKeyring))).toEqual(plainKeyring);
  });

  it('names its archive by a random UUID of version 4', () => {
    expect(plainKeyring.archiveId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(generateKeyring({ random: systemRandom, clock: systemClock }).archiveId).not.toBe(plainKeyring.archiveId);
  });

  it('keeps the old keys when a new one becomes current', () => {
    const kek = generateKek(systemRandom, systemClock);
    const rotated = withCurrentKek(plainKeyring, kek);
    expect(currentKek(rotated)).toEqual(kek);
    expect(kekById(rotated, plainKeyring.current)).toEqual(currentKek(plainKeyring));
    expect(parseKeyring(serializeKeyring(rotated))).toEqual(rotated);
  });

  it('says WRONG_KEY and the id of a key that it lacks', () => {
    expect(() => kekById(plainKeyring, 'k0123456789abcdef')).toThrow(
      expect.objectContaining({ code: 'WRONG_KEY', message: expect.stringContaining('k0123456789abcdef') }),
    );
  });

  const secret = Buffer.from(currentKek(plainKeyring).secret ?? []).toString('base64');
  const mistyped = (secret[5] === 'A' ? 'B' : 'A') + secret.slice(1, 5) + secret[0] + secret.slice(6);

  it.each([
    ['that is no JSON', '{', 'INVALID', /not JSON/],
    ['that is an array', '[]', 'INVALID', /not a JSON object/],
    ['without a version', withField(['version'], undefined), 'INVALID', /version/],
    ['of a later version', withField(['version'], 3), 'NOT_SUPPORTED', /version 3/],
    ['with a bad archive id', withField(['archiveId'], 'x'), 'INVALID', /archiveId/],
    [
      'whose current key is not in it',
      withField(['current'], 'k0123456789abcdef'),
      'INVALID',
      /k0123456789abcdef is not in it/,
    ],
    ['without keys', withField(['keys'], []), 'INVALID', /is not in it/],
    ['with a short secret', withField(['keys', 0, 'secret'], 'AAAA'), 'INVALID', /keys\[0\]: secret/],
    ['with a mistyped secret', withField(['keys', 0, 'secret'], mistyped), 'INVALID', /not the one of key/],
    ['with a date that is none', withField(['keys', 0, 'createdAt'], 'yesterday'), 'INVALID', /createdAt/],
  ])('%s is refused with a clear message that holds no secret', (_, text, code, message) => {
    let thrown: unknown;
    try {
      parseKeyring(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(JSON.stringify(thrown, Object.getOwnPropertyNames(thrown))).not.toContain(mistyped.slice(6, 30));
  });
});

describe.each([
  ['aes-256-gcm', 1],
  ['sm4-ctr-hmac-sm3', 2],
] as const)('cipher suite %s', (_name, suite) => {
  const keyring: Keyring = { ...plainKeyring, suites: { seal: suite, open: [suite] } };

  describe('a wrapped DEK', async () => {
    const dek = randomBytes(32);
    const dekId = randomBytes(16);
    const wrap = await wrapDek({ pack, suite, dek, dekId, keyring, random: systemRandom });

    it('is 48 bytes and unwraps to the DEK', async () => {
      expect(wrap.wrappedDek.length).toBe(48);
      expect(Buffer.from(await unwrapDek({ ...wrap, suite, dekId }, pack, keyring))).toEqual(dek);
    });

    it('is wrapped anew each time, so that two wraps have nothing in common', async () => {
      const again = await wrapDek({ pack, suite, dek, dekId, keyring, random: systemRandom });
      expect(again.wrappedDek).not.toEqual(wrap.wrappedDek);
    });

    const secondKey = generateKek(systemRandom, systemClock);
    const impostor: Keyring = { ...keyring, keys: [{ ...currentKek(keyring), secret: secondKey.secret }] };
    const flipped = Uint8Array.from(wrap.wrappedDek, (byte, at) => (at === 3 ? byte ^ 1 : byte));

    it.each([
      [
        'a keyring without the KEK',
        { ...wrap, suite, dekId },
        pack,
        { ...generateKeyring({ random: systemRandom, clock: systemClock }), suites: keyring.suites },
      ],
      ['a KEK of that name and another secret', { ...wrap, suite, dekId }, pack, impostor],
      ['a wrap that was moved to another pack', { ...wrap, suite, dekId }, other, keyring],
      ['another DEK id', { ...wrap, suite, dekId: randomBytes(16) }, pack, keyring],
      ['a wrap that was changed', { ...wrap, wrappedDek: flipped, suite, dekId }, pack, keyring],
      ['an empty wrap', { ...wrap, wrappedDek: new Uint8Array(0), suite, dekId }, pack, keyring],
    ])('is WRONG_KEY and never CORRUPT for %s (fault 39)', async (_, seal, forPack, ring) => {
      await expect(unwrapDek(seal, forPack, ring)).rejects.toThrow(
        expect.objectContaining({ code: 'WRONG_KEY', message: expect.stringContaining(wrap.kekId) }),
      );
    });
  });

  describe('a seal', () => {
    it('has a salt and a commitment of its own for every chunk, and no name yet', async () => {
      const { seal, dek } = await drawSeal({
        pack,
        bytes: 2 * CHUNK_BYTES + 5,
        suite,
        keyring,
        random: systemRandom,
      });
      expect(seal.chunks.map((chunk) => chunk.bytes)).toEqual([CHUNK_BYTES, CHUNK_BYTES, 5]);
      expect(new Set(seal.chunks.map((chunk) => Buffer.from(chunk.salt).toString('hex'))).size).toBe(3);
      expect(seal.chunks.every((chunk) => chunk.name === null)).toBe(true);
      expect(await unwrapDek(seal, pack, keyring)).toEqual(dek);
      seal.chunks.forEach(({ bytes, salt, commitment }, chunk) => {
        expect(chunkCommitment({ pack, chunk, suite, dek, dekId: seal.dekId, salt, chunkBytes: bytes })).toEqual(
          commitment,
        );
      });
    });

    it.each([
      ['always gives the same', (): Random => ({ bytes: (count) => Buffer.alloc(count, 5) })],
      [
        'begins to repeat itself after a while',
        (): Random => {
          let call = 0;
          return { bytes: (count) => Buffer.alloc(count, call++ % 4) };
        },
      ],
    ])('is not drawn from a source that %s (fault 44)', async (_, source) => {
      await expect(drawSeal({ pack, bytes: 3 * CHUNK_BYTES, suite, keyring, random: source() })).rejects.toThrow(
        expect.objectContaining({ code: 'INTERNAL', message: expect.stringContaining('repeated itself') }),
      );
    });

    it('is not drawn for an empty pack', async () => {
      await expect(drawSeal({ pack, bytes: 0, suite, keyring, random: systemRandom })).rejects.toThrow(
        expect.objectContaining({ code: 'INVALID' }),
      );
    });
  });

  it('is refused as what it is by an archive that does not open it, and never as damage or a wrong key', async () => {
    const { seal } = await drawSeal({ pack, bytes: 5, suite, keyring, random: systemRandom });
    const ring = { ...keyring, suites: { seal: 3 - suite, open: [3 - suite] } };
    await expect(unwrapDek(seal, pack, ring)).rejects.toThrow(expect.objectContaining({ code: 'SUITE_REFUSED' }));
  });

  it('does not open what the other one wrapped', async () => {
    const { seal } = await drawSeal({ pack, bytes: 5, suite, keyring, random: systemRandom });
    const ring = { ...keyring, suites: { seal: 1, open: [1, 2] } };
    await expect(unwrapDek({ ...seal, suite: 3 - suite }, pack, ring)).rejects.toThrow(
      expect.objectContaining({ code: 'WRONG_KEY' }),
    );
  });
});
