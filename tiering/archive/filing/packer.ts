// The packer: a study that has settled leaves the trays for packs of its own, in reading order; a study in
// many small packs is gathered into one. What it leaves empty is removed by removal/empty-packs.ts.

import { releaseBuffer } from '../../core/buffers.js';
import { ArchiveError, codeOf, hasCode } from '../../core/errors.js';
import type { StudyUid } from '../../core/ids.js';
import { RESOLVE_ATTEMPTS_MAX } from '../../core/limits.js';
import { forEachLimited } from '../../core/queues.js';
import type { ArchiveContext } from '../context.js';
import { logFailure } from '../failures.js';
import type { Pace } from '../pacing/pace.js';
import type { Retries } from '../pacing/retries.js';
import { mergeable } from './merge.js';
import { buildPack, type Fileable, planPacks, readVerified } from './pack-builder.js';

/** Studies filed at once: their syncs overlap. */
const STUDIES_AT_ONCE = 2;
/** Beyond this the trays are emptied at full speed, whoever is sending: they must not fill the volume twice over. */
const TRAYS_BYTES_MAX = 10 * 1024 ** 3;

/** Files every study that is due. Returns how many were filed; one that fails is logged and stays where it is. */
export async function fileDueStudies(
  ctx: ArchiveContext,
  retries: Retries,
  pace: Pace,
  signal?: AbortSignal,
): Promise<number> {
  const now = ctx.clock.nowMs();
  const unfiled = await ctx.index.unfiled();
  const trayBytes = unfiled.reduce((sum, one) => sum + one.bytes, 0);
  const due = unfiled.filter(
    (one) =>
      (now - one.lastMs >= ctx.policy.settleMs || now - one.firstMs >= ctx.policy.fileAfterMs) &&
      retries.mayTry(one.study),
  );
  if (due.length === 0 || ctx.volumes.writable(0, true) === null) return 0;
  let filed = 0;
  await forEachLimited(due, STUDIES_AT_ONCE, async ({ study }) => {
    signal?.throwIfAborted();
    if (!retries.mayTry(study)) return;
    try {
      const moved = await fileStudy(ctx, study, signal, trayBytes < TRAYS_BYTES_MAX ? pace : undefined);
      if (moved > 0) filed += 1;
      // Nothing to do although it was listed (small packs that are protected already are not merged): not at once again.
      if (moved > 0) retries.succeeded(study);
      else retries.failed(study);
    } catch (error) {
      signal?.throwIfAborted();
      retries.failed(study, error);
      logFailure(ctx, 'filing-failed', error);
    }
  });
  return filed;
}

/**
 * Writes what a study has in trays, or in many small packs, into packs and switches the index to them. Durable when it resolves with how many instances were
 * filed. Rejects with CORRUPT, FULL or UNAVAILABLE; what was filed before that stays filed.
 */
export function fileStudy(ctx: ArchiveContext, study: StudyUid, signal?: AbortSignal, pace?: Pace): Promise<number> {
  // The background and a migrate may want the same study: the second would copy from trays that the first one removes.
  return ctx.locks.run(study, () => fileAlone(ctx, study, signal, pace));
}

async function fileAlone(
  ctx: ArchiveContext,
  study: StudyUid,
  signal: AbortSignal | undefined,
  pace: Pace | undefined,
): Promise<number> {
  const filed = await moveWhatIs(ctx, () => ctx.index.unfiledInstances(study), signal, pace);
  const merged = await moveWhatIs(ctx, () => mergeable(ctx, study), signal, pace);
  const moved = filed + merged;
  if (moved > 0) await ctx.index.commitDurable();
  return moved;
}

/** Moves what `list` gives. When some of it was deleted, and its tray removed, under the copying, what is left is listed again. */
async function moveWhatIs(
  ctx: ArchiveContext,
  list: () => Promise<readonly Fileable[]>,
  signal: AbortSignal | undefined,
  pace: Pace | undefined,
): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const instances = await list();
    try {
      await moveToPacks(ctx, instances, signal, pace);
      return instances.length;
    } catch (error) {
      if (codeOf(error) !== 'NOT_FOUND' || attempt >= RESOLVE_ATTEMPTS_MAX) throw error;
    }
  }
}

/**
 * Writes the instances into new packs, as many as they need, and points the index there pack by pack. One that is damaged or lost stays where it is, and is what
 * this rejects with in the end: the others of its study must not wait for it to be sent again.
 */
async function moveToPacks(
  ctx: ArchiveContext,
  instances: readonly Fileable[],
  signal: AbortSignal | undefined,
  pace: Pace | undefined,
): Promise<void> {
  let damage: unknown = null;
  const groups = planPacks(instances);
  for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
    signal?.throwIfAborted();
    const bytes = group.reduce((sum, one) => sum + one.end - one.start, 0);
    const volume = ctx.volumes.writable(bytes, true);
    if (volume === null)
      throw new ArchiveError('UNAVAILABLE', 'no volume is available, or none has room, to file the study on');
    try {
      const id = ctx.packIds.next();
      // Locked, so that nobody takes the file for an orphan before the index knows it.
      await ctx.locks.run(id, async () => ctx.index.file(await buildPack(ctx, volume, id, group, pace)));
    } catch (error) {
      if (isDamage(error)) {
        damage ??= error;
        const sound = await soundOf(ctx, group, signal);
        if (sound.length > 0 && sound.length < group.length) groups.unshift(sound);
        continue;
      }
      if (codeOf(error) === 'FULL' || codeOf(error) === 'UNAVAILABLE') ctx.volumes.report(volume.name, error);
      throw error;
    }
  }
  if (damage !== null) throw damage;
}

function isDamage(error: unknown): boolean {
  return hasCode(error, 'CORRUPT', 'LOST');
}

/** Those whose bytes are what was acknowledged. */
async function soundOf(
  ctx: ArchiveContext,
  group: readonly Fileable[],
  signal: AbortSignal | undefined,
): Promise<Fileable[]> {
  const sound: Fileable[] = [];
  for (const instance of group) {
    signal?.throwIfAborted();
    try {
      releaseBuffer(await readVerified(ctx, instance));
      sound.push(instance);
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
  }
  return sound;
}
