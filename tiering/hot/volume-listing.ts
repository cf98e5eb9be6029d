// Walks the trays or packs of a volume, one directory's names in memory at a time.
import { join } from 'node:path';
import { ArchiveError, hasCode } from '../core/errors.js';
import type { PackKind } from '../format/types.js';
import type { Bulkhead } from './bulkhead.js';
import * as files from './files.js';
import type { PackRef } from './volume.js';
import { levelsOf, PACKS, packIdOf, pathOf, TRAYS } from './volume-paths.js';

export interface ListedFile {
  readonly ref: PackRef;
  readonly bytes: number;
}

/** Every file of `kind`; foreign names, links and directories of other names are skipped. Files that go meanwhile are left out. */
export async function* listFiles(bulkhead: Bulkhead, root: string, kind: PackKind): AsyncGenerator<ListedFile> {
  const top = join(root, kind === 'tray' ? TRAYS : PACKS);
  let names: string[];
  try {
    names = await readNames(bulkhead, top);
  } catch (error) {
    if (!hasCode(error, 'ABSENT')) throw error;
    // "No packs" would be believed, and every one of them be called cold.
    throw new ArchiveError('UNAVAILABLE', `the volume has lost its directory ${top}`, { cause: error });
  }
  yield* walk(bulkhead, root, top, names, kind, levelsOf(kind));
}

async function* walk(
  bulkhead: Bulkhead,
  root: string,
  directory: string,
  names: readonly string[],
  kind: PackKind,
  levels: readonly RegExp[],
): AsyncGenerator<ListedFile> {
  const [level, ...below] = levels;
  for (const name of names) {
    if (level === undefined) {
      const found = await look(bulkhead, root, directory, name, kind);
      if (found !== undefined) yield found;
    } else if (level.test(name)) {
      const path = join(directory, name);
      yield* walk(bulkhead, root, path, await readNamesIfThere(bulkhead, path), kind, below);
    }
  }
}

async function look(
  bulkhead: Bulkhead,
  root: string,
  directory: string,
  name: string,
  kind: PackKind,
): Promise<ListedFile | undefined> {
  const id = packIdOf(name);
  if (id === undefined) return undefined;
  const ref: PackRef = { id, kind };
  const path = join(directory, name);
  // A pack in the directory of another day could not be opened by its id: a foreign file.
  if (path !== pathOf(root, ref)) return undefined;
  try {
    const found = await bulkhead.run(`stat ${path}`, () => files.lstat(path));
    return found.isFile() ? { ref, bytes: found.size } : undefined;
  } catch (error) {
    if (hasCode(error, 'ABSENT')) return undefined;
    throw error;
  }
}

function readNames(bulkhead: Bulkhead, path: string): Promise<string[]> {
  return bulkhead.run(`read directory ${path}`, () => files.readdir(path));
}

async function readNamesIfThere(bulkhead: Bulkhead, path: string): Promise<string[]> {
  try {
    return await readNames(bulkhead, path);
  } catch (error) {
    if (hasCode(error, 'ABSENT')) return [];
    if (error instanceof ArchiveError && error.message.endsWith('ENOTDIR')) return [];
    throw error;
  }
}
