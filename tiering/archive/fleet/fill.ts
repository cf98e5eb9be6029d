// A replica that lacks what others hold is brought all of it: chunks, manifests, deletes. What is lacking is read from the index at every
// step, so that a fill that was stopped or killed simply goes on; while one runs at a rate, the movers leave its debts to it.
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { PackId, ReplicaName } from '../../core/ids.js';
import type { FillReport, JobFailure, JobOptions } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { jobFailure, logFailure } from '../failures.js';
import { ByteRate } from '../pacing/byte-rate.js';
import type { Pace } from '../pacing/pace.js';
import { payTombstones } from '../removal/send-tombstones.js';
import { protectPack } from '../tiers/protect.js';
import { standingOf } from './fleet.js';

export interface AddOptions extends JobOptions {
  /** Bytes a second that are written to it at most; null: as fast as it goes. */
  readonly bytesPerSecond?: number | null;
}

/**
 * Makes the store a replica of this archive if it is not one yet, and brings it everything. Also takes a replica back that was leaving.
 * INVALID for one that is not configured, UNAVAILABLE when it cannot be reached or is another's, LOCKED while other work about it runs.
 */
export async function addReplica(ctx: ArchiveContext, name: ReplicaName, options: AddOptions): Promise<FillReport> {
  if ((await standingOf(ctx.index, name)).state === 'erased') {
    throw new ArchiveError('INVALID', `replica ${name} was drained and erased: give a new one another name`);
  }
  mustBeConfigured(ctx, name);
  const report = await ctx.fleet.alone(name, async () => {
    await ctx.replicas.create(name, options.signal);
    await ctx.fleet.set(name, { state: 'filling', bytesPerSecond: options.bytesPerSecond ?? null });
    return fill(ctx, name, options);
  });
  if (report === null)
    throw new ArchiveError('LOCKED', `other work about replica ${name} runs; wait for it, or cancel it`);
  return report;
}

/** Goes on with every fill that was begun and has nobody who waits for it: after a restart, or when its job was cancelled. */
export async function goOnFilling(ctx: ArchiveContext, pace: Pace, signal: AbortSignal): Promise<void> {
  for (const name of ctx.replicas.targets) {
    const standing = ctx.fleet.of(name);
    if (standing.state !== 'filling' || !isAvailable(ctx, name)) continue;
    const report = await ctx.fleet.alone(name, () => fill(ctx, name, { signal }, pace));
    const [failure] = report?.failures ?? [];
    if (failure !== undefined) {
      logFailure(ctx, 'fill-failed', new ArchiveError(failure.code, `${name}: ${failure.item}: ${failure.detail}`));
    }
  }
}

export function mustBeConfigured(ctx: ArchiveContext, name: ReplicaName): void {
  if (ctx.replicas.names.includes(name)) return;
  throw new ArchiveError(
    'INVALID',
    `the server has no replica ${name}; it has: ${ctx.replicas.names.join(', ')}. Put it into the configuration and restart the server`,
  );
}

function isAvailable(ctx: ArchiveContext, name: ReplicaName): boolean {
  return ctx.replicas.state().some((one) => one.name === name && one.state === 'available');
}

async function fill(ctx: ArchiveContext, name: ReplicaName, options: JobOptions, pace?: Pace): Promise<FillReport> {
  const { signal } = options;
  const standing = ctx.fleet.of(name);
  const rate = new ByteRate(ctx.clock, standing.state === 'filling' ? standing.bytesPerSecond : null);
  const failures: JobFailure[] = [];
  let packs = 0;
  let bytes = 0;
  // What is protected meanwhile without it (it was away for a moment) is lacking again.
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const lacking = await lackingOn(ctx, name);
    if (lacking.length === 0 || lacking.length >= before) break;
    before = lacking.length;
    failures.length = 0;
    const packsTotal = packs + lacking.length;
    const bytesTotal = bytes + lacking.reduce((sum, one) => sum + one.bytes, 0);
    for (const one of lacking) {
      signal?.throwIfAborted();
      try {
        await protectPack(ctx, one.id, { signal, pace, to: [name], rate });
        packs += 1;
        bytes += one.bytes;
      } catch (error) {
        signal?.throwIfAborted();
        // Deleted under the work, which is then over.
        if (codeOf(error) !== 'NOT_FOUND') failures.push(jobFailure(ctx, one.id, error));
        // Every other pack would fail alike.
        if (!isAvailable(ctx, name)) break;
      }
      options.onProgress?.({ step: `filling ${name}`, packsDone: packs, packsTotal, bytesDone: bytes, bytesTotal });
    }
  }
  const told = await payTombstones(ctx, [name], signal);
  for (const error of told.failed.values()) failures.push(jobFailure(ctx, `deletes on ${name}`, error));
  if (failures.length === 0) await ctx.fleet.set(name, { state: 'member' });
  return { replica: name, packs, bytes, deletes: told.paid, failures };
}

/** What some replica holds and this one does not. Packs that none holds yet are protected in their own time. */
async function lackingOn(
  ctx: ArchiveContext,
  name: ReplicaName,
): Promise<readonly { readonly id: PackId; readonly bytes: number }[]> {
  const found: { id: PackId; bytes: number }[] = [];
  for await (const { id, bytes } of ctx.index.packs({ placementsMin: 1, lackingOn: [name], empty: false })) {
    found.push({ id, bytes });
  }
  return found;
}
