// Single faults by the thousand: an archive on three memory replicas, in each round of which every object is damaged on one of them, in one
// way. A deep scrub must name exactly those, a repair must put back exactly the bytes that were there.
import { expect } from 'vitest';
import { phantomStudies } from '../../dicom/phantom/phantom.js';
import { MemoryObjectStore } from '../../tiering/cold/memory/memory-object-store.js';
import type { ObjectStore } from '../../tiering/cold/object-store.js';
import type { ObjectKey } from '../../tiering/core/ids.js';
import { ArchiveRig, type RigOptions, storeBytes } from './archive-rig.js';
import { flipped, generator } from './chaos-proxy.js';
import { scopeOf } from './removal-rig.js';

const REPLICAS = ['r1', 'r2', 'r3'] as const;

const FAULTS = ['flip', 'cut', 'longer', 'swapped', 'stale', 'missing'] as const;
type FaultKind = (typeof FAULTS)[number];

export interface FaultCount {
  readonly injected: number;
  readonly light: number;
}

type Objects = ReadonlyMap<ObjectKey, Uint8Array>;

/** An archive on three memory replicas, and the replicas themselves. Nothing moves in it by itself. */
export async function memoryRig(
  options: RigOptions = {},
): Promise<{ rig: ArchiveRig; stores: readonly ObjectStore[] }> {
  const stores = new Map<string, ObjectStore>(REPLICAS.map((name) => [name, new MemoryObjectStore()]));
  const rig = await ArchiveRig.create({
    replicas: REPLICAS,
    ...options,
    policy: { moverIntervalMs: 3_600_000, ...options.policy },
    store: async (name) => stores.get(name) ?? expect.fail(name),
  });
  await rig.open();
  return { rig, stores: [...stores.values()] };
}

/** What lies on a replica, but for its config and README. */
export async function objectsOf(store: ObjectStore): Promise<Map<ObjectKey, Uint8Array>> {
  const objects = new Map<ObjectKey, Uint8Array>();
  for await (const { key } of store.list('')) if (key.includes('/')) objects.set(key, await store.get(key));
  return objects;
}

/** Injects so many faults and expects all to be found and mended. Resolves with how many of each kind a light scrub would have found. */
export async function injectFaults(options: {
  readonly seed: number;
  readonly faults: number;
}): Promise<ReadonlyMap<FaultKind, FaultCount>> {
  const random = generator(options.seed);
  const { rig, stores } = await memoryRig();
  const counts = new Map(FAULTS.map((kind) => [kind, { injected: 0, light: 0 }]));
  try {
    const stale = await fill(rig, stores);
    const whole = await objectsOf(stores[0] ?? expect.fail());
    for (let left = options.faults; left > 0; ) {
      const injected = new Map<string, FaultKind>();
      for (const [key, bytes] of whole) {
        if (left === 0) break;
        const at = Math.floor(random() * stores.length);
        const { kind, body } = draw(random, key, bytes, whole, stale);
        const store = stores[at] ?? expect.fail();
        if (body === null) await store.delete(key);
        else await store.put(key, body);
        injected.set(`${REPLICAS[at]} ${key}`, kind);
        left -= 1;
      }
      const what = `seed ${options.seed}, ${left} faults before the end`;
      // Light first: it must not take what it does not find for good.
      const light = new Set((await rig.archive.scrub()).findings.map(({ where, item }) => `${where} ${item}`));
      const deep = (await rig.archive.scrub({ deep: true })).findings.map(({ where, item }) => `${where} ${item}`);
      // Of a delete the light scrub has noted already that it must be told again.
      const found = new Set([...deep, ...[...light].filter((name) => name.includes(' t/'))]);
      expect([...found].sort(), what).toEqual([...injected.keys()].sort());
      for (const [name, kind] of injected) {
        const count = counts.get(kind) ?? expect.fail();
        count.injected += 1;
        if (light.has(name)) count.light += 1;
      }
      expect(await rig.archive.repair(), what).toMatchObject({ failures: [] });
      for (const store of stores) expectSame(await objectsOf(store), whole, what);
    }
    expect(await rig.archive.scrub({ deep: true })).toMatchObject({ findings: [], unavailable: [] });
    return counts;
  } finally {
    await rig.destroy();
  }
}

/** Many small packs, a delete, and manifests of a second generation. Resolves with the bytes of the first. */
async function fill(rig: ArchiveRig, stores: readonly ObjectStore[]): Promise<ReadonlyMap<string, Uint8Array>> {
  const phantoms = [...phantomStudies({ seed: 5, studies: 15, slices: 2, shrink: 32 })];
  for (const { bytes } of phantoms) expect(await storeBytes(rig.archive, bytes)).toMatchObject({ status: 'stored' });
  expect(await rig.archive.migrate({ all: true })).toMatchObject({ failures: [] });
  for (const phantom of phantoms.slice(0, 1)) await rig.archive.remove(scopeOf(phantom));
  const stale = new Map<string, Uint8Array>();
  for (const store of stores) {
    for await (const { key } of store.list('m/')) {
      stale.set(packOf(key), await store.get(key));
      await store.delete(key);
    }
  }
  await rig.archive.scrub();
  expect(await rig.archive.repair()).toMatchObject({ failures: [] });
  return stale;
}

const packOf = (key: string) => key.split('/')[1] ?? '';

function draw(
  random: () => number,
  key: ObjectKey,
  bytes: Uint8Array,
  whole: Objects,
  stale: ReadonlyMap<string, Uint8Array>,
): { readonly kind: FaultKind; readonly body: Uint8Array | null } {
  const share = random();
  const place = Math.floor(random() * bytes.length);
  if (share < 0.5) return { kind: 'flip', body: flipped(bytes, place, Math.floor(random() * 8)) };
  if (share < 0.62) return { kind: 'cut', body: bytes.subarray(0, place) };
  if (share < 0.74) return { kind: 'longer', body: Buffer.concat([bytes, bytes.subarray(0, 1 + (place % 100))]) };
  const old = key.startsWith('m/') ? stale.get(packOf(key)) : undefined;
  if (share < 0.82 && old !== undefined) return { kind: 'stale', body: old };
  const like = [...whole.keys()].filter((other) => other !== key && other[0] === key[0]);
  const other = like[Math.floor(random() * like.length)];
  if (share < 0.9 && other !== undefined) return { kind: 'swapped', body: whole.get(other) ?? null };
  return { kind: 'missing', body: null };
}

function expectSame(held: Objects, whole: Objects, what: string): void {
  expect([...held.keys()].sort(), what).toEqual([...whole.keys()].sort());
  for (const [key, bytes] of whole)
    expect(Buffer.compare(held.get(key) ?? Buffer.alloc(0), bytes), `${what}: ${key}`).toBe(0);
}
