// A disk that was replaced by an empty one is taken in by command, since only a person knows that it is empty on purpose (DESIGN section 9). What
// lay on the old one is missing from then on: what replicas have is brought back (tiers/refill.ts), the rest is lost until it is sent again.
import type { StudyUid, VolumeName } from '../../core/ids.js';
import type { PackFilter, PackRecord } from '../../index/index.js';
import type { AdoptReport } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { hasColdCopy } from '../reading/cold-reader.js';
import { takeOverride } from './volume-override.js';

const STUDIES_TOLD_MAX = 1_000;

/** As Archive.adoptVolume. */
export async function adoptVolume(
  ctx: ArchiveContext,
  name: VolumeName,
  options: { readonly plan?: boolean },
): Promise<AdoptReport> {
  const { path, bytesTotal, bytesFree, mountPoint } = await ctx.volumes.vacancy(name);
  const plan = { place: { path, bytesTotal, bytesFree, mountPoint }, ...(await whatLay(ctx, name)), state: null };
  if (options.plan === true) return plan;
  // The volume is made first: a kill before the commit leaves an empty volume, whose files a start finds missing one by one.
  await ctx.volumes.adopt(name, async () => {
    const files = await ctx.catalog.changeMany((index) => index.loseVolume(name));
    await takeOverride(ctx, name);
    const { instances } = plan.lost;
    const detail = `${name}: ${files} files of the old disk are given up; ${instances} instances were on it alone`;
    ctx.log({ level: 'warn', event: 'volume-adopted', detail });
  });
  return { ...plan, state: ctx.volumes.state().find((one) => one.name === name)?.state ?? 'failed' };
}

/** What is or ought to be on the volume: of that, what replicas have and what they have not. */
async function whatLay(ctx: ArchiveContext, name: VolumeName): Promise<Pick<AdoptReport, 'recalled' | 'lost'>> {
  const recalled = { packs: 0, bytes: 0 };
  const lost = { instances: 0, bytes: 0 };
  const studies = new Set<StudyUid>();
  const filter: PackFilter = { volume: name, hot: ['present', 'open', 'missing'], empty: false };
  for await (const record of ctx.index.packs(filter)) {
    if (hasColdCopy(record)) {
      recalled.packs += 1;
      recalled.bytes += record.bytes;
      continue;
    }
    lost.instances += record.liveInstances;
    lost.bytes += record.liveBytes;
    await addStudies(ctx, record, studies);
  }
  return { recalled, lost: { ...lost, studies: [...studies].sort() } };
}

async function addStudies(ctx: ArchiveContext, { id }: PackRecord, studies: Set<StudyUid>): Promise<void> {
  if (studies.size >= STUDIES_TOLD_MAX) return;
  for (const { study } of (await ctx.index.packContents(id)).members) {
    if (studies.size < STUDIES_TOLD_MAX) studies.add(study);
  }
}
