// Deletes over real volumes and directory replicas: gone at once, gone after a restart, gone after whatever was away comes
// back (I9), and never in the way of storing the same instance again.
import { mkdir, readdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, type RigOptions, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { parseSeriesUid, parseSopUid, parseStudyUid } from '../../core/ids.js';
import type { Archive, RemoveReport } from '../archive.js';
import { createContext } from '../open-archive.js';
import { extractReplica } from '../recovery/extract.js';
import { type RebuildReport, rebuildIndex } from '../recovery/rebuild.js';

const PHANTOMS = [...phantomStudies({ seed: 11, studies: 3, slices: 4, shrink: 8 })];
type Phantom = (typeof PHANTOMS)[number];
const STUDIES = [...new Set(PHANTOMS.map((one) => one.study))].map(parseStudyUid);
const ALL = { level: 'study', matches: [], fuzzy: false, limit: 100, offset: 0, include: [] } as const;
const WAIT = { timeout: 20_000, interval: 20 };

const rigs: ArchiveRig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.destroy();
});

async function rigOf(options: RigOptions = {}): Promise<ArchiveRig> {
  const rig = await ArchiveRig.create(options);
  rigs.push(rig);
  const archive = await rig.open();
  for (const { bytes } of PHANTOMS) expect(await storeBytes(archive, bytes)).toMatchObject({ status: 'stored' });
  return rig;
}

function first<T>(items: readonly T[]): T {
  const [one] = items;
  if (one === undefined) throw new Error('there is none');
  return one;
}

const scopeOf = (one: Phantom) => ({
  study: parseStudyUid(one.study),
  series: parseSeriesUid(one.series),
  sop: parseSopUid(one.sop),
});

/** Of the phantoms, those that the archive gives back whole; the others must not be found in any way. */
async function found(archive: Archive): Promise<Phantom[]> {
  const live: Phantom[] = [];
  for (const phantom of PHANTOMS) {
    const scope = scopeOf(phantom);
    const listed: string[] = [];
    for await (const { sop } of archive.instances({ study: scope.study })) listed.push(sop);
    let metadata = 0;
    for await (const _part of archive.metadata(scope)) metadata += 1;
    const record = await archive.instance(scope).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'NOT_FOUND' });
      return null;
    });
    expect([listed.includes(phantom.sop), metadata > 0]).toEqual([record !== null, record !== null]);
    if (record === null) continue;
    expect(Buffer.compare(await readAll(archive.read(record)), phantom.bytes)).toBe(0);
    live.push(phantom);
  }
  const studies = new Set(live.map((one) => one.study));
  const { rows } = await archive.query(ALL);
  expect(new Set(rows.map((row) => row.study))).toEqual(studies);
  for (const { study, attributes } of rows) {
    const count = (JSON.parse(attributes) as Record<string, { Value: unknown[] }>)['00201208']?.Value;
    expect(count).toEqual([live.filter((one) => one.study === study).length]);
  }
  return live;
}

const without = (...gone: readonly Phantom[]) => PHANTOMS.filter((one) => !gone.includes(one));
const ofStudy = (study: string) => PHANTOMS.filter((one) => one.study === study);

async function files(...path: readonly string[]): Promise<string[]> {
  const entries = await readdir(join(...path), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
}

async function expectDurable(report: RemoveReport, rig: ArchiveRig): Promise<void> {
  expect(report.durable).toBe('quorum');
  for (const replica of rig.replicaNames) expect(await files(rig.path(replica, 't'))).not.toEqual([]);
}

/** Loses the index and makes it again from the replicas that answer and the volumes. */
async function rebuilt(rig: ArchiveRig): Promise<RebuildReport> {
  await rig.close();
  await rm(rig.path('index'), { recursive: true });
  const ctx = createContext(await rig.parts(), async () => undefined);
  await ctx.volumes.open();
  try {
    return await rebuildIndex(ctx);
  } finally {
    await ctx.volumes.close();
    await ctx.replicas.close();
    await ctx.pool.close();
    await ctx.index.close();
  }
}

const away = (rig: ArchiveRig, name: string) => rename(rig.path(name), rig.path(`${name}-away`));
const back = async (rig: ArchiveRig, name: string) => {
  await rm(rig.path(name), { recursive: true, force: true });
  await rename(rig.path(`${name}-away`), rig.path(name));
};

describe('a delete', () => {
  it('of an instance, a series and a study that lie in a tray is in effect at once and after a restart (I9)', async () => {
    const rig = await rigOf();
    const [one] = PHANTOMS;
    if (one === undefined) throw new Error('no phantoms');
    const report = await rig.archive.remove(scopeOf(one));
    expect(report).toEqual({ instances: 1, studies: 0, durable: 'quorum' });
    await expectDurable(report, rig);
    expect(await found(rig.archive)).toEqual(without(one));
    const second = parseStudyUid(STUDIES[1] ?? '');
    const inSecond = ofStudy(second);
    const series = parseSeriesUid(first(inSecond).series);
    const inSeries = inSecond.filter((p) => p.series === series);
    expect(await rig.archive.remove({ study: second, series })).toMatchObject({ instances: inSeries.length });
    const third = parseStudyUid(STUDIES[2] ?? '');
    expect(await rig.archive.remove({ study: third })).toMatchObject({ instances: ofStudy(third).length, studies: 1 });
    const left = without(one, ...inSeries, ...ofStudy(third));
    expect(await found(rig.archive)).toEqual(left);
    await rig.reopen();
    expect(await found(rig.archive)).toEqual(left);
    await expect(rig.archive.remove({ study: third })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is replayed from the tray when the index lost it, and holds in a rebuild from trays and packs alone', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ studies: STUDIES.slice(0, 1) }, { keepHot: true });
    const one = first(ofStudy(STUDIES[0] ?? ''));
    const other = first(ofStudy(STUDIES[1] ?? ''));
    await rig.archive.remove(scopeOf(one));
    await rig.archive.remove(scopeOf(other));
    await rig.close();
    for (const replica of rig.replicaNames) await rm(rig.path(replica, 't'), { recursive: true });
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(one, other));
    // The replicas lost it; they are told again.
    await expect.poll(async () => (await rig.archive.status()).index.deletes, WAIT).toEqual({ pending: 0, owed: 0 });
    for (const replica of rig.replicaNames) expect(await files(rig.path(replica, 't'))).toHaveLength(2);
  });

  it('of what is cold holds in a rebuild from any one replica, and in an extract, with no volume left', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    const gone = [...ofStudy(STUDIES[0] ?? ''), first(ofStudy(STUDIES[1] ?? ''))];
    await expectDurable(await rig.archive.remove({ study: parseStudyUid(STUDIES[0] ?? '') }), rig);
    await rig.archive.remove(scopeOf(first(gone.slice(-1))));
    const left = without(...gone);
    expect(await found(rig.archive)).toEqual(left);
    await rig.close();
    for (const lost of rig.replicaNames) {
      await away(rig, lost);
      await rm(rig.path('a', 'trays'), { recursive: true });
      await mkdir(rig.path('a', 'trays'));
      const report = await rebuilt(rig);
      expect(report).toMatchObject({ deletes: 2, provisional: [`replica ${lost}`], failures: [] });
      await rig.open();
      expect(await found(rig.archive)).toEqual(left);
      expect((await rig.archive.status()).deletesUnread).toEqual([`replica ${lost}`]);
      await rig.close();
      await back(rig, lost);
    }
    const names = new Set<string>();
    const report = await extractReplica({
      store: await rig.store('r1'),
      keyring: rig.keyring,
      out: async (path, bytes) => {
        await readAll(bytes);
        names.add(path);
      },
    });
    expect(report.failures).toEqual([]);
    expect(names).toEqual(new Set(left.map((p) => `${p.study}/${p.series}/${p.sop}.dcm`)));
  });

  it('of everything in a pack removes its file and its record, hot or cold; what is left in others stays', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true }, { keepHot: true });
    const packs = await files(rig.path('a', 'packs'));
    expect(packs).toHaveLength(STUDIES.length);
    await rig.archive.remove({ study: parseStudyUid(STUDIES[0] ?? '') });
    await expect.poll(() => files(rig.path('a', 'packs')), WAIT).toHaveLength(STUDIES.length - 1);
    await rig.archive.migrate({ all: true });
    expect(await files(rig.path('a', 'packs'))).toEqual([]);
    await rig.archive.remove({ study: parseStudyUid(STUDIES[1] ?? '') });
    await expect.poll(async () => (await rig.archive.status()).index.studies.total, WAIT).toBe(1);
    expect(await found(rig.archive)).toEqual(ofStudy(STUDIES[2] ?? ''));
    expect((await rig.archive.scrub({ deep: true })).findings).toEqual([]);
  });

  it('leaves the way free to store the same instance again, or another under its UID, and holds for the first', async () => {
    const rig = await rigOf();
    const one = first(PHANTOMS);
    await rig.archive.migrate({ all: true });
    for (let round = 0; round < 2; round += 1) {
      await rig.archive.remove(scopeOf(one));
      expect(await found(rig.archive)).toEqual(without(one));
      expect(await storeBytes(rig.archive, one.bytes)).toMatchObject({ status: 'stored' });
      expect(await found(rig.archive)).toEqual(PHANTOMS);
    }
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    await rig.archive.remove(scopeOf(one));
    const other = Buffer.from(one.bytes);
    other[other.length - 1] = (other[other.length - 1] ?? 0) ^ 1;
    expect(await storeBytes(rig.archive, other)).toMatchObject({ status: 'stored' });
    await rebuilt(rig);
    await rig.open();
    const record = await rig.archive.instance(scopeOf(one));
    expect(Buffer.compare(await readAll(rig.archive.read(record)), other)).toBe(0);
  });

  it('against a store of the same instance at the same time is before it or after it, never between', async () => {
    const rig = await rigOf();
    const one = first(PHANTOMS);
    for (let round = 0; round < 20; round += 1) {
      const [removed, stored] = await Promise.allSettled([
        rig.archive.remove(scopeOf(one)),
        storeBytes(rig.archive, one.bytes),
      ]);
      expect(removed.status).toBe('fulfilled');
      const live = (await found(rig.archive)).includes(one);
      const status = stored.status === 'fulfilled' ? stored.value.status : 'rejected';
      expect([live, status]).toEqual(live ? [true, 'stored'] : [false, 'duplicate']);
      if (!live) await storeBytes(rig.archive, one.bytes);
    }
    const twice = await Promise.allSettled([
      rig.archive.remove(scopeOf(one)),
      rig.archive.remove({ study: scopeOf(one).study }),
    ]);
    const ended = twice.map((r) => (r.status === 'fulfilled' ? r.value.instances : 0));
    expect(ended.reduce((sum, n) => sum + n, 0)).toBe(ofStudy(one.study).length);
  });
});

describe('a delete while something is away', () => {
  it('is pending while a replica is away, is told to it when it returns, and then holds from that replica alone', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    const one = first(PHANTOMS);
    await away(rig, 'r2');
    expect(await rig.archive.remove(scopeOf(one))).toMatchObject({ instances: 1, durable: 'pending' });
    expect(await found(rig.archive)).toEqual(without(one));
    expect((await rig.archive.status()).index.deletes).toEqual({ pending: 1, owed: 1 });
    await back(rig, 'r2');
    await expect.poll(async () => (await rig.archive.status()).index.deletes, WAIT).toEqual({ pending: 0, owed: 0 });
    await rig.close();
    await rm(rig.path('a'), { recursive: true });
    await away(rig, 'r1');
    expect(await rebuilt(rig)).toMatchObject({ deletes: 1, provisional: ['replica r1', 'volume a'] });
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(one));
  });

  it('is provisional in a rebuild without the one replica that knows it, and is in effect once that one is back (I9)', async () => {
    const rig = await rigOf({ replicas: ['r1', 'r2'], writeQuorum: 1 });
    await rig.archive.migrate({ all: true });
    const one = first(PHANTOMS);
    await away(rig, 'r2');
    expect(await rig.archive.remove(scopeOf(one))).toMatchObject({ durable: 'quorum' });
    await rig.close();
    await back(rig, 'r2');
    await away(rig, 'r1');
    await rm(rig.path('a', 'trays'), { recursive: true });
    await mkdir(rig.path('a', 'trays'));
    expect((await rebuilt(rig)).provisional).toEqual(['replica r1']);
    await rig.open();
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    await back(rig, 'r1');
    await expect.poll(async () => (await rig.archive.status()).deletesUnread, WAIT).toEqual([]);
    expect(await found(rig.archive)).toEqual(without(one));
    expect(rig.events.map(({ event }) => event)).toContain('deletes-came-late');
  });

  it('with no volume lives in the index and on the replicas, and a volume that returns brings nothing back', async () => {
    const rig = await rigOf();
    const [one, other] = [first(ofStudy(STUDIES[0] ?? '')), first(ofStudy(STUDIES[1] ?? ''))];
    await rig.archive.migrate({ studies: STUDIES.slice(0, 1) }, { keepHot: true });
    await away(rig, 'a');
    await mkdir(rig.path('a'));
    await expect.poll(async () => (await rig.archive.status()).ingest, WAIT).toBe('cloud-direct');
    await expectDurable(await rig.archive.remove(scopeOf(one)), rig);
    await expectDurable(await rig.archive.remove(scopeOf(other)), rig);
    await expect(rig.archive.instance(scopeOf(other))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await readdir(rig.path('a'))).toEqual([]);
    await back(rig, 'a');
    await expect.poll(async () => (await rig.archive.status()).ingest, WAIT).toBe('volume');
    expect(await found(rig.archive)).toEqual(without(one, other));
    await rig.reopen();
    expect(await found(rig.archive)).toEqual(without(one, other));
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(one, other));
  });

  it('of what lies on a volume that is away, stored again meanwhile on another, keeps the new one when it returns', async () => {
    const rig = await rigOf({ volumes: ['a', 'b'] });
    const status = await rig.archive.status();
    const used = (await files(rig.path('a', 'trays'))).length > 0 ? 'a' : 'b';
    expect(status.volumes.map((v) => v.state)).toEqual(['healthy', 'healthy']);
    await away(rig, used);
    await mkdir(rig.path(used));
    await expect
      .poll(async () => (await rig.archive.status()).volumes.find((v) => v.name === used)?.state, WAIT)
      .toBe('failed');
    const study = parseStudyUid(STUDIES[0] ?? '');
    const [again, ...gone] = ofStudy(study);
    if (again === undefined) throw new Error('no phantoms');
    await rig.archive.remove({ study });
    expect(await storeBytes(rig.archive, again.bytes)).toMatchObject({ status: 'stored' });
    await back(rig, used);
    await expect
      .poll(async () => (await rig.archive.status()).volumes.map((v) => v.state), WAIT)
      .toEqual(['healthy', 'healthy']);
    expect(await found(rig.archive)).toEqual(without(...gone));
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(...gone));
  });

  it('of a replica’s tombstone that was lost or changed is found by scrub and told again', async () => {
    const rig = await rigOf({ policy: { moverIntervalMs: 3_600_000 } });
    await rig.archive.remove(scopeOf(first(PHANTOMS)));
    await rig.archive.remove(scopeOf(first(PHANTOMS.slice(1))));
    const [lost, changed] = await files(rig.path('r2', 't'));
    if (lost === undefined || changed === undefined) throw new Error('two tombstones were written');
    await unlink(lost);
    const bytes = await readFile(changed);
    bytes[300] = (bytes[300] ?? 0) ^ 1;
    await writeFile(changed, bytes);
    const report = await rig.archive.scrub({ deep: true });
    expect(report.findings.map(({ where, fault }) => `${where} ${fault}`).sort()).toEqual(['r2 corrupt', 'r2 missing']);
    expect(await rig.archive.repair()).toMatchObject({ repaired: 2, failures: [] });
    expect((await rig.archive.scrub({ deep: true })).findings).toEqual([]);
    expect((await rig.archive.status()).index.deletes).toEqual({ pending: 0, owed: 0 });
  });
});

describe('deletes and movers', () => {
  it('while studies are migrated and recalled leave neither a failure nor a trace', async () => {
    const rig = await rigOf();
    const [one, two, three] = STUDIES;
    if (one === undefined || two === undefined || three === undefined) throw new Error('three studies');
    const [migrated] = await Promise.all([rig.archive.migrate({ all: true }), rig.archive.remove({ study: one })]);
    expect(migrated.failures).toEqual([]);
    expect(await found(rig.archive)).toEqual(without(...ofStudy(one)));
    const gone = first(ofStudy(two));
    const [recalled] = await Promise.all([rig.archive.recall({ all: true }), rig.archive.remove(scopeOf(gone))]);
    expect(recalled.failures).toEqual([]);
    expect(await found(rig.archive)).toEqual(without(...ofStudy(one), gone));
    await rig.archive.migrate({ all: true });
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(...ofStudy(one), gone));
  });

  it('carry tombstones forward from a tray that is removed', async () => {
    const rig = await rigOf();
    const gone = first(PHANTOMS);
    await rig.archive.remove(scopeOf(gone));
    const before = await files(rig.path('a', 'trays'));
    await rig.archive.migrate({ all: true }, { keepHot: true });
    await expect.poll(() => files(rig.path('a', 'trays')), WAIT).not.toContain(first(before));
    const after = await files(rig.path('a', 'trays'));
    expect(after).toHaveLength(1);
    expect((await readFile(first(after))).includes(gone.sop)).toBe(true);
    // The tray alone: neither index nor replicas know of it.
    await rig.close();
    for (const replica of rig.replicaNames) await rm(rig.path(replica, 't'), { recursive: true });
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(gone));
  });

  it('of more instances than one tombstone names are several, and all of them go', async () => {
    const rig = await ArchiveRig.create();
    rigs.push(rig);
    const archive = await rig.open();
    const template = first(PHANTOMS);
    const text = Buffer.from(template.bytes).toString('latin1');
    expect(text).toContain(template.sop);
    const count = 1_050;
    const many = Array.from({ length: count }, (_, n) => {
      const sop = template.sop.slice(0, -5) + String(10_000 + n);
      return Buffer.from(text.replaceAll(template.sop, sop), 'latin1');
    });
    for (let from = 0; from < count; from += 150) {
      const outcomes = await Promise.all(many.slice(from, from + 150).map((bytes) => storeBytes(archive, bytes)));
      expect(outcomes.every((one) => one.status === 'stored')).toBe(true);
    }
    const study = parseStudyUid(template.study);
    expect(await archive.remove({ study })).toEqual({ instances: count, studies: 1, durable: 'quorum' });
    expect((await archive.query(ALL)).rows).toEqual([]);
    expect(await files(rig.path('r1', 't'))).toHaveLength(2);
    await rebuilt(rig);
    await rig.open();
    expect((await rig.archive.query(ALL)).rows).toEqual([]);
  });
});
