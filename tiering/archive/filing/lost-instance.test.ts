// One instance of a study that is damaged in its tray keeps none of the others from being filed and protected, and stays told of until it is sent again.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { parseSeriesUid, parseSopUid, parseStudyUid } from '../../core/ids.js';

const ALL = [...phantomStudies({ seed: 61, studies: 1, slices: 4, shrink: 32 })];

let rig: ArchiveRig;
beforeEach(async () => {
  rig = await ArchiveRig.create();
  await rig.open();
});
afterEach(() => rig.destroy());

const read = async (n: number) => {
  const { study, series, sop } = ALL[n] ?? { study: '', series: '', sop: '' };
  const uids = { study: parseStudyUid(study), series: parseSeriesUid(series), sop: parseSopUid(sop) };
  return readAll(rig.archive.read(await rig.archive.instance(uids)));
};

it('a damaged instance keeps no other of its study from being protected', async () => {
  for (const { bytes } of ALL) await storeBytes(rig.archive, bytes);
  const tray = rig.path('a', 'trays', (await readdir(rig.path('a', 'trays')))[0] ?? '');
  const bytes = await readFile(tray);
  const at = bytes.indexOf(ALL[1]?.bytes ?? Buffer.alloc(1));
  expect(at).toBeGreaterThan(0);
  bytes.fill(0xa5, at + 200, at + 260);
  await writeFile(tray, bytes);

  const migrated = await rig.archive.migrate({ all: true });
  expect(migrated.failures).toMatchObject([{ code: 'CORRUPT' }]);
  expect((await rig.archive.status()).index.unprotected.instances).toBe(1);
  for (const n of ALL.keys()) if (n !== 1) expect(Buffer.compare(await read(n), ALL[n]?.bytes ?? Buffer.of())).toBe(0);
  // Again: told again, and nothing is written anew for it.
  expect(await rig.archive.migrate({ all: true })).toMatchObject({ failures: [{ code: 'CORRUPT' }], evicted: 0 });
});
