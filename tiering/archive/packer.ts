// The packer: a study that has settled leaves the trays for packs of its own, in reading order; trays
// that nothing lives in any more are removed. Nothing is unlinked before the commit that made it dead is durable.
import { ArchiveError, codeOf } from '../core/errors.js';
import type { StudyUid } from '../core/ids.js';
import { forEachLimited } from '../core/queues.js';
import type { ArchiveContext } from './context.js';
import { logFailure } from './failures.js';
import { buildPack, planPacks } from './pack-builder.js';
import type { Retries } from './retries.js';

/** Studies filed at once: their syncs overlap. */
const STUDIES_AT_ONCE = 2;

/** Files every study that is due. Returns how many were filed; one that fails is logged and stays where it is. */
export async function fileDueStudies(ctx: ArchiveContext, retries: Retries, signal?: AbortSignal): Promise<number> {
  const now = ctx.clock.nowMs();
  const due = (await ctx.index.unfiled()).filter(
    (one) =>
      (now - one.lastMs >= ctx.policy.settleMs || now - one.firstMs >= ctx.policy.fileAfterMs) &&
      retries.mayTry(one.study),
  );
  if (due.length === 0 || ctx.volumes.writable(0, true) === null) return 0;
  let filed = 0;
  await forEachLimited(due, STUDIES_AT_ONCE, async ({ study }) => {
    signal?.throwIfAborted();
    try {
      if ((await fileStudy(ctx, study, signal)) > 0) filed += 1;
      retries.succeeded(study);
    } catch (error) {
      signal?.throwIfAborted();
      retries.failed(study);
      logFailure(ctx, 'filing-failed', error);
    }
  });
  if (filed > 0) await removeEmptyTrays(ctx);
  return filed;
}

/**
 * Writes what a study has in trays into packs and switches the index to them. Durable when it resolves with how many instances were
 * filed. Rejects with CORRUPT, FULL or UNAVAILABLE; what was filed before that stays filed.
 */
export function fileStudy(ctx: ArchiveContext, study: StudyUid, signal?: AbortSignal): Promise<number> {
  // The background and a migrate may want the same study: the second would copy from trays that the first one removes.
  return ctx.locks.run(study, () => fileAlone(ctx, study, signal));
}

async function fileAlone(ctx: ArchiveContext, study: StudyUid, signal: AbortSignal | undefined): Promise<number> {
  const instances = await ctx.index.unfiledInstances(study);
  for (const group of planPacks(instances)) {
    signal?.throwIfAborted();
    const bytes = group.reduce((sum, one) => sum + one.end - one.start, 0);
    const volume = ctx.volumes.writable(bytes, true);
    if (volume === null)
      throw new ArchiveError('UNAVAILABLE', 'no volume is available, or none has room, to file the study on');
    try {
      const id = ctx.packIds.next();
      // Locked, so that nobody takes the file for an orphan before the index knows it.
      await ctx.locks.run(id, async () => ctx.index.file(await buildPack(ctx, volume, id, group)));
    } catch (error) {
      if (codeOf(error) === 'FULL' || codeOf(error) === 'UNAVAILABLE') ctx.volumes.report(volume.name, error);
      throw error;
    }
  }
  if (instances.length > 0) await ctx.index.commitDurable();
  return instances.length;
}

/** Unlinks closed trays in which nothing lives. A tray on the replicas waits until its packs are protected. */
export async function removeEmptyTrays(ctx: ArchiveContext): Promise<void> {
  const dead = [];
  for await (const tray of ctx.index.packs({ kind: 'tray', empty: true, hot: ['present', 'missing'] })) dead.push(tray);
  if (dead.length === 0) return;
  await ctx.index.commitDurable();
  for (const tray of dead) {
    const volume = tray.volume === null ? null : ctx.volumes.readable(tray.volume);
    // Its volume is away: the file is removed when it returns, the row says that it is there until then.
    if (volume === null) continue;
    await ctx.locks.run(tray.id, async () => {
      if ((await ctx.index.pack(tray.id)) === undefined) return;
      await ctx.catalog.change(tray.id, (index) => index.dropPack(tray.id));
      await ctx.index.commitDurable();
      await volume.remove({ id: tray.id, kind: 'tray' });
    });
  }
}
