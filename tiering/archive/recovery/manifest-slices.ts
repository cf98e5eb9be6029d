// The manifests of all replicas, newest packs first, a slice at a time: names are listed oldest first by every store, and there may be millions.
// One listing finds where to cut; then each slice is listed again, from the last one back.
import type { ObjectStore } from '../../cold/object-store.js';
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey, PackId, ReplicaName } from '../../core/ids.js';
import { MANIFEST_PREFIX, parseManifestName } from '../../format/names.js';
import type { ArchiveContext } from '../context.js';
import { byGeneration, isOfThisCopy, type ManifestRef } from './manifest-reader.js';

/** Packs between two places where a slice may begin. */
const STEP_PACKS = 500;
const SLICE_PACKS_MIN = 1_000;
const SLICE_PACKS_MAX = 20_000;
/** No more slices than this where they can be longer: a directory is read anew for each. */
const SLICES = 64;

/** A manifest and who lists it. */
export interface FoundManifest {
  readonly ref: ManifestRef;
  readonly bytes: number;
  readonly replicas: ReplicaName[];
}

export interface Survey {
  /** Packs that the replica with the most of them lists. */
  readonly packs: number;
  /** The newest pack of all replicas; null when there is none. */
  readonly newest: PackId | null;
  /** First packs of slices, ascending. */
  readonly cuts: readonly PackId[];
}

/** Lists everything once. Replicas that do not answer are added to `unavailable`. */
export async function surveyManifests(
  ctx: ArchiveContext,
  unavailable: ReplicaName[],
  signal: AbortSignal | undefined,
): Promise<Survey> {
  const surveys = await Promise.all(
    asked(ctx, unavailable).map((name) =>
      orUnavailable(name, unavailable, () => surveyOne(ctx.replicas.store(name), signal)),
    ),
  );
  let packs = 0;
  let steps: readonly PackId[] = [];
  let newest: PackId | null = null;
  for (const survey of surveys) {
    if (survey === undefined) continue;
    if (survey.packs > packs) ({ packs, steps } = survey);
    if (survey.newest !== null && (newest === null || survey.newest > newest)) newest = survey.newest;
  }
  const slicePacks = Math.min(SLICE_PACKS_MAX, Math.max(SLICE_PACKS_MIN, Math.ceil(packs / SLICES)));
  const every = Math.ceil(slicePacks / STEP_PACKS);
  return { packs, newest, cuts: steps.filter((_, at) => at > 0 && at % every === 0) };
}

async function surveyOne(store: ObjectStore, signal: AbortSignal | undefined) {
  const steps: PackId[] = [];
  let packs = 0;
  let newest: PackId | null = null;
  for await (const { key } of store.list(MANIFEST_PREFIX, { signal })) {
    const name = parseManifestName(key);
    if (name === undefined || name.pack === newest) continue;
    newest = name.pack;
    if (packs % STEP_PACKS === 0) steps.push(newest);
    packs += 1;
  }
  return { packs, steps, newest };
}

/** Of each pack its manifests, newest generation first; newest packs first. */
export async function* newestFirst(
  ctx: ArchiveContext,
  { cuts }: Survey,
  unavailable: ReplicaName[],
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly [PackId, readonly FoundManifest[]], void, void> {
  for (let at = cuts.length; at >= 0; at -= 1) {
    const slice = new Map<PackId, FoundManifest[]>();
    for (const replica of asked(ctx, unavailable)) {
      await orUnavailable(replica, unavailable, () => addSlice(ctx, replica, slice, cuts[at - 1], cuts[at], signal));
    }
    for (const generations of slice.values()) generations.sort((a, b) => byGeneration(a.ref, b.ref));
    yield* [...slice].sort(([a], [b]) => (a < b ? 1 : -1));
  }
}

/** What a replica lists from the pack `from` (undefined: the first) up to the one before `to`. */
async function addSlice(
  ctx: ArchiveContext,
  replica: ReplicaName,
  slice: Map<PackId, FoundManifest[]>,
  from: PackId | undefined,
  to: PackId | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const after = from === undefined ? {} : { after: MANIFEST_PREFIX + from };
  for await (const { key, bytes } of ctx.replicas.store(replica).list(MANIFEST_PREFIX, { ...after, signal })) {
    if (to !== undefined && key >= MANIFEST_PREFIX + to) return;
    const name = parseManifestName(key);
    if (name !== undefined) add(slice, { ...name, name: key }, bytes, replica);
  }
}

function add(
  slice: Map<PackId, FoundManifest[]>,
  { pack, generation, name }: { pack: PackId; generation: number; name: ObjectKey },
  bytes: number,
  replica: ReplicaName,
): void {
  const known = slice.get(pack) ?? [];
  const same = known.find((one) => one.ref.name === name);
  if (same === undefined) known.push({ ref: { pack, generation, name }, bytes, replicas: [replica] });
  else same.replicas.push(replica);
  slice.set(pack, known);
}

function asked(ctx: ArchiveContext, unavailable: readonly ReplicaName[]): readonly ReplicaName[] {
  return ctx.replicas.names.filter((name) => !unavailable.includes(name));
}

async function orUnavailable<T>(
  replica: ReplicaName,
  unavailable: ReplicaName[],
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ArchiveError) || !isOfThisCopy(error)) throw error;
    if (!unavailable.includes(replica)) unavailable.push(replica);
    return undefined;
  }
}
