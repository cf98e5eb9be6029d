// What happens before a volume serves: the directory proves that it is the volume it should be (or
// an empty one is made into it, when that was asked for), the lock is taken, `tmp/` is emptied.
import { dirname, join } from 'node:path';
import { ArchiveError, hasCode } from '../core/errors.js';
import type { Bulkhead } from './bulkhead.js';
import { errnoOf } from './errno.js';
import * as files from './files.js';
import { type Identity, IdentityGuard, writeIdentity } from './identity.js';
import { takeVolumeLock, type VolumeLock } from './volume-lock.js';
import { IDENTITY, LOCK, PACKS, TMP, TRAYS } from './volume-paths.js';

const DIRECTORIES = [TRAYS, PACKS, TMP] as const;
/** What a directory may hold and still count as empty: what a file system puts there, and what a cut-off creation left. */
const EMPTY_BESIDES: ReadonlySet<string> = new Set([
  'lost+found',
  LOCK,
  `${LOCK}-journal`,
  `${IDENTITY}.new`,
  ...DIRECTORIES,
]);

/** Takes hold of the volume at `root`. Writes nothing to a directory that is not the volume, unless `create`. */
export async function takeVolume(
  bulkhead: Bulkhead,
  root: string,
  mine: Identity,
  create: boolean,
): Promise<{ readonly guard: IdentityGuard; readonly lock: VolumeLock }> {
  const guard = new IdentityGuard(bulkhead, root, mine);
  let found = await readIfThere(guard);
  if (found === undefined) {
    if (!create) {
      throw new ArchiveError(
        'UNAVAILABLE',
        `volume ${mine.volume} is missing: ${join(root, IDENTITY)} is not there. Is it mounted?`,
      );
    }
    await bulkhead.run('create the volume', () => makeDirectories(root));
  }
  const lock = takeVolumeLock(root, mine.volume);
  try {
    // Under the lock nobody else can have created it or taken it over meanwhile.
    found = await readIfThere(guard);
    if (found === undefined || found.ownerEpoch < mine.ownerEpoch) {
      await writeIdentity(bulkhead, root, mine);
      await guard.read();
    }
    await bulkhead.run('empty tmp', () => emptyTmp(root));
    return { guard, lock };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function readIfThere(guard: IdentityGuard): Promise<Identity | undefined> {
  try {
    return await guard.read();
  } catch (error) {
    if (hasCode(error, 'ABSENT')) return undefined;
    throw error;
  }
}

async function makeDirectories(root: string): Promise<void> {
  await makeDurable(root);
  const foreign = await firstForeign(root, await files.readdir(root));
  if (foreign !== undefined) {
    throw new ArchiveError(
      'UNAVAILABLE',
      `${root} holds other things (${foreign}) and no ${IDENTITY}: not made a volume`,
    );
  }
  for (const name of DIRECTORIES) await makeDurable(join(root, name));
}

/** Of what a directory holds, a name that keeps it from counting as empty. */
export async function firstForeign(root: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const used = (name === TRAYS || name === PACKS) && (await files.readdir(join(root, name))).length > 0;
    if (used || !EMPTY_BESIDES.has(name)) return name;
  }
  return undefined;
}

/** mkdir, with `parents` if need be, each made durable in its own parent. */
export async function makeDurable(path: string, options = { parents: true }): Promise<void> {
  try {
    await files.mkdir(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' && options.parents && dirname(path) !== path) {
      await makeDurable(dirname(path));
      return await makeDurable(path);
    }
    if (errno !== 'EEXIST') throw error;
  }
  // Also when it exists: whoever made it may have died before this.
  await files.syncDirectory(dirname(path));
}

async function emptyTmp(root: string): Promise<void> {
  const tmp = join(root, TMP);
  try {
    await files.mkdir(tmp);
    await files.syncDirectory(root);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  for (const name of await files.readdir(tmp)) {
    try {
      await files.unlink(join(tmp, name));
    } catch (error) {
      // A directory is nothing of ours; it is in nobody's way.
      if (errnoOf(error) !== 'EISDIR') throw error;
    }
  }
}
