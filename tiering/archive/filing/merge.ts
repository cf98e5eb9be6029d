// Merging: a study that came in drops, each filed by itself, ends up in many small packs: many objects,
// many round trips. Before they are copied to the replicas they are gathered into one. An evicted pack is
// never recalled for a merge, and a protected one is not uploaded again for it.
import type { StudyUid } from '../../core/ids.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { deflateJson, inflateJson } from '../packs/bundles.js';
import type { Fileable } from './pack-builder.js';

/** A study may have this many small packs before they are merged. */
const SMALL_PACKS_MAX = 8;
/** From here on a pack is worth its own objects. */
const SMALL_PACK_BYTES = 64 * 1024 * 1024;

/** The instances of a study's small packs in reading order, when there are so many that they are to be merged; else none. */
export async function mergeable(ctx: ArchiveContext, study: StudyUid): Promise<readonly Fileable[]> {
  const small: PackRecord[] = [];
  for await (const record of ctx.index.packs({ study, kind: 'pack', hot: ['present'] })) {
    if (record.bytes <= SMALL_PACK_BYTES && record.seal === null) small.push(record);
  }
  if (small.length <= SMALL_PACKS_MAX) return [];
  const instances: Fileable[] = [];
  for (const { id } of small) instances.push(...(await contentsOf(ctx, id)));
  return instances.sort(inReadingOrder);
}

/** What lives in a pack, each with its own metadata again. */
export async function contentsOf(ctx: ArchiveContext, pack: PackRecord['id']): Promise<Fileable[]> {
  const { members, bundles } = await ctx.index.packContents(pack);
  const texts = new Map<string, Buffer>();
  for (const bundle of bundles) texts.set(bundle.series, await inflateJson(bundle.gzip));
  const contents: Fileable[] = [];
  for (const { metaStart, metaEnd, ...member } of members) {
    const json = texts.get(member.series)?.subarray(metaStart, metaEnd) ?? Buffer.from('{}');
    contents.push({ ...member, pack, metadata: await deflateJson(json) });
  }
  return contents;
}

/** As Index.instances has it: series number, series UID, instance number, SOP UID; no number comes last. */
export function inReadingOrder(a: Fileable, b: Fileable): number {
  return (
    byNumber(a.seriesNumber, b.seriesNumber) ||
    byText(a.series, b.series) ||
    byNumber(a.instanceNumber, b.instanceNumber) ||
    byText(a.sop, b.sop)
  );
}

function byNumber(a: number | null, b: number | null): number {
  return a === b ? 0 : (a ?? Number.POSITIVE_INFINITY) - (b ?? Number.POSITIVE_INFINITY);
}

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
