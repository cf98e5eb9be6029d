// Tombstones to the replicas: at once when something is deleted, and again by the movers and by repair until every replica
// holds every one. What is owed is derived from the index, so a kill loses nothing.
import { codeOf, hasCode } from '../../core/errors.js';
import { type ObjectKey, parseSha256, type ReplicaName } from '../../core/ids.js';
import type { StoredTombstone, TombstoneRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { logFailure } from '../failures.js';

/** Writes one to all replicas at once. Resolves with those that hold it for sure; fewer than the quorum is not an error: it is owed. */
export async function sendTombstone(
  ctx: ArchiveContext,
  record: TombstoneRecord,
  signal: AbortSignal | undefined,
): Promise<readonly ReplicaName[]> {
  const { name, object } = record;
  try {
    const results = await ctx.replicas.putQuorum(name, object, { sha256: hashIn(name), signal });
    const held = [...results].flatMap(([replica, result]) => (result === 'stored' ? [replica] : []));
    for (const replica of held) await ctx.index.setTombstonePlacement(name, replica);
    return held;
  } catch (error) {
    // The delete itself is done and stays; only that all replicas know of it takes longer.
    logFailure(ctx, 'delete-not-on-quorum', error);
    return [];
  }
}

export interface Payment {
  readonly paid: number;
  readonly bytes: number;
  /** Replicas that did not take what they lack. */
  readonly failed: ReadonlyMap<ReplicaName, unknown>;
}

/** Brings every replica of `targets` every tombstone that it lacks; one that fails is left alone for the rest of the pass. */
export async function payTombstones(
  ctx: ArchiveContext,
  targets: readonly ReplicaName[],
  signal?: AbortSignal,
): Promise<Payment> {
  const failed = new Map<ReplicaName, unknown>();
  let paid = 0;
  let bytes = 0;
  if (targets.length > 0) {
    for await (const record of ctx.index.tombstones({ lackingOn: targets })) {
      for (const replica of targets) {
        signal?.throwIfAborted();
        if (failed.has(replica) || record.replicas.includes(replica)) continue;
        try {
          await payTombstone(ctx, record, replica, signal);
          paid += 1;
          bytes += record.object.length;
        } catch (error) {
          if (codeOf(error) === 'ABORTED' || codeOf(error) === 'INTERNAL') throw error;
          failed.set(replica, error);
        }
      }
      if (failed.size === targets.length) break;
    }
  }
  return { paid, bytes, failed };
}

/** Brings one to one replica. Its row is made durable first: who wrote it may have been killed before that, and from a tray it would be sealed under another name. */
export async function payTombstone(
  ctx: ArchiveContext,
  record: StoredTombstone,
  replica: ReplicaName,
  signal: AbortSignal | undefined,
): Promise<void> {
  await ctx.index.commitDurable();
  await ctx.replicas.store(replica).put(record.name, record.object, { sha256: hashIn(record.name), signal });
  await ctx.index.setTombstonePlacement(record.name, replica);
}

/**
 * Looks whether a replica still holds what it is said to hold; what it does not is owed again. Resolves with what is wrong.
 * @param deep reads each object; else its length is asked for.
 */
export async function checkTombstone(
  ctx: ArchiveContext,
  record: StoredTombstone,
  replica: ReplicaName,
  deep: boolean,
  signal: AbortSignal | undefined,
): Promise<'missing' | 'corrupt' | null> {
  const fault = await faultOf(ctx, record, replica, deep, signal);
  if (fault === null) return null;
  // Under another name by now, where keys are rotated meanwhile: then this one is owed to nobody.
  return (await ctx.index.removeTombstonePlacement(record.name, replica)) ? fault : null;
}

async function faultOf(
  ctx: ArchiveContext,
  { name, object }: StoredTombstone,
  replica: ReplicaName,
  deep: boolean,
  signal: AbortSignal | undefined,
): Promise<'missing' | 'corrupt' | null> {
  const store = ctx.replicas.store(replica);
  try {
    if (!deep) return (await store.head(name, signal)).bytes === object.length ? null : 'corrupt';
    return Buffer.compare(await store.get(name, undefined, signal), object) === 0 ? null : 'corrupt';
  } catch (error) {
    if (hasCode(error, 'ABSENT')) return 'missing';
    if (hasCode(error, 'CORRUPT')) return 'corrupt';
    throw error;
  }
}

/** The hash that the name ends with. */
function hashIn(name: ObjectKey) {
  return parseSha256(name.slice(-64));
}
