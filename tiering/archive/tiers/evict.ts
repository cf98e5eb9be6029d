// Evict: delete the hot copy of a pack that is proven elsewhere. The proof comes first, the index
// commit that makes the pack cold is durable before the unlink, and open readers read on (I5).

import { releaseBuffer } from '../../core/buffers.js';
import { ArchiveError, hasCode } from '../../core/errors.js';
import type { PackId, ReplicaName } from '../../core/ids.js';
import { PROOF_AGE_MS_MAX } from '../../core/limits.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { proveObject } from './proof.js';

/** Deletes the hot copy. CONFLICT when fewer than the write quorum of replicas hold it, proven within PROOF_AGE_MS_MAX. */
export async function evictPack(ctx: ArchiveContext, id: PackId, signal?: AbortSignal): Promise<void> {
  await ctx.locks.run(id, async () => {
    const record = await ctx.catalog.fresh(id);
    if (record.hot !== 'present' || record.volume === null) return;
    const proven = await provenPlacements(ctx, record, signal);
    const { rule } = ctx.replicas;
    if (!rule.isMet(proven)) {
      throw new ArchiveError('CONFLICT', `pack ${id} is proven ${rule.shortfall(proven)}: its hot copy is kept`);
    }
    const volume = ctx.volumes.readable(record.volume);
    if (volume === null) throw new ArchiveError('UNAVAILABLE', `volume ${record.volume} is not available`);
    await ctx.catalog.change(id, (index) => index.setHot(id, 'cold', null));
    await ctx.index.commitDurable();
    await volume.remove({ id, kind: record.kind });
  });
}

/** Replicas that hold the pack with a proof that is young enough; old proofs are made again first. Those that are leaving or gone are not asked. */
export async function provenPlacements(
  ctx: ArchiveContext,
  record: PackRecord,
  signal: AbortSignal | undefined,
): Promise<readonly ReplicaName[]> {
  const proven: ReplicaName[] = [];
  for (const { replica, verifiedMs } of record.placements) {
    if (!ctx.replicas.targets.includes(replica)) continue;
    if (record.seal?.chunks.some((_, n) => ctx.damage.of(record.id, n).has(replica)) === true) continue;
    if (ctx.damage.of(record.id, -1).has(replica)) continue;
    if (ctx.clock.nowMs() - verifiedMs <= PROOF_AGE_MS_MAX || (await proveAgain(ctx, record, replica, signal)))
      proven.push(replica);
  }
  return proven;
}

async function proveAgain(
  ctx: ArchiveContext,
  record: PackRecord,
  replica: ReplicaName,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const names = [...(record.seal?.chunks.map((c) => c.name) ?? []), record.manifest?.name ?? null];
  for (const [n, name] of names.entries()) {
    if (name === null) return false;
    const chunk = n < names.length - 1 ? n : -1;
    try {
      const store = ctx.replicas.store(replica);
      const read = () => store.get(name, undefined, signal);
      const body = await ctx.line.fetch(read, ({ length }) => length, signal);
      releaseBuffer(await proveObject(ctx, name, body, replica));
    } catch (error) {
      if (hasCode(error, 'ABSENT')) await ctx.damage.note(record.id, chunk, replica, 'missing');
      else if (hasCode(error, 'CORRUPT')) await ctx.damage.note(record.id, chunk, replica, 'corrupt');
      else if (!hasCode(error, 'UNAVAILABLE')) throw error;
      return false;
    }
  }
  const verifiedMs = ctx.clock.nowMs();
  await ctx.catalog.change(record.id, (index) => index.setPlacement(record.id, { replica, verifiedMs }));
  return true;
}
