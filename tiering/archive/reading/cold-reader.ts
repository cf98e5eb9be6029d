// Reads plaintext ranges of a sealed pack from the replicas, chunk by chunk, each from whichever
// replica is best and not known to be bad there. Nothing leaves before its segment was authenticated (I3).
import type { MemberRange, OpenResult } from '../../../workers/tasks/types.js';
import { ArchiveError } from '../../core/errors.js';
import type { PackId, ReplicaName } from '../../core/ids.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import { segmentSpan } from '../../format/chunk.js';
import type { PackSeal, SealedChunk } from '../../format/types.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';

/** Whether some replica is said to hold the pack whole. */
export function hasColdCopy(record: PackRecord): boolean {
  return record.seal !== null && record.manifest !== null && record.placements.length > 0;
}

/** What has to be known of a pack to read it from the replicas. */
type Sealed = Pick<PackRecord, 'id' | 'seal' | 'placements'>;

/**
 * The plaintext `[start, end)` of a pack, which must lie within one chunk.
 * UNAVAILABLE, CORRUPT or ABSENT as the replicas together answer; WRONG_KEY at once.
 */
export async function readCold(
  ctx: ArchiveContext,
  record: Sealed,
  start: number,
  end: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  return (await openCold(ctx, record, { start, end, members: [] }, signal)).bytes;
}

/** As `readCold`; `members` lie wholly in the range, by their place in it, and `unlike` is the first of them that does not have its SHA-256. */
export async function openCold(
  ctx: ArchiveContext,
  record: Sealed,
  { start, end, members }: { readonly start: number; readonly end: number; readonly members: readonly MemberRange[] },
  signal?: AbortSignal,
): Promise<OpenResult> {
  const { seal, number, chunk } = chunkAt(record, start);
  const base = number * CHUNK_BYTES;
  const within = { start: start - base, end: end - base };
  const span = segmentSpan(chunk.bytes, within.start, within.end);
  const dek = await ctx.catalog.dek(record.id, seal);
  return ctx.replicas.read(
    nameOf(record.id, number, chunk),
    { start: span.objectStart, end: span.objectEnd },
    (bytes) =>
      ctx.pool.open({
        bytes,
        pack: record.id,
        chunk: number,
        suite: seal.suite,
        chunkBytes: chunk.bytes,
        dek,
        dekId: seal.dekId,
        salt: chunk.salt,
        commitment: chunk.commitment,
        members,
        ...within,
      }),
    {
      avoid: poorReplicas(ctx, record, number),
      ...(signal === undefined ? {} : { signal }),
      onFault: (replica, fault) => noteFault(ctx, record, number, replica, fault),
    },
  );
}

/** Where the chunk that holds plaintext byte `at` is, and the plaintext bytes up to its end. */
export function chunkEnd(record: PackRecord, at: number): number {
  return Math.min(record.bytes, (Math.floor(at / CHUNK_BYTES) + 1) * CHUNK_BYTES);
}

function chunkAt(record: Sealed, at: number): { seal: PackSeal; number: number; chunk: SealedChunk } {
  const number = Math.floor(at / CHUNK_BYTES);
  const chunk = record.seal?.chunks[number];
  if (record.seal === null || chunk === undefined) {
    throw new ArchiveError('ABSENT', `pack ${record.id} has no sealed copy`);
  }
  return { seal: record.seal, number, chunk };
}

function nameOf(pack: PackId, number: number, chunk: SealedChunk) {
  if (chunk.name === null) throw new ArchiveError('ABSENT', `chunk ${number} of pack ${pack} was never written`);
  return chunk.name;
}

/** Replicas that are asked last: those that never held the pack whole, and those whose copy of this chunk is known to be bad. */
export function poorReplicas(ctx: ArchiveContext, record: Sealed, chunk: number): ReadonlySet<ReplicaName> {
  const bad = ctx.damage.of(record.id, chunk);
  const placed = new Set(record.placements.map((p) => p.replica));
  if (bad.size === 0 && ctx.replicas.names.every((name) => placed.has(name))) return bad;
  return new Set(ctx.replicas.names.filter((name) => bad.has(name) || !placed.has(name)));
}

/** Notes for repair what was found missing or corrupt on the way; of a replica that never had the pack it says nothing. */
export function noteFault(
  ctx: ArchiveContext,
  record: Sealed,
  chunk: number,
  replica: ReplicaName,
  fault: 'missing' | 'corrupt',
): void {
  // A replica that was never said to hold the pack owes nothing: its debt is derived, not damage.
  if (!record.placements.some((p) => p.replica === replica)) return;
  const note = async () => {
    // Dropped under its reader, who looks again where the instance is now: that its objects are gone is as it should be.
    if ((await ctx.index.pack(record.id)) === undefined) return;
    ctx.log({ level: 'warn', event: 'chunk-fault', pack: record.id, detail: `chunk ${chunk} on ${replica}: ${fault}` });
    await ctx.damage.note(record.id, chunk, replica, fault);
  };
  void note().catch((error: unknown) => {
    ctx.log({ level: 'error', event: 'index-write-failed', detail: String((error as Error).message) });
  });
}
