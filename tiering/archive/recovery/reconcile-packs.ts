// Packs of a volume that is opened, beside what the index says of them: files that it does not know are adopted or, when all of them lives
// elsewhere, removed; files that it knows and that are not there, or too short, are noted. Run in the background; may be killed and run again.
import { createHash } from 'node:crypto';
import { codeOf } from '../../core/errors.js';
import type { PackId, SopUid } from '../../core/ids.js';
import type { PackRef, Volume } from '../../hot/volume.js';
import type { AdoptedPack, InstanceRecord, PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { readInstance } from '../reading/instance-reader.js';
import { unreadDeletes } from '../removal/provisional.js';
import { liesOn, noteMissing } from './missing-files.js';
import { importPack } from './tar-import.js';

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
  const needed = isNeeded(adopted, known);
  if (!needed && !(await canAllBeRead(ctx, [...known.values()]))) return takeOver(ctx, adopted, known);
  // While somebody's deletes are unread, a copy that seems to be spare may be the one that was stored after the delete.
  if (!needed && (await unreadDeletes(ctx)).length === 0) {
    await volume.remove(ref);
    return false;
  }
  await adoptPack(ctx, adopted);
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

/**
 * The pack that a tray points to, taken in at once when the index does not know it and nobody else has what is in it: acknowledged as much as what
 * lies in the tray itself. Anything else about it waits for the comparison in the background.
 */
export async function takeInPointed(ctx: ArchiveContext, volume: Volume, id: PackId): Promise<void> {
  const ref: PackRef = { id, kind: 'pack' };
  await ctx.locks.run(id, async () => {
    if ((await ctx.index.pack(id)) !== undefined || !(await liesOn(volume, ref))) return;
    const adopted = await importPack(ctx, volume, ref, await volume.size(ref));
    if (adopted === undefined) return;
    const known = await ctx.index.lookup(adopted.members.map(({ sop }) => sop));
    if (isNeeded(adopted, known)) await adoptPack(ctx, adopted);
  });
}

function isNeeded(adopted: AdoptedPack, known: ReadonlyMap<SopUid, InstanceRecord>): boolean {
  return adopted.members.some(({ sop, sha256 }) => known.get(sop)?.sha256 !== sha256);
}

async function adoptPack(ctx: ArchiveContext, adopted: AdoptedPack): Promise<void> {
  await ctx.index.adopt(adopted);
  const detail = `${adopted.members.length} instances`;
  ctx.log({ level: 'info', event: 'pack-adopted', pack: adopted.pack.id, detail });
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
