// Everything reads `(pack, start, end)` here and cannot tell which tier answered (DESIGN section 2).
// Locations are hints: a hot file that is not there means "look again", before it means anything else.
import { takeBuffer } from '../../core/buffers.js';
import { ArchiveError, codeOf, hasCode } from '../../core/errors.js';
import type { PackId } from '../../core/ids.js';
import { READ_PIECE_BYTES, RESOLVE_ATTEMPTS_MAX } from '../../core/limits.js';
import type { Volume } from '../../hot/volume.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { chunkEnd, hasColdCopy, readCold } from './cold-reader.js';
import { firstOf, within } from './hedge.js';

/** Which tier gave a piece, for metrics and the recall policy. */
export type Tier = 'hot' | 'cold';

export interface PackPiece {
  readonly bytes: Uint8Array;
  readonly tier: Tier;
}

/**
 * Reads `[start, end)` of a pack in pieces of at most READ_PIECE_BYTES (hot) or one chunk (cold), reading one piece ahead.
 * NOT_FOUND when the index has no such pack: the instance was filed elsewhere, look it up again.
 * @param onCold called before the replicas are asked.
 */
export async function* readPack(
  ctx: ArchiveContext,
  pack: PackId,
  start: number,
  end: number,
  signal?: AbortSignal,
  onCold?: () => void,
): AsyncGenerator<PackPiece> {
  let at = start;
  let ahead: Promise<PackPiece> | null = null;
  try {
    while (at < end) {
      const piece: PackPiece = await (ahead ?? readPiece(ctx, pack, at, end, signal, onCold));
      at += piece.bytes.length;
      ahead = at < end ? readPiece(ctx, pack, at, end, signal, onCold) : null;
      // A reader that stops early never awaits this one; its failure must not go unhandled.
      ahead?.catch(() => undefined);
      yield piece;
    }
  } finally {
    await ahead?.catch(() => undefined);
  }
}

/** The whole of `[start, end)` in one buffer of its own, for ranges that are known to be small. */
export async function readPackWhole(
  ctx: ArchiveContext,
  pack: PackId,
  start: number,
  end: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const record = await ctx.catalog.find(pack);
  const volume =
    record !== undefined && isHot(record) && record.volume !== null ? ctx.volumes.readable(record.volume) : null;
  if (record !== undefined && volume !== null) {
    try {
      return await volume.read({ id: pack, kind: record.kind }, start, end, signal);
    } catch (error) {
      if (codeOf(error) === 'ABORTED') throw error;
      // The general path below decides what this means.
    }
  }
  const whole = takeBuffer(end - start);
  let at = 0;
  for await (const piece of readPack(ctx, pack, start, end, signal)) {
    whole.set(piece.bytes, at);
    at += piece.bytes.length;
  }
  return whole;
}

/** At least one byte from `start`, at most up to `end`: from the volume if it has it, else from the replicas. */
async function readPiece(
  ctx: ArchiveContext,
  pack: PackId,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
  onCold: (() => void) | undefined,
): Promise<PackPiece> {
  let failure: unknown = null;
  for (let attempt = 0; attempt < RESOLVE_ATTEMPTS_MAX; attempt += 1) {
    signal?.throwIfAborted();
    const record = attempt === 0 ? await ctx.catalog.find(pack) : await ctx.catalog.fresh(pack);
    if (record === undefined) throw new ArchiveError('NOT_FOUND', `the index has no pack ${pack}`);
    if (isHot(record)) {
      const volume = record.volume === null ? null : ctx.volumes.readable(record.volume);
      const hot = await readHotOrHedge(ctx, record, volume, start, end, signal);
      if ('tier' in hot) return hot;
      failure = hot.error;
      // Not there, although the index said so: ask again, it may just have been evicted or filed.
      if (hasCode(failure, 'ABSENT') && attempt + 1 < RESOLVE_ATTEMPTS_MAX) continue;
    }
    if (hasColdCopy(record)) {
      try {
        onCold?.();
        const pieceEnd = Math.min(end, chunkEnd(record, start));
        return { bytes: await readColdOrExplain(ctx, record, start, pieceEnd, signal), tier: 'cold' };
      } catch (error) {
        const again = hasCode(error, 'LOST') && attempt + 1 < RESOLVE_ATTEMPTS_MAX;
        if (!again || !(await wasSealedAnew(ctx, record))) throw error;
        failure = error;
        continue;
      }
    }
    const failed = record.volume === null ? null : ctx.volumes.lastResort(record.volume);
    if (isHot(record) && failed !== null) {
      const hot = await readHot(ctx, record, failed, start, Math.min(end, start + READ_PIECE_BYTES), signal);
      if (hot.bytes !== null) return { bytes: hot.bytes, tier: 'hot' };
    }
    // It is known not to be on a volume that is there, and nobody else has it.
    if (record.hot === 'missing' && record.volume !== null && ctx.volumes.readable(record.volume) !== null) {
      failure = new ArchiveError('ABSENT', `pack ${pack} is not on volume ${record.volume}`);
    }
    break;
  }
  throw unreadable(pack, failure);
}

/** The chunks that a record names are not there where the pack has others by now. */
async function wasSealedAnew(ctx: ArchiveContext, { id, seal }: PackRecord): Promise<boolean> {
  const now = await ctx.catalog.fresh(id);
  return seal !== null && now.seal !== null && Buffer.compare(seal.dekId, now.seal.dekId) !== 0;
}

function isHot(record: PackRecord): boolean {
  return (record.hot === 'present' || record.hot === 'open') && record.volume !== null;
}

type HotResult =
  | { readonly bytes: Uint8Array; readonly error: null }
  | { readonly bytes: null; readonly error: unknown };

/** A piece from the volume; when it keeps its reader waiting and the replicas have the pack too, from whoever is first. */
async function readHotOrHedge(
  ctx: ArchiveContext,
  record: PackRecord,
  volume: Volume | null,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
): Promise<PackPiece | { readonly error: unknown }> {
  const hot = readHot(ctx, record, volume, start, Math.min(end, start + READ_PIECE_BYTES), signal);
  const quick =
    volume === null || !hasColdCopy(record)
      ? await hot
      : await within(ctx.clock, ctx.volumes.patienceMs(volume.name), hot);
  if (quick !== 'late') return quick.bytes === null ? quick : { bytes: quick.bytes, tier: 'hot' };
  if (volume !== null) ctx.volumes.lags(volume.name);
  const fromVolume = hot.then(({ bytes, error }): PackPiece => {
    if (bytes === null) throw error;
    return { bytes, tier: 'hot' };
  });
  const fromReplicas = async (stop: AbortSignal): Promise<PackPiece> => {
    const bytes = await readCold(ctx, record, start, Math.min(end, chunkEnd(record, start)), stop);
    return { bytes, tier: 'cold' };
  };
  // What went wrong with both is found out by the general path, one after the other.
  return firstOf(fromVolume, fromReplicas, signal).catch((error: unknown) => ({ error }));
}

async function readHot(
  ctx: ArchiveContext,
  record: PackRecord,
  volume: Volume | null,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
): Promise<HotResult> {
  if (volume === null) {
    return { bytes: null, error: new ArchiveError('UNAVAILABLE', `volume ${record.volume} is not available`) };
  }
  try {
    return { bytes: await volume.read({ id: record.id, kind: record.kind }, start, end, signal), error: null };
  } catch (error) {
    if (codeOf(error) === 'ABORTED') throw error;
    ctx.volumes.report(volume.name, error);
    if (hasCode(error, 'CORRUPT'))
      ctx.log({ level: 'error', event: 'hot-damage', pack: record.id, detail: error.message });
    return { bytes: null, error };
  }
}

/** What every replica calls absent is LOST only when no hot copy may still come back. */
async function readColdOrExplain(
  ctx: ArchiveContext,
  record: PackRecord,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  try {
    return await readCold(ctx, record, start, end, signal);
  } catch (error) {
    if (!hasCode(error, 'ABSENT', 'CORRUPT')) throw error;
    if (record.hot === 'present' && record.volume !== null && ctx.volumes.readable(record.volume) === null) {
      throw new ArchiveError(
        'UNAVAILABLE',
        `pack ${record.id}: its volume ${record.volume} is away and no replica has it whole`,
        {
          cause: error,
        },
      );
    }
    throw new ArchiveError('LOST', `pack ${record.id}: no readable copy is left of bytes ${start} to ${end}`, {
      cause: error,
    });
  }
}

function unreadable(pack: PackId, failure: unknown): ArchiveError {
  if (hasCode(failure, 'ABSENT', 'CORRUPT')) {
    return new ArchiveError(
      'LOST',
      `pack ${pack}: its only copy, on a volume, is ${failure.code === 'ABSENT' ? 'gone' : 'damaged'}`,
      {
        cause: failure,
      },
    );
  }
  return new ArchiveError('UNAVAILABLE', `pack ${pack}: its only copy is on a volume that is not available now`, {
    cause: failure,
  });
}
