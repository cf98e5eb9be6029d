// Recall: bring a cold pack back to a volume, as the very tar that it was. Read chunk by chunk from
// the replicas, every member checked as it passes, nothing visible before the file is whole.
import type { MemberRange, OpenResult } from '../../../workers/tasks/types.js';
import { releaseBuffer } from '../../core/buffers.js';
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { PackId } from '../../core/ids.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { MemberCheck } from '../packs/member-check.js';
import { chunkEnd, hasColdCopy, openCold } from '../reading/cold-reader.js';
import { liesOn } from '../recovery/missing-files.js';

/** Chunks read ahead of the one that is being written. */
const CHUNKS_AHEAD = 3;

/**
 * Makes the pack hot. Resolves with the bytes written, 0 when it was hot already or is a tray. FULL or UNAVAILABLE when no volume has room,
 * as the replicas answer when they cannot give it; CORRUPT when a member is not what was acknowledged.
 */
export async function recallPack(ctx: ArchiveContext, id: PackId, signal?: AbortSignal): Promise<number> {
  return ctx.locks.run(id, async () => {
    const record = await ctx.catalog.fresh(id);
    // A tray that was sealed cloud-direct is no pack of a study: filing is what brings it to a volume.
    if (record.kind === 'tray' || record.hot === 'present' || record.hot === 'open') return 0;
    if (!hasColdCopy(record)) throw new ArchiveError('LOST', `pack ${id} has no copy on any replica`);
    const volume = ctx.volumes.writable(record.bytes, true);
    if (volume === null) {
      throw ctx.volumes.anyWritable()
        ? new ArchiveError('FULL', `no volume has room for the ${record.bytes} bytes of pack ${id}`)
        : new ArchiveError('UNAVAILABLE', 'no volume is available to recall to');
    }
    const ref = { id, kind: record.kind };
    const { members } = await ctx.index.packContents(id);
    // A copy that was given up, or left by a recall that failed, may be all that is left of some image: it goes when as many replicas have the pack as
    // an eviction asks for, and have proven to give all of it (I5).
    if (await liesOn(volume, ref)) {
      mustBeEnough(ctx, record);
      await readThrough(ctx, record, members, signal);
    }
    await volume.remove(ref);
    const writer = await volume.createPack(id, record.bytes);
    try {
      await readThrough(ctx, record, members, signal, (bytes) => writer.append([bytes]));
      await writer.commit();
    } catch (error) {
      if (codeOf(error) === 'FULL') ctx.volumes.report(volume.name, error);
      throw error;
    } finally {
      await writer.abort();
    }
    await ctx.catalog.change(id, (index) => index.setHot(id, 'present', volume.name));
    return record.bytes;
  });
}

function mustBeEnough(ctx: ArchiveContext, { id, placements }: PackRecord): void {
  const { rule } = ctx.replicas;
  const held = placements.map(({ replica }) => replica);
  if (rule.isMet(held)) return;
  const detail = `${rule.shortfall(held)}: the damaged copy on the volume stays until it is protected`;
  throw new ArchiveError('UNAVAILABLE', `pack ${id} is known ${detail}`);
}

/** All of the pack's bytes in order, which `take` may have until it resolves. CORRUPT when a member is not what was acknowledged. */
async function readThrough(
  ctx: ArchiveContext,
  record: PackRecord,
  members: readonly MemberRange[],
  signal: AbortSignal | undefined,
  take?: (bytes: Uint8Array) => Promise<unknown>,
): Promise<void> {
  const check = new MemberCheck(record.id, members);
  for await (const bytes of chunksAhead(ctx, record, check, signal)) {
    await check.update(bytes, { skipInner: true });
    await take?.(bytes);
    releaseBuffer(bytes);
  }
  check.finish();
}

/** The pack's chunks in order; the members that lie wholly inside of one were hashed where it was opened. */
async function* chunksAhead(
  ctx: ArchiveContext,
  record: PackRecord,
  check: MemberCheck,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const ahead: { readonly start: number; readonly opened: Promise<OpenResult> }[] = [];
  let next = 0;
  const fill = () => {
    while (ahead.length < CHUNKS_AHEAD && next < record.bytes) {
      const start = next;
      next = chunkEnd(record, start);
      const wanted = { start, end: next, members: check.innerMembers(start, next) };
      const read = () => openCold(ctx, record, wanted, signal);
      const opened = ctx.line.fetch(read, ({ bytes }) => bytes.length, signal);
      opened.catch(() => undefined);
      ahead.push({ start, opened });
    }
  };
  try {
    for (fill(); ahead.length > 0; fill()) {
      const first = ahead.shift();
      if (first === undefined) break;
      const { bytes, unlike } = await first.opened;
      if (unlike !== null) throw check.differs(unlike, first.start);
      yield bytes;
    }
  } finally {
    await Promise.allSettled(ahead.map(({ opened }) => opened));
  }
}
