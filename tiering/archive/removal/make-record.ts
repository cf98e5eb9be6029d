// A delete as it is kept: what it says, and sealed once, the object that tells the replicas of it.
import { sealTombstone } from '../../format/tombstone.js';
import type { Tombstone } from '../../format/types.js';
import type { TombstoneRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';

/** Seals `tombstone` under the current key, with an id and a salt of its own. */
export async function makeRecord(ctx: ArchiveContext, { seq, entries }: Tombstone): Promise<TombstoneRecord> {
  const { keyring, random, packIds } = ctx;
  const tombstone = { seq, entries };
  return { ...tombstone, ...(await sealTombstone({ tombstone, id: packIds.next(), keyring, random })) };
}
