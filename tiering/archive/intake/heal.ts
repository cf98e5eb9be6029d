// An instance of which no good copy is left is healed by sending it again. The lost arrival is ended by a tombstone, as in a delete, and the
// new one is stored after it: so that whatever turns up of the old one later, in whatever order, the new one is what lives (I9).
import { CHUNK_BYTES } from '../../core/limits.js';
import type { InstanceRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { makeRecord } from '../removal/make-record.js';
import { unreadDeletes } from '../removal/provisional.js';
import type { Committer } from './committer.js';

/**
 * Ends a live instance if it is known to be lost, or may have been deleted by somebody whose deletes are not known now (what was acknowledged
 * as stored must outlive a delete that comes to light later). Resolves with whether it did. To be called while its UID is held.
 */
export async function giveUpDoubtful(
  { ctx, committer }: { readonly ctx: ArchiveContext; readonly committer: Committer },
  known: InstanceRecord,
): Promise<boolean> {
  const lost = await isLost(ctx, known);
  if (!lost && (await unreadDeletes(ctx)).length === 0) return false;
  const { sop, sha256 } = known;
  const record = await makeRecord(ctx, { seq: committer.nextSeq(), entries: [{ sop, sha256 }] });
  await committer.submit({ kind: 'delete', record });
  if (lost) ctx.log({ level: 'warn', event: 'lost-instance-sent-again', pack: known.pack });
  return true;
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
