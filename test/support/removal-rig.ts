// What the tests of deletes share: an archive of real parts with three studies, what is found of them on every way, and parts
// of it that go away and come back.
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { phantomStudies } from '../../dicom/phantom/phantom.js';
import type { Archive, RemoveReport } from '../../tiering/archive/archive.js';
import { createContext } from '../../tiering/archive/open-archive.js';
import { type RebuildReport, rebuildIndex } from '../../tiering/archive/recovery/rebuild.js';
import { parseSeriesUid, parseSopUid, parseStudyUid } from '../../tiering/core/ids.js';
import { ArchiveRig, type RigOptions, readAll, storeBytes } from './archive-rig.js';

export const PHANTOMS = [...phantomStudies({ seed: 11, studies: 3, slices: 4, shrink: 8 })];
type Phantom = (typeof PHANTOMS)[number];
export const STUDIES = [...new Set(PHANTOMS.map((one) => one.study))].map(parseStudyUid);
export const ALL = { level: 'study', matches: [], fuzzy: false, limit: 100, offset: 0, include: [] } as const;
export const WAIT = { timeout: 20_000, interval: 20 };

export const rigs: ArchiveRig[] = [];

export async function destroyRigs(): Promise<void> {
  for (const rig of rigs.splice(0)) await rig.destroy();
}

export async function rigOf(options: RigOptions = {}): Promise<ArchiveRig> {
  const rig = await ArchiveRig.create(options);
  rigs.push(rig);
  const archive = await rig.open();
  for (const { bytes } of PHANTOMS) expect(await storeBytes(archive, bytes)).toMatchObject({ status: 'stored' });
  return rig;
}

export function first<T>(items: readonly T[]): T {
  const [one] = items;
  if (one === undefined) throw new Error('there is none');
  return one;
}

export const scopeOf = (one: Phantom) => ({
  study: parseStudyUid(one.study),
  series: parseSeriesUid(one.series),
  sop: parseSopUid(one.sop),
});

/** Of the phantoms, those that the archive gives back whole; the others must not be found in any way. */
export async function found(archive: Archive): Promise<Phantom[]> {
  const live: Phantom[] = [];
  const { traysUnread, deletesUnread } = await archive.status();
  // Then what is not found may be on a volume or replica that is away.
  const unread = traysUnread.length > 0 || deletesUnread.some((name) => name.startsWith('replica '));
  const code = unread ? 'UNAVAILABLE' : 'NOT_FOUND';
  const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
    const got: T[] = [];
    try {
      for await (const item of items) got.push(item);
    } catch (error) {
      if (got.length > 0 || code === 'NOT_FOUND') throw error;
      expect(error).toMatchObject({ code });
    }
    return got;
  };
  for (const phantom of PHANTOMS) {
    const scope = scopeOf(phantom);
    const listed: string[] = (await all(archive.instances({ study: scope.study }))).map(({ sop }) => sop);
    const metadata = (await all(archive.metadata(scope))).length;
    const record = await archive.instance(scope).catch((error: unknown) => {
      expect(error).toMatchObject({ code });
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

export const without = (...gone: readonly Phantom[]) => PHANTOMS.filter((one) => !gone.includes(one));
export const ofStudy = (study: string) => PHANTOMS.filter((one) => one.study === study);

export async function files(...path: readonly string[]): Promise<string[]> {
  const entries = await readdir(join(...path), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
}

export async function expectDurable(report: RemoveReport, rig: ArchiveRig): Promise<void> {
  expect(report.durable).toBe('quorum');
  for (const replica of rig.replicaNames) expect(await files(rig.path(replica, 't'))).not.toEqual([]);
}

/** Loses the index and makes it again from the replicas that answer and the volumes. */
export async function rebuilt(rig: ArchiveRig): Promise<RebuildReport> {
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

export const away = (rig: ArchiveRig, name: string) => rename(rig.path(name), rig.path(`${name}-away`));
/** What was away is back, and was read. */
export async function backAndRead(rig: ArchiveRig, name: string): Promise<void> {
  await back(rig, name);
  await expect.poll(async () => (await rig.archive.status()).deletesUnread, WAIT).toEqual([]);
}

export const back = async (rig: ArchiveRig, name: string) => {
  await rm(rig.path(name), { recursive: true, force: true });
  await rename(rig.path(`${name}-away`), rig.path(name));
};
