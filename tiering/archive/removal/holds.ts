// Legal holds set and cleared: written down like a delete, in a tray and synced, in the index, then on every replica, and told again until
// all of them know.
import { ArchiveError } from '../../core/errors.js';
import type { StudyUid } from '../../core/ids.js';
import type { HoldReport } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import type { Committer } from '../intake/committer.js';
import type { PackLocks } from '../pacing/pack-locks.js';
import { makeRecord } from './make-record.js';
import { sendTombstone } from './send-tombstones.js';

export interface Holder {
  readonly ctx: ArchiveContext;
  readonly committer: Committer;
  /** Whoever deletes something of a study, or changes its hold, is alone with it. */
  readonly gate: PackLocks;
}

/** As Archive.setHold. */
export async function setHold(holder: Holder, study: StudyUid, reason: string): Promise<HoldReport> {
  for await (const _any of holder.ctx.index.instances({ study })) return say(holder, study, true, reason);
  throw new ArchiveError('NOT_FOUND', 'the archive has no such study');
}

/** As Archive.clearHold. */
export async function clearHold(holder: Holder, study: StudyUid): Promise<HoldReport> {
  if ((await holder.ctx.index.holds([study])).length === 0) {
    throw new ArchiveError('NOT_FOUND', 'the study is under no legal hold');
  }
  return say(holder, study, false, '');
}

async function say(
  { ctx, committer, gate }: Holder,
  study: StudyUid,
  held: boolean,
  reason: string,
): Promise<HoldReport> {
  const record = await gate.run(study, async () => {
    const hold = { study, held, atMs: ctx.clock.nowMs(), reason };
    const made = await makeRecord(ctx, { seq: committer.nextSeq(), hold });
    await committer.submit({ kind: 'delete', record: made });
    await ctx.index.commitDurable();
    return made;
  });
  const told = await sendTombstone(ctx, record, undefined);
  return { durable: ctx.replicas.rule.isMet(told) ? 'quorum' : 'pending' };
}
