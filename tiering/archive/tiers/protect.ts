// Protect: a pack is sealed once, its chunks are copied to every replica that lacks them and proven to
// be there, then its manifest. Chunks before manifest before index row (I4), and every step may be
// killed and done again: salts are durable before the first PUT, so sealing again gives the same bytes.
import { ArchiveError, codeOf, invariant } from '../../core/errors.js';
import { type ObjectKey, type PackId, parseSha256, type ReplicaName } from '../../core/ids.js';
import { drawSeal } from '../../format/keys.js';
import { sealManifest } from '../../format/manifest.js';
import { manifestName } from '../../format/names.js';
import type { PackSeal } from '../../format/types.js';
import type { FiledPack, PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import type { ByteRate } from '../pacing/byte-rate.js';
import type { Pace } from '../pacing/pace.js';
import { announce } from './announce.js';
import { proveObject, putProven } from './proof.js';
import { sendChunks, Targets } from './send-chunks.js';

export interface ProtectOptions {
  readonly signal?: AbortSignal | undefined;
  /** Of the background, which leaves arrivals most of the machine. */
  readonly pace?: Pace | undefined;
  /** Only these, of the replicas that lack it. */
  readonly to?: readonly ReplicaName[] | undefined;
  /** Bytes written are kept to it, in place of the rate of the line. */
  readonly rate?: ByteRate | undefined;
  /** What the pack is to hold, where the index does not point to it yet. */
  readonly contents?: PackContents | undefined;
}

type PackContents = Pick<FiledPack, 'members' | 'bundles'>;

/**
 * Brings a pack to every replica that answers and lacks it. Resolves with the replicas that hold it, proven. Rejects when it could
 * not be read, is damaged (CORRUPT), or when not one more replica could be reached (UNAVAILABLE).
 */
export async function protectPack(
  ctx: ArchiveContext,
  id: PackId,
  options: ProtectOptions = {},
): Promise<readonly ReplicaName[]> {
  return ctx.locks.run(id, () => protectHeld(ctx, id, options));
}

/** As protectPack, by who holds the lock of the pack. */
export async function protectHeld(
  ctx: ArchiveContext,
  id: PackId,
  options: ProtectOptions,
): Promise<readonly ReplicaName[]> {
  const { signal, to = ctx.replicas.targets } = options;
  const record = await ctx.catalog.fresh(id);
  invariant(record.hot !== 'open', 'a tray that still grows is never sealed');
  const held = new Set(record.placements.map((p) => p.replica));
  const lacking = reachable(ctx).filter((name) => !held.has(name) && to.includes(name));
  if (lacking.length === 0) return [...held];
  const targets = new Targets(lacking);
  const seal = await ensureSeal(ctx, record);
  const contents = options.contents ?? (await ctx.index.packContents(id));
  const rate = options.rate ?? ctx.line.upload;
  await sendChunks(ctx, { record, seal, members: contents.members }, targets, { ...options, rate });
  await copyManifest(ctx, id, contents, targets, signal);
  // One that was asked to leave meanwhile holds a copy that counts for nothing.
  const placed = targets.left.filter((replica) => ctx.replicas.targets.includes(replica));
  for (const replica of placed) {
    const verifiedMs = ctx.clock.nowMs();
    await ctx.catalog.change(id, (index) => index.setPlacement(id, { replica, verifiedMs }));
  }
  return [...held, ...placed];
}

/** Replicas that answer and are not about to leave: where copies go. */
export function reachable(ctx: ArchiveContext): readonly ReplicaName[] {
  const { targets } = ctx.replicas;
  return ctx.replicas.state().flatMap((r) => (r.state === 'available' && targets.includes(r.name) ? [r.name] : []));
}

/** The pack's seal, drawn now if it has none, and durable before anything is sent under it. */
async function ensureSeal(ctx: ArchiveContext, record: PackRecord): Promise<PackSeal> {
  if (record.seal !== null) return record.seal;
  const { keyring, random } = ctx;
  const suite = keyring.suites.seal;
  const { seal } = await drawSeal({ pack: record.id, bytes: record.bytes, suite, keyring, random });
  await ctx.catalog.change(record.id, (index) => index.setSeal(record.id, seal));
  await ctx.index.commitDurable();
  return seal;
}

/** Writes the manifest where it is lacking: the same object that other replicas hold, or a first one. */
async function copyManifest(
  ctx: ArchiveContext,
  id: PackId,
  contents: PackContents,
  targets: Targets,
  signal: AbortSignal | undefined,
): Promise<void> {
  const record = await ctx.catalog.fresh(id);
  const existing = record.manifest === null ? null : await fetchManifest(ctx, record.manifest.name, signal);
  const { name, bytes } = existing ?? (await makeManifest(ctx, record, contents));
  await targets.each((replica) => putProven(ctx, replica, name, bytes, signal));
  if (existing === null) {
    const generation = (record.manifest?.generation ?? 0) + 1;
    await ctx.catalog.change(id, (index) => index.setManifest(id, { name, generation }));
  }
}

async function fetchManifest(
  ctx: ArchiveContext,
  name: ObjectKey,
  signal: AbortSignal | undefined,
): Promise<{ name: ObjectKey; bytes: Uint8Array } | null> {
  try {
    const bytes = await ctx.replicas.read(
      name,
      undefined,
      (b) => proveObject(ctx, name, b),
      signal === undefined ? {} : { signal },
    );
    return { name, bytes };
  } catch (error) {
    // No replica has it: it is written anew, as the next generation.
    if (codeOf(error) === 'ABSENT') return null;
    throw error;
  }
}

/** The pack's next manifest, of what the index has of it now, announced: whoever puts it may be killed before the index has its name. */
export async function makeManifest(
  ctx: ArchiveContext,
  record: PackRecord,
  contents?: PackContents,
): Promise<{ name: ObjectKey; bytes: Uint8Array }> {
  const { id, kind, createdMs, bytes: length, seal } = record;
  if (seal === null) throw new ArchiveError('INTERNAL', `pack ${id} has no seal`);
  const { members, bundles } = contents ?? (await ctx.index.packContents(id));
  const generation = (record.manifest?.generation ?? 0) + 1;
  const chunks = seal.chunks.map(({ name, ...chunk }) => {
    if (name === null) throw new ArchiveError('INTERNAL', `pack ${id} has a chunk without a name`);
    return { ...chunk, name };
  });
  const body = {
    archiveId: ctx.keyring.archiveId,
    pack: id,
    kind,
    generation,
    createdMs,
    bytes: length,
    members,
    bundles,
    chunks,
    supersedes: [],
  };
  const { bytes, sha256 } = await ctx.pool.hash({
    bytes: sealManifest(body, seal, await ctx.catalog.dek(id, seal), ctx.random),
  });
  const name = manifestName(id, generation, parseSha256(sha256));
  await announce(ctx, [name]);
  return { name, bytes };
}
