// Replicas that come and go: filled from others without a key, drained with proof, erased; killed at every single write and gone on with.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultyObjectStore } from '../../../test/support/faulty-object-store.js';
import { LIVE, RestingArchive, required } from '../../../test/support/keys-rig.js';
import { Mortality } from '../../../test/support/mortal.js';
import { MemoryObjectStore } from '../../cold/memory/memory-object-store.js';
import type { ObjectStore } from '../../cold/object-store.js';
import { systemClock, systemRandom } from '../../core/clock.js';
import { parseObjectKey, parseReplicaName, type ReplicaName } from '../../core/ids.js';
import { forEachLimited } from '../../core/queues.js';
import { generateKeyring } from '../../format/keyring.js';
import { encodeConfig, parseChunkName } from '../../format/names.js';
import type { ArchiveContext } from '../context.js';
import { Pace } from '../pacing/pace.js';
import { scrub } from '../recovery/scrub.js';
import { drainReplica } from './drain.js';
import { addReplica, goOnFilling } from './fill.js';

const [R1, R2, R3, R4] = ['r1', 'r2', 'r3', 'r4'].map((name) => parseReplicaName(name)) as [
  ReplicaName,
  ReplicaName,
  ReplicaName,
  ReplicaName,
];
const PACKS = 3;

/** Three studies on r1 and r2; r3 is a replica that was made and holds nothing. */
let rested: RestingArchive;
beforeAll(async () => {
  rested = await RestingArchive.create();
  await rested.run(async (ctx) => {
    const store = ctx.replicas.store(R3);
    for await (const { key } of store.list('')) if (/^[cmt]\//.test(key)) await store.delete(key);
    for await (const { id } of ctx.index.packs({})) await ctx.index.removePlacement(id, R3);
    for await (const { name } of ctx.index.tombstones({})) await ctx.index.removeTombstonePlacement(name, R3);
  });
}, 60_000);
afterAll(async () => rested.destroy());

/** A write that was not done leaves what the one before it left when it was the last: only before the first is it another state. */
function deathsOf(points: number): readonly { readonly at: number; readonly undone: boolean }[] {
  const done = Array.from({ length: points }, (_, n) => ({ at: n + 1, undone: false }));
  return [{ at: 1, undone: true }, ...done];
}

async function keysOf(archive: RestingArchive, name: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of required(archive.stores, name).list('')) keys.push(key);
  return keys;
}

async function placedOn(ctx: ArchiveContext, name: ReplicaName): Promise<number> {
  let packs = 0;
  for await (const _ of ctx.index.packs({ placedOn: name })) packs += 1;
  for await (const { replicas } of ctx.index.tombstones({})) if (replicas.includes(name)) packs += 1;
  return packs;
}

async function expectFilled(archive: RestingArchive, name: ReplicaName): Promise<void> {
  await archive.run(async (ctx) => {
    expect(await placedOn(ctx, name)).toBe(PACKS + 1);
    expect(ctx.fleet.of(name)).toEqual({ state: 'member' });
    expect((await ctx.index.status(ctx.replicas.rule.data)).debt.get(name)).toMatchObject({ packs: 0, bytes: 0 });
  });
  expect(await keysOf(archive, name)).toEqual(await keysOf(archive, R1));
  await archive.expectWhole(archive.keyring, [name]);
}

/** Nothing depends on it, nothing of it is left, and the others hold everything. */
async function expectGone(archive: RestingArchive, name: ReplicaName): Promise<void> {
  await archive.run(async (ctx) => {
    expect(ctx.replicas.names).not.toContain(name);
    expect(await placedOn(ctx, name)).toBe(0);
    const status = await ctx.index.status(ctx.replicas.rule.data);
    expect(status).toMatchObject({ unprotected: { instances: 0 }, deletes: { pending: 0, owed: 0 } });
    for (const debt of status.debt.values()) expect(debt.packs).toBe(0);
  });
  await archive.expectWhole(archive.keyring, [R3]);
}

describe('addReplica', () => {
  it('makes an empty store a replica and brings it everything, from replica to replica, without a key that opens anything', async () => {
    const archive = await rested.copy();
    archive.stores.set(R4, new MemoryObjectStore());
    const right = archive.keyring;
    const other = generateKeyring({ random: systemRandom, clock: systemClock });
    archive.keyring = { ...other, suites: right.suites, archiveId: right.archiveId };
    const steps: string[] = [];
    const report = await archive.run((ctx) =>
      addReplica(ctx, R4, { onProgress: ({ packsDone, packsTotal }) => steps.push(`${packsDone}/${packsTotal}`) }),
    );
    expect(report).toMatchObject({ replica: R4, packs: PACKS, deletes: 1, failures: [] });
    expect(steps.at(-1)).toBe('3/3');
    archive.keyring = right;
    await expectFilled(archive, R4);
    expect(await archive.run((ctx) => addReplica(ctx, R4, {}))).toMatchObject({ packs: 0, deletes: 0, failures: [] });
    await archive.remove();
  });

  it('killed at any write is taken to its end by the next call', async () => {
    const life = new Mortality();
    const reference = await rested.copy();
    await reference.run((ctx) => addReplica(ctx, R3, {}), { life });
    await expectFilled(reference, R3);
    await reference.remove();
    const points = life.writes.length;
    expect(points).toBeGreaterThan(12);
    await forEachLimited(deathsOf(points), 4, async ({ at, undone }) => {
      const archive = await rested.copy();
      const killed = await archive
        .run((ctx) => addReplica(ctx, R3, {}), { life: new Mortality(at, undone) })
        .then(
          ({ failures }) => failures.length > 0,
          () => true,
        );
      expect(killed, `write ${at} is reached`).toBe(true);
      await archive.expectWhole(archive.keyring, [R1, R2]);
      expect(await archive.run((ctx) => addReplica(ctx, R3, {}))).toMatchObject({ failures: [] });
      await expectFilled(archive, R3);
      await archive.remove();
    });
  }, 300_000);

  it('keeps to its rate, and to the same one when it is gone on with', async () => {
    const archive = await rested.copy();
    let sleptMs = 0;
    const clock = {
      ...systemClock,
      sleep: (ms: number) => {
        sleptMs += ms;
        return Promise.resolve();
      },
    };
    const { bytes } = await archive.run((ctx) => addReplica(ctx, R3, { bytesPerSecond: 1000 }), { clock });
    expect(bytes).toBeGreaterThan(100_000);
    expect(sleptMs).toBeGreaterThan(0.5 * bytes);
    await archive.run(async (ctx) => {
      await ctx.fleet.set(R3, { state: 'filling', bytesPerSecond: 1000 });
    });
    await archive.run((ctx) => {
      expect(ctx.fleet.of(R3)).toEqual({ state: 'filling', bytesPerSecond: 1000 });
      return Promise.resolve();
    });
    await archive.remove();
  });

  it('is gone on with in the background after a restart, at the rate that was asked for', async () => {
    const archive = await rested.copy();
    await archive.run((ctx) => ctx.fleet.set(R3, { state: 'filling', bytesPerSecond: 100_000_000 }));
    await archive.run(async (ctx) => {
      expect(ctx.fleet.isFilling(R3)).toBe(true);
      await goOnFilling(ctx, new Pace(ctx.clock, () => false), new AbortController().signal);
    });
    await expectFilled(archive, R3);
    await archive.remove();
  });

  it('refuses what is not configured, what is not empty and nobody knows whose, and another archive', async () => {
    const archive = await rested.copy();
    await expect(archive.run((ctx) => addReplica(ctx, R4, {}))).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('r1, r2, r3') as string,
    });
    const strange = new MemoryObjectStore();
    await strange.put(parseObjectKey('letter.txt'), Buffer.from('hello'));
    archive.stores.set(R4, strange);
    await expect(archive.run((ctx) => addReplica(ctx, R4, {}))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const foreign = new MemoryObjectStore();
    const archiveId = '6f1c9a1e-0000-4000-8000-000000000001';
    await foreign.put(
      parseObjectKey('config'),
      encodeConfig({ formatVersion: 1, archiveId, ownerEpoch: 1, generation: 0, suites: [1] }),
    );
    archive.stores.set(R4, foreign);
    await expect(archive.run((ctx) => addReplica(ctx, R4, {}))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('another archive') as string,
    });
    await archive.remove();
  });

  it('takes the good copy where one is damaged, and notes the damage for repair', async () => {
    const archive = await rested.copy();
    const store = required(archive.stores, R1);
    const chunk = (await keysOf(archive, R1)).find((key) => parseChunkName(key) !== undefined) ?? '';
    await store.put(parseObjectKey(chunk), Buffer.from('not what it was'));
    const noted = await archive.run(async (ctx) => {
      expect(await addReplica(ctx, R3, {})).toMatchObject({ packs: PACKS, failures: [] });
      return ctx.index.exceptions();
    });
    await archive.expectWhole(archive.keyring, [R3]);
    for (const one of noted) expect(one).toMatchObject({ replica: R1, fault: 'corrupt' });
    await archive.remove();
  });
});

describe('scrub', () => {
  it('extends the lock of everything that is wanted, in a store that locks', async () => {
    const archive = await rested.copy();
    const renewed: string[] = [];
    const wrap = (name: string, store: ObjectStore) =>
      name === R2
        ? new Proxy(store, {
            get: (target, key) => {
              if (key === 'renew') return (one: string) => Promise.resolve(renewed.push(one) > 0);
              const value = Reflect.get(target, key) as unknown;
              return typeof value === 'function' ? (value.bind(target) as unknown) : value;
            },
          })
        : store;
    for (const deep of [false, true]) {
      renewed.length = 0;
      await archive.run((ctx) => scrub(ctx, { deep }), { wrap });
      expect(renewed.sort()).toEqual([...(await keysOf(archive, R2))].sort());
    }
    await archive.remove();
  });
});

describe('drainReplica', () => {
  it('brings to others what they lack, and then counts on it for nothing; with erase nothing of it is left', async () => {
    const archive = await rested.copy();
    const plan = await archive.run((ctx) => drainReplica(ctx, R1, { plan: true }));
    expect(plan).toMatchObject({ packs: PACKS, moved: PACKS, erased: 0, failures: [] });
    await archive.run((ctx) => {
      expect(ctx.fleet.of(R1).state).not.toBe('draining');
      return Promise.resolve();
    });
    expect(await archive.run((ctx) => drainReplica(ctx, R1, {}))).toMatchObject({
      packs: PACKS,
      moved: PACKS,
      deletes: 1,
      erased: 0,
      failures: [],
    });
    const before = await keysOf(archive, R1);
    expect(before).toHaveLength(2 * PACKS + 3);
    await archive.run(async (ctx) => {
      expect(ctx.fleet.of(R1)).toEqual({ state: 'drained' });
      expect(ctx.replicas.targets).toEqual([R2, R3]);
      expect(await placedOn(ctx, R1)).toBe(0);
    });
    await required(archive.stores, R1).put(parseObjectKey('letter.txt'), Buffer.from('not ours'));
    const stray = parseObjectKey(`c/ab/${'ab'.repeat(32)}`);
    await required(archive.stores, R1).put(stray, Buffer.from('nor this'));
    expect(await archive.run((ctx) => drainReplica(ctx, R1, { erase: true }))).toMatchObject({
      packs: 0,
      erased: before.length,
      left: 2,
      failures: [],
    });
    expect(await keysOf(archive, R1)).toEqual([stray, 'letter.txt']);
    await expectGone(archive, R1);
    await expect(archive.run((ctx) => addReplica(ctx, R1, {}))).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('another name') as string,
    });
    await archive.remove();
  });

  it('killed at any write loses nothing and is taken to its end by the next call', async () => {
    const life = new Mortality();
    const reference = await rested.copy();
    await reference.run((ctx) => drainReplica(ctx, R1, { erase: true }), { life });
    await expectGone(reference, R1);
    await reference.remove();
    const points = life.writes.length;
    expect(points).toBeGreaterThan(30);
    await forEachLimited(deathsOf(points), 4, async ({ at, undone }) => {
      const archive = await rested.copy();
      const killed = await archive
        .run((ctx) => drainReplica(ctx, R1, { erase: true }), { life: new Mortality(at, undone) })
        .then(
          ({ failures }) => failures.length > 0,
          () => true,
        );
      expect(killed, `write ${at} is reached`).toBe(true);
      await archive.expectWhole(archive.keyring, [R2]);
      const again = await archive.run((ctx) => drainReplica(ctx, R1, { erase: true }));
      expect(again.failures).toEqual([]);
      await expectGone(archive, R1);
      for (const key of await keysOf(archive, R1)) expect(key).toBe('config');
      await archive.remove();
    });
  }, 300_000);

  it('counts failure domains, not copies alone: what lies in one is not protected, and its only neighbour cannot leave', async () => {
    const archive = await rested.copy();
    const domains = { least: 2, of: { r1: 'here', r2: 'here', r3: 'there' } };
    await archive.run(
      async (ctx) => {
        const unprotected = async () => (await ctx.index.status(ctx.replicas.rule.data)).unprotected.instances;
        expect(await unprotected()).toBe(LIVE.length);
        await addReplica(ctx, R3, {});
        expect(await unprotected()).toBe(0);
        await expect(drainReplica(ctx, R3, {})).rejects.toMatchObject({
          code: 'CONFLICT',
          message: expect.stringContaining('2 failure domains cannot be: the replicas lie in 1') as string,
        });
        expect(await drainReplica(ctx, R1, {})).toMatchObject({ packs: PACKS, failures: [] });
        expect(await unprotected()).toBe(0);
      },
      { domains },
    );
    await archive.remove();
  });

  it('refuses where the others could not hold enough', async () => {
    const archive = await rested.copy();
    await archive.run((ctx) => drainReplica(ctx, R1, {}));
    await expect(archive.run((ctx) => drainReplica(ctx, R2, { plan: true }))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/r2 cannot leave: a write quorum of 2 of 1 replicas.*Add another/) as string,
    });
    await archive.remove();
  });

  it('keeps counting on it while what is to take its place does not answer, and is undone by adding it again', async () => {
    const archive = await rested.copy();
    const wrap = (name: string, store: ConstructorParameters<typeof FaultyObjectStore>[0]) => {
      if (name !== R3) return store;
      const away = new FaultyObjectStore(store);
      away.fail({ code: 'UNAVAILABLE' });
      return away;
    };
    const report = await archive.run((ctx) => drainReplica(ctx, R1, { erase: true }), { wrap });
    expect(report).toMatchObject({ packs: 0, erased: 0 });
    expect(report.failures.map(({ code }) => code)).toEqual(Array.from({ length: PACKS + 1 }, () => 'UNAVAILABLE'));
    await archive.run(async (ctx) => {
      expect(ctx.fleet.of(R1)).toEqual({ state: 'draining' });
      expect(ctx.replicas.targets).toEqual([R2, R3]);
      expect(await placedOn(ctx, R1)).toBe(PACKS + 1);
      expect((await ctx.index.status(ctx.replicas.rule.data)).unprotected.instances).toBeGreaterThan(0);
      await addReplica(ctx, R1, {});
      expect(ctx.replicas.targets).toEqual([R1, R2, R3]);
      expect((await ctx.index.status(ctx.replicas.rule.data)).unprotected.instances).toBe(0);
    });
    await archive.remove();
  });
});
