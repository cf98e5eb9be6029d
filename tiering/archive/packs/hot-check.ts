// Reads the whole of a pack where it lies on a volume and holds it against what it ought to be: every member against its SHA-256, and what lies between
// them against the names that its chunks have. For scrubs, and for what returns unprotected.

import { releaseBuffer } from '../../core/buffers.js';
import { type ArchiveError, hasCode } from '../../core/errors.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import type { PackSeal } from '../../format/types.js';
import type { Volume } from '../../hot/volume.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import type { ByteRate } from '../pacing/byte-rate.js';
import { MemberCheck } from './member-check.js';
import { sealChunk } from './seal-chunk.js';

/**
 * Resolves once every member was whole: with null, or with what else of the file changed (CORRUPT: a header or padding, which no image lies in).
 * Rejects with CORRUPT at the first member that is not whole, or when the file is too short; else as Volume.read.
 */
export async function checkHotCopy(
  ctx: ArchiveContext,
  volume: Volume,
  record: PackRecord,
  { rate, signal, onBytes }: { rate: ByteRate; signal: AbortSignal | undefined; onBytes: (bytes: number) => void },
): Promise<ArchiveError | null> {
  const { id, kind } = record;
  const { members } = await ctx.index.packContents(id);
  const check = new MemberCheck(id, members);
  const seal = await namingSeal(ctx, record);
  let changed: ArchiveError | null = null;
  for (let start = 0, chunk = 0; start < record.bytes; start += CHUNK_BYTES, chunk += 1) {
    const end = Math.min(record.bytes, start + CHUNK_BYTES);
    const inner = check.innerMembers(start, end);
    const plaintext = await volume.read({ id, kind }, start, end, signal);
    await check.update(plaintext, { skipInner: seal !== null });
    onBytes(end - start);
    await rate.spend(end - start, signal);
    if (seal === null) {
      releaseBuffer(plaintext);
      continue;
    }
    const result = await sealChunk(ctx, { id, seal }, { chunk, plaintext, members: inner });
    changed ??= result.changed;
    releaseBuffer(result.sealed);
  }
  check.finish();
  return changed;
}

/** The pack's seal, when it names a chunk and its key can be had now; without, the members alone say what they can. */
async function namingSeal(ctx: ArchiveContext, { id, seal }: PackRecord): Promise<PackSeal | null> {
  if (seal === null || seal.chunks.every(({ name }) => name === null)) return null;
  try {
    await ctx.catalog.dek(id, seal);
    return seal;
  } catch (error) {
    if (hasCode(error, 'WRONG_KEY', 'UNAVAILABLE', 'SUITE_REFUSED')) return null;
    throw error;
  }
}
