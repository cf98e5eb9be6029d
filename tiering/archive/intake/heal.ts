// Equal bytes that are sent again and must not be called stored already: of the instance no good copy is left, or the deletes of a replica or of a volume's
// trays are unread, and one of them may name it. The arrival that is known is ended by a tombstone, as in a delete, and the new one is stored after it: so that whatever turns up of the
// old one or of deletes later, in whatever order, the new one is what lives (I1, I9). Both in one step, or an arrival that fails would have deleted.
import { CHUNK_BYTES } from '../../core/limits.js';
import type { InstanceRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { makeRecord } from '../removal/make-record.js';
import { unreadDeletes } from '../removal/provisional.js';
import type { Committer } from './committer.js';
import type { Ends } from './drafts.js';

/** What ends a live instance for equal bytes to take its place; null when they need not. To be called while its UID is held. */
export async function endOfDoubtful(
  { ctx, committer }: { readonly ctx: ArchiveContext; readonly committer: Committer },
  known: InstanceRecord,
): Promise<Ends> {
  const lost = await isLost(ctx, known);
  const unread = ctx.unreadTrays.names.length > 0 || (await unreadDeletes(ctx)).length > 0;
  if (!lost && !unread) return null;
  if (lost) ctx.log({ level: 'warn', event: 'lost-instance-sent-again', pack: known.pack });
  const { sop, sha256 } = known;
  return makeRecord(ctx, { seq: committer.nextSeq(), entries: [{ sop, sha256 }] });
}

/** Whether scrubs and readers have found it gone or damaged wherever it ought to be. What is merely away is not lost. */
async function isLost(ctx: ArchiveContext, { pack, start, end }: InstanceRecord): Promise<boolean> {
  const record = await ctx.catalog.find(pack);
  if (record === undefined || record.hot === 'open' || record.hot === 'present') return false;
  if (record.placements.length === 0) return record.hot === 'missing';
  for (let chunk = Math.floor(start / CHUNK_BYTES); chunk * CHUNK_BYTES < end; chunk += 1) {
    const bad = ctx.damage.of(pack, chunk);
    if (record.placements.every(({ replica }) => bad.has(replica))) return true;
  }
  return false;
}
