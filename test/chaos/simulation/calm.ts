// After the storm: everything is back and well, days pass, and then nothing may be left of what happened. All that was acknowledged is there to the
// byte, nothing that was deleted is, no copy is owed, every scrub finds nothing (I1, I2, I9, I11); and any one replica with the keyring gives all of it (I6, I8).
import { createHash } from 'node:crypto';
import { extractReplica } from '../../../tiering/archive/recovery/extract.js';
import type { Calls } from './calls.js';
import { bytesOf } from './model.js';
import { STUDIES } from './samples.js';
import type { World } from './world.js';

const DAY_MS = 24 * 3_600_000;
const ROUND_MS = 65_000;
const ROUNDS_MAX = 12;

export async function calm(world: World, calls: Calls): Promise<void> {
  for (const disk of world.disks) disk.fault = null;
  for (const cloud of world.clouds) cloud.fault = null;
  world.index.fault = null;
  world.threadsDie = false;
  world.life.sentence = null;
  world.note('all is calm');
  const { value: well } = { value: await allIsWell(world) };
  if (!well) return;
  world.provisional = false;
  const touched = STUDIES.filter((study) => study.some(({ sop }) => world.model.of(sop).changes > 0));
  for (const study of touched) await calls.read(study);
  world.skewMs += 2 * DAY_MS;
  await ask(world, 'repair', (archive) => archive.repair());
  await nothingIsOwed(world);
  for (const study of touched) await calls.read(study, true);
  world.watchman.checkRows();
  await anyReplicaAlone(world);
}

type Archive = Awaited<ReturnType<World['up']>>['archive'];

async function ask<T>(world: World, what: string, work: (archive: Archive) => Promise<T>): Promise<T | undefined> {
  const result = await world.survive(work);
  if ('value' in result) return result.value;
  world.watchman.broken(
    `all is calm, and ${what} fails: ${'error' in result ? String(result.error) : 'its process died'}`,
  );
  return undefined;
}

/** Everything is used again, and an index that was lost is whole. */
async function allIsWell(world: World): Promise<boolean> {
  let why = '';
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    for (const { name, empty } of world.disks)
      await world.survive<unknown>((archive) => (empty ? archive.adoptVolume(name) : archive.returnVolume(name)));
    await world.time.sleep(ROUND_MS / 4);
    const status = await ask(world, 'status', (archive) => archive.status());
    if (status === undefined) return false;
    const parts = [
      ...status.volumes.flatMap(({ name, state, detail }) =>
        state === 'healthy' ? [] : [`${name}: ${state} ${detail ?? ''}`],
      ),
      ...status.replicas.flatMap(({ name, state, detail }) =>
        state === 'available' ? [] : [`${name}: ${detail ?? state}`],
      ),
      ...(status.rebuild === null ? [] : ['the index is being rebuilt']),
      ...status.deletesUnread,
    ];
    if (parts.length === 0) return true;
    why = parts.join('; ');
  }
  world.watchman.broken(`all is calm, and not well: ${why}`);
  return false;
}

async function nothingIsOwed(world: World): Promise<void> {
  let why: string[] = [];
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    await ask(world, 'migrate', (archive) => archive.migrate({ all: true }, { keepHot: true }));
    await world.time.sleep(ROUND_MS);
    const rotated = await ask(world, 'rotate', (archive) => archive.rotateKeys({ resume: true }));
    const repaired = await ask(world, 'repair', (archive) => archive.repair());
    const first = await ask(world, 'scrub', (archive) => archive.scrub({ deep: true }));
    // One that goes on where another was stopped has not seen what was harmed since.
    const scrubbed =
      first?.resumed === true ? await ask(world, 'scrub', (archive) => archive.scrub({ deep: true })) : first;
    const status = await ask(world, 'status', (archive) => archive.status());
    if (rotated === undefined || repaired === undefined || scrubbed === undefined || status === undefined) return;
    const { debt, deletes, unprotected } = status.index;
    why = [
      ...rotated.failures.map(({ item, code, detail }) => `keys of ${item}: ${code} ${detail}`),
      ...repaired.failures.map(({ item, code, detail }) => `repair of ${item}: ${code} ${detail}`),
      // A chunk on its way to a pack that nobody had told of yet: only the index knew of it, and it is left alone.
      ...scrubbed.findings
        .filter(({ fault }) => fault !== 'unknown' || !world.lostIndex)
        .map(({ where, item, fault, detail }) => `scrub of ${where}: ${item} ${fault} ${detail}`),
      ...[...debt].flatMap(([name, { packs }]) => (packs === 0 ? [] : [`${name} lacks ${packs} packs`])),
      ...(deletes.pending + deletes.owed === 0 ? [] : [`${deletes.pending} deletes pending, ${deletes.owed} owed`]),
      ...(unprotected.instances === 0 ? [] : [`${unprotected.instances} instances unprotected`]),
    ];
    if (why.length === 0) return;
    world.note(`not yet: ${why.join('; ')}`);
    world.skewMs += DAY_MS;
  }
  world.watchman.broken(`I11: all is calm, and it never comes to rest: ${why.join('; ')}`);
}

async function anyReplicaAlone(world: World): Promise<void> {
  const { model, watchman } = world;
  for (const cloud of [world.clouds[world.options.seed % world.clouds.length]]) {
    if (cloud === undefined) continue;
    const files = new Map<string, string>();
    const report = await extractReplica({
      store: cloud.store,
      keyring: world.keyring,
      out: async (path, bytes) => {
        const hash = createHash('sha256');
        for await (const piece of bytes) hash.update(piece);
        files.set(path, hash.digest('hex'));
      },
    });
    // What a dropped pack has left until its grace is over may be damaged: what counts is what is given in the end.
    for (const { item, code } of report.failures) world.note(`${cloud.name} alone does not give ${item}: ${code}`);
    for (const { sample } of model.instances.values()) {
      const content = model.certain(sample.sop);
      const given = files.get(`${sample.study}/${sample.series}/${sample.sop}.dcm`);
      if (content === null && given !== undefined)
        watchman.broken(`I9: ${cloud.name} alone gives ${sample.sop}, which was deleted`);
      if (content === undefined || content === null) continue;
      if (given !== createHash('sha256').update(bytesOf(sample, content)).digest('hex'))
        watchman.broken(
          `I8: ${cloud.name} alone gives ${sample.sop} ${given === undefined ? 'not at all' : 'with other bytes'}`,
        );
    }
  }
}
