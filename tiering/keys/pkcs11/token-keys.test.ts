import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { keyProviderContract } from '../../../test/contract/key-provider.js';
import { NO_SOFT_HSM, SoftHsm, tokenProcesses } from '../../../test/support/soft-hsm.js';
import { systemClock, systemRandom } from '../../core/clock.js';
import { generateKek, KEYRING_ALONE, type Kek } from '../../format/kek.js';
import { mustHold, openTokenKeys, type TokenKeys } from './token-keys.js';

const archiveId = '0f000000-0000-4000-8000-000000000000';
const salt = randomBytes(32);
const TIMES = { callMs: 20_000, restMs: 1 };

describe.skipIf(NO_SOFT_HSM !== null)(`keys on a token${NO_SOFT_HSM === null ? '' : ` (${NO_SOFT_HSM})`}`, () => {
  let hsm: SoftHsm;
  const opened: TokenKeys[] = [];

  beforeAll(() => {
    hsm = SoftHsm.create();
  });
  afterEach(() => {
    for (const one of opened.splice(0)) one.close();
  });
  afterAll(() => hsm.destroy());

  function open(changes: Partial<Parameters<typeof openTokenKeys>[0]> = {}, times = TIMES): TokenKeys {
    const keys = openTokenKeys({ ...hsm.place, newKeys: 'token', ...changes }, times);
    opened.push(keys);
    return keys;
  }

  const draw = (keys: TokenKeys): Promise<Kek> => keys.draw({ archiveId, random: systemRandom, clock: systemClock });

  let shared: TokenKeys | null = null;
  keyProviderContract('PKCS#11 (softhsm2)', () => {
    if (shared === null || !opened.includes(shared)) shared = open();
    return shared;
  });

  it('never leave it', async () => {
    const kek = await draw(open());
    expect(kek.secret).toBeNull();
    expect(hsm.readSecret(kek.id)).toBe('CKR_ATTRIBUTE_SENSITIVE');
  });

  it('that were put there by hand give what the same secret gives in a keyring: the way in when the token is lost', async () => {
    const kek = generateKek(systemRandom, systemClock, 'h');
    hsm.import(Buffer.from(kek.secret).toString('hex'), kek.id, `filmroom ${archiveId} ${kek.createdAt}`);
    const there = { ...kek, secret: null };
    const input = await open().wrapInput(there, salt);
    expect(Buffer.from(input)).toEqual(Buffer.from(await KEYRING_ALONE.wrapInput(kek, salt)));
  });

  it('under an id that is not theirs are not used', async () => {
    const stranger = generateKek(systemRandom, systemClock, 'h');
    hsm.import(Buffer.from(stranger.secret).toString('hex'), 'h00000000000000ff', 'not ours');
    const kek: Kek = { id: 'h00000000000000ff', createdAt: '', secret: null };
    await expect(open().wrapInput(kek, salt)).rejects.toMatchObject({
      code: 'WRONG_KEY',
      message: expect.stringContaining(stranger.id) as string,
    });
  });

  it('are found again by their archive, oldest first, and one that is lacking is named', async () => {
    const keys = open();
    const mine = '0f111111-0000-4000-8000-000000000000';
    const at = (nowMs: number) => keys.draw({ archiveId: mine, random: systemRandom, clock: { nowMs: () => nowMs } });
    const [younger, older] = [await at(2_000), await at(1_000)];
    expect((await keys.find(mine)).map(({ id }) => id)).toEqual([older.id, younger.id]);
    await mustHold(keys, [older, younger], mine);
    const lost: Kek = { id: 'h1111111111111111', createdAt: '', secret: null };
    await expect(mustHold(keys, [older, lost], mine)).rejects.toMatchObject({
      code: 'WRONG_KEY',
      message: expect.stringContaining(lost.id) as string,
    });
  });

  it('are drawn into the keyring by an archive that leaves its token', async () => {
    expect((await draw(open({ newKeys: 'keyring' }))).secret).toHaveLength(32);
  });

  it('behind a wrong PIN: one clear line, and nothing is tried a second time', async () => {
    const keys = open({ pin: '999999' });
    const kek: Kek = { id: 'h0000000000000000', createdAt: '', secret: null };
    const refused = {
      code: 'UNAVAILABLE',
      retryable: false,
      message: expect.stringContaining('refuses the PIN') as string,
    };
    await expect(keys.wrapInput(kek, salt)).rejects.toMatchObject(refused);
    await vi.waitFor(() => expect(tokenProcesses()).toEqual([]), { timeout: 20_000 });
    await expect(keys.wrapInput(kek, salt)).rejects.toMatchObject(refused);
    expect(tokenProcesses()).toEqual([]);
    expect(keys.fault).toMatch(/refuses the PIN/);
  });

  it.each([
    ['a module that is not there', { module: '/nowhere/module.so' }, /\/nowhere\/module\.so cannot be loaded/],
    ['a token that is not there', { token: 'another' }, /no token with the label another/],
  ])('behind %s are UNAVAILABLE, with what to look at', async (_, changes, message) => {
    const keys = open(changes);
    const kek: Kek = { id: 'h0000000000000000', createdAt: '', secret: null };
    await expect(keys.wrapInput(kek, salt)).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    expect(keys.fault).toMatch(message);
  });

  it('can be used again once the token is back, with no restart', async () => {
    const keys = open();
    const kek = await draw(keys);
    const input = await keys.wrapInput(kek, salt);
    keys.close();
    const later = open();
    hsm.takeTokenAway();
    await expect(later.wrapInput(kek, salt)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    hsm.bringTokenBack();
    await vi.waitFor(async () => expect(await later.wrapInput(kek, salt)).toEqual(input), { timeout: 20_000 });
    expect(later.fault).toBeNull();
  });

  it('outlive the process that talks to the token: a call that finds it gone is made once more', async () => {
    const keys = open();
    const kek = await draw(keys);
    const input = await keys.wrapInput(kek, salt);
    const [pid = 0] = tokenProcesses();
    process.kill(pid, 'SIGKILL');
    expect(await keys.wrapInput(kek, salt)).toEqual(input);
    expect(tokenProcesses()).not.toContain(pid);
  });

  it('on a device that hangs: calls end at their time limit, those behind them at once, and none is left over', async () => {
    const patient = open();
    const kek = await draw(patient);
    patient.close();
    const keys = open({}, { callMs: 3_000, restMs: 600_000 });
    await keys.wrapInput(kek, salt);
    const [pid = 0] = tokenProcesses();
    process.kill(pid, 'SIGSTOP');
    // The second try begins with a process that does not hang; so that it fails too, its module is away.
    hsm.takeModuleAway();
    try {
      const calls = await Promise.allSettled([1, 2, 3, 4].map(() => keys.wrapInput(kek, salt)));
      expect(calls.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected']);
    } finally {
      hsm.bringModuleBack();
    }
    await vi.waitFor(() => expect(tokenProcesses()).toEqual([]), { timeout: 20_000 });
  });

  it('are waited for by so many callers and no more', async () => {
    const keys = open();
    const kek = await draw(keys);
    const calls = await Promise.allSettled(Array.from({ length: 1_100 }, () => keys.wrapInput(kek, salt)));
    const refused = calls.filter((one) => one.status === 'rejected');
    expect(refused).toHaveLength(1_100 - 1_025);
    expect(refused[0]).toMatchObject({ reason: { code: 'UNAVAILABLE' } });
  });
});
