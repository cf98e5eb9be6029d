// Compaction: what lives in a pack is written into a new one without what was deleted, by the same builder that files and merges. The old pack
// is touched by nobody: once the index points to the new one nothing lives in it, and it goes as every empty pack does. Of a pack that
// lies on replicas the new one is on the write quorum before the index points there (I5), so at no moment is less known to be safe.
import { levelAttributesOfJson } from '../../../dicom/level-attributes.js';
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { PackId, ReplicaName } from '../../core/ids.js';
import { RESOLVE_ATTEMPTS_MAX } from '../../core/limits.js';
import type { Volume } from '../../hot/volume.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { logFailure } from '../failures.js';
import { chunksOf, sealToQuorum } from '../intake/seal-to-quorum.js';
import type { Pace } from '../pacing/pace.js';
import type { Retries } from '../pacing/retries.js';
import { inflateJson } from '../packs/bundles.js';
import { unreadDeletes } from '../removal/provisional.js';
import { evictPack } from '../tiers/evict.js';
import { protectHeld, reachable } from '../tiers/protect.js';
import { contentsOf, inReadingOrder } from './merge.js';
import { buildPack, buildPackInMemory, type Fileable, planPacks } from './pack-builder.js';

/** A pack of which more than this is deleted is written anew by itself. */
const DEAD_SHARE_MAX = 1 / 4;
/** With no volume to write to, packs of this size are made in memory. */
const MEMORY_PACK_BYTES = 64 * 1024 * 1024;

/** Compacts every pack that has become due, one after the other. Resolves with how many; one that fails is logged and stays as it is. */
export async function compactDuePacks(
  ctx: ArchiveContext,
  retries: Retries,
  pace: Pace,
  signal: AbortSignal,
): Promise<number> {
  let compacted = 0;
  if ((await unreadDeletes(ctx)).length > 0) return compacted;
  for (const { pack, bytes } of await ctx.index.erasures()) {
    signal.throwIfAborted();
    const record = await ctx.index.pack(pack);
    if (record?.kind !== 'pack' || record.liveInstances === 0 || !retries.mayTry(pack)) continue;
    if (bytes <= record.bytes * DEAD_SHARE_MAX) continue;
    try {
      await compactPack(ctx, pack, signal, pace);
      retries.succeeded(pack);
      compacted += 1;
      ctx.log({ level: 'info', event: 'compacted', pack });
    } catch (error) {
      signal.throwIfAborted();
      retries.failed(pack, error);
      logFailure(ctx, 'compaction-failed', error, pack);
    }
  }
  return compacted;
}

/**
 * Writes what lives in a pack into a new one. Durable when it resolves; nothing lives in the old one then. Rejects with UNAVAILABLE
 * when too few replicas take it, and as reading says; then all is as it was.
 */
export async function compactPack(ctx: ArchiveContext, id: PackId, signal?: AbortSignal, pace?: Pace): Promise<void> {
  const [any] = (await ctx.index.packContents(id)).members;
  if (any === undefined) return;
  // As for filing and merging: two who move the same study would copy from packs that the other empties.
  await ctx.locks.run(any.study, async () => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const record = await ctx.index.pack(id);
        if (record === undefined) return;
        const instances = (await contentsOf(ctx, id)).sort(inReadingOrder);
        await moveOut(ctx, record, instances, signal, pace);
        await ctx.index.commitDurable();
        return;
      } catch (error) {
        // Some of it was deleted under the copying, and the pack with it.
        if (codeOf(error) !== 'NOT_FOUND' || attempt >= RESOLVE_ATTEMPTS_MAX) throw error;
      }
    }
  });
}

async function moveOut(
  ctx: ArchiveContext,
  record: PackRecord,
  instances: readonly Fileable[],
  signal: AbortSignal | undefined,
  pace: Pace | undefined,
): Promise<void> {
  // Not begun in vain: it would be read and written again at every attempt.
  if (record.placements.length > 0) mustBeOnQuorum(ctx, reachable(ctx));
  for (const group of planPacks(instances)) {
    signal?.throwIfAborted();
    const bytes = group.reduce((sum, one) => sum + one.end - one.start, 0);
    const volume = ctx.volumes.writable(bytes, true);
    if (volume !== null) await moveToVolume(ctx, record, volume, group, signal, pace);
    else for (const part of planPacks(group, MEMORY_PACK_BYTES)) await moveToReplicas(ctx, record, part, signal);
  }
}

async function moveToVolume(
  ctx: ArchiveContext,
  record: PackRecord,
  volume: Volume,
  instances: readonly Fileable[],
  signal: AbortSignal | undefined,
  pace: Pace | undefined,
): Promise<void> {
  const id = ctx.packIds.next();
  try {
    // Locked, so that nobody takes the file for an orphan, or the row for that of an emptied pack, before the index points there.
    await ctx.locks.run(id, async () => {
      const filed = await buildPack(ctx, volume, id, instances, pace);
      if (record.placements.length > 0) {
        await ctx.index.addPack(filed.pack);
        mustBeOnQuorum(ctx, await protectHeld(ctx, id, { contents: filed, signal, pace }));
      }
      await ctx.catalog.change(id, (index) => index.file(filed));
    });
  } catch (error) {
    if (codeOf(error) === 'FULL') ctx.volumes.report(volume.name, error);
    throw error;
  }
  if (record.hot !== 'cold') return;
  await ctx.index.commitDurable();
  // Where it was before; should that not work, it is evicted like any other in its time.
  await evictPack(ctx, id, signal).catch((error: unknown) => {
    signal?.throwIfAborted();
    logFailure(ctx, 'evict-failed', error, id);
  });
}

/** No volume has room: the new pack is made in memory and goes to the quorum as arrivals do then. */
async function moveToReplicas(
  ctx: ArchiveContext,
  record: PackRecord,
  instances: readonly Fileable[],
  signal: AbortSignal | undefined,
): Promise<void> {
  if (record.placements.length === 0) {
    throw new ArchiveError('UNAVAILABLE', `no volume has room to write pack ${record.id} anew`);
  }
  signal?.throwIfAborted();
  const id = ctx.packIds.next();
  await ctx.locks.run(id, async () => {
    const { tar, pack, members, bundles } = await buildPackInMemory(ctx, id, instances);
    const { createdMs } = pack;
    const quorum = ctx.replicas.rule.writeQuorum;
    const { length: bytes } = tar;
    const about = { id, kind: 'pack', createdMs, bytes, members, bundles, quorum } as const;
    const sealed = await sealToQuorum(ctx, { ...about, chunks: chunksOf(tar) });
    const attributes = await Promise.all(
      instances.map(async ({ metadata }) => levelAttributesOfJson((await inflateJson(metadata)).toString('utf8'))),
    );
    await ctx.catalog.change(id, (index) => index.adopt({ pack, members, bundles, attributes, ...sealed }));
  });
}

function mustBeOnQuorum(ctx: ArchiveContext, held: readonly ReplicaName[]): void {
  const { rule } = ctx.replicas;
  if (rule.isMet(held)) return;
  throw new ArchiveError('UNAVAILABLE', `a pack that is written anew is ${rule.shortfall(held)}; the old one stays`);
}
