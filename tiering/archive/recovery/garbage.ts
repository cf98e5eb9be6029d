// Garbage: objects of packs that are gone, and manifests that newer ones took the place of. Only names that the index threw away are ever
// removed, after a grace period and on every replica; whatever else lies under the prefix is somebody's and stays.
import { codeOf, hasCode } from '../../core/errors.js';
import type { ObjectKey, ReplicaName } from '../../core/ids.js';
import { parseManifestName } from '../../format/names.js';
import type { ArchiveContext } from '../context.js';

export interface GarbageReport {
  /** Objects that no replica has any more. */
  readonly removed: number;
  /** Replicas that could not be asked, and why: theirs stays until they answer. */
  readonly failed: ReadonlyMap<ReplicaName, unknown>;
}

/** Removes what is due. Rejects only when the index fails or by the signal. */
export async function collectGarbage(ctx: ArchiveContext, signal?: AbortSignal): Promise<GarbageReport> {
  const failed = new Map<ReplicaName, unknown>();
  let removed = 0;
  const beforeMs = ctx.clock.nowMs() - ctx.policy.garbageGraceMs;
  for (;;) {
    const names = await ctx.index.garbage(beforeMs);
    if (names.length === 0 || !(await allIsProtected(ctx, beforeMs))) break;
    // What made it garbage is durable before it goes.
    await ctx.index.commitDurable();
    const gone: ObjectKey[] = [];
    for (const name of names) {
      signal?.throwIfAborted();
      if (await removeEverywhere(ctx, name, failed, signal)) gone.push(name);
    }
    await ctx.index.clearGarbage(gone);
    removed += gone.length;
    // The same names would come again.
    if (gone.length < names.length) break;
  }
  return { removed, failed };
}

/** What was thrown away may be the last copy, on the replicas, of something that was filed anew and is not there yet. */
async function allIsProtected(ctx: ArchiveContext, beforeMs: number): Promise<boolean> {
  const { writeQuorum, names } = ctx.replicas;
  const { oldestArrivedMs } = (await ctx.index.status({ writeQuorum, replicas: names })).unprotected;
  return oldestArrivedMs === null || oldestArrivedMs >= beforeMs;
}

async function removeEverywhere(
  ctx: ArchiveContext,
  name: ObjectKey,
  failed: Map<ReplicaName, unknown>,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let everywhere = true;
  for (const replica of ctx.replicas.names) {
    if (failed.has(replica)) {
      everywhere = false;
      continue;
    }
    try {
      if (await isNeeded(ctx, name, replica, signal)) everywhere = false;
      else await ctx.replicas.store(replica).delete(name, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (codeOf(error) === 'INTERNAL') throw error;
      failed.set(replica, error);
      everywhere = false;
    }
  }
  return everywhere;
}

/** An older manifest is what a replica has of its pack until the newest is there too. */
async function isNeeded(
  ctx: ArchiveContext,
  name: ObjectKey,
  replica: ReplicaName,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const parsed = parseManifestName(name);
  if (parsed === undefined) return false;
  const record = await ctx.index.pack(parsed.pack);
  if (record === undefined || record.manifest === null) return false;
  try {
    await ctx.replicas.store(replica).head(record.manifest.name, signal);
    return ctx.damage.of(record.id, -1).has(replica);
  } catch (error) {
    if (hasCode(error, 'ABSENT')) return true;
    throw error;
  }
}
