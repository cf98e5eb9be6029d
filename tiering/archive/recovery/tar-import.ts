// Reads instances out of tars that lie on a volume: the tail of a tray after a crash, a pack that the
// index does not know. Every member is hashed and parsed again; nothing is believed for its header alone.
import { createHash } from 'node:crypto';
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { PackId } from '../../core/ids.js';
import { INSTANCE_MEMORY_BYTES_MAX } from '../../core/limits.js';
import type { Note } from '../../format/tar-notes.js';
import {
  findNextMember,
  scanTar,
  TarDamage,
  type TarEntry,
  type TarInstance,
  type TarSource,
} from '../../format/tar-scan.js';
import type { PackRef, Volume } from '../../hot/volume.js';
import type { AdoptedPack, ArrivedInstance } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { arrivedInstance } from '../intake/drafts.js';
import { bundleArrivals } from '../packs/bundles.js';

export function volumeSource(volume: Volume, ref: PackRef, size: number): TarSource {
  return { size, read: (start, end) => volume.read(ref, start, end) };
}

/** How much of each tray was accepted, as the first member of the tray after it says (docs/format.md). */
export async function acceptedLengths(volume: Volume): Promise<ReadonlyMap<PackId, number>> {
  const accepted = new Map<PackId, number>();
  for await (const { ref, bytes } of volume.list('tray')) {
    const note = await firstNote(volumeSource(volume, ref, bytes), ref.id);
    if (note?.note === 'tray' && note.predecessor !== null) accepted.set(note.predecessor.pack, note.predecessor.bytes);
  }
  return accepted;
}

async function firstNote(source: TarSource, id: PackId): Promise<Note | undefined> {
  try {
    for await (const entry of scanTar(source, id)) return entry.kind === 'note' ? entry.note : undefined;
  } catch (error) {
    // Damage is told of where the tray itself is walked.
    if (!(error instanceof TarDamage)) throw error;
  }
  return undefined;
}

/** What walking a tar gave. */
export interface Walk {
  /** Everything before this is accounted for. */
  readonly end: number;
  /** Damage that was stepped over: where, and how many bytes. */
  readonly damaged: readonly { readonly at: number; readonly bytes: number }[];
}

/**
 * Calls `visit` for every entry from `from` on, stepping over damage to the next sound header. A torn end (a write cut off by a
 * crash) ends the walk and is not damage. Rejects with what reading or `visit` throws.
 */
export async function walkTar(
  source: TarSource,
  ref: PackRef,
  from: number,
  visit: (entry: TarEntry) => Promise<void>,
): Promise<Walk> {
  const damaged: { at: number; bytes: number }[] = [];
  let at = from;
  for (;;) {
    try {
      for await (const entry of scanTar(source, ref.id, at)) {
        await visit(entry);
        at = entry.next;
      }
      return { end: at, damaged };
    } catch (error) {
      if (!(error instanceof TarDamage)) throw error;
      if (error.torn) return { end: error.at, damaged };
      const next = await findNextMember(source, ref.id, error.at);
      if (next === undefined) return { end: error.at, damaged };
      damaged.push({ at: error.at, bytes: next - error.at });
      at = next;
    }
  }
}

/** The index row of one member, its bytes hashed and parsed. CORRUPT when they are not what its header says. */
export async function importMember(
  ctx: ArchiveContext,
  volume: Volume,
  ref: PackRef,
  entry: TarInstance,
): Promise<ArrivedInstance> {
  const at = {
    pack: ref.id,
    start: entry.start,
    length: entry.end - entry.start,
    seq: entry.seq,
    arrivedMs: entry.arrivedMs,
  };
  const { sha256, parsed } =
    at.length <= INSTANCE_MEMORY_BYTES_MAX
      ? await ctx.pool.ingest({ bytes: await volume.read(ref, entry.start, entry.end) })
      : await importLong(ctx, volume, ref, entry);
  if (sha256 !== entry.sha256) {
    throw new ArchiveError(
      'CORRUPT',
      `${ref.kind} ${ref.id}: the member at byte ${entry.at} does not hash to what its header says`,
    );
  }
  if (!parsed.ok) {
    throw new ArchiveError(
      'CORRUPT',
      `${ref.kind} ${ref.id}: the member at byte ${entry.at} is no DICOM: ${parsed.failure.message}`,
    );
  }
  return arrivedInstance({ parsed: parsed.instance, metadata: parsed.metadata, layout: parsed.layout, sha256 }, at);
}

async function importLong(ctx: ArchiveContext, volume: Volume, ref: PackRef, entry: TarInstance) {
  const hash = createHash('sha256');
  for (let at = entry.start; at < entry.end; at += 1024 * 1024) {
    hash.update(await volume.read(ref, at, Math.min(entry.end, at + 1024 * 1024)));
  }
  const parsed = await ctx.pool.scanFile({ path: volume.path(ref), start: entry.start, end: entry.end });
  return { sha256: hash.digest('hex') as ArrivedInstance['sha256'], parsed };
}

/** As importMember, for walks that go on: undefined, and a log line, for a member that is damaged. */
export async function importMemberOrSkip(
  ctx: ArchiveContext,
  volume: Volume,
  ref: PackRef,
  entry: TarInstance,
): Promise<ArrivedInstance | undefined> {
  try {
    return await importMember(ctx, volume, ref, entry);
  } catch (error) {
    if (codeOf(error) !== 'CORRUPT') throw error;
    ctx.log({ level: 'error', event: 'hot-damage', pack: ref.id, detail: (error as Error).message });
    return undefined;
  }
}

/** Everything the index is to know of a pack file, from its bytes alone; undefined when nothing in it can be read. */
export async function importPack(
  ctx: ArchiveContext,
  volume: Volume,
  ref: PackRef,
  size: number,
): Promise<AdoptedPack | undefined> {
  const rows: ArrivedInstance[] = [];
  const walk = await walkTar(volumeSource(volume, ref, size), ref, 0, async (entry) => {
    if (entry.kind !== 'instance') return;
    const row = await importMemberOrSkip(ctx, volume, ref, entry);
    if (row !== undefined) rows.push(row);
  });
  if (walk.damaged.length > 0) {
    ctx.log({
      level: 'error',
      event: 'hot-damage',
      pack: ref.id,
      detail: `${walk.damaged.length} damaged ranges were passed over`,
    });
  }
  if (rows.length === 0) return undefined;
  // Its place in the folder, too, may be known to no disk yet.
  await volume.sync(ref);
  const contents = await bundleArrivals(rows);
  return {
    pack: {
      id: ref.id,
      kind: ref.kind,
      bytes: size,
      createdMs: ctx.clock.nowMs(),
      hot: 'present',
      volume: volume.name,
    },
    ...contents,
    seal: null,
    manifest: null,
    placements: [],
  };
}
