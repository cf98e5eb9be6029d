// Files that ought to be on a volume.
import { hasCode } from '../../core/errors.js';
import type { PackId } from '../../core/ids.js';
import type { PackRef, Volume } from '../../hot/volume.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';

/** Files that the index believes to be on this volume and that are not: read from the replicas, brought back by refill. */
export async function noteMissing(
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
    // Listed while it was being written or removed: it decides itself, not the listing.
    if (await liesOn(volume, { id, kind })) continue;
    ctx.log({ level: 'error', event: 'hot-missing', pack: id, detail: `not on volume ${volume.name}` });
    await ctx.catalog.change(id, (index) => index.setHot(id, 'missing', volume.name));
    gone.push(record);
  }
  return gone;
}

/** Whether a file of this name is on the volume, whatever is in it. */
export async function liesOn(volume: Volume, ref: PackRef): Promise<boolean> {
  try {
    await volume.size(ref);
    return true;
  } catch (error) {
    if (hasCode(error, 'ABSENT')) return false;
    throw error;
  }
}
