// The nemesis: what goes wrong with the parts that the archive stands on, within what it promises to bear. Of an object at most one replica's copy is
// harmed for good, of a file only what is protected, and the index and a disk are only taken when something else has all of it.
import { type ObjectKey, parsePackId } from '../../../tiering/core/ids.js';
import type { PackRecord } from '../../../tiering/index/index.js';
import type { Step } from './plan.js';
import type { World } from './world.js';

const HARMS = [
  ...(['disk', 'cloud', 'index', 'threads', 'harm-object', 'harm-file'] as const),
  ...(['lose-index', 'replace-disk'] as const),
];

export type Harm = Extract<Step, { readonly do: (typeof HARMS)[number] }>;

export function isHarm(step: Step): step is Harm {
  return (HARMS as readonly string[]).includes(step.do);
}

/** Resolves with whether there was anything to harm. */
export async function harm(world: World, step: Harm): Promise<boolean> {
  switch (step.do) {
    case 'disk': {
      const disk = world.disks[step.at % world.disks.length];
      if (disk === undefined) return false;
      disk.fault = step.fault;
      world.time.at(step.ms, () => {
        if (disk.fault === step.fault) disk.fault = null;
      });
      return true;
    }
    case 'cloud': {
      // Only one of them tells lies: two that do are more than any two copies bear.
      const cloud = step.fault === 'lying' ? world.clouds[0] : world.clouds[step.at % world.clouds.length];
      if (cloud === undefined) return false;
      cloud.fault = step.fault;
      world.time.at(step.ms, () => {
        if (cloud.fault === step.fault) cloud.fault = null;
      });
      return true;
    }
    case 'index':
      world.index.fault = step.fault;
      world.time.at(step.ms, () => {
        world.index.fault = null;
      });
      return true;
    case 'threads':
      world.threadsDie = true;
      world.time.at(step.ms, () => {
        world.threadsDie = false;
      });
      return true;
    case 'harm-object':
      return harmObject(world, step.way, step.pick);
    case 'harm-file':
      return harmFile(world, step.pick);
    case 'lose-index':
      return loseIndex(world);
    case 'replace-disk':
      return replaceDisk(world, step.at);
  }
}

/** Always of the first replica. */
async function harmObject(world: World, way: 'lose' | 'flip', pick: number): Promise<boolean> {
  const cloud = world.clouds[0];
  if (cloud === undefined) return false;
  const keys = (await cloud.keys('')).filter((key) => key.startsWith('c/') || key.startsWith('m/'));
  const key = keys[pick % keys.length];
  if (key === undefined) return false;
  world.note(`${key} of ${cloud.name} is harmed (${way})`);
  await harmOne(world, key, way, pick);
  return true;
}

async function harmOne(world: World, key: ObjectKey, way: 'lose' | 'flip', pick: number): Promise<void> {
  const cloud = world.clouds[0];
  if (cloud === undefined) return;
  cloud.harmed.add(key);
  if (way === 'lose') {
    await cloud.store.delete(key);
    return;
  }
  const body = await cloud.store.get(key);
  const at = (pick >>> 8) % body.length;
  body[at] = (body[at] ?? 0) ^ 0x10;
  await cloud.store.put(key, body);
}

/** A file whose pack is on enough replicas, as the index has it and as it is. */
async function harmFile(world: World, pick: number): Promise<boolean> {
  const isAsItWas = watchLife(world);
  const { items } = world.index.ask<{ readonly items: readonly PackRecord[] }>(
    'packs',
    { kind: 'pack', hot: ['present'] },
    null,
    1_000,
  );
  const safe: PackRecord[] = [];
  for (const row of items) {
    if ((await world.watchman.copies(row)).length >= world.options.writeQuorum) safe.push(row);
  }
  const row = safe[pick % safe.length];
  const disk = world.disks.find(({ name }) => name === row?.volume);
  if (row === undefined || disk === undefined || !isAsItWas()) return false;
  // That it is protected must outlive a power cut: else the flipped byte and the cut are two faults at a time.
  world.index.writeBack();
  const ref = { id: parsePackId(row.id), kind: 'pack' } as const;
  if (disk.volume.peek(ref) === null) return false;
  disk.volume.damage(ref, (pick >>> 8) % row.bytes);
  disk.harmed.add(row.id);
  disk.everHarmed.add(row.id);
  world.note(`pack ${row.id} on ${disk.name} is harmed at ${(pick >>> 8) % row.bytes}`);
  return true;
}

/** One whose loss is to be borne: what lies there is on enough replicas, or on another disk. */
async function replaceDisk(world: World, at: number): Promise<boolean> {
  const isAsItWas = watchLife(world);
  const disk = world.disks[at % world.disks.length];
  if (disk === undefined || disk.empty || !(await world.watchman.isSafeWithout(disk)) || !isAsItWas()) return false;
  // As for a file: where the copies are must outlive a power cut.
  world.index.writeBack();
  disk.replace();
  world.note(`${disk.name} broke, and an empty disk is in its place`);
  return true;
}

/** Whether nobody died since: a power cut takes what the index had not on its disk yet, and what was seen in it is not so any more. */
function watchLife(world: World): () => boolean {
  const { life } = world;
  const { alive } = life;
  return () => world.life === life && life.alive === alive;
}

/** Where everything else is in its place: what only the index knew is lost with it. */
async function loseIndex(world: World): Promise<boolean> {
  if (
    world.disks.some(({ fault, empty }) => fault !== null || empty) ||
    world.clouds.some(({ fault }) => fault !== null)
  )
    return false;
  world.life.die('kill');
  world.index.lose();
  world.indexLost = true;
  world.lostIndex = true;
  world.provisional = true;
  world.model.indexLost();
  world.note('the index is lost');
  return true;
}
