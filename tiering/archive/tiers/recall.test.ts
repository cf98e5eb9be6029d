// What is asked back by being opened: packs come back to their volume as they were; trays that went to the replicas straight away are filed
// in their time, and nothing says meanwhile that they lie on a volume.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { scopeOf } from '../../../test/support/removal-rig.js';
import { parseVolumeName } from '../../core/ids.js';

const PHANTOMS = [...phantomStudies({ seed: 31, studies: 2, slices: 2, shrink: 16 })];
const A = parseVolumeName('a');
const WAIT = { timeout: 15_000, interval: 20 };

let rig: ArchiveRig;
beforeEach(async () => {
  rig = await ArchiveRig.create({ policy: { recall: 'on-open' } });
  await rig.open();
});
afterEach(() => rig.destroy());

async function open(phantom: (typeof PHANTOMS)[number]): Promise<void> {
  const scope = scopeOf(phantom);
  for await (const _part of rig.archive.metadata({ study: scope.study })) break;
  const bytes = await readAll(rig.archive.read(await rig.archive.instance(scope)));
  expect(Buffer.compare(bytes, phantom.bytes)).toBe(0);
}

async function hotStudies(): Promise<number> {
  return (await rig.archive.status()).index.studies.hot;
}

it('a pack that is opened is hot again', async () => {
  for (const { bytes } of PHANTOMS) await storeBytes(rig.archive, bytes);
  await rig.archive.migrate({ all: true });
  expect(await hotStudies()).toBe(0);
  for (const phantom of PHANTOMS) await open(phantom);
  await expect.poll(hotStudies, WAIT).toBe(2);
  expect(await rig.archive.scrub({ deep: true })).toMatchObject({ findings: [] });
});

it('a tray that was stored cloud-direct and is opened is nowhere said to be on the volume before it is filed', async () => {
  await rig.archive.failVolume(A);
  for (const { bytes } of PHANTOMS) expect(await storeBytes(rig.archive, bytes)).toMatchObject({ status: 'stored' });
  expect(await rig.archive.returnVolume(A)).toBe('healthy');
  for (const phantom of PHANTOMS) await open(phantom);
  // Some rounds of the movers, one of which would have brought it back.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await rig.archive.scrub({ deep: true })).toMatchObject({ findings: [] });
  expect(await rig.archive.recall({ all: true })).toMatchObject({ failures: [] });
  expect(await hotStudies()).toBe(2);
  for (const phantom of PHANTOMS) await open(phantom);
  expect(await rig.archive.scrub({ deep: true })).toMatchObject({ findings: [] });
});
