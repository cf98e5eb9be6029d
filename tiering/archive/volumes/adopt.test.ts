// A disk that was replaced by an empty one: what is given up is said first, what replicas have comes back by itself, what was needed last first.
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { type ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import {
  destroyRigs,
  first,
  found,
  ofStudy,
  PHANTOMS,
  rigOf,
  STUDIES,
  scopeOf,
  WAIT,
} from '../../../test/support/removal-rig.js';
import { parseVolumeName } from '../../core/ids.js';

const A = parseVolumeName('a');
const ALL = { all: true } as const;

afterEach(destroyRigs);

const volumeOf = async (rig: ArchiveRig) => first((await rig.archive.status()).volumes);
const stateOf = async (rig: ArchiveRig) => (await volumeOf(rig)).state;
const refillOf = async (rig: ArchiveRig) => (await rig.archive.status()).index.lostHot.packs;

async function replaceDisk(rig: ArchiveRig): Promise<void> {
  await rename(rig.path('a'), rig.path('a.dead'));
  await mkdir(rig.path('a'));
  await expect.poll(() => stateOf(rig), WAIT).toBe('failed');
}

it('says what it gives up, then brings back what replicas have, what was opened last first, and is whole after a restart', async () => {
  const rig = await rigOf();
  expect(await rig.archive.migrate(ALL, { keepHot: true })).toMatchObject({ failures: [], evicted: 0 });
  const [oldest, middle, latest] = STUDIES;
  if (oldest === undefined || middle === undefined || latest === undefined) return expect.fail('three studies');
  // Opened in this order: what a viewer asked for last is wanted first.
  for (const study of [latest, oldest, middle]) {
    await expect
      .poll(async () => {
        for await (const _ of rig.archive.metadata({ study })) break;
        await rig.archive.status();
        return true;
      }, WAIT)
      .toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await replaceDisk(rig);
  const plan = await rig.archive.adoptVolume(A, { plan: true });
  expect(plan).toMatchObject({ recalled: { packs: 3 }, lost: { instances: 0, studies: [] }, state: null });
  expect(plan.place.path).toBe(rig.path('a'));
  expect(await stateOf(rig)).toBe('failed');

  expect(await rig.archive.adoptVolume(A)).toMatchObject({
    ...plan,
    place: { path: plan.place.path },
    state: 'healthy',
  });
  await expect.poll(() => refillOf(rig), WAIT).toBe(0);
  const refilled = rig.events.flatMap(({ event, pack }) => (event === 'refilled' ? [pack] : []));
  const studies: string[] = [];
  for (const pack of refilled) {
    for (const study of STUDIES) {
      const [one] = ofStudy(study);
      if (one !== undefined && (await rig.archive.instance(scopeOf(one))).pack === pack) studies.push(study);
    }
  }
  expect(studies).toEqual([middle, oldest, latest]);
  expect(await found(rig.archive)).toEqual(PHANTOMS);
  // The replicas are not needed for what is hot again.
  for (const name of ['r1', 'r2']) await rename(rig.path(name), rig.path(`${name}.away`));
  expect(await found(rig.archive)).toEqual(PHANTOMS);
  for (const name of ['r1', 'r2']) await rename(rig.path(`${name}.away`), rig.path(name));
  await rig.reopen();
  expect(await stateOf(rig)).toBe('healthy');
  expect(await found(rig.archive)).toEqual(PHANTOMS);
  expect(await rig.archive.scrub({ deep: true })).toMatchObject({ findings: [] });
});

it('gives up what was on the old disk alone: it is told as lost, and healed by sending it again', async () => {
  const rig = await rigOf();
  await replaceDisk(rig);
  const { lost, recalled } = await rig.archive.adoptVolume(A, { plan: true });
  expect(lost).toMatchObject({ instances: PHANTOMS.length, studies: [...STUDIES].sort() });
  expect(recalled).toEqual({ packs: 0, bytes: 0 });
  await rig.archive.adoptVolume(A);
  for (const phantom of PHANTOMS) {
    await expect(readAll(rig.archive.read(await rig.archive.instance(scopeOf(phantom))))).rejects.toMatchObject({
      code: 'LOST',
    });
    expect(await storeBytes(rig.archive, phantom.bytes)).toMatchObject({ status: 'stored' });
  }
  expect(await found(rig.archive)).toEqual(PHANTOMS);
  await rig.reopen();
  expect(await found(rig.archive)).toEqual(PHANTOMS);
});

it('is filled up to the low water mark; what does not fit is cold, and read from the replicas', async () => {
  const rig = await rigOf({ policy: { lowWater: 0 } });
  await rig.archive.migrate(ALL, { keepHot: true });
  await replaceDisk(rig);
  await rig.archive.adoptVolume(A);
  await expect.poll(() => refillOf(rig), WAIT).toBe(0);
  expect((await rig.archive.status()).index.studies).toMatchObject({ hot: 0, cold: 3 });
  expect(await found(rig.archive)).toEqual(PHANTOMS);
  expect(rig.events.filter(({ event }) => event === 'refilled')).toEqual([]);
});

it('goes on with the refill after a kill, also of one that died before it had written down that the old disk is given up', async () => {
  const rig = await rigOf({ policy: { moverIntervalMs: 3_600_000 } });
  await rig.archive.migrate(ALL, { keepHot: true });
  await replaceDisk(rig);
  await rig.close();
  // Made, and nothing of it in the index.
  const parts = await rig.parts();
  await first(parts.volumes)
    .replacement?.take()
    .then((volume) => volume.close());
  for (const part of [parts.replicas, parts.pool, parts.index]) await part.close();
  await rig.open();
  await expect.poll(() => refillOf(rig), WAIT).toBe(3);
  expect(await found(rig.archive)).toEqual(PHANTOMS);
  expect(await rig.archive.repair()).toMatchObject({ failures: [] });
  expect(await refillOf(rig)).toBe(0);
});

it('is refused for a volume that is there, for a place that is not empty, and where there is none; the old disk may still return', async () => {
  const rig = await rigOf();
  await expect(rig.archive.adoptVolume(A)).rejects.toMatchObject({ code: 'CONFLICT' });
  await expect(rig.archive.adoptVolume(parseVolumeName('b'))).rejects.toMatchObject({ code: 'INVALID' });
  await rig.archive.failVolume(A);
  // Out of use, and what lies there is the volume.
  await expect(rig.archive.adoptVolume(A)).rejects.toMatchObject({ code: 'CONFLICT' });
  await rename(rig.path('a'), rig.path('a.dead'));
  await expect(rig.archive.adoptVolume(A)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await mkdir(rig.path('a'));
  await writeFile(rig.path('a', 'holiday.jpg'), 'sea');
  await expect(rig.archive.adoptVolume(A, { plan: true })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('holiday.jpg') as string,
  });
  await rm(rig.path('a'), { recursive: true });
  await rename(rig.path('a.dead'), rig.path('a'));
  expect(await rig.archive.returnVolume(A)).toBe('healthy');
  expect(await found(rig.archive)).toEqual(PHANTOMS);
});
