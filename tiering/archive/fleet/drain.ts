// A replica leaves: nothing is placed there any more, what it holds is brought to others and proven there, pack by pack, and only then is
// it no longer counted on. Every step is derived from the index, so that one that was killed is simply run again.
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { PackId, ReplicaName } from '../../core/ids.js';
import type { DrainReport, JobFailure, JobOptions } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { jobFailure } from '../failures.js';
import { payTombstones } from '../removal/send-tombstones.js';
import { provenPlacements } from '../tiers/evict.js';
import { protectPack } from '../tiers/protect.js';
import { eraseReplica } from './erase-replica.js';
import { mustBeConfigured } from './fill.js';
import { standingOf } from './fleet.js';

export interface DrainOptions extends JobOptions {
  /** Nothing is done: only what there is to do is counted. */
  readonly plan?: boolean;
  /** Afterwards the objects of this archive are removed from it. */
  readonly erase?: boolean;
}

/**
 * Resolves with what was moved and what could not be; with a failure the replica stays where it is and is asked to leave again by the next call.
 * CONFLICT when the other replicas could not keep the rule of placement, INVALID for one that is not configured, LOCKED while other work about it runs.
 */
export async function drainReplica(
  ctx: ArchiveContext,
  name: ReplicaName,
  options: DrainOptions,
): Promise<DrainReport> {
  const none = { replica: name, packs: 0, bytes: 0, moved: 0, deletes: 0, erased: 0, left: 0, failures: [] };
  if ((await standingOf(ctx.index, name)).state === 'erased') return none;
  mustBeConfigured(ctx, name);
  mustBeSpared(ctx, name);
  if (options.plan === true) return { ...none, ...(await planOf(ctx, name)) };
  const report = await ctx.fleet.alone(name, async () => {
    if (ctx.fleet.of(name).state !== 'drained') await ctx.fleet.set(name, { state: 'draining' });
    const drained = await drain(ctx, name, options);
    if (drained.failures.length > 0) return { ...none, ...drained };
    await ctx.fleet.set(name, { state: 'drained' });
    return { ...none, ...drained, ...(options.erase === true ? await eraseReplica(ctx, name, options) : {}) };
  });
  if (report === null)
    throw new ArchiveError('LOCKED', `other work about replica ${name} runs; wait for it, or cancel it`);
  return report;
}

function mustBeSpared(ctx: ArchiveContext, name: ReplicaName): void {
  if (!ctx.replicas.targets.includes(name)) return;
  try {
    ctx.replicas.rule.without(name);
  } catch (error) {
    throw new ArchiveError(
      'CONFLICT',
      `${name} cannot leave: ${(error as Error).message}. Add another replica first, or ask for less in the configuration`,
      { cause: error },
    );
  }
}

/** Packs there, and those of them that other replicas do not hold enough of. */
async function planOf(ctx: ArchiveContext, name: ReplicaName): Promise<Pick<DrainReport, 'packs' | 'bytes' | 'moved'>> {
  const { targets, rule } = ctx.replicas;
  const without = targets.includes(name) ? rule.without(name) : rule;
  let packs = 0;
  let bytes = 0;
  let moved = 0;
  for await (const record of ctx.index.packs({ placedOn: name })) {
    packs += 1;
    bytes += record.bytes;
    if (!without.isMet(record.placements.map(({ replica }) => replica))) moved += 1;
  }
  return { packs, bytes, moved };
}

type Drained = Pick<DrainReport, 'packs' | 'bytes' | 'moved' | 'deletes' | 'failures'>;

async function drain(ctx: ArchiveContext, name: ReplicaName, options: DrainOptions): Promise<Drained> {
  const { signal } = options;
  const failures: JobFailure[] = [];
  let packs = 0;
  let bytes = 0;
  let moved = 0;
  // Again for what was on its way there when it was asked to leave.
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const held: { readonly id: PackId; readonly bytes: number }[] = [];
    for await (const record of ctx.index.packs({ placedOn: name })) held.push({ id: record.id, bytes: record.bytes });
    if (held.length === 0 || held.length >= before) break;
    before = held.length;
    failures.length = 0;
    const packsTotal = packs + held.length;
    const bytesTotal = bytes + held.reduce((sum, one) => sum + one.bytes, 0);
    for (const one of held) {
      signal?.throwIfAborted();
      try {
        if (await releasePack(ctx, one.id, name, signal)) moved += 1;
        packs += 1;
        bytes += one.bytes;
      } catch (error) {
        signal?.throwIfAborted();
        if (codeOf(error) !== 'NOT_FOUND') failures.push(jobFailure(ctx, one.id, error));
      }
      options.onProgress?.({ step: `draining ${name}`, packsDone: packs, packsTotal, bytesDone: bytes, bytesTotal });
    }
  }
  const deletes = await releaseDeletes(ctx, name, failures, signal);
  // What is noted as damaged there is nobody's to mend any more.
  for (const exception of await ctx.index.exceptions()) {
    if (exception.replica === name && failures.length === 0) {
      await ctx.damage.clear(exception.pack, exception.chunk, name);
    }
  }
  await ctx.index.commitDurable();
  return { packs, bytes, moved, deletes, failures };
}

/** The pack is no longer counted on there, once enough others hold it, proven. Resolves with whether anything had to be copied. */
async function releasePack(
  ctx: ArchiveContext,
  id: PackId,
  name: ReplicaName,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { rule } = ctx.replicas;
  const before = await ctx.catalog.fresh(id);
  const enough = rule.isMet(before.placements.map(({ replica }) => replica));
  let reason: unknown;
  // Also where enough hold it: what is about to leave is one source more. One without a live instance is no less kept: it may be the last
  // copy of what is filed anew and not protected yet.
  await protectPack(ctx, id, { signal }).catch((error: unknown) => {
    signal?.throwIfAborted();
    reason = error;
  });
  await ctx.locks.run(id, async () => {
    const record = await ctx.catalog.fresh(id);
    const proven = await provenPlacements(ctx, record, signal);
    if (!rule.isMet(proven)) {
      const why = reason instanceof Error ? `: ${reason.message}` : '';
      throw new ArchiveError('UNAVAILABLE', `without ${name} it is proven ${rule.shortfall(proven)}${why}`);
    }
    await ctx.catalog.change(id, (index) => index.removePlacement(id, name));
  });
  return !enough;
}

/** The same of deletes; resolves with how many were written down there. */
async function releaseDeletes(
  ctx: ArchiveContext,
  name: ReplicaName,
  failures: JobFailure[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const told = await payTombstones(ctx, ctx.replicas.targets, signal);
  let released = 0;
  for await (const record of ctx.index.tombstones({})) {
    signal?.throwIfAborted();
    if (!record.replicas.includes(name)) continue;
    if (ctx.replicas.rule.isMet(record.replicas)) {
      // One that was sealed anew meanwhile is released under its new name.
      if (await ctx.index.removeTombstonePlacement(record.name, name)) released += 1;
    } else {
      const [error] = told.failed.values();
      const why = new ArchiveError(
        'UNAVAILABLE',
        `without ${name} it is known ${ctx.replicas.rule.shortfall(record.replicas)}`,
        { cause: error },
      );
      failures.push(jobFailure(ctx, record.name, why));
    }
  }
  return released;
}
