// Opens the index of an archive. One that is to be made again is begun anew where what lies there is of no use: damaged, or an older copy,
// which a rebuild must not be built upon. It is set aside, never removed.
import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { generationOf } from '../tiering/archive/authority/authority.js';
import type { ScratchIndex } from '../tiering/archive/drills/index-drill.js';
import type { ReplicaSet } from '../tiering/cold/replicas/replica-set.js';
import type { Clock } from '../tiering/core/clock.js';
import { hasCode } from '../tiering/core/errors.js';
import { withDeadline } from '../tiering/core/queues.js';
import { syncDirectory } from '../tiering/hot/files.js';
import { peekGeneration } from '../tiering/hot/generation.js';
import type { Index } from '../tiering/index/index.js';
import { openSqliteIndex } from '../tiering/index/sqlite/open-sqlite-index.js';
import type { Config } from './config.js';

const PEEK_MS = 5_000;

/** @param rebuilding what cannot be used is set aside; otherwise the errors of `openSqliteIndex`. */
export async function openIndex(config: Config, rebuilding: boolean, clock: Clock): Promise<Index> {
  const { path } = config.index;
  let index: Index;
  try {
    index = await openSqliteIndex({ path });
  } catch (error) {
    if (!rebuilding || !hasCode(error, 'CORRUPT')) throw error;
    return startOver(path, clock);
  }
  if (!rebuilding || (await isSound(index, config))) return index;
  await index.close();
  return startOver(path, clock);
}

/** Whether a rebuild may go on with what there is. All of it is read: damage may leave an index that seems to be new. */
async function isSound(index: Index, config: Config): Promise<boolean> {
  try {
    if ((await index.check()).length > 0) return false;
    const own = await generationOf(index);
    const found = await Promise.all(config.hot.volumes.map((volume) => peek(volume.path)));
    return own === null || Math.max(...found) <= own;
  } catch (error) {
    if (!hasCode(error, 'CORRUPT')) throw error;
    return false;
  }
}

/** Whether a replica knows of changes that the index does not. */
export async function isBehind(index: Index, replicas: ReplicaSet): Promise<boolean> {
  const own = await generationOf(index);
  return own !== null && [...replicas.configs().values()].some(({ generation }) => generation > own);
}

/** Moves what lies at `path` away and opens a new index there. It must not be open. */
export async function startOver(path: string, clock: Clock): Promise<Index> {
  const stamp = new Date(clock.nowMs()).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  // The log first: a log without its file is nothing, a file without its log is an older copy.
  for (const suffix of ['-shm', '-wal', '']) {
    await rename(`${path}${suffix}`, `${path}.set-aside-${stamp}${suffix}`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
  await syncDirectory(dirname(path));
  return openSqliteIndex({ path });
}

/** An empty index in a folder beside the one at `path`, with nothing of an earlier one; removed when it is disposed of. */
export async function openScratch(path: string): Promise<ScratchIndex> {
  const folder = join(dirname(path), 'drill');
  await rm(folder, { recursive: true, force: true });
  const index = await openSqliteIndex({ path: join(folder, 'filmroom.db') });
  return {
    index,
    dispose: async () => {
      await index.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A volume that hangs says nothing; it is looked at again when it is opened. */
function peek(path: string): Promise<number> {
  return withDeadline(PEEK_MS, path, () => peekGeneration(path)).catch(() => 0);
}
