// Volumes that the configuration does not name any more: a disk that died and was replaced under another name. What lay on them and is on replicas is
// to be recalled by repair to where there is room; what lay on them alone keeps its row, so that it shows as unprotected and comes back with the volume.
import type { PackId, VolumeName } from '../../core/ids.js';
import type { ArchiveContext } from '../context.js';
import { hasColdCopy } from '../reading/cold-reader.js';

/** In the background of a start. */
export async function noteRetiredVolumes(ctx: ArchiveContext): Promise<void> {
  const gone: { readonly id: PackId; readonly volume: VolumeName }[] = [];
  for await (const record of ctx.index.packs({ hot: ['present'] })) {
    const { id, volume } = record;
    if (volume !== null && !ctx.volumes.names.includes(volume) && hasColdCopy(record)) gone.push({ id, volume });
  }
  for (const { id, volume } of gone) {
    await ctx.locks.run(id, async () => {
      const now = await ctx.catalog.fresh(id);
      if (now.hot !== 'present' || now.volume !== volume) return;
      await ctx.catalog.change(id, (index) => index.setHot(id, 'missing', volume));
    });
  }
  if (gone.length === 0) return;
  const detail = `${gone.length} packs of volumes that are not configured any more; repair brings them to another`;
  ctx.log({ level: 'warn', event: 'volume-retired', detail });
}
