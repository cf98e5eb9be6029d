// What a volume tells when it is opened: tray tails that the index has not seen are indexed, files that it
// does not know are adopted or, when all of them lives elsewhere, removed; files that it knows and that
// are not there are noted. Run at start and when a failed volume returns; may be killed and run again.
import { createHash } from 'node:crypto';
import { codeOf, hasCode } from '../../core/errors.js';
import type { PackId, SopUid } from '../../core/ids.js';
import type { PackRef, Volume } from '../../hot/volume.js';
import type { AdoptedPack, ArrivedInstance, InstanceRecord, PackRecord, TombstoneRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { bundleArrivals } from '../packs/bundles.js';
import { readInstance } from '../reading/instance-reader.js';
import { makeRecord } from '../removal/make-record.js';
import { unreadDeletes } from '../removal/provisional.js';
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

/** What comparing a volume with the index found wanting. */
export interface Reconciled {
  /** Files that the index did not know and that hold what nobody else has. */
  readonly adopted: number;
  /** Files that are not there or too short. */
  readonly missing: { readonly packs: number; readonly instances: number; readonly bytes: number };
}

/** Compares the volume's packs with the index, in the background of a start. */
export async function reconcilePacks(ctx: ArchiveContext, volume: Volume): Promise<Reconciled> {
  const seen = new Set<PackId>();
  let adopted = 0;
  const lost: PackRecord[] = [];
  for await (const { ref, bytes } of volume.list('pack')) {
    seen.add(ref.id);
    // Locked, and asked for afresh: a mover may be about to tell the index of this file, or to remove it.
    await ctx.locks.run(ref.id, async () => {
      const record = await ctx.index.pack(ref.id);
      if (record === undefined) adopted += (await adoptOrRemove(ctx, volume, ref, bytes)) ? 1 : 0;
      else if (!(await reconcileKnown(ctx, volume, record, bytes))) lost.push(record);
    });
  }
  lost.push(...(await noteMissing(ctx, volume, 'pack', seen)));
  await ctx.index.commitDurable();
  return { adopted, missing: sumOf(lost.filter(({ liveInstances }) => liveInstances > 0)) };
}

function sumOf(records: readonly PackRecord[]): Reconciled['missing'] {
  const sum = { packs: 0, instances: 0, bytes: 0 };
  for (const { liveInstances, liveBytes } of records) {
    sum.packs += 1;
    sum.instances += liveInstances;
    sum.bytes += liveBytes;
  }
  return sum;
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
    await tellConflicts(ctx, ref, batch);
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

/** While a volume was away, and the index had lost its last rows, other content may have been taken in under a SOP Instance UID that it holds. */
async function tellConflicts(ctx: ArchiveContext, ref: PackRef, found: readonly ArrivedInstance[]): Promise<void> {
  const known = await ctx.index.lookup(found.map(({ sop }) => sop));
  const later = found.flatMap(({ sop, seq, sha256 }) => {
    const live = known.get(sop);
    return live !== undefined && live.seq > seq && live.sha256 !== sha256 ? [live.pack] : [];
  });
  if (later.length === 0) return;
  ctx.log({
    level: 'error',
    event: 'content-conflict',
    pack: ref.id,
    detail: `${later.length} instances were sent again with other content while nobody could see those in this pack; the first is kept, as always, and the other bytes stay in ${[...new Set(later)].join(', ')} until they are compacted`,
  });
}

/** False for one that was thought to be there and is not whole. */
async function reconcileKnown(
  ctx: ArchiveContext,
  volume: Volume,
  record: PackRecord,
  bytes: number,
): Promise<boolean> {
  const ref = { id: record.id, kind: record.kind };
  const proven = record.placements.flatMap(({ replica, verifiedMs }) => (verifiedMs > 0 ? [replica] : []));
  if (record.hot === 'cold' && ctx.replicas.rule.isMet(proven)) {
    // Evicted, and the unlink did not happen before a crash.
    await volume.remove(ref);
    return true;
  }
  const whole = bytes >= record.bytes;
  // Cold without a proof: a rebuild found it on replicas while this volume was away.
  if ((record.hot === 'missing' || record.hot === 'cold') && whole) {
    await ctx.catalog.change(record.id, (index) => index.setHot(record.id, 'present', volume.name));
  } else if (record.hot === 'present' && record.volume === volume.name && !whole) {
    ctx.log({
      level: 'error',
      event: 'hot-damage',
      pack: record.id,
      detail: `${bytes} bytes in place of ${record.bytes}`,
    });
    await ctx.catalog.change(record.id, (index) => index.setHot(record.id, 'missing', volume.name));
    return false;
  }
  return true;
}

/** A pack file that the index does not know: its birth was not indexed before a crash, or its filing was not. True when it is kept. */
async function adoptOrRemove(ctx: ArchiveContext, volume: Volume, ref: PackRef, size: number): Promise<boolean> {
  const adopted = await importPack(ctx, volume, ref, size);
  if (adopted === undefined) return false;
  const known = await ctx.index.lookup(adopted.members.map((m) => m.sop));
  const needed = adopted.members.some((m) => known.get(m.sop)?.sha256 !== m.sha256);
  if (!needed && !(await canAllBeRead(ctx, [...known.values()]))) return takeOver(ctx, adopted, known);
  // While somebody's deletes are unread, a copy that seems to be spare may be the one that was stored after the delete.
  if (!needed && (await unreadDeletes(ctx)).length === 0) {
    await volume.remove(ref);
    return false;
  }
  await ctx.index.adopt(adopted);
  ctx.log({ level: 'info', event: 'pack-adopted', pack: ref.id, detail: `${adopted.members.length} instances` });
  return true;
}

/** Whether each of them comes back as it was acknowledged, from wherever the index says that it is: what only seems to be there is no copy (I5). */
async function canAllBeRead(ctx: ArchiveContext, instances: readonly InstanceRecord[]): Promise<boolean> {
  for (const instance of instances) {
    const hash = createHash('sha256');
    try {
      for await (const piece of readInstance(ctx, instance, undefined, undefined, { onCold: () => undefined }))
        hash.update(piece);
    } catch (error) {
      if (codeOf(error) === 'INTERNAL') throw error;
      return false;
    }
    if (hash.digest('hex') !== instance.sha256) return false;
  }
  return true;
}

/** What cannot be read where it lives now lives in this file, whose bytes were hashed. Of another arrival with the same bytes the file is left as it is. */
async function takeOver(
  ctx: ArchiveContext,
  adopted: AdoptedPack,
  known: ReadonlyMap<SopUid, InstanceRecord>,
): Promise<boolean> {
  const { id } = adopted.pack;
  const same = adopted.members.every((member) => known.get(member.sop)?.seq === member.seq);
  if (same) await ctx.index.file(adopted);
  const detail = same
    ? `${adopted.members.length} instances, which cannot be read elsewhere`
    : 'left as it is: what it has cannot be read elsewhere';
  ctx.log({ level: 'warn', event: same ? 'pack-adopted' : 'pack-kept', pack: id, detail });
  return same;
}

/** Everything the index is to know of a pack file, from its bytes alone; undefined when nothing in it can be read. */
export async function importPack(
  ctx: ArchiveContext,
  volume: Volume,
  ref: PackRef,
  size: number,
): Promise<AdoptedPack | undefined> {
  const rows: ArrivedInstance[] = [];
  const walk = await walkTar(volumeSource(volume, ref, size), ref, 0, async (entry) => {
    if (entry.kind !== 'instance') return;
    const row = await importMemberOrSkip(ctx, volume, ref, entry);
    if (row !== undefined) rows.push(row);
  });
  if (walk.damaged.length > 0) {
    ctx.log({
      level: 'error',
      event: 'hot-damage',
      pack: ref.id,
      detail: `${walk.damaged.length} damaged ranges were passed over`,
    });
  }
  if (rows.length === 0) return undefined;
  // Its place in the folder, too, may be known to no disk yet.
  await volume.sync(ref);
  const contents = await bundleArrivals(rows);
  return {
    pack: {
      id: ref.id,
      kind: ref.kind,
      bytes: size,
      createdMs: ctx.clock.nowMs(),
      hot: 'present',
      volume: volume.name,
    },
    ...contents,
    seal: null,
    manifest: null,
    placements: [],
  };
}

/** Files that the index believes to be on this volume and that are not: read from the replicas, brought back by refill. */
async function noteMissing(
  ctx: ArchiveContext,
  volume: Volume,
  kind: 'tray' | 'pack',
  seen: ReadonlySet<PackId>,
): Promise<readonly PackRecord[]> {
  const missing: PackRecord[] = [];
  const gone: PackRecord[] = [];
  for await (const record of ctx.index.packs({ kind, hot: ['present', 'open'], volume: volume.name })) {
    if (!seen.has(record.id)) missing.push(record);
  }
  for (const record of missing) {
    const { id } = record;
    // Listed while it was being written or removed: its own size decides, not the listing.
    const size = await volume.size({ id, kind }).catch((error: unknown) => {
      if (hasCode(error, 'ABSENT')) return null;
      throw error;
    });
    if (size !== null) continue;
    ctx.log({ level: 'error', event: 'hot-missing', pack: id, detail: `not on volume ${volume.name}` });
    await ctx.catalog.change(id, (index) => index.setHot(id, 'missing', volume.name));
    gone.push(record);
  }
  return gone;
}
