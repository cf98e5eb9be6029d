// A power cut over a rig: the index as it was when it was last durable, beside the volume as it is.
import { cp, rename, rm } from 'node:fs/promises';
import type { ArchiveRig } from './archive-rig.js';

/** What a power cut leaves of the index if it comes after this and nothing is synced meanwhile: beside it, as `index-cut`. */
export async function keepIndex(rig: ArchiveRig): Promise<void> {
  await cp(rig.path('index'), rig.path('index-cut'), { recursive: true });
  await rm(rig.path('index-cut', 'filmroom.db-shm'));
}

/** The power fails now: `close` ends the process, and volume `a` and the index that was kept are what the next one finds. */
export async function cutPower(rig: ArchiveRig, close: () => Promise<void>): Promise<void> {
  await cp(rig.path('a'), rig.path('a-cut'), { recursive: true });
  await close();
  for (const name of ['index', 'a']) {
    await rm(rig.path(name), { recursive: true });
    await rename(rig.path(`${name}-cut`), rig.path(name));
  }
}
