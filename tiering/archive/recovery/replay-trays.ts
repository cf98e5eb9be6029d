// Trays of a volume that is opened: what lies beyond what the index has seen of them is indexed, whole and in order, as it was acknowledged. Run at start,
// by a rebuild and when a failed volume returns; may be killed and run again.
import type { PackId } from '../../core/ids.js';
import type { PackRef, Volume } from '../../hot/volume.js';
import type { ArrivedInstance, TombstoneRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { makeRecord } from '../removal/make-record.js';
import { noteMissing } from './missing-files.js';
import { takeInPointed } from './reconcile-packs.js';
import { acceptedLengths, importMemberOrSkip, volumeSource, walkTar } from './tar-import.js';

/** Rows per index transaction while a tail is read. */
const BATCH = 100;

/** Makes everything acknowledged on this volume visible, and durable. Rejects with UNAVAILABLE when it cannot be read. */
export async function recoverTrays(ctx: ArchiveContext, volume: Volume): Promise<void> {
  const seen = new Set<PackId>();
  const accepted = await acceptedLengths(volume);
  for await (const { ref, bytes: size } of volume.list('tray')) {
    seen.add(ref.id);
    const bytes = Math.min(size, accepted.get(ref.id) ?? size);
    const record = await ctx.index.pack(ref.id);
    // What a killed process wrote is read back from the system's memory, and may not be on the disk yet: indexed, it would be promised.
    if (record === undefined || record.hot === 'open') await volume.sync(ref);
    if (record === undefined) {
      const createdMs = ctx.clock.nowMs();
      await ctx.index.addPack({ id: ref.id, kind: 'tray', bytes: 0, createdMs, hot: 'open', volume: volume.name });
      await recoverTail(ctx, volume, ref, bytes, 0);
    } else if (record.hot === 'open') {
      await recoverTail(ctx, volume, ref, bytes, record.bytes);
    } else if (record.hot === 'missing') {
      await ctx.catalog.change(ref.id, (index) => index.setHot(ref.id, 'present', volume.name));
    }
  }
  await noteMissing(ctx, volume, 'tray', seen);
  await ctx.unreadTrays.wereRead(volume.name);
}

/** Indexes what lies beyond `from`, then closes the tray: it is never appended to again. */
async function recoverTail(
  ctx: ArchiveContext,
  volume: Volume,
  ref: PackRef,
  size: number,
  from: number,
): Promise<void> {
  let batch: ArrivedInstance[] = [];
  let tombstones: TombstoneRecord[] = [];
  let indexedTo = from;
  let found = 0;
  const flush = async () => {
    if (batch.length + tombstones.length === 0) return;
    await tellConflicts(ctx, ref.id, batch);
    await ctx.index.commitArrivals({ pack: ref.id, indexedTo, instances: batch, tombstones });
    batch = [];
    tombstones = [];
  };
  const walk = await walkTar(volumeSource(volume, ref, size), ref, from, async (entry) => {
    if (entry.kind === 'instance') {
      const row = await importMemberOrSkip(ctx, volume, ref, entry);
      if (row !== undefined) batch.push(row);
      found += 1;
    }
    // Known from before the first arrival was taken in; said again so that the index knows where it lies.
    if (entry.kind === 'note' && (entry.note.note === 'tombstone' || entry.note.note === 'hold'))
      tombstones.push(await makeRecord(ctx, entry.note));
    if (entry.kind === 'note' && entry.note.note === 'pointer') {
      await flush();
      await takeInPointed(ctx, volume, entry.note.pack);
    }
    indexedTo = entry.next;
    if (batch.length + tombstones.length >= BATCH) await flush();
  });
  await flush();
  for (const { at, bytes } of walk.damaged) {
    ctx.log({
      level: 'error',
      event: 'tray-damage',
      pack: ref.id,
      detail: `${bytes} bytes at ${at} are damaged and were passed over`,
    });
  }
  await ctx.catalog.change(ref.id, (index) => index.closeTray(ref.id, Math.max(indexedTo, from)));
  if (found > 0) ctx.log({ level: 'info', event: 'tray-replayed', pack: ref.id, detail: `${found} instances` });
}

/** While a volume or replica was away, and the index had lost its last rows, other content may have been taken in under a SOP Instance UID that it holds. */
export async function tellConflicts(
  ctx: ArchiveContext,
  pack: PackId,
  found: readonly Pick<ArrivedInstance, 'sop' | 'seq' | 'sha256'>[],
): Promise<void> {
  const known = await ctx.index.lookup(found.map(({ sop }) => sop));
  const later = found.flatMap(({ sop, seq, sha256 }) => {
    const live = known.get(sop);
    return live !== undefined && live.seq > seq && live.sha256 !== sha256 ? [live.pack] : [];
  });
  if (later.length === 0) return;
  ctx.log({
    level: 'error',
    event: 'content-conflict',
    pack,
    detail: `${later.length} instances were sent again with other content while nobody could see those in this pack; the first is kept, as always, and the other bytes stay in ${[...new Set(later)].join(', ')} until they are compacted`,
  });
}
