// One pack under the current key: the same DEK wrapped anew, a manifest of the next generation that says so, on every replica that
// holds the pack; then the older generations go. Each step may be killed and done again, and chunks are never touched.
import { ArchiveError, hasCode } from '../../core/errors.js';
import { type ObjectKey, type PackId, parseSha256, type ReplicaName } from '../../core/ids.js';
import { wrapDek } from '../../format/keys.js';
import { openManifest, readManifestClear, sealManifest } from '../../format/manifest.js';
import { manifestName, manifestPrefix, parseManifestName } from '../../format/names.js';
import type { PackSeal } from '../../format/types.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { isOfThisCopy } from '../recovery/manifest-reader.js';
import { deleteIfAllowed } from '../removal/delete-if-allowed.js';
import { announce } from '../tiers/announce.js';
import { proveObject, putProven } from '../tiers/proof.js';
import { type Holdings, holdingsOf, type Rewrapped } from './holders.js';

/** Rejects when the newest manifest cannot be read (UNAVAILABLE, CORRUPT, LOST) or no replica takes the next one. */
export async function rewrapPack(ctx: ArchiveContext, id: PackId, signal: AbortSignal | undefined): Promise<Rewrapped> {
  return ctx.locks.run(id, async () => {
    const before = await ctx.index.pack(id);
    if (before?.seal == null) return { rewrapped: false, removed: 0, lacking: [] };
    const held = await holdingsOf(ctx, manifestPrefix(id), signal);
    const holders = await ofThisDek(ctx, before, held, signal);
    const stale = before.seal.kekId !== ctx.keyring.current;
    const generation = nextGeneration(before.manifest?.generation ?? 0, held);
    const record = stale ? await wrapAnew(ctx, before, before.seal, generation, holders, signal) : before;
    if (record.manifest === null) return { rewrapped: stale, removed: 0, lacking: [] };
    const lacking = await spread(ctx, record, record.manifest.name, holders, signal);
    const removed = lacking.length === 0 ? await removeOlder(ctx, id, record.manifest, held, signal) : 0;
    return { rewrapped: stale, removed, lacking };
  });
}

/** Writes the next manifest to one replica at least and makes it the pack's, durably. */
async function wrapAnew(
  ctx: ArchiveContext,
  { id, manifest }: PackRecord,
  seal: PackSeal,
  generation: number,
  held: Holdings,
  signal: AbortSignal | undefined,
): Promise<PackRecord> {
  const dek = await ctx.catalog.dek(id, seal);
  const { suite, dekId } = seal;
  const wrap = await wrapDek({ pack: id, suite, dek, dekId, keyring: ctx.keyring, random: ctx.random });
  let next: PackRecord['manifest'] = null;
  if (manifest !== null) {
    const { body } = await openManifest(await readManifest(ctx, manifest.name, signal), ctx.keyring);
    const object = sealManifest({ ...body, generation }, { ...seal, ...wrap }, dek, ctx.random);
    const { bytes, sha256 } = await ctx.pool.hash({ bytes: object });
    next = { name: manifestName(id, generation, parseSha256(sha256)), generation };
    await announce(ctx, [next.name]);
    await putFirst(ctx, next.name, bytes, held, signal);
  }
  await ctx.catalog.change(id, (index) => index.rewrap(id, { ...wrap, dekId }, next));
  // Before anything older is removed: an index that forgot the new manifest would look for the old one.
  await ctx.index.commitDurable();
  return ctx.catalog.fresh(id);
}

/** Above everything that was ever written of the pack, as far as it can be seen: a killed rotation may have left one behind. */
export function nextGeneration(known: number, { listed }: Holdings): number {
  let highest = known;
  for (const names of listed.values()) {
    for (const name of names) highest = Math.max(highest, parseManifestName(name)?.generation ?? 0);
  }
  return highest + 1;
}

/** A manifest from whichever replica has it sound. */
export async function readManifest(
  ctx: ArchiveContext,
  name: ObjectKey,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  return ctx.replicas.read(name, undefined, (bytes) => proveObject(ctx, name, bytes), { signal });
}

/** Those that answered and hold the pack under its DEK of now: where it lies under another, the newest manifest would name chunks that are not there. */
async function ofThisDek(
  ctx: ArchiveContext,
  { seal, placements }: PackRecord,
  { listed, silent }: Holdings,
  signal: AbortSignal | undefined,
): Promise<Holdings> {
  const same = new Map<ReplicaName, readonly ObjectKey[]>();
  const others = [...silent];
  for (const [replica, names] of listed) {
    const counts = names.length === 0 || placements.some((one) => one.replica === replica);
    if (counts || (await isUnder(ctx, replica, names, seal, signal))) same.set(replica, names);
    else others.push(replica);
  }
  return { listed: same, silent: others };
}

/** Whether some manifest of the pack on a replica is under the seal's DEK. */
async function isUnder(
  ctx: ArchiveContext,
  replica: ReplicaName,
  names: readonly ObjectKey[],
  seal: PackSeal | null,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (const name of names) {
    try {
      const object = await ctx.replicas.store(replica).get(name, undefined, signal);
      if (seal !== null && Buffer.compare(readManifestClear(object).dekId, seal.dekId) === 0) return true;
    } catch (error) {
      if (!isOfThisCopy(error) && !hasCode(error, 'NOT_SUPPORTED')) throw error;
    }
  }
  return false;
}

/** On the first replica that has a manifest of the pack (and so its chunks: I4) and takes this one. */
async function putFirst(
  ctx: ArchiveContext,
  name: ObjectKey,
  object: Uint8Array,
  { listed }: Holdings,
  signal: AbortSignal | undefined,
): Promise<void> {
  let last: unknown = new ArchiveError('UNAVAILABLE', `no replica that holds the pack took ${name}`);
  for (const [replica, names] of listed) {
    if (names.length === 0) continue;
    try {
      await putProven(ctx, replica, name, object, signal);
      return;
    } catch (error) {
      if (!isOfThisCopy(error) && !hasCode(error, 'FULL')) throw error;
      last = error;
    }
  }
  throw last;
}

/** Brings the newest manifest to every replica that holds the pack. Resolves with those that do not have it all the same. */
async function spread(
  ctx: ArchiveContext,
  { id, placements }: PackRecord,
  name: ObjectKey,
  { listed, silent }: Holdings,
  signal: AbortSignal | undefined,
): Promise<readonly ReplicaName[]> {
  const placed = placements.map(({ replica }) => replica);
  const holders = new Set(placed);
  for (const [replica, names] of listed) if (names.length > 0) holders.add(replica);
  const lacking = new Set(silent);
  let object: Uint8Array | null = null;
  for (const replica of holders) {
    if (!listed.has(replica)) {
      // It does not answer, or is not configured any more.
      lacking.add(replica);
      continue;
    }
    try {
      if (await has(ctx, replica, name, signal)) continue;
      object ??= await readManifest(ctx, name, signal);
      await putProven(ctx, replica, name, object, signal);
      if (ctx.damage.of(id, -1).has(replica)) await ctx.damage.clear(id, -1, replica);
    } catch (error) {
      if (!isOfThisCopy(error) && !hasCode(error, 'FULL')) throw error;
      lacking.add(replica);
    }
  }
  // Repair brings it there once the replica is back, should no rotation come first.
  for (const replica of placed) {
    if (lacking.has(replica) && ctx.replicas.names.includes(replica)) await ctx.damage.note(id, -1, replica, 'missing');
  }
  return [...lacking];
}

async function has(
  ctx: ArchiveContext,
  replica: ReplicaName,
  name: ObjectKey,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await proveObject(ctx, name, await ctx.replicas.store(replica).get(name, undefined, signal), replica);
    return true;
  } catch (error) {
    if (hasCode(error, 'ABSENT', 'CORRUPT')) return false;
    throw error;
  }
}

/** Every other manifest of the pack that is not of a later generation, from every replica; what only they name becomes garbage before. */
async function removeOlder(
  ctx: ArchiveContext,
  id: PackId,
  newest: NonNullable<PackRecord['manifest']>,
  { listed }: Holdings,
  signal: AbortSignal | undefined,
): Promise<number> {
  const older = [...listed].flatMap(([replica, names]) =>
    names
      .filter((name) => (parseManifestName(name)?.generation ?? Number.POSITIVE_INFINITY) <= newest.generation)
      .filter((name) => name !== newest.name)
      .map((name) => ({ replica, name })),
  );
  if (older.length === 0) return 0;
  await ctx.index.dropOldChunks(id);
  await ctx.index.commitDurable();
  let removed = 0;
  for (const { replica, name } of older) {
    if (await deleteIfAllowed(ctx.replicas.store(replica), name, signal)) removed += 1;
  }
  return removed;
}
