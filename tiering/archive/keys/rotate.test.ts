// Rotation: everything under the new key on every replica, nothing of a chunk touched, killed at every single write.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyObjectStore } from '../../../test/support/faulty-object-store.js';
import { LIVE, RestingArchive, required } from '../../../test/support/keys-rig.js';
import { Mortality } from '../../../test/support/mortal.js';
import { systemClock, systemRandom } from '../../core/clock.js';
import { parseObjectKey } from '../../core/ids.js';
import { forEachLimited } from '../../core/queues.js';
import { currentKek, generateKeyring } from '../../format/keyring.js';
import type { ArchiveContext } from '../context.js';
import { extractReplica } from '../recovery/extract.js';
import { countKeys } from './count-keys.js';
import { removeKey } from './remove-key.js';
import { rotateKeys } from './rotate.js';

const TWO_HOURS_MS = 2 * 3_600_000;
const LATER = { ...systemClock, nowMs: () => systemClock.nowMs() + TWO_HOURS_MS };

let rested: RestingArchive;
beforeAll(async () => {
  rested = await RestingArchive.create();
}, 60_000);
afterAll(async () => rested.destroy());

/** Every object is under the current key, once on each replica, and the other keys are not needed any more. */
async function expectConverged(ctx: ArchiveContext): Promise<void> {
  const report = await countKeys(ctx, {});
  expect(report).toMatchObject({ unreadable: [], unavailable: [], objects: 12 });
  for (const { current, replicas, index } of report.keys) {
    const counts = current ? { manifests: 3, tombstones: 1 } : { manifests: 0, tombstones: 0 };
    expect(replicas).toEqual(['r1', 'r2', 'r3'].map((name) => ({ name, ...counts })));
    expect(index).toEqual({ packs: counts.manifests, tombstones: counts.tombstones });
  }
  for (const { id } of ctx.keyring.keys.filter((one) => one.id !== ctx.keyring.current)) await removeKey(ctx, id, {});
  expect(ctx.keyring.keys).toHaveLength(1);
}

async function dieAndRecover(at: number, undone: boolean): Promise<void> {
  const archive = await rested.copy();
  const life = new Mortality(at, undone);
  const killed = await archive
    .run((ctx) => rotateKeys(ctx, {}), { life })
    .then(
      ({ failures }) => failures.length > 0,
      () => true,
    );
  expect(killed, `write ${at} is reached`).toBe(true);
  await archive.expectWhole();
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  await archive.run(
    async (ctx) => {
      const report = await rotateKeys(ctx, {});
      const after = `after ${life.writes.at(-1)} (${at}, ${undone})`;
      expect(report, after).toMatchObject({ failures: [], unavailable: [] });
      aheadMs = TWO_HOURS_MS;
      await expectConverged(ctx);
    },
    { clock },
  );
  await archive.expectWhole();
  await archive.remove();
}

describe('rotateKeys', () => {
  it('wraps every manifest and tombstone anew, and leaves every chunk as it is', async () => {
    const archive = await rested.copy();
    const before = await archive.sealedNames();
    const old = archive.keyring.current;
    const life = new Mortality();
    const report = await archive.run((ctx) => rotateKeys(ctx, {}), { life });
    expect(report).toMatchObject({
      resumed: false,
      packs: 3,
      rewrapped: 4,
      removed: 12,
      failures: [],
      unavailable: [],
    });
    expect(archive.keyring.current).toBe(report.key);
    expect(report.key).not.toBe(old);
    expect(life.writes.filter((what) => what.includes(' c/'))).toEqual([]);
    expect((await archive.sealedNames()).filter((name) => before.includes(name))).toEqual([]);
    await archive.run(expectConverged, { clock: LATER });
    await archive.expectWhole();
    await archive.remove();
  });

  it('killed at any write, before or after it is done, loses nothing and is taken to its end by the next call', async () => {
    const whole = new Mortality();
    const reference = await rested.copy();
    await reference.run((ctx) => rotateKeys(ctx, {}), { life: whole });
    await reference.remove();
    const points = whole.writes.length;
    expect(points).toBeGreaterThan(30);
    const deaths = Array.from({ length: 2 * points }, (_, n) => ({ at: 1 + (n >> 1), undone: n % 2 === 1 }));
    await forEachLimited(deaths, 4, ({ at, undone }) => dieAndRecover(at, undone));
  }, 300_000);
});

describe('a reader while keys are rotated', () => {
  it('that listed a manifest before it was replaced takes the one in its place', async () => {
    const whole = new Mortality();
    const reference = await rested.copy();
    await reference.run((ctx) => rotateKeys(ctx, {}), { life: whole });
    await reference.remove();
    const archive = await rested.copy();
    // Killed once the new key is in the keyring: the reader's keyring has it too.
    const life = new Mortality(1 + whole.writes.indexOf('keyring'));
    await expect(archive.run((ctx) => rotateKeys(ctx, {}), { life })).rejects.toThrow(/killed at write \d+: keyring/);
    const store = required(archive.stores, 'r1');
    const fetched: string[] = [];
    let rotated: Promise<unknown> | null = null;
    const reader = new Proxy(store, {
      get: (target, key) => {
        const value = Reflect.get(target, key) as unknown;
        if (key !== 'get') return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        return async (...args: Parameters<typeof store.get>) => {
          rotated ??= args[0].startsWith('m/') ? archive.run((ctx) => rotateKeys(ctx, {})) : null;
          await rotated;
          fetched.push(args[0]);
          return target.get(...args);
        };
      },
    });
    const report = await extractReplica({
      store: reader,
      keyring: archive.keyring,
      out: async (_path, bytes) => {
        for await (const _piece of bytes);
      },
    });
    expect(report).toMatchObject({ instances: LIVE.length, failures: [] });
    expect(fetched.filter((name) => name.startsWith('m/') && name.includes('/1-'))).toHaveLength(3);
    await archive.remove();
  });
});

describe('a replica that is away', () => {
  it('keeps the older objects everywhere and the old key in the keyring, until it is back', async () => {
    const archive = await rested.copy();
    const old = archive.keyring.current;
    const faulty: FaultyObjectStore[] = [];
    const wrap = (name: string, store: ConstructorParameters<typeof FaultyObjectStore>[0]) => {
      if (name !== 'r2') return store;
      const away = new FaultyObjectStore(store);
      faulty.push(away);
      return away;
    };
    const first = await archive.run(
      async (ctx) => {
        faulty[0]?.fail({ code: 'UNAVAILABLE' });
        return rotateKeys(ctx, {});
      },
      { wrap },
    );
    expect(first).toMatchObject({ rewrapped: 4, removed: 0, failures: [], unavailable: ['r2'] });
    await archive.expectWhole();
    await expect(
      archive.run(
        async (ctx) => {
          faulty[1]?.fail({ code: 'UNAVAILABLE' });
          return removeKey(ctx, old, {});
        },
        { wrap, clock: LATER },
      ),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(archive.run((ctx) => removeKey(ctx, old, {}), { clock: LATER })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/3 manifests and 1 deletes on r1.*on r2.*on r3/) as string,
    });
    const second = await archive.run((ctx) => rotateKeys(ctx, {}));
    expect(second).toMatchObject({ resumed: true, key: first.key, rewrapped: 0, removed: 12, unavailable: [] });
    await archive.run(expectConverged, { clock: LATER });
    await archive.expectWhole();
    await archive.remove();
  });
});

describe('removeKey', () => {
  it('refuses the current key, one that is not there, and one that was current a moment ago', async () => {
    const archive = await rested.copy();
    const old = archive.keyring.current;
    const remove = (key: string) => archive.run((ctx) => removeKey(ctx, key, {}));
    await expect(remove(old)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(remove('k0000000000000000')).rejects.toMatchObject({ code: 'INVALID' });
    await archive.run((ctx) => rotateKeys(ctx, {}));
    await expect(remove(old)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('young') as string,
    });
    expect(archive.keyring.keys).toHaveLength(2);
    await archive.remove();
  });

  it('refuses while something is damaged so that its key cannot be told', async () => {
    const archive = await rested.copy();
    const old = archive.keyring.current;
    await archive.run((ctx) => rotateKeys(ctx, {}));
    const stray = parseObjectKey('m/01890000-0000-7000-8000-000000000000/1-00000000');
    await required(archive.stores, 'r3').put(stray, new Uint8Array(300));
    await expect(archive.run((ctx) => removeKey(ctx, old, {}), { clock: LATER })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(stray) as string,
    });
    await archive.remove();
  });
});

describe('a wrong key', () => {
  it('is told as that, and never as damage that a repair would begin with', async () => {
    const archive = await rested.copy();
    const right = archive.keyring;
    const other = generateKeyring({ random: systemRandom, clock: systemClock });
    archive.keyring = { ...other, archiveId: right.archiveId };
    const report = await archive.run((ctx) => rotateKeys(ctx, {}));
    expect(new Set(report.failures.map(({ code }) => code))).toEqual(new Set(['WRONG_KEY']));
    expect(await archive.run((ctx) => ctx.index.exceptions())).toEqual([]);
    archive.keyring = { ...right, keys: [...right.keys, currentKek(archive.keyring)] };
    await archive.expectWhole();
    await archive.remove();
  });
});

describe('an archive of the other cipher suite', () => {
  it('is kept, rotated and given back alike, and refused as what it is where the configuration does not open it', async () => {
    const sm4 = await RestingArchive.create({ seal: 2, open: [2] });
    try {
      await sm4.expectWhole();
      const report = await sm4.run((ctx) => rotateKeys(ctx, {}));
      expect(report).toMatchObject({ rewrapped: 4, removed: 12, failures: [], unavailable: [] });
      await sm4.run(expectConverged, { clock: LATER });
      await sm4.expectWhole();
      sm4.keyring = { ...sm4.keyring, suites: { seal: 1, open: [1] } };
      const refused = await sm4.run(async (ctx) => ({
        ...(await rotateKeys(ctx, {})),
        noted: await ctx.index.exceptions(),
      }));
      expect(refused.noted).toEqual([]);
      expect(new Set(refused.failures.map(({ code }) => code))).toEqual(new Set(['SUITE_REFUSED']));
      await expect(sm4.expectWhole()).rejects.toMatchObject({ code: 'SUITE_REFUSED' });
    } finally {
      await sm4.destroy();
    }
  });
});
