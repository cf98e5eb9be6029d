// Where everything lies in a volume. A path follows from a pack id and nothing else.
import { join } from 'node:path';
import { type PackId, packIdMs, parsePackId } from '../core/ids.js';
import type { PackKind } from '../format/types.js';
import type { PackRef } from './volume.js';

const TAR = '.tar';

export const TRAYS = 'trays';
export const PACKS = 'packs';
export const TMP = 'tmp';
export const IDENTITY = 'volume.json';
export const LOCK = 'lock.db';
export const GENERATION = 'generation';

/** `<yyyy>`, `<mm>` and `<dd>` of the moment that the id carries, in UTC. */
export function packDay(id: PackId): readonly [string, string, string] {
  const born = new Date(packIdMs(id));
  return [
    String(born.getUTCFullYear()).padStart(4, '0'),
    String(born.getUTCMonth() + 1).padStart(2, '0'),
    String(born.getUTCDate()).padStart(2, '0'),
  ];
}

/** The directory of a file of the volume. */
export function directoryOf(root: string, ref: PackRef): string {
  return ref.kind === 'tray' ? join(root, TRAYS) : join(root, PACKS, ...packDay(ref.id));
}

export function pathOf(root: string, ref: PackRef): string {
  return join(directoryOf(root, ref), ref.id + TAR);
}

/** The id that a file name in `trays/` or a day's directory stands for, or undefined for a foreign name. */
export function packIdOf(fileName: string): PackId | undefined {
  if (!fileName.endsWith(TAR)) return undefined;
  try {
    return parsePackId(fileName.slice(0, -TAR.length));
  } catch {
    return undefined;
  }
}

/** The names under which the directories of a kind are walked: one pattern a level. */
export function levelsOf(kind: PackKind): readonly RegExp[] {
  return kind === 'tray' ? [] : [/^\d{4,6}$/, /^\d{2}$/, /^\d{2}$/];
}
