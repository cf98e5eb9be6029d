// A volume that the operator takes out of use is let go of, kept out over restarts, and taken back in whole.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { parseSeriesUid, parseSopUid, parseStudyUid, parseVolumeName } from '../../core/ids.js';

const PHANTOMS = [...phantomStudies({ seed: 23, studies: 2, slices: 3, shrink: 8 })];
const HALF = Math.floor(PHANTOMS.length / 2);
const A = parseVolumeName('a');

let rig: ArchiveRig;
beforeEach(async () => {
  rig = await ArchiveRig.create();
  await rig.open();
});
afterEach(() => rig.destroy());

async function store(phantoms: typeof PHANTOMS): Promise<void> {
  for (const { bytes } of phantoms) expect(await storeBytes(rig.archive, bytes)).toMatchObject({ status: 'stored' });
}

async function read({ study, series, sop }: (typeof PHANTOMS)[number]): Promise<Buffer> {
  const uids = { study: parseStudyUid(study), series: parseSeriesUid(series), sop: parseSopUid(sop) };
  return readAll(rig.archive.read(await rig.archive.instance(uids)));
}

async function expectEqual(): Promise<void> {
  for (const phantom of PHANTOMS) expect(Buffer.compare(await read(phantom), phantom.bytes)).toBe(0);
}

async function stateOfA(): Promise<string | undefined> {
  return (await rig.archive.status()).volumes.find(({ name }) => name === A)?.state;
}

it('is out of use over restarts: protected studies are read from the replicas, new ones are stored there, and all is whole on its return', async () => {
  await store(PHANTOMS.slice(0, HALF));
  expect(await rig.archive.exposure(A)).toMatchObject({ instances: HALF });
  await rig.archive.migrate({ all: true }, { keepHot: true });
  expect(await rig.archive.exposure(A)).toEqual({ packs: 0, instances: 0, bytes: 0 });

  await rig.archive.failVolume(A);
  expect(await rig.archive.status()).toMatchObject({ ingest: 'cloud-direct' });
  await store(PHANTOMS.slice(HALF));
  await expectEqual();
  await rig.reopen();
  expect(await stateOfA()).toBe('failed');
  await expectEqual();

  expect(await rig.archive.returnVolume(A)).toBe('healthy');
  expect(await rig.archive.status()).toMatchObject({ ingest: 'volume' });
  expect(await rig.archive.migrate({ all: true })).toMatchObject({ failures: [] });
  await expectEqual();
  await rig.reopen();
  expect(await stateOfA()).toBe('healthy');
  await expectEqual();
});

it('gives up nothing that is being stored while it is taken out', async () => {
  const storing = store(PHANTOMS);
  await rig.archive.failVolume(A);
  await storing;
  expect(await rig.archive.returnVolume(A)).toBe('healthy');
  await expectEqual();
});

it('says what cannot be read meanwhile, and reads it again after the return', async () => {
  await store(PHANTOMS);
  await rig.archive.failVolume(A);
  const [first] = PHANTOMS;
  if (first === undefined) throw new Error('no phantoms');
  await expect(read(first)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  // Twice is as once; so is returning one that is in use.
  await rig.archive.failVolume(A);
  expect(await rig.archive.returnVolume(A)).toBe('healthy');
  expect(await rig.archive.returnVolume(A)).toBe('healthy');
  await expectEqual();
});

it('is one of the configuration', async () => {
  const unknown = parseVolumeName('b');
  for (const asked of [
    rig.archive.failVolume(unknown),
    rig.archive.returnVolume(unknown),
    rig.archive.exposure(unknown),
  ]) {
    await expect(asked).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.stringContaining('it has: a') as string,
    });
  }
});
