// An index that is an older copy, and a server that is not the only one, are found out; a good index never is. On real volumes, replicas and SQLite files.
import { cp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { claimReplica } from '../../cold/replicas/identity.js';
import { systemClock } from '../../core/clock.js';
import { parseReplicaName, parseSeriesUid, parseSopUid, parseStudyUid } from '../../core/ids.js';
import { CONFIG_NAME } from '../../format/names.js';
import { openSqliteIndex } from '../../index/sqlite/open-sqlite-index.js';
import type { Archive } from '../archive.js';
import { openArchive } from '../open-archive.js';

const PHANTOMS = [...phantomStudies({ seed: 31, studies: 2, slices: 1, shrink: 32 })];
const WAIT = { timeout: 20_000, interval: 50 };

let rig: ArchiveRig;
beforeEach(async () => {
  rig = await ArchiveRig.create();
  await rig.open();
});
afterEach(() => rig.destroy());

async function store(archive: Archive, phantoms = PHANTOMS): Promise<void> {
  for (const { bytes } of phantoms) await storeBytes(archive, bytes);
}

async function expectEqual(archive: Archive): Promise<void> {
  for (const { study, series, sop, bytes } of PHANTOMS) {
    const uids = { study: parseStudyUid(study), series: parseSeriesUid(series), sop: parseSopUid(sop) };
    expect(Buffer.compare(await readAll(archive.read(await archive.instance(uids))), bytes)).toBe(0);
  }
}

const index = (...names: readonly string[]) => rig.path('index', ...names);
const copyIndex = (to: string) => cp(index(), rig.path(to), { recursive: true });
async function putBack(from: string): Promise<void> {
  await rm(index(), { recursive: true });
  await cp(rig.path(from), index(), { recursive: true });
}
/** As a server does it: with an epoch, that is. */
const serve = async (ownerEpoch: number, more = {}) => openArchive({ ...(await rig.parts()), ownerEpoch, ...more });

/** What is refused is let go of: whoever comes next finds nothing locked. */
async function expectRefused(opening: ReturnType<typeof rig.parts>, why = /older copy.*--rebuild/): Promise<void> {
  const parts = await opening;
  const refused = { code: 'FOREIGN', message: expect.stringMatching(why) as string };
  await expect(openArchive({ ...parts, ownerEpoch: 100 })).rejects.toMatchObject(refused);
  await Promise.all([parts.index.close(), parts.replicas.close(), parts.pool.close()]);
}

describe('an older copy of the index', () => {
  it.each([
    ['evicted', (archive: Archive) => archive.migrate({ all: true })],
    ['deleted', (archive: Archive) => archive.remove({ study: parseStudyUid(PHANTOMS[0]?.study ?? '') })],
  ] as const)('is refused once something was %s, by the volume; the newest is not', async (_, act) => {
    await store(rig.archive);
    await rig.close();
    await copyIndex('older');
    await rig.open();
    await act(rig.archive);
    await rig.close();
    await copyIndex('newest');
    await putBack('older');
    await expectRefused(rig.parts());
    await putBack('newest');
    await rig.open();
  });

  it('is refused by the replicas where the volumes are new', async () => {
    await rig.close();
    let archive = await serve(5);
    await store(archive);
    await archive.close();
    await copyIndex('older');
    archive = await serve(6);
    await archive.migrate({ all: true });
    await vi.waitFor(async () => {
      const config = JSON.parse(Buffer.from(await (await rig.store('r1')).get(CONFIG_NAME)).toString()) as object;
      expect(config).toMatchObject({ ownerEpoch: 6, generation: expect.any(Number) as number });
    }, WAIT);
    await archive.close();
    await putBack('older');
    await rm(rig.path('a'), { recursive: true });
    await expectRefused(rig.parts());
    // Where it is to be made again, what they say is where it goes on.
    await (await serve(8, { rebuild: true })).close();
  });

  it('whose log was lost is one', async () => {
    await store(rig.archive);
    await rig.reopen();
    await cp(index('filmroom.db'), rig.path('without-log.db'));
    await rig.archive.migrate({ all: true });
    await rig.close();
    await cp(rig.path('without-log.db'), index('filmroom.db'));
    await expectRefused(rig.parts());
  });

  it('is not what an index is taken for that was made again without the volume, while the clock was set back', async () => {
    await store(rig.archive);
    await rig.archive.migrate({ all: true }, { keepHot: true });
    await rig.close();
    await rm(index(), { recursive: true });
    await rename(rig.path('a'), rig.path('away'));
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() - 3 * 3_600_000 };
    const rebuilt = await serve(8, { rebuild: true, clock });
    await vi.waitFor(async () => expect((await rebuilt.status()).rebuild).toBeNull(), WAIT);
    await rebuilt.close();
    await rename(rig.path('away'), rig.path('a'));
    await expectEqual(await rig.open());
    await rig.close();
    await copyIndex('older');
    await rig.open();
    await rig.archive.migrate({ all: true });
    await rig.close();
    await putBack('older');
    await expectRefused(rig.parts());
  });

  it('is not what an index is taken for whose volume lost or damaged its mark', async () => {
    await store(rig.archive);
    await rig.archive.migrate({ all: true });
    for (const damage of [
      () => truncate(rig.path('a', 'generation'), 100),
      () => writeFile(rig.path('a', 'generation'), 'x'.repeat(1024)),
      () => rm(rig.path('a', 'generation')),
    ]) {
      await rig.close();
      await damage();
      await expectEqual(await rig.open());
      await rig.archive.migrate({ all: true });
    }
  });
});

describe('two servers on copies of one index', () => {
  const refused = (why: string) => ({ code: 'UNAVAILABLE', message: expect.stringContaining(why) as string });
  const stopped = (archive: Archive) =>
    vi.waitFor(async () => expect((await archive.status()).stopped).toMatchObject({ restart: true }), WAIT);
  const bytes = PHANTOMS[0]?.bytes ?? Buffer.alloc(0);

  it('the one whose index is behind stops writing at its next probe, and reads on', async () => {
    await store(rig.archive);
    await rig.archive.migrate({ all: true }, { keepHot: true });
    await rig.close();
    // The other has the replicas alone: the volume is the first one's.
    const other = await rig.parts();
    await other.index.close();
    await copyIndex('copy');
    const first = await serve(100);
    const copied = await openSqliteIndex({ path: rig.path('copy', 'filmroom.db') });
    const second = await openArchive({ ...other, index: copied, ownerEpoch: 101, volumes: [] });
    await stopped(second);
    await expect(second.migrate({ all: true })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expectEqual(second);
    await second.close();
    await first.close();
  });

  it('the one that began earlier stops writing, reads on, and does not start again', async () => {
    await store(rig.archive);
    await rig.close();
    const first = await serve(100);
    const claim = { archiveId: rig.keyring.archiveId, ownerEpoch: 101, generation: 0 };
    await vi.waitFor(async () => {
      await claimReplica(await rig.store('r2'), parseReplicaName('r2'), claim);
      expect((await first.status()).stopped).toMatchObject({ restart: true });
    }, WAIT);
    await expect(storeBytes(first, bytes)).rejects.toMatchObject(refused('another server'));
    await expect(first.migrate({ all: true })).rejects.toMatchObject(refused('another server'));
    expect(await first.status()).toMatchObject({ ingest: 'refused' });
    await expectEqual(first);
    await first.close();
    await expectRefused(rig.parts(), /another server/);
  });
});
