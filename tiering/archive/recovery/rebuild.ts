// Rebuild: a lost index is made again from what packs, trays and manifests say (I8). Deletes first, of every replica that answers (those of the
// trays are read when a volume opens), so that nothing deleted comes back (I9); then trays and what else only volumes have, which is
// what came last; then manifests, newest packs first, so that recent studies are found while the rest streams in. Adoption is idempotent and
// in any order the same, so a rebuild may be killed and run again: what is in the index already is passed over.
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { PackId, ReplicaName } from '../../core/ids.js';
import { forEachLimited, Semaphore } from '../../core/queues.js';
import type { PackRecord } from '../../index/index.js';
import type { JobFailure, JobOptions } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { noteUnread } from '../removal/provisional.js';
import { takeTombstones } from '../removal/read-tombstones.js';
import { type HotFile, hotFileOf, packOfManifest } from './adopt-manifest.js';
import { type FoundManifest, newestFirst, surveyManifests } from './manifest-slices.js';
import { markBegun, markEnded, RebuildTally } from './rebuild-state.js';
import { recoverTrays } from './replay-trays.js';
import { importPack } from './tar-import.js';

/** Manifests on their way at once: round trips to a cloud are hidden behind each other. */
const MANIFESTS_AT_ONCE = 16;
/** And bytes of them: an opened manifest takes some ten times its length. */
const MANIFEST_BYTES_AT_ONCE = 16 * 1024 * 1024;
/** Only the list that is shown: each is a pack that can be asked for again. */
const FAILURES_MAX = 10_000;

export interface RebuildReport {
  readonly packs: number;
  readonly instances: number;
  readonly seconds: number;
  /** Instances a second. */
  readonly perSecond: number;
  /** Deletes that replicas told of. */
  readonly deletes: number;
  /** Replicas that did not answer: what only they hold is not in the index yet. */
  readonly unavailable: readonly ReplicaName[];
  /**
   * Replicas and volumes (`replica r1`) whose deletes are not known: the index is provisional, and may show what was deleted, until they
   * are back and were read.
   */
  readonly provisional: readonly string[];
  readonly failures: readonly JobFailure[];
}

/** What a rebuild works with. */
interface Rebuild {
  readonly ctx: ArchiveContext;
  readonly tally: RebuildTally;
  readonly failures: JobFailure[];
  /** The index was not empty: what is in it is asked for before it is fetched. */
  readonly resumed: boolean;
  readonly room: Semaphore;
  readonly signal: AbortSignal | undefined;
}

/**
 * Fills an empty (or partly filled) index. Rejects only by the signal, when the index itself cannot be written, or when no replica answers
 * (UNAVAILABLE); then it is unfinished, and the next one goes on.
 * @param options.volumesAlone an operator who is told what is missing may have what the volumes say, with no replica at all.
 */
export async function rebuildIndex(
  ctx: ArchiveContext,
  options: JobOptions & { readonly volumesAlone?: boolean } = {},
): Promise<RebuildReport> {
  const { signal } = options;
  await markBegun(ctx.index);
  const tally = new RebuildTally(ctx.clock, options.onProgress);
  const deletes = await takeTombstones(ctx, ctx.replicas.names, signal);
  const unavailable: ReplicaName[] = [...deletes.unavailable];
  const survey = await surveyManifests(ctx, unavailable, signal);
  const volumesAlone = options.volumesAlone === true && ctx.volumes.readables().length > 0;
  if (unavailable.length === ctx.replicas.names.length && !volumesAlone) {
    throw new ArchiveError('UNAVAILABLE', 'no replica answers: the index cannot be rebuilt now');
  }
  // By now, since a delete that is not known must be known to be missing before anything is found.
  await noteUnread(ctx, unavailable);
  tally.total = survey.packs;
  tally.tell();
  const rebuild: Rebuild = {
    ctx,
    tally,
    failures: [...deletes.failures],
    resumed: await hasPacks(ctx),
    room: new Semaphore(MANIFEST_BYTES_AT_ONCE),
    signal,
  };
  for (const volume of ctx.volumes.readables()) await recoverTrays(ctx, volume);
  await adoptFromVolumes(rebuild, survey.newest);
  await forEachLimited(newestFirst(ctx, survey, unavailable, signal), MANIFESTS_AT_ONCE, ([, generations]) =>
    adoptNewest(rebuild, generations),
  );
  await adoptFromVolumes(rebuild, null);
  const provisional = await noteUnread(ctx, unavailable);
  for (const name of ctx.volumes.names) await ctx.unreadTrays.afterRebuild(name, ctx.volumes.readable(name) !== null);
  await markEnded(ctx.index);
  const { packs, instances, seconds, perSecond } = tally;
  const { failures } = rebuild;
  return { packs, instances, seconds, perSecond, deletes: deletes.records, unavailable, provisional, failures };
}

async function hasPacks(ctx: ArchiveContext): Promise<boolean> {
  for await (const _ of ctx.index.packs({ limit: 1 })) return true;
  return false;
}

/** Of a pack the newest manifest that opens. */
async function adoptNewest(rebuild: Rebuild, generations: readonly FoundManifest[]): Promise<void> {
  const { ctx, tally, room, signal } = rebuild;
  for (const [at, found] of generations.entries()) {
    signal?.throwIfAborted();
    const file = await hotFileOf(ctx, found.ref.pack);
    const known = rebuild.resumed && at === 0 ? await ctx.index.pack(found.ref.pack) : undefined;
    if (known !== undefined && isWhole(known, found, file)) {
      tally.done(known.liveInstances, true);
      return;
    }
    try {
      tally.done(await room.run(() => adoptFromReplicas(rebuild, found, file), { units: found.bytes }));
      return;
    } catch (error) {
      if (codeOf(error) === 'INTERNAL' || codeOf(error) === 'ABORTED') throw error;
      fail(rebuild, found.ref.name, error);
    }
  }
  tally.passed += 1;
  tally.tell();
}

function fail({ failures, signal }: Rebuild, item: string, error: unknown): void {
  signal?.throwIfAborted();
  if (failures.length >= FAILURES_MAX) return;
  failures.push({ item, code: codeOf(error), detail: error instanceof Error ? error.message : 'unexpected' });
}

/** Whether a rebuild before this one took it in, as it is now. */
function isWhole(known: PackRecord, { ref, replicas }: FoundManifest, file: HotFile | null): boolean {
  const placed = new Set(known.placements.map(({ replica }) => replica));
  const hot = file !== null && file.bytes >= known.bytes;
  return (
    known.manifest?.name === ref.name &&
    replicas.every((name) => placed.has(name)) &&
    (known.kind === 'tray' || (known.hot === 'present') === hot)
  );
}

/** Resolves with how many instances its manifest names. */
async function adoptFromReplicas(
  { ctx, tally, signal }: Rebuild,
  found: FoundManifest,
  file: HotFile | null,
): Promise<number> {
  // Round and round, so that every replica gives its share; from where this pack begins, however many others end meanwhile.
  const adopted = await packOfManifest(ctx, found, file, { begin: tally.packs, signal });
  await ctx.catalog.change(found.ref.pack, (index) => index.adopt(adopted));
  return adopted.members.length;
}

/** Takes in packs on volumes that the index does not know yet: those newer than `newerThan`, or all. */
async function adoptFromVolumes(rebuild: Rebuild, newerThan: PackId | null): Promise<void> {
  const { ctx, tally, signal } = rebuild;
  for (const volume of ctx.volumes.readables()) {
    for await (const { ref, bytes } of volume.list('pack')) {
      signal?.throwIfAborted();
      if ((newerThan !== null && ref.id <= newerThan) || (await ctx.index.pack(ref.id)) !== undefined) continue;
      const adopted = await importPack(ctx, volume, ref, bytes);
      if (adopted === undefined) {
        if (newerThan !== null) continue;
        const detail = `pack ${ref.id} on volume ${volume.name}: nothing in it can be read`;
        fail(rebuild, ref.id, new ArchiveError('CORRUPT', detail));
        continue;
      }
      await ctx.catalog.change(ref.id, (index) => index.adopt(adopted));
      tally.total += 1;
      tally.done(adopted.members.length);
    }
  }
}
