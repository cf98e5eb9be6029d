// Reads the whole of a pack where it lies on a volume and checks every member's SHA-256: for scrubs, and for what returns unprotected.
import { releaseBuffer } from '../../core/release.js';
import type { Volume } from '../../hot/volume.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import type { ByteRate } from '../pacing/byte-rate.js';
import { MemberCheck } from './member-check.js';

const PIECE_BYTES = 8 * 1024 * 1024;

/** Resolves with how many members were whole. CORRUPT at the first that is not, or when the file is too short; else as Volume.read. */
export async function checkHotCopy(
  ctx: ArchiveContext,
  volume: Volume,
  record: PackRecord,
  { rate, signal, onBytes }: { rate: ByteRate; signal: AbortSignal | undefined; onBytes: (bytes: number) => void },
): Promise<number> {
  const { members } = await ctx.index.packContents(record.id);
  const check = new MemberCheck(record.id, members);
  for (let at = 0; at < record.bytes; at += PIECE_BYTES) {
    const end = Math.min(record.bytes, at + PIECE_BYTES);
    const bytes = await volume.read({ id: record.id, kind: record.kind }, at, end, signal);
    await check.update(bytes);
    onBytes(bytes.length);
    await rate.spend(bytes.length, signal);
    releaseBuffer(bytes);
  }
  check.finish();
  return members.length;
}
