// Builds packs of a study from instances that lie elsewhere (trays, small packs): read, check, write in
// reading order. The index switches to them in one transaction, by whoever calls this.

import { releaseBuffer } from '../../core/buffers.js';
import { ArchiveError } from '../../core/errors.js';
import type { PackId, VolumeName } from '../../core/ids.js';
import { PACK_BYTES_MAX, PACK_MEMBERS_MAX } from '../../core/limits.js';
import { MEMBER_HEADER_BYTES, memberHeader, memberPadding, TAR_END } from '../../format/tar.js';
import type { PackMember } from '../../format/types.js';
import type { PackWriter, Volume } from '../../hot/volume.js';
import type { FiledPack, HotState, InstanceRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { atPace, type Pace } from '../pacing/pace.js';
import { buildBundles } from '../packs/bundles.js';
import { readPackWhole } from '../reading/pack-reader.js';

export type Fileable = InstanceRecord & { readonly metadata: Uint8Array; readonly layout: string };

/** Cuts instances in reading order into groups that each fit a pack of `bytesMax`; an instance that is longer is one by itself. */
export function planPacks<T extends { readonly start: number; readonly end: number }>(
  instances: readonly T[],
  bytesMax = PACK_BYTES_MAX,
): T[][] {
  const groups: T[][] = [];
  let group: T[] = [];
  let bytes = TAR_END.length;
  for (const instance of instances) {
    const length = instance.end - instance.start;
    const own = MEMBER_HEADER_BYTES + length + memberPadding(length);
    if (group.length > 0 && (bytes + own > bytesMax || group.length >= PACK_MEMBERS_MAX)) {
      groups.push(group);
      group = [];
      bytes = TAR_END.length;
    }
    group.push(instance);
    bytes += own;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

/**
 * Writes one pack with these instances to `volume` and commits its file; the caller holds the lock of `id` until the index knows it. CORRUPT, with nothing left behind, when an
 * instance's bytes are not what was acknowledged; FULL and UNAVAILABLE as the volume says.
 */
export async function buildPack(
  ctx: ArchiveContext,
  volume: Volume,
  id: PackId,
  instances: readonly Fileable[],
  pace?: Pace,
): Promise<FiledPack> {
  const bytesMax = instances.reduce((sum, one) => sum + one.end - one.start + 2048, TAR_END.length);
  const writer = await volume.createPack(id, bytesMax);
  return fill(ctx, writer, instances, { hot: 'present', volume: volume.name }, pace);
}

/** The same in memory, for a pack that no volume has room for; the caller bounds its size. */
export async function buildPackInMemory(
  ctx: ArchiveContext,
  id: PackId,
  instances: readonly Fileable[],
): Promise<FiledPack & { readonly tar: Uint8Array }> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const writer: Sink = {
    id,
    get bytes() {
      return bytes;
    },
    append: (added) => {
      const at = bytes;
      for (const piece of added) {
        // A copy: the caller gives its own buffers back.
        pieces.push(Uint8Array.from(piece));
        bytes += piece.length;
      }
      return Promise.resolve(at);
    },
    commit: () => Promise.resolve(),
    abort: () => Promise.resolve(),
  };
  const filed = await fill(ctx, writer, instances, { hot: 'cold', volume: null }, undefined);
  return { ...filed, tar: Buffer.concat(pieces) };
}

type Sink = Pick<PackWriter, 'id' | 'bytes' | 'append' | 'commit' | 'abort'>;

async function fill(
  ctx: ArchiveContext,
  writer: Sink,
  instances: readonly Fileable[],
  where: { readonly hot: HotState; readonly volume: VolumeName | null },
  pace: Pace | undefined,
): Promise<FiledPack> {
  try {
    const starts: number[] = [];
    for (const instance of instances) {
      const at = await atPace(pace, () => copyInstance(ctx, writer, instance));
      starts.push(at + MEMBER_HEADER_BYTES);
    }
    await writer.append([TAR_END]);
    await writer.commit();
    const { bundles, ranges } = await buildBundles(instances);
    const members = instances.map((one, n) => member(one, starts[n], ranges[n]));
    const createdMs = ctx.clock.nowMs();
    return {
      pack: { id: writer.id, kind: 'pack', bytes: writer.bytes, createdMs, ...where },
      members,
      bundles,
    };
  } finally {
    // Does nothing after a commit.
    await writer.abort();
  }
}

/** Appends one instance as a member of the new pack. Resolves with where its header begins. */
async function copyInstance(ctx: ArchiveContext, writer: Sink, instance: Fileable): Promise<number> {
  const bytes = await readVerified(ctx, instance);
  const header = memberHeader({ ...instance, pack: writer.id, bytes: bytes.length });
  const at = await writer.append([header, bytes, Buffer.alloc(memberPadding(bytes.length))]);
  releaseBuffer(bytes);
  return at;
}

/** The bytes of an instance, proven to be those that were acknowledged. CORRUPT when they are not; else as reading says. */
export async function readVerified(ctx: ArchiveContext, instance: InstanceRecord): Promise<Uint8Array> {
  const read = await readPackWhole(ctx, instance.pack, instance.start, instance.end);
  const { bytes, sha256 } = await ctx.pool.hash({ bytes: read });
  if (sha256 !== instance.sha256) {
    throw new ArchiveError(
      'CORRUPT',
      `pack ${instance.pack}, bytes ${instance.start} to ${instance.end}: SHA-256 differs from what was acknowledged`,
    );
  }
  return bytes;
}

function member(
  instance: Fileable,
  start: number | undefined,
  range: { readonly metaStart: number; readonly metaEnd: number } | undefined,
): PackMember {
  if (start === undefined || range === undefined) throw new ArchiveError('INTERNAL', 'a pack member has no place');
  const { study, series, sop, sopClass, transferSyntax, instanceNumber, seriesNumber, seq, arrivedMs, sha256, layout } =
    instance;
  return {
    study,
    series,
    sop,
    sopClass,
    transferSyntax,
    instanceNumber,
    seriesNumber,
    seq,
    arrivedMs,
    start,
    end: start + instance.end - instance.start,
    sha256,
    layout,
    ...range,
  };
}
