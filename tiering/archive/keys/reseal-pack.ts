// One pack under another DEK, for a key that leaked: its bytes are read from wherever they are, sealed under a seal of its own, and put on
// every replica that answers, chunks before manifest. Only when enough of them hold all of it does it become the pack's, in one
// transaction; until then, and for whoever reads on with what was read before, the old copies are there and count. What a kill leaves is
// announced, and goes as garbage: the next call draws another seal.
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey, PackId } from '../../core/ids.js';
import { drawSeal } from '../../format/keys.js';
import { openManifest } from '../../format/manifest.js';
import { manifestPrefix } from '../../format/names.js';
import type { PackSeal } from '../../format/types.js';
import type { PackRecord, Resealed } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import type { ByteRate } from '../pacing/byte-rate.js';
import { announce } from '../tiers/announce.js';
import { putProven } from '../tiers/proof.js';
import { makeManifest, protectPack, reachable } from '../tiers/protect.js';
import { sendChunks, Targets } from '../tiers/send-chunks.js';
import { holdingsOf, type Rewrapped } from './holders.js';
import { nextGeneration, readManifest, rewrapPack } from './rewrap-pack.js';

/**
 * Brings the pack under a DEK that was only ever wrapped under the current key, and removes the manifests of the one before. Resolves also with
 * the bytes that were sent. Rejects when it cannot be read, or (UNAVAILABLE) when fewer replicas take it than are to hold it.
 */
export async function resealPack(
  ctx: ArchiveContext,
  id: PackId,
  rate: ByteRate,
  signal: AbortSignal | undefined,
): Promise<Rewrapped & { readonly bytes: number }> {
  const bytes = await ctx.locks.run(id, () => sealAnew(ctx, id, rate, signal));
  // Who was away when it was sealed anew has the old copy alone, under the key that leaked.
  if (bytes === null && (await isOwed(ctx, id))) await protectPack(ctx, id, { signal, rate });
  const { removed, lacking } = await rewrapPack(ctx, id, signal);
  return { rewrapped: bytes !== null, removed, lacking, bytes: bytes ?? 0 };
}

async function isOwed(ctx: ArchiveContext, id: PackId): Promise<boolean> {
  const record = await ctx.index.pack(id);
  if (record?.manifest == null) return false;
  const held = new Set(record.placements.map(({ replica }) => replica));
  return reachable(ctx).some((name) => !held.has(name));
}

/** The bytes that were sent; null when it is under the current key already. */
async function sealAnew(
  ctx: ArchiveContext,
  id: PackId,
  rate: ByteRate,
  signal: AbortSignal | undefined,
): Promise<number | null> {
  const record = await ctx.index.pack(id);
  const { keyring, random } = ctx;
  if (record?.seal == null || record.seal.kekId === keyring.current) return null;
  const { seal } = await drawSeal({ pack: id, bytes: record.bytes, suite: keyring.suites.seal, keyring, random });
  if (record.manifest === null) {
    // Nothing of it counts on any replica: it is copied when its turn comes.
    await replace(ctx, id, { seal, manifest: null, placements: [] });
    return 0;
  }
  const { resealed, bytes } = await copyUnder(ctx, record, record.manifest, seal, rate, signal);
  await replace(ctx, id, resealed);
  return bytes;
}

/** Puts all of the pack on every replica that answers, as it is to be. */
async function copyUnder(
  ctx: ArchiveContext,
  record: PackRecord,
  manifest: NonNullable<PackRecord['manifest']>,
  seal: PackSeal,
  rate: ByteRate,
  signal: AbortSignal | undefined,
): Promise<{ readonly resealed: Resealed; readonly bytes: number }> {
  const { id } = record;
  const held = await holdingsOf(ctx, manifestPrefix(id), signal);
  const targets = new Targets(reachable(ctx));
  const names = new Map<number, ObjectKey>();
  const named = async (chunk: number, name: ObjectKey) => {
    names.set(chunk, name);
    await announce(ctx, [name]);
  };
  mustSuffice(ctx, record, targets);
  // What it says of its members is passed on as it is: the index may not point to all of them yet, or any more.
  const { body } = await openManifest(await readManifest(ctx, manifest.name, signal), ctx.keyring);
  await sendChunks(ctx, { record, seal, members: body.members }, targets, { signal, rate, named });
  const sealed = { ...seal, chunks: seal.chunks.map((chunk, at) => ({ ...chunk, name: names.get(at) ?? null })) };
  const generation = nextGeneration(manifest.generation, held);
  const before = { ...manifest, generation: generation - 1 };
  const { name, bytes } = await makeManifest(ctx, { ...record, seal: sealed, manifest: before }, body);
  // Of one moment with its chunks, so that a copy that is given up goes manifest first.
  await announce(ctx, [...names.values(), name]);
  await targets.each((replica) => putProven(ctx, replica, name, bytes, signal));
  mustSuffice(ctx, record, targets);
  const verifiedMs = ctx.clock.nowMs();
  const holders = targets.left.map((replica) => ({ replica, verifiedMs }));
  const resealed = { seal: sealed, manifest: { name, generation }, placements: holders };
  return { resealed, bytes: holders.length * record.bytes };
}

/** Never fewer copies than there were, or than are enough. */
function mustSuffice(ctx: ArchiveContext, { id, placements }: PackRecord, { left }: Targets): void {
  const asBefore = left.length > 0 && placements.every(({ replica }) => left.includes(replica));
  if (asBefore || ctx.replicas.rule.isMet(left)) return;
  const shortfall = ctx.replicas.rule.shortfall(left);
  throw new ArchiveError('UNAVAILABLE', `pack ${id} under its new key is ${shortfall}; it stays as it was`);
}

async function replace(ctx: ArchiveContext, id: PackId, resealed: Resealed): Promise<void> {
  await ctx.catalog.change(id, (index) => index.reseal(id, resealed));
  // Before anything older is removed: an index that forgot the new copies would look for the old ones.
  await ctx.index.commitDurable();
  ctx.damage.forget(id);
}
