// What a replica holds of one pack or one delete beside the newest: found by its listing, one look-up for each replica.
import type { ObjectKey, ReplicaName } from '../../core/ids.js';
import type { ArchiveContext } from '../context.js';
import { isOfThisCopy } from '../recovery/manifest-reader.js';

export interface Holdings {
  /** Of every replica that answered: the names that it has under the prefix. */
  readonly listed: ReadonlyMap<ReplicaName, readonly ObjectKey[]>;
  /** Replicas that did not answer. */
  readonly silent: readonly ReplicaName[];
}

/** Asks every configured replica for its names under `prefix` (of one pack or delete: a handful). */
export async function holdingsOf(
  ctx: ArchiveContext,
  prefix: string,
  signal: AbortSignal | undefined,
): Promise<Holdings> {
  const listed = new Map<ReplicaName, readonly ObjectKey[]>();
  const silent: ReplicaName[] = [];
  await Promise.all(
    ctx.replicas.names.map(async (replica) => {
      try {
        const names: ObjectKey[] = [];
        for await (const { key } of ctx.replicas.store(replica).list(prefix, { signal })) names.push(key);
        listed.set(replica, names);
      } catch (error) {
        if (!isOfThisCopy(error)) throw error;
        silent.push(replica);
      }
    }),
  );
  return { listed, silent };
}

/** What became of one pack or delete. */
export interface Rewrapped {
  /** Its wrap was replaced by this call. */
  readonly rewrapped: boolean;
  /** Older objects that are gone now. */
  readonly removed: number;
  /** Replicas that (may) still hold an older one: they did not answer, or did not take the newest. */
  readonly lacking: readonly ReplicaName[];
}
