// Every damage that leaves one good copy of each object: it is read around, found, and mended (I6). And single faults, thousands of them.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { flipped, generator } from '../../../test/support/chaos-proxy.js';
import { injectFaults, memoryRig, objectsOf } from '../../../test/support/injected-faults.js';
import { files, first, rebuilt, scopeOf } from '../../../test/support/removal-rig.js';
import type { ObjectStore } from '../../cold/object-store.js';
import type { ObjectKey } from '../../core/ids.js';

const REPLICAS = ['r1', 'r2', 'r3'];
const SEED = 20_261_122;
const PHANTOM = first([...phantomStudies({ seed: 3, studies: 1, slices: 1, shrink: 8 })]);
/** With trailing padding (FFFC,FFFC), so that its pack is three chunks. */
const LONG = padded(PHANTOM.bytes, 20 * 1024 * 1024);

function padded(bytes: Uint8Array, length: number): Buffer {
  const header = Buffer.from([0xfc, 0xff, 0xfc, 0xff, 0x4f, 0x42, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32LE(length, 8);
  const padding = Buffer.alloc(length, createHash('sha256').update(bytes).digest());
  return Buffer.concat([bytes, header, padding]);
}

let rig: ArchiveRig;
let stores: readonly ObjectStore[];
let whole: ReadonlyMap<ObjectKey, Uint8Array>;
/** First, middle and last chunk, and the manifest. */
let objects: readonly ObjectKey[];

afterEach(() => rig?.destroy());

async function threeChunks(): Promise<void> {
  ({ rig, stores } = await memoryRig());
  expect(await storeBytes(rig.archive, LONG)).toMatchObject({ status: 'stored' });
  expect(await rig.archive.migrate({ all: true })).toMatchObject({ packs: 1, evicted: 1, failures: [] });
  whole = await objectsOf(storeAt(0));
  const [manifest = expect.fail()] = [...whole.keys()].filter((key) => key.startsWith('m/'));
  // In the order of the pack: the header of a chunk says its number.
  const chunks = [...whole.keys()].filter((key) => key.startsWith('c/'));
  objects = [...chunks.sort((a, b) => numberOf(a) - numberOf(b)), manifest];
  expect(objects).toHaveLength(4);
}

const storeAt = (at: number) => stores[at] ?? expect.fail();
const bytesOf = (key: ObjectKey) => Buffer.from(whole.get(key) ?? expect.fail());
const numberOf = (key: ObjectKey) => bytesOf(key).readUInt32BE(16);

async function damage(at: number, key: ObjectKey, how: number): Promise<string> {
  if (how % 3 === 0) await storeAt(at).delete(key);
  else if (how % 3 === 1) await storeAt(at).put(key, flipped(bytesOf(key), (how * 7919) % bytesOf(key).length));
  else await storeAt(at).put(key, bytesOf(key).subarray(0, -1));
  return `${REPLICAS[at]} ${key}`;
}

/** Served as it was, found as it is, mended as it ought to be. */
async function expectMended(damaged: readonly string[], what: string): Promise<void> {
  const record = await rig.archive.instance(scopeOf(PHANTOM));
  expect(Buffer.compare(await readAll(rig.archive.read(record)), LONG), `${what}: served`).toBe(0);
  const { findings } = await rig.archive.scrub({ deep: true });
  expect(findings.map(({ where, item }) => `${where} ${item}`).sort(), `${what}: found`).toEqual([...damaged].sort());
  expect(await rig.archive.repair(), what).toMatchObject({ failures: [] });
  for (const store of stores) {
    const held = await objectsOf(store);
    expect(held.size, what).toBe(whole.size);
    for (const [key, bytes] of whole) {
      expect(Buffer.compare(held.get(key) ?? Buffer.alloc(0), bytes), `${what}: mended ${key}`).toBe(0);
    }
  }
}

describe('damage', () => {
  it('on any one or two of three replicas, to the first, a middle or the last chunk or the manifest, is served around, found and mended', async () => {
    await threeChunks();
    for (const [n, key] of objects.entries()) {
      for (let mask = 0; mask < 7; mask += 1) {
        const damaged: string[] = [];
        for (const at of [0, 1, 2]) if (mask & (1 << at)) damaged.push(await damage(at, key, mask + at + n));
        await expectMended(damaged, `object ${n}, mask ${mask}`);
      }
    }
  }, 120_000);

  it(`that leaves no replica whole, but of each object one good copy, is served around, found and mended (seed ${SEED})`, async () => {
    await threeChunks();
    const random = generator(SEED);
    for (let round = 0; round < 12; round += 1) {
      // Which replica keeps its copy of each object; over the chunks, no replica keeps all.
      const good = objects.map((_, n) => (round < 6 ? n + round : Math.floor(random() * 3)) % 3);
      if (new Set(good.slice(0, 3)).size === 1) good[0] = ((good[0] ?? 0) + 1) % 3;
      const damaged: string[] = [];
      for (const [n, key] of objects.entries()) {
        for (const at of [0, 1, 2]) if (at !== good[n]) damaged.push(await damage(at, key, round + n + at));
      }
      await expectMended(damaged, `round ${round}, good copies on ${good.join(' ')}`);
    }
  }, 120_000);

  it('to manifests of many packs that leaves one good copy of each loses none of them to a rebuild of the index', async () => {
    rig = await ArchiveRig.create({ replicas: REPLICAS });
    await rig.open();
    const phantoms = [...phantomStudies({ seed: 4, studies: 40, slices: 1, shrink: 64 })];
    for (const { bytes } of phantoms) expect(await storeBytes(rig.archive, bytes)).toMatchObject({ status: 'stored' });
    expect(await rig.archive.migrate({ all: true })).toMatchObject({ packs: 40, evicted: 40, failures: [] });
    for (const [at, replica] of REPLICAS.entries()) {
      // Which one is good is another with each pack.
      for (const [n, file] of (await files(rig.path(replica, 'm'))).sort().entries()) {
        if (n % 3 !== at) await writeFile(file, flipped(await readFile(file), 99));
      }
    }
    const report = await rebuilt(rig);
    expect(report.failures).toEqual([]);
    expect(report).toMatchObject({ packs: 40, instances: phantoms.length });
  });

  it(`of single objects by the thousand is found, all of it, and mended to the byte (seed ${SEED})`, async () => {
    const counts = await injectFaults({ seed: SEED, faults: 2_000 });
    // What a light scrub can see: what is gone, and what has another length.
    expect(counts.get('missing')?.light).toBe(counts.get('missing')?.injected);
    for (const { injected } of counts.values()) expect(injected).toBeGreaterThan(0);
  }, 120_000);
});
