// The archive of real parts through its whole life: in, filed, out, back, and what happens when each
// part of it is taken away. The invariants of DESIGN section 10 are named by their numbers.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { phantomStudies } from '../../dicom/phantom/phantom.js';
import { ArchiveRig, type RigOptions, readAll, storeBytes } from '../../test/support/archive-rig.js';
import { parseSeriesUid, parseSopUid, parseStudyUid, type SopUid } from '../core/ids.js';
import type { Archive } from './archive.js';
import { extractReplica } from './recovery/extract.js';
import { rebuildIndex } from './recovery/rebuild.js';

const STUDY_QUERY = { level: 'study', matches: [], fuzzy: false, limit: 100, offset: 0, include: [] } as const;
const PHANTOMS = [...phantomStudies({ seed: 7, studies: 4, slices: 4, shrink: 8 })];

const rigs: ArchiveRig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.destroy();
});

async function rigOf(options: RigOptions = {}): Promise<ArchiveRig> {
  const rig = await ArchiveRig.create(options);
  rigs.push(rig);
  await rig.open();
  return rig;
}

async function storeAll(archive: Archive, phantoms = PHANTOMS): Promise<void> {
  const outcomes = await Promise.all(phantoms.map((p) => storeBytes(archive, p.bytes)));
  expect(outcomes.map((o) => o.status)).toEqual(phantoms.map(() => 'stored'));
}

async function readBack(archive: Archive, phantom: (typeof PHANTOMS)[number]): Promise<Buffer> {
  const record = await archive.instance({
    study: parseStudyUid(phantom.study),
    series: parseSeriesUid(phantom.series),
    sop: parseSopUid(phantom.sop),
  });
  return readAll(archive.read(record));
}

/** I2: what comes out is what went in, of every instance. */
async function expectAllEqual(archive: Archive, phantoms = PHANTOMS): Promise<void> {
  for (const phantom of phantoms) {
    const bytes = await readBack(archive, phantom);
    expect(sha256(bytes), phantom.fileName).toBe(sha256(phantom.bytes));
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function filesUnder(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name));
}

async function answers(archive: Archive): Promise<string> {
  const page = await archive.query(STUDY_QUERY);
  return JSON.stringify(page.rows.map(({ study, attributes }) => ({ study, attributes })));
}

describe('an archive', () => {
  it('gives back every byte it acknowledged, from trays, packs, replicas and after recall (I2)', async () => {
    const { archive, ...rig } = await rigOf().then((r) => ({ archive: r.archive, path: r.path.bind(r) }));
    await storeAll(archive);
    await expectAllEqual(archive);

    const report = await archive.migrate({ all: true });
    expect(report.failures).toEqual([]);
    expect(report.studies).toBe(4);
    expect(report.evicted).toBe(report.packs);
    expect(await filesUnder(rig.path('a', 'packs'))).toEqual([]);
    expect(await filesUnder(rig.path('a', 'trays'))).toEqual([]);
    await expectAllEqual(archive);

    const recalled = await archive.recall({ all: true });
    expect(recalled.failures).toEqual([]);
    expect(recalled.packs).toBe(report.packs);
    const status = await archive.status();
    expect(status.index.studies).toMatchObject({ total: 4, hot: 4, protected: 4, cold: 0 });
    await expectAllEqual(archive);
  });

  it('takes equal bytes twice as one, and keeps the first of two that differ', async () => {
    const { archive } = await rigOf();
    const [first] = PHANTOMS;
    if (first === undefined) throw new Error('no phantoms');
    const twice = await Promise.all([storeBytes(archive, first.bytes), storeBytes(archive, first.bytes)]);
    expect(twice.map((o) => o.status).sort()).toEqual(['duplicate', 'stored']);
    const other = Buffer.from(first.bytes);
    other[other.length - 1] = (other[other.length - 1] ?? 0) ^ 1;
    expect(await storeBytes(archive, other)).toMatchObject({ status: 'refused', code: 'CONFLICT' });
    expect(sha256(await readBack(archive, first))).toBe(sha256(first.bytes));
  });

  it('files a study into a tar that tar lists, in reading order', async () => {
    const rig = await rigOf();
    await storeAll(rig.archive);
    await rig.archive.migrate({ all: true }, { keepHot: true });
    const listed = (await filesUnder(rig.path('a', 'packs'))).flatMap((file) =>
      execFileSync('tar', ['tf', file], { encoding: 'utf8' }).trim().split('\n'),
    );
    expect(listed.sort()).toEqual(PHANTOMS.map((p) => `${p.study}/${p.series}/${p.sop}.dcm`).sort());
    for (const study of new Set(PHANTOMS.map((p) => p.study))) {
      const order: SopUid[] = [];
      for await (const one of rig.archive.instances({ study: parseStudyUid(study) })) order.push(one.sop);
      const inTar = listed.filter((name) => name.startsWith(study)).length;
      expect(order.length).toBe(inTar);
    }
  });

  it('answers the same after a restart, and replays what the index had not seen', async () => {
    const rig = await rigOf();
    await storeAll(rig.archive);
    const before = await answers(rig.archive);
    await rig.reopen();
    expect(await answers(rig.archive)).toBe(before);
    await expectAllEqual(rig.archive);
    await rig.close();
    await rm(rig.path('index'), { recursive: true });
    await rig.open();
    expect(await answers(rig.archive)).toBe(before);
    await expectAllEqual(rig.archive);
  });

  it('rebuilds a lost index from any one replica alone (I8)', async () => {
    const rig = await rigOf();
    await storeAll(rig.archive);
    await rig.archive.migrate({ all: true });
    const before = await answers(rig.archive);
    await rig.close();
    for (const lost of rig.replicaNames) {
      await rm(rig.path('index'), { recursive: true });
      await rename(rig.path(lost), rig.path(`${lost}-away`));
      const ctx = await rig.context();
      const report = await rebuildIndex(ctx);
      expect(report.failures).toEqual([]);
      expect(report.unavailable).toEqual([lost]);
      expect(report.instances).toBe(PHANTOMS.length);
      await rig.close();
      await rig.open();
      expect(await answers(rig.archive)).toBe(before);
      await expectAllEqual(rig.archive);
      await rig.close();
      await rename(rig.path(`${lost}-away`), rig.path(lost));
    }
  });

  it('gives everything back from one replica and the keyring, with nothing else left', async () => {
    const rig = await rigOf();
    await storeAll(rig.archive);
    await rig.archive.migrate({ all: true });
    await rig.close();
    const found = new Map<string, string>();
    const report = await extractReplica({
      store: await rig.store('r2'),
      keyring: rig.keyring,
      out: async (path, bytes) => {
        found.set(path, sha256(await readAll(bytes)));
      },
    });
    expect(report.failures).toEqual([]);
    expect(found).toEqual(new Map(PHANTOMS.map((p) => [`${p.study}/${p.series}/${p.sop}.dcm`, sha256(p.bytes)])));
  });

  it('reads on with one replica gone, and tells a missing copy from an unreachable one (I7)', async () => {
    const rig = await rigOf();
    await storeAll(rig.archive);
    await rig.archive.migrate({ all: true });
    await rename(rig.path('r1'), rig.path('r1-away'));
    await expectAllEqual(rig.archive);
    await rename(rig.path('r2'), rig.path('r2-away'));
    const [first] = PHANTOMS;
    if (first === undefined) throw new Error('no phantoms');
    await expect(readBack(rig.archive, first)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('finds damage on a replica by scrub, reads around it meanwhile, and mends it', async () => {
    const rig = await rigOf();
    await storeAll(rig.archive);
    await rig.archive.migrate({ all: true });
    const chunks = (await filesUnder(rig.path('r1', 'c'))).sort();
    const [flipped, removed] = chunks;
    if (flipped === undefined || removed === undefined) throw new Error('fewer than two chunks');
    const bytes = await readFile(flipped);
    bytes[1000] = (bytes[1000] ?? 0) ^ 4;
    await writeFile(flipped, bytes);
    await rm(removed);

    await expectAllEqual(rig.archive);
    const light = await rig.archive.scrub();
    expect(light.findings.map((f) => f.fault)).toEqual(['missing']);
    const deep = await rig.archive.scrub({ deep: true });
    expect(deep.findings.map((f) => f.fault).sort()).toEqual(['corrupt', 'missing']);
    const repaired = await rig.archive.repair();
    expect(repaired).toMatchObject({ repaired: 2, failures: [] });
    expect((await rig.archive.scrub({ deep: true })).findings).toEqual([]);
  });

  it('does not evict what fewer replicas hold than the quorum (I5)', async () => {
    const rig = await rigOf();
    await storeAll(rig.archive);
    await rename(rig.path('r2'), rig.path('r2-away'));
    const report = await rig.archive.migrate({ all: true });
    expect(report.evicted).toBe(0);
    expect(report.failures.every((f) => f.code === 'UNAVAILABLE')).toBe(true);
    expect((await filesUnder(rig.path('a', 'packs'))).length).toBeGreaterThan(0);
    await expectAllEqual(rig.archive);
    await rename(rig.path('r2-away'), rig.path('r2'));
    await expect
      .poll(async () => (await rig.archive.status()).replicas.map((r) => r.state), { timeout: 10_000 })
      .toEqual(['available', 'available']);
    const again = await rig.archive.migrate({ all: true });
    expect(again.failures).toEqual([]);
    expect(again.evicted).toBe(again.packs);
  });

  it('goes on without its volume: protected studies are read, new ones are stored cloud-direct', async () => {
    const rig = await rigOf();
    const half = Math.floor(PHANTOMS.length / 2);
    await storeAll(rig.archive, PHANTOMS.slice(0, half));
    await rig.archive.migrate({ all: true }, { keepHot: true });
    await rename(rig.path('a'), rig.path('a-away'));
    await mkdir(rig.path('a'));
    await storeAll(rig.archive, PHANTOMS.slice(half));
    await expectAllEqual(rig.archive);
    expect(await rig.archive.status()).toMatchObject({ ingest: 'cloud-direct' });
    // An empty mount point is a missing volume: nothing was written to it.
    expect(await readdir(rig.path('a'))).toEqual([]);

    await rm(rig.path('a'), { recursive: true });
    await rename(rig.path('a-away'), rig.path('a'));
    await expect.poll(async () => (await rig.archive.status()).ingest, { timeout: 10_000 }).toBe('volume');
    const report = await rig.archive.migrate({ all: true });
    expect(report.failures).toEqual([]);
    await expectAllEqual(rig.archive);
    await rig.reopen();
    await expectAllEqual(rig.archive);
  });

  it('stores an instance that is longer than memory allows in a pack of its own', async () => {
    const rig = await rigOf();
    const [first] = PHANTOMS;
    if (first === undefined) throw new Error('no phantoms');
    // Trailing padding (FFFC,FFFC) makes any data set as long as is wanted.
    const padding = Buffer.alloc(70 * 1024 * 1024);
    const header = Buffer.from([0xfc, 0xff, 0xfc, 0xff, 0x4f, 0x42, 0, 0, 0, 0, 0, 0]);
    header.writeUInt32LE(padding.length, 8);
    const long = Buffer.concat([first.bytes, header, padding]);
    expect(await storeBytes(rig.archive, long)).toMatchObject({ status: 'stored' });
    expect(sha256(await readBack(rig.archive, first))).toBe(sha256(long));
    const report = await rig.archive.migrate({ all: true });
    expect(report).toMatchObject({ packs: 1, evicted: 1, failures: [] });
    expect(sha256(await readBack(rig.archive, first))).toBe(sha256(long));
    await rig.reopen();
    expect(sha256(await readBack(rig.archive, first))).toBe(sha256(long));
  });
});
