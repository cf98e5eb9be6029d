// Lists a directory tree as a flat, ordered set of keys: depth first, in the order of UTF-8 bytes of
// the whole key (so that "a.b" comes before "a/b"), never holding more than a bounded number of names.
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ObjectKey, parseObjectKey } from '../../core/ids.js';
import { throwIfAborted } from '../checks.js';
import type { ObjectEntry } from '../object-store.js';
import { isErrno } from './file-errors.js';

const SEGMENT = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
const KEY_LENGTH_MAX = 512;

export interface ListFolderOptions {
  readonly root: string;
  readonly prefix: string;
  readonly after: string;
  /** Names of one folder held at a time; a larger folder is read again for each further batch. */
  readonly namesMax: number;
  readonly signal?: AbortSignal | undefined;
}

/** Every key below `folder` ('' or 'a/b/') that fits `options`, ascending. Symbolic links and foreign names are skipped. */
export async function* listFolder(folder: string, options: ListFolderOptions): AsyncGenerator<ObjectEntry, void, void> {
  let cursor = '';
  for (;;) {
    const names = await namesAfter(folder, cursor, options);
    for (const name of names) {
      throwIfAborted(options.signal);
      if (name.endsWith('/')) {
        yield* listFolder(folder + name, options);
        continue;
      }
      const entry = await entryOf(folder + name, options.root);
      if (entry !== undefined) yield entry;
    }
    const last = names.at(-1);
    if (last === undefined || names.length < options.namesMax) return;
    cursor = last;
  }
}

/** The `namesMax` smallest names of a folder beyond `cursor` that can hold wanted keys; folders end in '/'. */
async function namesAfter(folder: string, cursor: string, options: ListFolderOptions): Promise<string[]> {
  const { root, namesMax, signal } = options;
  let names: string[] = [];
  try {
    for await (const found of await opendir(join(root, folder), { bufferSize: 256 })) {
      throwIfAborted(signal);
      if (!SEGMENT.test(found.name)) continue;
      const name = found.isDirectory() ? `${found.name}/` : found.isFile() ? found.name : '';
      if (name <= cursor || !wanted(folder + name, options)) continue;
      names.push(name);
      if (names.length >= 2 * namesMax) names = names.sort().slice(0, namesMax);
    }
  } catch (error) {
    // Removed while the tree is being walked: its keys are gone.
    if (isErrno(error, 'ENOENT', 'ENOTDIR') && folder !== '') return [];
    throw error;
  }
  return names.sort().slice(0, namesMax);
}

function wanted(path: string, { prefix, after }: ListFolderOptions): boolean {
  if (path.length > KEY_LENGTH_MAX) return false;
  if (!path.endsWith('/')) return path.startsWith(prefix) && path > after;
  return (path.startsWith(prefix) || prefix.startsWith(path)) && (path > after || after.startsWith(path));
}

async function entryOf(path: string, root: string): Promise<ObjectEntry | undefined> {
  try {
    const key: ObjectKey = parseObjectKey(path);
    const stats = await lstat(join(root, path));
    return stats.isFile() ? { key, bytes: stats.size } : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
