// A leaked key: every pack under another DEK on every replica, killed at every single write, with never fewer proven copies than before.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyObjectStore } from '../../../test/support/faulty-object-store.js';
import { RestingArchive } from '../../../test/support/keys-rig.js';
import { Mortality } from '../../../test/support/mortal.js';
import type { ObjectStore } from '../../cold/object-store.js';
import { systemClock } from '../../core/clock.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import { forEachLimited } from '../../core/queues.js';
import { readManifestClear } from '../../format/manifest.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { readPackWhole } from '../reading/pack-reader.js';
import { collectGarbage } from '../recovery/garbage.js';
import { scrub } from '../recovery/scrub.js';
import { countKeys } from './count-keys.js';
import { removeKey } from './remove-key.js';
import { rotateKeys } from './rotate.js';

const DAYS_MS = 3 * 86_400_000;
const LATER = { ...systemClock, nowMs: () => systemClock.nowMs() + DAYS_MS };
const PACKS = 3;

let rested: RestingArchive;
beforeAll(async () => {
  rested = await RestingArchive.create();
}, 60_000);
afterAll(async () => rested.destroy());

/** Those that replicas hold: a tray on a volume that is not here is among the others. */
async function sealedPacks(ctx: ArchiveContext): Promise<readonly PackRecord[]> {
  const records: PackRecord[] = [];
  for await (const record of ctx.index.packs({})) if (record.seal !== null) records.push(record);
  return records;
}

/** `<replica> <name>` of all objects that begin so. */
async function namesOf(archive: RestingArchive, prefix: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const [replica, store] of archive.stores) {
    for await (const { key } of store.list(prefix)) names.push(`${replica} ${key}`);
  }
  return names;
}

/** Every DEK id that some manifest of some replica names. */
async function deksOf(archive: RestingArchive): Promise<ReadonlySet<string>> {
  const deks = new Set<string>();
  for (const store of archive.stores.values()) {
    for await (const { key } of store.list('m/')) {
      deks.add(Buffer.from(readManifestClear(await store.get(key)).dekId).toString('hex'));
    }
  }
  return deks;
}

/** These replicas do not answer. */
function without(...names: readonly string[]) {
  return (name: string, store: ObjectStore): ObjectStore => {
    if (!names.includes(name)) return store;
    const faulty = new FaultyObjectStore(store);
    faulty.fail({ code: 'UNAVAILABLE' });
    return faulty;
  };
}

const reseal = (ctx: ArchiveContext) => rotateKeys(ctx, { reseal: true });

/** What it is to be a day later, by a clock that is then: nothing of the old is left, nothing unknown or lacking, and the old key goes. */
async function expectSettled(ctx: ArchiveContext): Promise<void> {
  const { unreadable, unavailable, objects } = await countKeys(ctx, {});
  expect({ unreadable, unavailable, objects }).toEqual({ unreadable: [], unavailable: [], objects: 12 });
  for (const { id } of ctx.keyring.keys.filter((one) => one.id !== ctx.keyring.current)) await removeKey(ctx, id, {});
  expect(ctx.keyring.keys).toHaveLength(1);
  expect([...(await collectGarbage(ctx)).failed]).toEqual([]);
  expect((await scrub(ctx, { deep: true })).findings).toEqual([]);
  for (const { placements } of await sealedPacks(ctx)) expect(placements).toHaveLength(3);
}

/** No DEK and no chunk that was there when the key leaked is on any replica, and all of the archive is on each. */
async function expectClean(
  archive: RestingArchive,
  leaked: ReadonlySet<string>,
  chunks: readonly string[],
): Promise<void> {
  const now = await deksOf(archive);
  expect(now.size).toBe(PACKS);
  expect([...now].filter((dek) => leaked.has(dek))).toEqual([]);
  const left = await namesOf(archive, 'c/');
  expect(left).toHaveLength(3 * PACKS);
  expect(left.filter((name) => chunks.includes(name))).toEqual([]);
  await archive.expectWhole();
}

/** Of each pack, at least the write quorum of replicas has what the index says, to the byte. */
async function expectQuorum(ctx: ArchiveContext): Promise<void> {
  for (const { manifest, seal, placements } of await sealedPacks(ctx)) {
    const names = [manifest?.name, ...(seal?.chunks ?? []).map(({ name }) => name)].filter((name) => name != null);
    const whole = await Promise.all(
      placements.map(async ({ replica }) => {
        for (const name of names) await ctx.replicas.store(replica).get(name);
        return replica;
      }),
    );
    expect(whole.length).toBeGreaterThanOrEqual(2);
  }
}

async function dieAndRecover(at: number): Promise<void> {
  const archive = await rested.copy();
  const [leaked, chunks] = [await deksOf(archive), await namesOf(archive, 'c/')];
  const life = new Mortality(at, true);
  const killed = await archive.run(reseal, { life }).then(
    ({ failures }) => failures.length > 0,
    () => true,
  );
  const after = `before ${life.writes.at(-1)} (${at})`;
  expect(killed, after).toBe(true);
  await archive.expectWhole();
  let aheadMs = 0;
  await archive.run(
    async (ctx) => {
      await expectQuorum(ctx);
      expect(await reseal(ctx), after).toMatchObject({ failures: [], unavailable: [] });
      aheadMs = DAYS_MS;
      await expectSettled(ctx);
    },
    { clock: { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs } },
  );
  await expectClean(archive, leaked, chunks);
  await archive.remove();
}

describe('rotateKeys with reseal', () => {
  it('brings every pack under a DEK that the old key never wrapped, and lets the old chunks go a day later', async () => {
    const archive = await rested.copy();
    const [leaked, chunks] = [await deksOf(archive), await namesOf(archive, 'c/')];
    const report = await archive.run(reseal);
    expect(report).toMatchObject({
      resumed: false,
      packs: PACKS,
      resealed: PACKS,
      rewrapped: 4,
      removed: 12,
      failures: [],
    });
    expect(report.bytes).toBeGreaterThan(0);
    // Whoever reads on with what was known before finds it.
    expect(await namesOf(archive, 'c/')).toEqual(expect.arrayContaining([...chunks]));
    await archive.expectWhole();
    await archive.run(expectSettled, { clock: LATER });
    await expectClean(archive, leaked, chunks);
    await archive.remove();
  });

  it('killed before any write loses no copy and is taken to its end by the next call', async () => {
    const whole = new Mortality();
    const reference = await rested.copy();
    await reference.run(reseal, { life: whole });
    await reference.remove();
    // The first pack's and the beginning of the second's: the others go the same way.
    const first = whole.writes.findIndex((what) => what.startsWith('put c/'));
    const second = whole.writes.findIndex((what, at) => at > first + 4 && what.startsWith('put c/'));
    expect(second).toBeGreaterThan(first);
    // Killed after one write is killed before the next.
    const points = Array.from({ length: second + 1 }, (_, n) => n + 1);
    await forEachLimited(points, 4, dieAndRecover);
  }, 300_000);

  it('is not disturbed by, and does not disturb, one who read the pack’s record before', async () => {
    const archive = await rested.copy();
    await archive.run(async (ctx) => {
      const before = await sealedPacks(ctx);
      const read = (id: (typeof before)[number]['id'], bytes: number) =>
        readPackWhole(ctx, id, 0, Math.min(bytes, CHUNK_BYTES));
      const bytes = await Promise.all(before.map(({ id, bytes: length }) => read(id, length)));
      const reading = (async () => {
        const seen: Uint8Array[][] = [];
        for (let pass = 0; pass < 10; pass += 1)
          seen.push(await Promise.all(before.map(({ id, bytes: length }) => read(id, length))));
        return seen;
      })();
      expect(await reseal(ctx)).toMatchObject({ failures: [] });
      for (const pass of await reading)
        expect(pass.map((one) => Buffer.compare(one, bytes[pass.indexOf(one)] ?? one))).toEqual(pass.map(() => 0));
    });
    await archive.remove();
  });

  it('is found by a reader whose chunks are gone already: it asks the index again', async () => {
    const archive = await rested.copy();
    await archive.run(async (ctx) => {
      const held = new Map<string, PackRecord>((await sealedPacks(ctx)).map((record) => [record.id, record]));
      expect(await reseal(ctx)).toMatchObject({ failures: [] });
      for (const { seal } of held.values()) {
        for (const { name } of seal?.chunks ?? []) {
          for (const store of archive.stores.values()) if (name !== null) await store.delete(name);
        }
      }
      const catalog = new Proxy(ctx.catalog, {
        get: (target, key) => {
          if (key === 'find') return (id: string) => Promise.resolve(held.get(id));
          const value = Reflect.get(target, key) as unknown;
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
      for (const { id } of held.values())
        expect(await readPackWhole({ ...ctx, catalog }, id, 0, 100)).toHaveLength(100);
    });
    await archive.remove();
  });
});

describe('a replica that is away while packs are sealed anew', () => {
  it('keeps what it has, and the old key is kept, until it is back and has the new', async () => {
    const archive = await rested.copy();
    const [leaked, chunks] = [await deksOf(archive), await namesOf(archive, 'c/')];
    const before = (await namesOf(archive, '')).filter((name) => name.startsWith('r3'));
    const old = archive.keyring.current;
    const away = { wrap: without('r3') };
    const report = await archive.run(reseal, away);
    expect(report).toMatchObject({ resealed: PACKS, removed: 0, unavailable: ['r3'], failures: [] });
    await archive.run((ctx) => collectGarbage(ctx), { ...away, clock: LATER });
    expect((await namesOf(archive, '')).filter((name) => name.startsWith('r3'))).toEqual(before);
    await archive.expectWhole();
    // Nothing else about keys comes between.
    await expect(archive.run((ctx) => rotateKeys(ctx, {}))).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(archive.run((ctx) => removeKey(ctx, old, {}), { clock: LATER })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    const resumed = await archive.run((ctx) => rotateKeys(ctx, { resume: true }));
    expect(resumed).toMatchObject({ resumed: true, resealed: 0, failures: [], unavailable: [] });
    await archive.run(expectSettled, { clock: LATER });
    await expectClean(archive, leaked, chunks);
    await expect(archive.run((ctx) => rotateKeys(ctx, { resume: true, reseal: true }))).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await archive.remove();
  });

  it('with too few left: the packs stay as they are, and say so', async () => {
    const archive = await rested.copy();
    const chunks = await namesOf(archive, 'c/');
    const report = await archive.run(reseal, {
      wrap: without('r2', 'r3'),
    });
    expect(report).toMatchObject({ resealed: 0, removed: 0 });
    expect(report.failures.filter(({ code }) => code === 'UNAVAILABLE').length).toBeGreaterThanOrEqual(PACKS);
    expect(await namesOf(archive, 'c/')).toEqual(chunks);
    await archive.expectWhole();
    await archive.remove();
  });
});
