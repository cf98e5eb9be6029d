// A pack file that the index does not know is removed only when every instance in it can be read where the index says that it lives (I5).
import { open, readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { parseSeriesUid, parseSopUid, parseStudyUid } from '../../core/ids.js';
import { buildPack } from '../filing/pack-builder.js';

const ALL = [...phantomStudies({ seed: 51, studies: 1, slices: 2, shrink: 32 })];
const STUDY = parseStudyUid(ALL[0]?.study ?? '');
const WAIT = { timeout: 20_000, interval: 50 };

let rig: ArchiveRig;
let tray: string;
let file: string;
beforeEach(async () => {
  rig = await ArchiveRig.create();
  await rig.open();
  for (const { bytes } of ALL) expect(await storeBytes(rig.archive, bytes)).toMatchObject({ status: 'stored' });
  await rig.close();
  tray = rig.path('a', 'trays', (await readdir(rig.path('a', 'trays')))[0] ?? '');
  file = await killedWhileFiling();
});
afterEach(() => rig.destroy());

/** The study's new pack is in its place, and the index was not told. Resolves with the file's path. */
async function killedWhileFiling(): Promise<string> {
  const ctx = await rig.context();
  const volume = ctx.volumes.readables()[0];
  if (volume === undefined) throw new Error('the rig has no volume');
  const id = ctx.packIds.next();
  await buildPack(ctx, volume, id, await ctx.index.unfiledInstances(STUDY));
  const path = volume.path({ id, kind: 'pack' });
  await rig.close();
  return path;
}

async function expectEqual(): Promise<void> {
  for (const { series, sop, bytes } of ALL) {
    const uids = { study: STUDY, series: parseSeriesUid(series), sop: parseSopUid(sop) };
    expect(Buffer.compare(await readAll(rig.archive.read(await rig.archive.instance(uids))), bytes)).toBe(0);
  }
}

const exists = async (path: string) =>
  open(path).then(
    async (handle) => handle.close().then(() => true),
    () => false,
  );

describe('a pack that the index does not know', () => {
  it('is removed when all of it lives elsewhere', async () => {
    await rig.open();
    await vi.waitFor(async () => expect(await exists(file)).toBe(false), WAIT);
    await expectEqual();
  });

  it('is taken in when what lives elsewhere cannot be read there', async () => {
    const handle = await open(tray, 'r+');
    const { size } = await handle.stat();
    // Within the last instance.
    await handle.write(Buffer.alloc(64, 0xa5), 0, 64, size - 1_500);
    await handle.close();
    await rig.open();
    await vi.waitFor(() => expect(rig.events.map(({ event }) => event)).toContain('pack-adopted'), WAIT);
    await expectEqual();
    await rig.reopen();
    await expectEqual();
    expect(await exists(file)).toBe(true);
    expect(await rig.archive.migrate({ all: true })).toMatchObject({ failures: [] });
    await expectEqual();
  });
});
