// What a replica is owed while it comes and goes: real packs on a real volume, real directories as replicas, and a clock for the waits
// that the test turns by hand.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, storeBytes } from '../../../test/support/archive-rig.js';
import { FaultyObjectStore } from '../../../test/support/faulty-object-store.js';
import { createDirectoryStore } from '../../cold/directory/create-directory-store.js';
import type { ObjectStore } from '../../cold/object-store.js';
import { systemClock, systemRandom } from '../../core/clock.js';
import { ArchiveError } from '../../core/errors.js';
import type { ArchiveContext } from '../context.js';
import { Pace } from '../pacing/pace.js';
import { Retries } from '../pacing/retries.js';
import { protectDue } from './protect-due.js';

const ALL = [...phantomStudies({ seed: 77, studies: 4, slices: 1, shrink: 16 })];
/** One of each study, so that each is a pack. */
const PHANTOMS = ALL.filter(({ study }, at) => ALL.findIndex((one) => one.study === study) === at);
const isChunk = (key: string) => key.startsWith('c/');

let rig: ArchiveRig;
let r1: FaultyObjectStore;
let ctx: ArchiveContext;
let retries: Retries;
let nowMs = 0;

beforeEach(async () => {
  const store = (name: string) => {
    const root = rig.path(name);
    const inner = createDirectoryStore({ root, create: true, clock: systemClock, random: systemRandom });
    if (name !== 'r1') return Promise.resolve<ObjectStore>(inner);
    r1 = new FaultyObjectStore(inner);
    return Promise.resolve<ObjectStore>(r1);
  };
  rig = await ArchiveRig.create({ writeQuorum: 1, store });
  await rig.open();
  r1.fail({ code: 'UNAVAILABLE', methods: ['put'], keys: isChunk });
  // One after the other: each pack is older than the next.
  for (const { bytes } of PHANTOMS) {
    await storeBytes(rig.archive, bytes);
    await rig.archive.migrate({ all: true }, { keepHot: true });
  }
  await rig.close();
  ctx = await rig.context({ policy: { protectAfterMs: -1_000 } });
  nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  retries = new Retries(clock, () => ctx.replicas.standbys());
});
afterEach(() => rig.destroy());

/** One round of the mover. Resolves with the packs whose chunks were tried on r1, in order. */
async function round(): Promise<readonly string[]> {
  r1.calls.length = 0;
  await protectDue(ctx, retries, {
    signal: new AbortController().signal,
    pace: new Pace(systemClock, () => false),
  });
  const names = r1.calls.flatMap(({ method, key }) => (method === 'put' && isChunk(key) ? [key] : []));
  const packs = await packsByAge();
  return names.map((name) => packs.find(({ chunks }) => chunks.includes(name))?.id ?? 'of no pack');
}

async function packsByAge() {
  const packs: { readonly id: string; readonly createdMs: number; readonly chunks: readonly string[] }[] = [];
  for await (const { id, createdMs, seal } of ctx.index.packs({ kind: 'pack' })) {
    packs.push({ id, createdMs, chunks: seal?.chunks.flatMap(({ name }) => (name === null ? [] : [name])) ?? [] });
  }
  return packs.toSorted((a, b) => a.createdMs - b.createdMs);
}

/** The replica is away, and seen to be, until `back`. */
async function away(): Promise<void> {
  r1.fail({ code: 'UNAVAILABLE' });
  await ctx.replicas.probe();
}

async function back(fault?: Parameters<FaultyObjectStore['fail']>[0]): Promise<void> {
  if (fault === undefined) r1.heal();
  else r1.fail(fault);
  await ctx.replicas.probe();
}

it('is paid at once when it is back, oldest first, however long each pack would have had to wait', async () => {
  const ids = (await packsByAge()).map(({ id }) => id);
  expect(ids).toHaveLength(4);
  r1.fail({ code: 'UNAVAILABLE', methods: ['put'], keys: isChunk });
  await back({ code: 'UNAVAILABLE', methods: ['put'], keys: isChunk });
  // It comes and goes, and takes nothing: each time one or two are tried, until they would wait for minutes.
  for (let flap = 0; flap < 8; flap += 1) {
    expect((await round()).length).toBeGreaterThan(0);
    await away();
    await back({ code: 'UNAVAILABLE', methods: ['put'], keys: isChunk });
  }
  await away();
  expect(await round(), 'nothing is tried while it is away').toEqual([]);
  await back();
  expect(await round()).toEqual(ids);
  for (const { id } of await packsByAge()) {
    const record = await ctx.catalog.fresh(id as Parameters<typeof ctx.catalog.fresh>[0]);
    expect(record.placements.map(({ replica }) => replica)).toEqual(['r1', 'r2']);
  }
});

it('one that answers and takes nothing is tried by one pack in half a minute, and the first that gets through makes way for all', async () => {
  const ids = (await packsByAge()).map(({ id }) => id);
  await back({ code: 'UNAVAILABLE', methods: ['put'], keys: isChunk });
  for (let second = 0; second < 300; second += 5) {
    await round();
    await ctx.replicas.probe();
    nowMs += 5_000;
  }
  // Every pack has failed by now. No herd: in five minutes ten tries by the oldest, and each one's own.
  const tries: (readonly string[])[] = [];
  for (let second = 0; second < 300; second += 5) {
    tries.push(await round());
    await ctx.replicas.probe();
    nowMs += 5_000;
  }
  expect(tries.flat().length).toBeGreaterThan(0);
  expect(tries.flat().length).toBeLessThanOrEqual(20);
  r1.heal();
  const paid: string[] = [];
  for (let second = 0; second < 35 && paid.length < ids.length; second += 5) {
    paid.push(...(await round()));
    nowMs += 5_000;
  }
  expect(paid.toSorted()).toEqual(ids.toSorted());
});

it('a pack that fails by its own fault keeps its wait when the replica is back', async () => {
  const [bad, ...good] = await packsByAge();
  const record = await ctx.catalog.fresh(bad?.id as Parameters<typeof ctx.catalog.fresh>[0]);
  await away();
  for (let n = 0; n < 9; n += 1) retries.failed(record.id, new ArchiveError('CORRUPT', 'its hot copy is damaged'));
  await back();
  expect(await round()).toEqual(good.map(({ id }) => id));
  nowMs += 600_000;
  expect(await round()).toEqual([record.id]);
});
