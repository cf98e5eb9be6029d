// A pack's chunks on their way to replicas that lack it: sealed from the hot copy, or copied as they are from another replica.
import type { MemberRange } from '../../../workers/tasks/types.js';
import { releaseBuffer } from '../../core/buffers.js';
import { ArchiveError, hasCode } from '../../core/errors.js';
import type { ObjectKey, ReplicaName } from '../../core/ids.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import { forEachLimited } from '../../core/queues.js';
import type { PackSeal } from '../../format/types.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import type { ByteRate } from '../pacing/byte-rate.js';
import { atPace, type Pace } from '../pacing/pace.js';
import { MemberCheck } from '../packs/member-check.js';
import { sealChunk } from '../packs/seal-chunk.js';
import { noteFault, poorReplicas } from '../reading/cold-reader.js';
import { readPackWhole } from '../reading/pack-reader.js';
import { proveObject, putProven } from './proof.js';

/** Chunks of one pack on their way at once; each is at most two buffers of 8 MiB. */
const CHUNKS_AT_ONCE = 3;
/** In the background, where each is followed by a rest. */
const PACED_CHUNKS_AT_ONCE = 2;

export interface Sendable {
  readonly record: PackRecord;
  readonly seal: PackSeal;
  /** What is checked while it is sealed from the hot copy. */
  readonly members: readonly MemberRange[];
}

interface SendOptions {
  readonly signal?: AbortSignal | undefined;
  readonly pace?: Pace | undefined;
  readonly rate?: ByteRate | undefined;
  /** Records the name of a chunk that had none, before its first PUT; default: as its name in the index. */
  readonly named?: ((chunk: number, name: ObjectKey) => Promise<void>) | undefined;
}

/** Replicas still worth writing to: one that fails is given up for this pass, the others go on. */
export class Targets {
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

/**
 * Every chunk of the pack, proven on each target that is left. A hot copy that is not what was sealed is given up once the chunks came from replicas
 * that have them. Rejects when it cannot be read or no target is left.
 */
export async function sendChunks(
  ctx: ArchiveContext,
  { record, seal, members }: Sendable,
  targets: Targets,
  { signal, pace, rate, named }: SendOptions,
): Promise<void> {
  const { id } = record;
  const inIndex = async (chunk: number, name: ObjectKey) => {
    await ctx.catalog.change(id, (index) => index.nameChunk(id, chunk, name));
    // The pack may be emptied before a power cut and dropped after it: then nobody would seal it again to learn its name.
    await ctx.index.commitDurable();
  };
  const keepName = named ?? inIndex;
  const width = pace === undefined ? CHUNKS_AT_ONCE : PACED_CHUNKS_AT_ONCE;
  const send = (work: () => Promise<number>) =>
    atPace(
      pace,
      async () => {
        const written = (await work()) * targets.left.length;
        await rate?.spend(written, signal);
      },
      signal,
    );
  const onReplicas = record.placements.length > 0 ? namedChunks(seal) : null;
  const copyAll = (names: readonly ObjectKey[]) =>
    forEachLimited(names.entries(), width, ([number, name]) =>
      send(() => copySealed(ctx, record, number, name, targets, signal)),
    );
  if (onReplicas !== null && !hasHotCopy(ctx, record)) return copyAll(onReplicas);
  const check = new MemberCheck(record.id, members);
  try {
    await forEachLimited(plaintexts(ctx, record, check, signal), width, (plaintext) =>
      send(() => sealAndPut(ctx, { record, seal, keepName }, plaintext, targets, signal)),
    );
    check.finish();
  } catch (error) {
    // Of a target that reads back other bytes the hot copy is not to blame.
    if (onReplicas === null || !hasCode(error, 'CORRUPT') || targets.left.length === 0) throw error;
    ctx.log({ level: 'error', event: 'hot-damage', pack: id, detail: error.message });
    await copyAll(onReplicas);
    await ctx.catalog.change(id, (index) => index.setHot(id, 'missing', record.volume));
  }
}

function hasHotCopy(ctx: ArchiveContext, { hot, volume }: PackRecord): boolean {
  return hot === 'present' && volume !== null && ctx.volumes.readable(volume) !== null;
}

/** The names of all chunks; null while one has none yet. */
function namedChunks(seal: PackSeal): readonly ObjectKey[] | null {
  const names = seal.chunks.flatMap(({ name }) => (name === null ? [] : [name]));
  return names.length === seal.chunks.length ? names : null;
}

/** From replica to replica as it is: its name is its SHA-256, so that no key is needed and nothing is sealed again. */
async function copySealed(
  ctx: ArchiveContext,
  record: PackRecord,
  number: number,
  name: ObjectKey,
  targets: Targets,
  signal: AbortSignal | undefined,
): Promise<number> {
  const bytes = await ctx.replicas.read(name, undefined, (body) => proveObject(ctx, name, body), {
    avoid: poorReplicas(ctx, record, number),
    onFault: (replica, fault) => noteFault(ctx, record, number, replica, fault),
    signal,
  });
  const { length } = bytes;
  await ctx.line.download.spend(length, signal);
  const before = targets.left.length;
  await targets.each((replica) => putProven(ctx, replica, name, bytes, signal));
  // A replica that was given up may still be reading it.
  if (targets.left.length === before) releaseBuffer(bytes);
  return length;
}

/** Seals one chunk and puts it, proven, on every target that is left. Resolves with its length. */
async function sealAndPut(
  ctx: ArchiveContext,
  { record, seal, keepName }: Pick<Sendable, 'record' | 'seal'> & { keepName: NonNullable<SendOptions['named']> },
  { number, plaintext, inner }: PlainChunk,
  targets: Targets,
  signal: AbortSignal | undefined,
): Promise<number> {
  const one = { chunk: number, plaintext, members: inner };
  const { sealed, name, changed } = await sealChunk(ctx, { id: record.id, seal }, one);
  if (changed !== null) throw changed;
  if (seal.chunks[number]?.name === null) await keepName(number, name);
  const { length } = sealed;
  const before = targets.left.length;
  await targets.each((replica) => putProven(ctx, replica, name, sealed, signal));
  // A replica that was given up may still be reading it.
  if (targets.left.length === before) releaseBuffer(sealed);
  return length;
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
