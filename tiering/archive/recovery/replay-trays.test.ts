// What was acknowledged and is not in the index is there before the server answers, whatever lies around it.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { but } from '../../../test/support/but.js';
import { buildPart10 } from '../../../test/support/part10-builder.js';
import { cutPower, keepIndex } from '../../../test/support/power-cut.js';
import { parseSeriesUid, parseSopUid, parseStudyUid } from '../../core/ids.js';
import type { Volume } from '../../hot/volume.js';
import type { Archive } from '../archive.js';
import { openArchive } from '../open-archive.js';

const MIB = 1024 * 1024;
const BASE = { study: '1.2.3', series: '1.2.3.4' };
const LONG_BYTES = 3 * MIB;

let rig: ArchiveRig;
let archive: Archive | null;
beforeEach(async () => {
  archive = null;
  rig = await ArchiveRig.create({ policy: { instanceMemoryBytes: MIB } });
  await rig.open();
});
afterEach(async () => {
  await archive?.close();
  await rig.destroy();
});

/** Longer than an instance of the in-tray may be. */
const long = (sop: string, fill: number) =>
  buildPart10({ ...BASE, sop, elements: [['FFFCFFFC', 'OB', Buffer.alloc(LONG_BYTES, fill)]] });
const scopeOf = (sop: string) => ({
  study: parseStudyUid(BASE.study),
  series: parseSeriesUid(BASE.series),
  sop: parseSopUid(sop),
});

/** The power fails, and the index forgets what came after `keepIndex`; nobody compares the packs of the volume with it any more. */
async function openAfterPowerCut(): Promise<Archive> {
  await cutPower(rig, () => rig.close());
  const parts = await rig.parts();
  const neverListed = (volume: Volume) =>
    but<Volume>(volume, {
      list: async function* (kind) {
        if (kind === 'tray') yield* volume.list(kind);
      },
    });
  const volumes = parts.volumes.map((one) => ({ ...one, open: async () => neverListed(await one.open()) }));
  archive = await openArchive({ ...parts, volumes });
  return archive;
}

describe('a long instance in a pack of its own, which the index forgot', () => {
  it('is there as soon as the in-tray that points to it was read', async () => {
    const [first, second] = [long('1.2.3.4.1', 1), long('1.2.3.4.2', 2)];
    expect(await storeBytes(rig.archive, first)).toMatchObject({ status: 'stored' });
    await keepIndex(rig);
    expect(await storeBytes(rig.archive, second)).toMatchObject({ status: 'stored' });
    const reopened = await openAfterPowerCut();
    for (const [sop, bytes] of [
      ['1.2.3.4.1', first],
      ['1.2.3.4.2', second],
    ] as const) {
      const record = await reopened.instance(scopeOf(sop));
      expect(Buffer.compare(await readAll(reopened.read(record)), bytes)).toBe(0);
    }
    expect(rig.events.filter(({ event }) => event === 'pack-adopted')).toHaveLength(1);
  });

  it('stays deleted when it was deleted after it', async () => {
    await keepIndex(rig);
    expect(await storeBytes(rig.archive, long('1.2.3.4.1', 1))).toMatchObject({ status: 'stored' });
    await rig.archive.remove(scopeOf('1.2.3.4.1'));
    expect(await storeBytes(rig.archive, long('1.2.3.4.2', 2))).toMatchObject({ status: 'stored' });
    const reopened = await openAfterPowerCut();
    await expect(reopened.instance(scopeOf('1.2.3.4.1'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await reopened.instance(scopeOf('1.2.3.4.2'))).sop).toBe('1.2.3.4.2');
  });
});
