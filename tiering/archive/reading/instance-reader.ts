// Reads byte ranges of instances. An instance never changes but its pack may (filing, merging), so a
// pack that is gone means: ask the index where the instance is now, and go on at the same byte.
import { ArchiveError, hasCode } from '../../core/errors.js';
import { RESOLVE_ATTEMPTS_MAX } from '../../core/limits.js';
import type { InstanceRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { readPack } from './pack-reader.js';

export interface ReadHooks {
  /** Called once when a byte had to come from the replicas. */
  readonly onCold?: (instance: InstanceRecord) => void;
}

/** The bytes `[start, end)` of the instance, in pieces that are the reader's own. Errors as Archive.read says. */
export async function* readInstance(
  ctx: ArchiveContext,
  instance: InstanceRecord,
  range: { readonly start: number; readonly end: number } | undefined,
  signal: AbortSignal | undefined,
  hooks: ReadHooks,
): AsyncGenerator<Uint8Array> {
  const length = instance.end - instance.start;
  const end = range?.end ?? length;
  let at = range?.start ?? 0;
  if (at < 0 || end > length || at > end) {
    throw new ArchiveError('INVALID', `bytes ${at} to ${end} do not lie within an instance of ${length} bytes`);
  }
  let where = instance;
  let told = false;
  let seen: (() => void) | null = null;
  const onCold = () => {
    seen ??= ctx.viewers.begin();
  };
  try {
    for (let attempt = 1; at < end; attempt += 1) {
      try {
        for await (const piece of readPack(ctx, where.pack, where.start + at, where.start + end, signal, onCold)) {
          at += piece.bytes.length;
          if (piece.tier === 'cold' && !told) {
            told = true;
            hooks.onCold?.(where);
          }
          yield piece.bytes;
        }
      } catch (error) {
        if (attempt >= RESOLVE_ATTEMPTS_MAX || !hasCode(error, 'NOT_FOUND', 'LOST')) throw error;
        const moved = (await ctx.index.lookup([instance.sop])).get(instance.sop);
        if (moved === undefined) throw new ArchiveError('NOT_FOUND', 'the instance was deleted');
        if (moved.pack === where.pack && moved.start === where.start) throw error;
        if (moved.sha256 !== instance.sha256) throw new ArchiveError('NOT_FOUND', 'the instance was replaced');
        where = moved;
      }
    }
  } finally {
    (seen as (() => void) | null)?.();
  }
}
