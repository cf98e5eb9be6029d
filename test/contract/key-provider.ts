// What every KeyProvider keeps, wherever it has its keys (tiering/format/kek.ts).
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { parsePackId } from '../../tiering/core/ids.js';
import { KEK_ID, type Kek, type KeyProvider } from '../../tiering/format/kek.js';
import { drawArchiveId, type Keyring, parseKeyring, serializeKeyring } from '../../tiering/format/keyring.js';
import { unwrapDek, wrapDek } from '../../tiering/format/keys.js';
import { readReport, requireOwnKey, signReport } from '../../tiering/format/signature.js';

/** @param open gives the provider anew each time, as another process has it. */
export function keyProviderContract(name: string, open: () => KeyProvider): void {
  const archiveId = drawArchiveId(systemRandom);
  const draw = (): Promise<Kek> => open().draw({ archiveId, random: systemRandom, clock: systemClock });
  const ringOf = (kek: Kek, suite = 1): Keyring => {
    const text = serializeKeyring({ archiveId, current: kek.id, keys: [kek] });
    return { ...parseKeyring(text), suites: { seal: suite, open: [suite] }, provider: open() };
  };

  describe(`a key provider: ${name}`, () => {
    it('draws keys of which no two are alike, and that a keyring can list', async () => {
      const [one, two] = [await draw(), await draw()];
      expect(one.id).toMatch(KEK_ID);
      expect(one.id).not.toBe(two.id);
      expect(Math.abs(Date.parse(one.createdAt) - Date.now())).toBeLessThan(600_000);
      expect(ringOf(one).keys).toEqual([one]);
      expect(open().fault).toBeNull();
    });

    it('gives the same 32 bytes for one key and salt, and others for another of either', async () => {
      const [one, two] = [await draw(), await draw()];
      const [salt, other] = [randomBytes(32), randomBytes(32)];
      const input = await open().wrapInput(one, salt);
      expect(input.length).toBe(32);
      expect(await open().wrapInput(one, salt)).toEqual(input);
      expect(await open().wrapInput(two, salt)).not.toEqual(input);
      // A `k` key is itself what goes into HKDF with the salt.
      if (one.id.startsWith('h')) expect(await open().wrapInput(one, other)).not.toEqual(input);
    });

    it.each([1, 2])('opens what it wrapped, in cipher suite %s, and nobody else does', async (suite) => {
      const pack = parsePackId('018f5e2a-7b00-7123-8abc-0123456789ab');
      const kek = await draw();
      const [dek, dekId] = [randomBytes(32), randomBytes(16)];
      const wrap = await wrapDek({ pack, suite, dek, dekId, keyring: ringOf(kek, suite), random: systemRandom });
      const seal = { ...wrap, suite, dekId };
      expect(Buffer.from(await unwrapDek(seal, pack, ringOf(kek, suite)))).toEqual(dek);
      await expect(unwrapDek(seal, pack, ringOf(await draw(), suite))).rejects.toMatchObject({ code: 'WRONG_KEY' });
      const stranger = { ...(await draw()), id: kek.id };
      if (stranger.secret !== null) {
        const imposed = { ...ringOf(kek, suite), keys: [stranger] };
        await expect(unwrapDek(seal, pack, imposed)).rejects.toMatchObject({ code: 'WRONG_KEY' });
      }
    });

    it('signs reports that are its own wherever the keyring is opened, and of no other', async () => {
      const kek = await draw();
      const text = await signReport({ kind: 'drill', atMs: 1, report: { lost: 0 } }, ringOf(kek), systemRandom);
      const report = readReport(Buffer.from(text));
      await requireOwnKey(report, ringOf(kek));
      await expect(requireOwnKey(report, ringOf(await draw()))).rejects.toMatchObject({ code: 'WRONG_KEY' });
    });

    it('answers many at once, each with its own', async () => {
      const provider = open();
      const kek = await draw();
      const salts = Array.from({ length: 200 }, () => randomBytes(32));
      const inputs = await Promise.all(salts.map((salt) => provider.wrapInput(kek, salt)));
      for (const at of [0, 99, 199])
        expect(await provider.wrapInput(kek, salts[at] ?? salts[0] ?? randomBytes(32))).toEqual(inputs[at]);
    });

    it('names the key that it lacks', async () => {
      const nobody: Kek = { id: 'h0123456789abcdef', createdAt: new Date().toISOString(), secret: null };
      await expect(open().wrapInput(nobody, randomBytes(32))).rejects.toMatchObject({
        code: 'WRONG_KEY',
        message: expect.stringContaining('h0123456789abcdef') as string,
      });
    });
  });
}
