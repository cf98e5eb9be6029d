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
  const sweep = new Sweep(ctx);
  let removed = 0;
  const beforeMs = ctx.clock.nowMs() - ctx.policy.garbageGraceMs;
  for (;;) {
    const names = await ctx.index.garbage(beforeMs);
    if (names.length === 0 || !(await allIsProtected(ctx, beforeMs))) break;
    // What made it garbage is durable before it goes.
    await ctx.index.commitDurable();
    const gone = await sweep.remove(names, signal);
    removed += gone;
    // The same names would come again.
    if (gone < names.length) break;
  }
  return { removed, failed: sweep.failed };
}

/** What was thrown away may be the last copy, on the replicas, of something that was filed anew and is not there yet. */
async function allIsProtected(ctx: ArchiveContext, beforeMs: number): Promise<boolean> {
  const { oldestArrivedMs } = (await ctx.index.status(ctx.replicas.rule.data)).unprotected;
  return oldestArrivedMs === null || oldestArrivedMs >= beforeMs;
}

/** Removes objects from every replica, and keeps count of what each of them did. */
export class Sweep {
  /** Replicas that could not be asked, or refused: they are not asked again. */
  readonly failed = new Map<ReplicaName, unknown>();
  readonly removed = new Map<ReplicaName, number>();
  readonly left = new Map<ReplicaName, number>();
  readonly #ctx: ArchiveContext;

  constructor(ctx: ArchiveContext) {
    this.#ctx = ctx;
  }

  /** In this order. Resolves with how many are gone from every replica; those are garbage no more. */
  async remove(names: readonly ObjectKey[], signal?: AbortSignal): Promise<number> {
    const gone: ObjectKey[] = [];
    for (const name of names) {
      signal?.throwIfAborted();
      const outcomes = await Promise.all(
        this.#ctx.replicas.names.map((replica) => this.#removeFrom(replica, name, signal)),
      );
      if (outcomes.every((one) => one)) gone.push(name);
    }
    await this.#ctx.index.clearGarbage(gone);
    return gone.length;
  }

  async #removeFrom(replica: ReplicaName, name: ObjectKey, signal: AbortSignal | undefined): Promise<boolean> {
    const gone = !this.failed.has(replica) && (await this.#tryOn(replica, name, signal));
    const count = gone ? this.removed : this.left;
    count.set(replica, (count.get(replica) ?? 0) + 1);
    return gone;
  }

  async #tryOn(replica: ReplicaName, name: ObjectKey, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      if (await isNeeded(this.#ctx, name, replica, signal)) return false;
      await this.#ctx.replicas.store(replica).delete(name, signal);
      return true;
    } catch (error) {
      signal?.throwIfAborted();
      if (codeOf(error) === 'INTERNAL') throw error;
      this.failed.set(replica, error);
      return false;
    }
  }
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
