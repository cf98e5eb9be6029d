// A hot copy that is not what was sealed, though every image in it may be whole: it is found, no debt waits for it, and it goes only for a whole one.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { ArchiveRig } from '../../../test/support/archive-rig.js';
import { readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { flipped } from '../../../test/support/chaos-proxy.js';
import {
  away,
  back,
  destroyRigs,
  files,
  first,
  found,
  PHANTOMS,
  rigOf,
  scopeOf,
  WAIT,
} from '../../../test/support/removal-rig.js';

afterEach(destroyRigs);

const ALL = { all: true } as const;
const THREE = { replicas: ['r1', 'r2', 'r3'], writeQuorum: 2, policy: { moverIntervalMs: 3_600_000 } } as const;

/** Flips a bit of the end of every pack on the volume, where no image lies. Resolves with what the files held. */
async function flipPadding(rig: ArchiveRig): Promise<ReadonlyMap<string, Buffer>> {
  const before = new Map<string, Buffer>();
  for (const file of (await files(rig.path('a', 'packs'))).sort()) {
    const bytes = await readFile(file);
    before.set(file, bytes);
    await writeFile(file, flipped(bytes, -1));
  }
  expect(before.size).toBeGreaterThan(0);
  return before;
}

async function expectMade(before: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [file, bytes] of before) expect(Buffer.compare(await readFile(file), bytes), file).toBe(0);
}

const names = async (rig: ArchiveRig, replica: string) =>
  (await files(rig.path(replica, 'c'))).map((file) => file.slice(-64)).sort();

describe('a byte between the images of a hot pack', () => {
  it('that changed while a replica lacked the pack keeps no debt waiting: the other replicas pay it', async () => {
    const rig = await rigOf(THREE);
    await away(rig, 'r3');
    expect(await rig.archive.migrate(ALL, { keepHot: true })).toMatchObject({ evicted: 0 });
    const before = await flipPadding(rig);
    await back(rig, 'r3');
    const states = async () => (await rig.archive.status()).replicas.map(({ state }) => state);
    await expect.poll(states, WAIT).toEqual(['available', 'available', 'available']);
    expect(await rig.archive.repair()).toMatchObject({ failures: [] });
    expect(await names(rig, 'r3')).toEqual(await names(rig, 'r1'));
    const damage = rig.events.filter(({ event }) => event === 'hot-damage');
    expect(damage).toHaveLength(before.size);
    // What was given up is made again from the replicas, by the next repair or by the movers.
    expect(await rig.archive.repair()).toMatchObject({ failures: [] });
    await expectMade(before);
    expect(await rig.archive.scrub({ deep: true })).toMatchObject({ findings: [] });
    expect(await found(rig.archive)).toEqual(PHANTOMS);
  });

  it('is named by a deep scrub, and repair makes the file again', async () => {
    const rig = await rigOf({ policy: THREE.policy });
    await rig.archive.migrate(ALL, { keepHot: true });
    expect(await rig.archive.scrub({ deep: true })).toMatchObject({ findings: [] });
    const before = await flipPadding(rig);
    const { findings } = await rig.archive.scrub({ deep: true });
    const told = findings.map(({ where, item, fault }) => `${where} ${item} ${fault}`).sort();
    expect(told).toEqual([...before.keys()].map((file) => `a ${file.slice(-40, -4)} corrupt`).sort());
    expect(await rig.archive.repair()).toMatchObject({ failures: [] });
    await expectMade(before);
    expect(await rig.archive.scrub({ deep: true })).toMatchObject({ findings: [] });
  });

  it('is named, and the file stays, where no replica has all of the pack', async () => {
    const rig = await rigOf({ policy: THREE.policy });
    await rig.archive.migrate(ALL, { keepHot: true });
    const before = await flipPadding(rig);
    for (const replica of ['r1', 'r2']) for (const file of await files(rig.path(replica, 'c'))) await rm(file);
    const { findings } = await rig.archive.scrub({ deep: true });
    expect(findings.filter(({ where, fault }) => where === 'a' && fault === 'corrupt')).toHaveLength(before.size);
    expect((await rig.archive.repair()).failures).not.toEqual([]);
    expect(await found(rig.archive)).toEqual(PHANTOMS);
  });

  it('that a file lost with an image goes only when the replicas were seen to have all of it', async () => {
    const rig = await rigOf({ policy: THREE.policy });
    const one = first(PHANTOMS);
    await rig.archive.migrate(ALL, { keepHot: true });
    // An image of one pack is damaged, and given up for the replicas; then they lose it too.
    const damaged = new Map<string, Buffer>();
    for (const file of await files(rig.path('a', 'packs'))) {
      const bytes = await readFile(file);
      const at = bytes.indexOf(Buffer.from(one.bytes));
      if (at >= 0) damaged.set(file, Buffer.from(flipped(bytes, at + one.bytes.length - 1)));
    }
    for (const [file, bytes] of damaged) await writeFile(file, bytes);
    expect((await rig.archive.scrub({ deep: true })).findings).toHaveLength(damaged.size);
    for (const replica of ['r1', 'r2']) for (const file of await files(rig.path(replica, 'c'))) await rm(file);
    expect((await rig.archive.repair()).failures).not.toEqual([]);
    // The other images of that pack are still in it.
    await expectMade(damaged);
  });

  it('counts in packs of many chunks, as images that lie in two of them do', async () => {
    const rig = await rigOf({ policy: THREE.policy });
    const one = first(PHANTOMS);
    await rig.archive.remove(scopeOf(one));
    const header = Buffer.from([0xfc, 0xff, 0xfc, 0xff, 0x4f, 0x42, 0, 0, 0, 0, 0, 0]);
    const padding = Buffer.alloc(10 * 1024 * 1024, 7);
    header.writeUInt32LE(padding.length, 8);
    const long = Buffer.concat([one.bytes, header, padding]);
    expect(await storeBytes(rig.archive, long)).toMatchObject({ status: 'stored' });
    await rig.archive.migrate(ALL, { keepHot: true });
    expect(await rig.archive.scrub({ deep: true })).toMatchObject({ findings: [] });
    const sizes = await Promise.all(
      (await files(rig.path('a', 'packs'))).map(async (file) => ({ file, bytes: await readFile(file) })),
    );
    const { file, bytes } = sizes.find((pack) => pack.bytes.length > long.length) ?? expect.fail();
    for (const at of [-1, 9 * 1024 * 1024]) {
      await writeFile(file, flipped(bytes, at));
      expect((await rig.archive.scrub({ deep: true })).findings, `byte ${at}`).toHaveLength(1);
      expect(await rig.archive.repair()).toMatchObject({ failures: [] });
      await expectMade(new Map([[file, bytes]]));
    }
    const record = await rig.archive.instance(scopeOf(one));
    expect(Buffer.compare(await readAll(rig.archive.read(record)), long)).toBe(0);
  });
});
