// A delete, or what is said of a hold, as it is kept: what it says, and sealed once, the object that tells the replicas of it.
import { sealHold } from '../../format/hold.js';
import type { HoldNote, TombstoneNote } from '../../format/tar-notes.js';
import { sealTombstone } from '../../format/tombstone.js';
import type { HoldStatement, Tombstone } from '../../format/types.js';
import type { TombstoneRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';

/** Seals it under the current key, with an id and a salt of its own. */
export async function makeRecord(ctx: ArchiveContext, said: Tombstone | HoldStatement): Promise<TombstoneRecord> {
  const { keyring, random, packIds } = ctx;
  const { seq } = said;
  const own = { id: packIds.next(), keyring, random };
  if ('hold' in said) {
    const { hold } = said;
    return { seq, entries: [], hold, ...(await sealHold({ statement: { seq, hold }, ...own })) };
  }
  const tombstone = { seq, entries: said.entries };
  return { ...tombstone, ...(await sealTombstone({ tombstone, ...own })) };
}

/** The note that says the same in a tray. */
export function noteOfRecord({ seq, entries, hold }: TombstoneRecord): TombstoneNote | HoldNote {
  return hold === undefined ? { note: 'tombstone', seq, entries } : { note: 'hold', seq, hold };
}
