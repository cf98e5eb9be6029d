// Durable file writing in a directory store: a temporary file is written and synced, then takes its
// name in one step, and every folder on the way is synced before the call resolves.
import { type FileHandle, link, mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { throwIfAborted } from '../checks.js';
import { isErrno } from './file-errors.js';

/** Written between two looks at the signal. */
const PIECE_BYTES = 4 * 1024 * 1024;

/** Makes the entries of a folder (creates, renames, unlinks) durable. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes and syncs a new file at `path`. Nothing is left of it when this rejects. */
export async function writeNewFile(path: string, body: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  const handle = await open(path, 'wx', 0o640);
  try {
    try {
      await writeAll(handle, body, signal);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    await unlink(path).catch(() => undefined);
    throw error;
  }
}

async function writeAll(handle: FileHandle, body: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  let at = 0;
  while (at < body.byteLength) {
    throwIfAborted(signal);
    const { bytesWritten } = await handle.write(body, at, Math.min(PIECE_BYTES, body.byteLength - at), at);
    at += bytesWritten;
  }
  throwIfAborted(signal);
}

/**
 * Gives the file at `temp` the name `target`, over what is there, or with `ifAbsent` only when nothing is (rejects with
 * EEXIST). Does not sync the folder. When it rejects, `temp` is still there.
 */
export async function placeFile(temp: string, target: string, ifAbsent: boolean): Promise<void> {
  if (!ifAbsent) {
    await rename(temp, target);
    return;
  }
  await link(temp, target);
  // The object is in place: a second name that stays behind is only stale.
  await unlink(temp).catch(() => undefined);
}

/**
 * Makes `folder` ('a/b', below `root`) and syncs every folder from it up to the root, also those that exist: another
 * process may have made them and died before its own sync.
 */
export async function makeFolders(root: string, folder: string): Promise<void> {
  if (folder === '' || folder === '.') return;
  await makeFolders(root, dirname(folder));
  const path = join(root, folder);
  await mkdir(path).catch((error: unknown) => {
    if (!isErrno(error, 'EEXIST')) throw error;
  });
  await syncFolder(dirname(path));
}
