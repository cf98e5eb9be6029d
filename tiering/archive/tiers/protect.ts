// Protect: a pack is sealed once, its chunks are copied to every replica that lacks them and proven to
// be there, then its manifest. Chunks before manifest before index row (I4), and every step may be
// killed and done again: salts are durable before the first PUT, so sealing again gives the same bytes.
import type { MemberRange } from '../../../workers/tasks/types.js';
import { ArchiveError, codeOf, hasCode, invariant } from '../../core/errors.js';
import { type ObjectKey, type PackId, parseSha256, type ReplicaName } from '../../core/ids.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import { forEachLimited } from '../../core/queues.js';
import { releaseBuffer } from '../../core/release.js';
import { drawSeal } from '../../format/keys.js';
import { sealManifest } from '../../format/manifest.js';
import { manifestName } from '../../format/names.js';
import type { PackSeal } from '../../format/types.js';
import type { FiledPack, PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { atPace, type Pace } from '../pacing/pace.js';
import { MemberCheck } from '../packs/member-check.js';
import { readPackWhole } from '../reading/pack-reader.js';
import { proveObject, putProven } from './proof.js';

/** Chunks of one pack on their way at once; each is at most two buffers of 8 MiB. */
const CHUNKS_AT_ONCE = 3;
/** In the background, where each is followed by a rest. */
const PACED_CHUNKS_AT_ONCE = 2;

/**
 * Brings a pack to every replica that answers and lacks it. Resolves with how many replicas hold it, proven. Rejects when it could
 * not be read, is damaged (CORRUPT), or when not one more replica could be reached (UNAVAILABLE).
 */
export async function protectPack(ctx: ArchiveContext, id: PackId, signal?: AbortSignal, pace?: Pace): Promise<number> {
  return ctx.locks.run(id, () => protectHeld(ctx, id, { signal, pace }));
}

export interface ProtectOptions {
  readonly signal?: AbortSignal | undefined;
  readonly pace?: Pace | undefined;
  /** What the pack is to hold, where the index does not point to it yet. */
  readonly contents?: PackContents | undefined;
}

type PackContents = Pick<FiledPack, 'members' | 'bundles'>;

/** As protectPack, by who holds the lock of the pack. */
export async function protectHeld(ctx: ArchiveContext, id: PackId, options: ProtectOptions): Promise<number> {
  const { signal, pace } = options;
  const record = await ctx.catalog.fresh(id);
  invariant(record.hot !== 'open', 'a tray that still grows is never sealed');
  const held = new Set(record.placements.map((p) => p.replica));
  const lacking = availableReplicas(ctx).filter((name) => !held.has(name));
  if (lacking.length === 0) return held.size;
  const targets = new Targets(lacking);
  const seal = await ensureSeal(ctx, record);
  const contents = options.contents ?? (await ctx.index.packContents(id));
  await copyChunks(ctx, record, seal, contents, targets, signal, pace);
  await copyManifest(ctx, id, contents, targets, signal);
  for (const replica of targets.left) {
    const verifiedMs = ctx.clock.nowMs();
    await ctx.catalog.change(id, (index) => index.setPlacement(id, { replica, verifiedMs }));
  }
  return held.size + targets.left.length;
}

function availableReplicas(ctx: ArchiveContext): ReplicaName[] {
  return ctx.replicas
    .state()
    .filter((r) => r.state === 'available')
    .map((r) => r.name);
}

/** Replicas still worth writing to: one that fails is given up for this pass, the others go on. */
class Targets {
  readonly #left: Set<ReplicaName>;

  constructor(names: readonly ReplicaName[]) {
    this.#left = new Set(names);
  }

  get left(): ReplicaName[] {
    return [...this.#left];
  }

  /** Runs `work` on each; gives up those where it fails; rejects with the last failure once none is left. */
  async each(work: (replica: ReplicaName) => Promise<void>): Promise<void> {
    let last: unknown = null;
    await Promise.all(
      this.left.map(async (replica) => {
        try {
          await work(replica);
        } catch (error) {
          if (hasCode(error, 'ABORTED', 'WRONG_KEY', 'SUITE_REFUSED', 'INTERNAL')) throw error;
          last = error;
          this.#left.delete(replica);
        }
      }),
    );
    if (this.#left.size === 0) {
      throw last instanceof ArchiveError
        ? last
        : new ArchiveError('UNAVAILABLE', 'no replica took the pack', { cause: last });
    }
  }
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

async function copyChunks(
  ctx: ArchiveContext,
  record: PackRecord,
  seal: PackSeal,
  { members }: PackContents,
  targets: Targets,
  signal: AbortSignal | undefined,
  pace: Pace | undefined,
): Promise<void> {
  const check = new MemberCheck(record.id, members);
  const width = pace === undefined ? CHUNKS_AT_ONCE : PACED_CHUNKS_AT_ONCE;
  await forEachLimited(plaintexts(ctx, record, check, signal), width, (plaintext) =>
    atPace(pace, () => copyChunk(ctx, record, seal, plaintext, targets, signal), signal),
  );
  check.finish();
}

/** Seals one chunk and puts it, proven, on every target that is left. */
async function copyChunk(
  ctx: ArchiveContext,
  record: PackRecord,
  seal: PackSeal,
  { number, plaintext, inner }: PlainChunk,
  targets: Targets,
  signal: AbortSignal | undefined,
): Promise<void> {
  const chunk = seal.chunks[number];
  if (chunk === undefined) throw new ArchiveError('INTERNAL', `pack ${record.id} has no chunk ${number}`);
  const { sealed, name } = await ctx.pool.seal({
    plaintext,
    pack: record.id,
    chunk: number,
    suite: seal.suite,
    dek: await ctx.catalog.dek(record.id, seal),
    dekId: seal.dekId,
    salt: chunk.salt,
    members: inner,
  });
  if (chunk.name !== null && chunk.name !== name) {
    throw new ArchiveError(
      'CORRUPT',
      `chunk ${number} of pack ${record.id} seals to another name than before: its bytes changed`,
    );
  }
  if (chunk.name === null) await ctx.catalog.change(record.id, (index) => index.nameChunk(record.id, number, name));
  const before = targets.left.length;
  await targets.each((replica) => putProven(ctx, replica, name, sealed, signal));
  // A replica that was given up may still be reading it.
  if (targets.left.length === before) releaseBuffer(sealed);
}

interface PlainChunk {
  readonly number: number;
  readonly plaintext: Uint8Array;
  /** Members that lie wholly inside, their ranges within the chunk. */
  readonly inner: readonly MemberRange[];
}

/** The pack's bytes chunk by chunk, in order; members that span a border are checked here, the others by the sealing worker. */
async function* plaintexts(
  ctx: ArchiveContext,
  record: PackRecord,
  check: MemberCheck,
  signal: AbortSignal | undefined,
): AsyncGenerator<PlainChunk> {
  for (let start = 0, number = 0; start < record.bytes; start += CHUNK_BYTES, number += 1) {
    const end = Math.min(start + CHUNK_BYTES, record.bytes);
    const inner = check.innerMembers(start, end);
    const plaintext = await readPackWhole(ctx, record.id, start, end, signal);
    await check.update(plaintext, { skipInner: true });
    yield { number, plaintext, inner };
  }
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
  await ctx.index.announceObjects([name]);
  await ctx.index.commitDurable();
  return { name, bytes };
}
