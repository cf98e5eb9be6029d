// I11: filing, protecting, evicting, recalling and deleting are killed at every single write of the index, of every replica and of the
// volume: before it is done, after it is done, and by a power cut. Whoever comes next takes it to its end, and nothing is left over.
import { afterAll, beforeAll, describe, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { storeBytes } from '../../../test/support/archive-rig.js';
import { done, killEverywhere } from '../../../test/support/kill-everywhere.js';
import { MortalArchive } from '../../../test/support/mortal-archive.js';
import { createWorkerPool, type WorkerPool } from '../../../workers/pool.js';
import { hasCode } from '../../core/errors.js';
import { parseStudyUid } from '../../core/ids.js';
import type { Archive } from '../archive.js';

const PHANTOMS = [...phantomStudies({ seed: 21, studies: 2, slices: 2, shrink: 32 })];
/** Two studies, of two instances and of one. */
const ALL = [...PHANTOMS.slice(0, 2), ...PHANTOMS.slice(-1)];
const LAST = ALL.slice(-1);
const EARLIER = ALL.slice(0, -1);
const [FIRST] = ALL;

let pool: WorkerPool;
beforeAll(() => {
  pool = createWorkerPool({ threads: 1 });
});
afterAll(async () => pool.close());

async function stored(archive: Archive, instances: typeof ALL): Promise<void> {
  for (const { bytes } of instances) {
    const outcome = await storeBytes(archive, bytes);
    if (outcome.status === 'refused') throw new Error(outcome.detail);
  }
}

describe('killed at every write, and by a power cut after every write', () => {
  let arrived: MortalArchive;
  let cold: MortalArchive;
  beforeAll(async () => {
    arrived = await MortalArchive.create(pool);
    await arrived.live((archive) => stored(archive, EARLIER));
    cold = await arrived.copy();
    await cold.live(async (archive) => {
      await stored(archive, LAST);
      await done(archive.migrate({ all: true }));
    });
  });

  it('storing, filing, protecting and evicting', async () => {
    const work = async (archive: Archive) => {
      await stored(archive, LAST);
      await done(archive.migrate({ all: true }));
    };
    await killEverywhere({ from: arrived, work, live: ALL, pointsMin: 45 });
  }, 300_000);

  it('recalling', async () => {
    const work = (archive: Archive) => done(archive.recall({ all: true }));
    await killEverywhere({ from: cold, work, live: ALL, pointsMin: 9 });
  }, 300_000);

  it('deleting', async () => {
    const study = parseStudyUid(FIRST?.study ?? '');
    const work = async (archive: Archive) => {
      await archive.remove({ study }).catch((error: unknown) => {
        // Done by the process that was killed.
        if (!hasCode(error, 'NOT_FOUND')) throw error;
      });
    };
    const live = ALL.filter((one) => one.study !== study);
    await killEverywhere({ from: cold, work, live, pointsMin: 5 });
  }, 300_000);
});
