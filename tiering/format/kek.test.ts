import { describe, expect, it } from 'vitest';
import { keyProviderContract } from '../../test/contract/key-provider.js';
import { systemClock, systemRandom } from '../core/clock.js';
import { generateKek, KEYRING_ALONE, kekIdOf } from './kek.js';
import { parseKeyring, serializeKeyring } from './keyring.js';

keyProviderContract('the keyring alone', () => KEYRING_ALONE);

describe('a key that a token may hold', () => {
  const archiveId = '0f000000-0000-4000-8000-000000000000';

  it('has the id and gives the input of the published example (docs/format.md 3.2)', async () => {
    const secret = Uint8Array.from({ length: 32 }, (_, at) => at);
    const id = kekIdOf(secret, 'h');
    expect(id).toBe('h96971269e2583861');
    const input = await KEYRING_ALONE.wrapInput({ id, createdAt: '', secret }, new Uint8Array(32).fill(0xaa));
    expect(Buffer.from(input).toString('hex')).toBe('732095c361aeddeeeb5a24bc4bdf387367606a4eaaf02aaa7f815a5557e1cd4b');
  });

  it('is listed without its secret in a keyring of version 2, and with it where the keyring has it', () => {
    const kek = generateKek(systemRandom, systemClock, 'h');
    for (const one of [kek, { ...kek, secret: null }]) {
      const text = serializeKeyring({ archiveId, current: kek.id, keys: [one] });
      expect(JSON.parse(text)).toMatchObject({ version: 2 });
      expect(parseKeyring(text).keys).toEqual([one]);
      expect(() => parseKeyring(text.replace('"version": 2', '"version": 1'))).toThrow(
        expect.objectContaining({ code: 'INVALID' }),
      );
    }
  });

  it('has an id of its own kind: a secret is never taken for a key of the other', () => {
    const { secret, createdAt } = generateKek(systemRandom, systemClock);
    expect(kekIdOf(secret, 'h').slice(1)).not.toBe(kekIdOf(secret).slice(1));
    const id = `h${kekIdOf(secret).slice(1)}`;
    const text = serializeKeyring({ archiveId, current: id, keys: [{ id, createdAt, secret }] });
    expect(() => parseKeyring(text)).toThrow(expect.objectContaining({ code: 'INVALID' }));
  });

  it('without its secret is WRONG_KEY where no token is configured', async () => {
    const kek = { ...generateKek(systemRandom, systemClock, 'h'), secret: null };
    await expect(KEYRING_ALONE.wrapInput(kek, new Uint8Array(32))).rejects.toMatchObject({
      code: 'WRONG_KEY',
      message: expect.stringContaining('cold.pkcs11') as string,
    });
  });
});
