// The round of the protect mover: what is due and lacks a replica that answers is copied there, oldest first, one pack after the other.
import type { PackId, ReplicaName } from '../../core/ids.js';
import type { ArchiveContext } from '../context.js';
import { logFailure } from '../failures.js';
import type { Pace } from '../pacing/pace.js';
import type { Retries } from '../pacing/retries.js';
import { protectPack, reachable } from './protect.js';

/** Packs a round takes before it looks at everything else again. */
const ROUND = 50;

interface Pacing {
  readonly signal: AbortSignal;
  readonly pace: Pace;
}

/** Copies what is due. Ends early when a replica or a volume comes back: what waited for that one is older. */
export async function protectDue(ctx: ArchiveContext, retries: Retries, pacing: Pacing): Promise<void> {
  const { signal } = pacing;
  const up = reachable(ctx).filter((name) => !ctx.fleet.isFilling(name));
  if (up.length === 0) return;
  const returns = retries.returns();
  for (const id of await listDue(ctx, retries, up)) {
    signal.throwIfAborted();
    if (retries.returns() !== returns) return;
    if (!retries.mayTry(id)) continue;
    try {
      const held = await protectPack(ctx, id, pacing);
      // One that went away meanwhile was not asked, which is no success.
      if (up.every((name) => held.includes(name))) retries.succeeded(id);
    } catch (error) {
      signal.throwIfAborted();
      retries.failed(id, error);
      logFailure(ctx, 'protect-failed', error, id);
    }
  }
}

async function listDue(ctx: ArchiveContext, retries: Retries, up: readonly ReplicaName[]): Promise<readonly PackId[]> {
  const createdBeforeMs = ctx.clock.nowMs() - ctx.policy.protectAfterMs;
  const due: PackId[] = [];
  for await (const record of ctx.index.packs({ kind: 'pack', lackingOn: up, createdBeforeMs })) {
    // What lies only on a volume that is away waits for it: the status says so, once, and not the log every second.
    const away = record.volume !== null && ctx.volumes.readable(record.volume) === null;
    if ((away && record.placements.length === 0) || record.liveInstances === 0 || !retries.mayTry(record.id)) continue;
    due.push(record.id);
    if (due.length >= ROUND) break;
  }
  return due;
}
