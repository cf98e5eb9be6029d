// A volume that is away when the index has lost its last rows, or was made again without it: what is not found is unavailable, not absent. A power cut
// is the index as it was when it was last durable, beside the volume as it is.
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type PhantomInstance, phantomStudies } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { keepIndex } from '../../../test/support/power-cut.js';
import { parseSeriesUid, parseSopUid, parseStudyUid, parseVolumeName } from '../../core/ids.js';
import { Sqlite } from '../../core/sqlite.js';
import { openArchive } from '../open-archive.js';

const ALL = [...phantomStudies({ seed: 41, studies: 4, slices: 1, shrink: 32 })];
/** One of each study. */
const [FIRST, LATE, NEVER, NEW] = [...new Map(ALL.map((one) => [one.study, one])).values()] as [
  PhantomInstance,
  PhantomInstance,
  PhantomInstance,
  PhantomInstance,
];
const WAIT = { timeout: 20_000, interval: 50 };
const ANY = { level: 'study', matches: [], fuzzy: false, limit: 10, offset: 0, include: [] } as const;

let rig: ArchiveRig;
beforeEach(async () => {
  rig = await ArchiveRig.create();
  await rig.open();
  await storeBytes(rig.archive, FIRST.bytes);
});
afterEach(() => rig.destroy());

const scopeOf = ({ study, series, sop }: PhantomInstance) => ({
  study: parseStudyUid(study),
  series: parseSeriesUid(series),
  sop: parseSopUid(sop),
});
const look = (one: PhantomInstance) => rig.archive.instance(scopeOf(one));
const unread = async () => (await rig.archive.status()).traysUnread;
const volumeState = async () => (await rig.archive.status()).volumes[0]?.state;
const mark = () => {
  const db = new Sqlite(rig.path('index', 'filmroom.db'), { readonly: true });
  const value = db.prepare(`SELECT value FROM settings WHERE key = 'volume.a.trays'`).pluck().get();
  db.close();
  return value;
};

/** The power fails now; the volume is not in its place at the next start. */
async function cutPower(): Promise<void> {
  await cp(rig.path('a'), rig.path('a-cut'), { recursive: true }).catch(() => undefined);
  await rig.close();
  await rm(rig.path('index'), { recursive: true });
  await rm(rig.path('a'), { recursive: true, force: true });
  await rename(rig.path('index-cut'), rig.path('index'));
  await rig.open();
}

async function expectDoubtful(): Promise<void> {
  const refused = { code: 'UNAVAILABLE', message: expect.stringContaining('volume a is away') as string };
  for (const one of [LATE, NEVER]) {
    await expect(look(one)).rejects.toMatchObject(refused);
    for (const scope of [scopeOf(one), { study: scopeOf(one).study }]) {
      await expect(rig.archive.instances(scope)[Symbol.asyncIterator]().next()).rejects.toMatchObject(refused);
      await expect(rig.archive.metadata(scope)[Symbol.asyncIterator]().next()).rejects.toMatchObject(refused);
      await expect(rig.archive.remove(scope)).rejects.toMatchObject(refused);
    }
  }
  expect((await rig.archive.query(ANY)).provisional).toContain('volume a is away');
  expect(await unread()).toEqual(['a']);
}

async function expectCertain(): Promise<void> {
  await expect(look(NEVER)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(rig.archive.remove(scopeOf(NEVER))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect((await rig.archive.query(ANY)).provisional).toBeUndefined();
  expect(await unread()).toEqual([]);
}

describe('a volume that is away', () => {
  it('after a power cut may hold what is not found, until it is back; arrivals go on', async () => {
    await rig.reopen();
    await keepIndex(rig);
    expect((await storeBytes(rig.archive, LATE.bytes)).status).toBe('stored');
    await cutPower();
    await expectDoubtful();
    expect((await look(FIRST)).sop).toBe(FIRST.sop);
    expect((await storeBytes(rig.archive, NEW.bytes)).status).toBe('stored');
    await expectDoubtful();
    // A clean stop changes nothing about it.
    await rig.reopen();
    await expectDoubtful();
    await rename(rig.path('a-cut'), rig.path('a'));
    await vi.waitFor(async () => expect(await volumeState()).toBe('healthy'), WAIT);
    for (const one of [FIRST, LATE, NEW]) {
      expect(Buffer.compare(await readAll(rig.archive.read(await look(one))), one.bytes)).toBe(0);
    }
    await expectCertain();
  });

  it('after a clean stop holds nothing that the index does not know', async () => {
    await rig.close();
    await rename(rig.path('a'), rig.path('a-away'));
    await rig.open();
    await expectCertain();
  });

  it('that failed and was left while the server ran holds nothing either, whatever happens then', async () => {
    await rig.reopen();
    await storeBytes(rig.archive, LATE.bytes);
    expect(mark()).toBe('open');
    await rename(rig.path('a'), rig.path('a-away'));
    // Arrivals notice, and leave it.
    await storeBytes(rig.archive, NEW.bytes);
    await vi.waitFor(() => expect(mark()).toBe(''), WAIT);
    await keepIndex(rig);
    await cutPower();
    expect((await look(LATE)).sop).toBe(LATE.sop);
    await expectCertain();
    // Back in use it is as any other again.
    await rename(rig.path('a-away'), rig.path('a'));
    await vi.waitFor(async () => expect(await volumeState()).toBe('healthy'), WAIT);
    expect(mark()).toBe('open');
  });

  it('when the index is made again may hold what is not found, until it is given up', async () => {
    await rig.archive.migrate({ all: true });
    await rig.close();
    await rm(rig.path('index'), { recursive: true });
    await rename(rig.path('a'), rig.path('a-away'));
    const archive = await openArchive({ ...(await rig.parts()), rebuild: true });
    await vi.waitFor(
      async () => expect(await archive.status()).toMatchObject({ rebuild: null, traysUnread: ['a'] }),
      WAIT,
    );
    await expect(archive.instance(scopeOf(LATE))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await archive.close();
    await rig.open();
    await expectDoubtful();
    await mkdir(rig.path('a'));
    await rig.archive.adoptVolume(parseVolumeName('a'));
    await expectCertain();
  });
});
