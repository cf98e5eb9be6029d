// The packer beside another one: the background and an operator's migrate may want the same study at the same moment.
import { afterEach, describe, expect, it } from 'vitest';
import { phantomStudies } from '../../dicom/phantom/phantom.js';
import { ArchiveRig, storeBytes } from '../../test/support/archive-rig.js';

const ROUNDS = 4;
const JOBS = 4;
let rig: ArchiveRig | undefined;

afterEach(async () => {
  await rig?.destroy();
});

describe('the packer', () => {
  it('files a study once when several jobs want it at the same time, and none of them fails', async () => {
    rig = await ArchiveRig.create();
    const archive = await rig.open();
    for (let seed = 1; seed <= ROUNDS; seed += 1) {
      const phantoms = [...phantomStudies({ seed, studies: 2, slices: 3, shrink: 32 })];
      for (const { bytes } of phantoms) await storeBytes(archive, bytes);
      const jobs = Array.from({ length: JOBS }, () => archive.migrate({ all: true }, { keepHot: true }));
      for (const report of await Promise.all(jobs)) expect(report.failures).toEqual([]);
    }
    const { index } = await archive.status();
    expect(index.unprotected.instances).toBe(0);
    // Two studies of one pack each in every round.
    const { packs } = await archive.migrate({ all: true }, { keepHot: true });
    expect(packs).toBe(2 * ROUNDS);
  });
});
