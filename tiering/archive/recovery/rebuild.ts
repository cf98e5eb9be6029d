// Rebuild: a lost index is made again from what packs, trays and manifests say (I8). Deletes first, of every replica that
// answers (those of the trays are read when a volume opens), so that nothing deleted comes back (I9); then manifests, newest packs first, so that recent studies can be searched while the rest streams in; then what lies
// on volumes only. Adoption is idempotent and in any order the same, so a rebuild may be killed and run again.
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { PackId, ReplicaName } from '../../core/ids.js';
import { forEachLimited } from '../../core/queues.js';
import type { PackMember } from '../../format/types.js';
import type { Volume } from '../../hot/volume.js';
import type { JobFailure, JobOptions } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { noteUnread } from '../removal/provisional.js';
import { takeTombstones } from '../removal/read-tombstones.js';
import {
  adoptable,
  byGeneration,
  fetchManifest,
  isOfThisCopy,
  listManifests,
  type ManifestRef,
} from './manifest-reader.js';
import { importPack, recoverTrays } from './recover.js';

const MANIFESTS_AT_ONCE = 4;

export interface RebuildReport {
  readonly packs: number;
  readonly instances: number;
  /** Deletes that replicas told of. */
  readonly deletes: number;
  /** Replicas that did not answer: what only they hold is not in the index yet. */
  readonly unavailable: readonly ReplicaName[];
  /**
   * Replicas and volumes (`replica r1`) whose deletes are not known: the index is provisional, and may show what was deleted, until they
   * are back and were read.
   */
  readonly provisional: readonly string[];
  readonly failures: readonly JobFailure[];
}

interface Found {
  readonly ref: ManifestRef;
  readonly replicas: ReplicaName[];
}

/** Fills an empty (or partly filled) index. Rejects only by the signal or when the index itself cannot be written. */
export async function rebuildIndex(ctx: ArchiveContext, options: JobOptions = {}): Promise<RebuildReport> {
  const deletes = await takeTombstones(ctx, ctx.replicas.names, options.signal);
  const failures: JobFailure[] = [...deletes.failures];
  const unavailable: ReplicaName[] = [...deletes.unavailable];
  const provisional = await noteUnread(ctx, unavailable);
  const found = await findManifests(ctx, unavailable, options.signal);
  const onVolume = await listPacks(ctx);
  let packs = 0;
  let instances = 0;
  let bytes = 0;
  const total = () => new Set([...found.keys(), ...onVolume.keys()]).size;
  const done = (members: readonly PackMember[]) => {
    packs += 1;
    instances += members.length;
    bytes += members.reduce((sum, member) => sum + member.end - member.start, 0);
    options.onProgress?.({
      step: 'rebuilding',
      packsDone: packs,
      packsTotal: total(),
      bytesDone: bytes,
      bytesTotal: bytes,
    });
  };

  // Pack ids begin with their time: descending is newest first.
  const newestFirst = [...found].sort(([a], [b]) => (a < b ? 1 : -1));
  await forEachLimited(newestFirst, MANIFESTS_AT_ONCE, async ([pack, generations]) => {
    for (const one of generations) {
      options.signal?.throwIfAborted();
      try {
        done(await adoptFromReplicas(ctx, one, onVolume));
        onVolume.delete(pack);
        return;
      } catch (error) {
        if (codeOf(error) === 'INTERNAL' || codeOf(error) === 'ABORTED') throw error;
        failures.push({ item: one.ref.name, code: codeOf(error), detail: (error as Error).message });
      }
    }
  });
  for (const [id, { volume, bytes }] of onVolume) {
    options.signal?.throwIfAborted();
    const adopted = await importPack(ctx, volume, { id, kind: 'pack' }, bytes);
    if (adopted === undefined) {
      failures.push({
        item: id,
        code: 'CORRUPT',
        detail: `pack ${id} on volume ${volume.name}: nothing in it can be read`,
      });
      continue;
    }
    await ctx.index.adopt(adopted);
    done(adopted.members);
  }
  for (const volume of ctx.volumes.readables()) await recoverTrays(ctx, volume);
  await ctx.index.commitDurable();
  return { packs, instances, deletes: deletes.records, unavailable, provisional, failures };
}

/** Of each pack its manifests, newest first, and who lists each. */
async function findManifests(
  ctx: ArchiveContext,
  unavailable: ReplicaName[],
  signal: AbortSignal | undefined,
): Promise<Map<PackId, Found[]>> {
  const found = new Map<PackId, Found[]>();
  for (const replica of ctx.replicas.names) {
    try {
      for (const [pack, refs] of await listManifests(ctx.replicas.store(replica), signal)) {
        const known = found.get(pack) ?? [];
        for (const ref of refs) {
          const same = known.find((one) => one.ref.name === ref.name);
          if (same === undefined) known.push({ ref, replicas: [replica] });
          else same.replicas.push(replica);
        }
        found.set(pack, known);
      }
    } catch (error) {
      if (!isOfThisCopy(error)) throw error;
      if (!unavailable.includes(replica)) unavailable.push(replica);
    }
  }
  for (const generations of found.values()) generations.sort((a, b) => byGeneration(a.ref, b.ref));
  return found;
}

async function listPacks(ctx: ArchiveContext): Promise<Map<PackId, { volume: Volume; bytes: number }>> {
  const packs = new Map<PackId, { volume: Volume; bytes: number }>();
  for (const volume of ctx.volumes.readables()) {
    for await (const { ref, bytes } of volume.list('pack')) packs.set(ref.id, { volume, bytes });
  }
  return packs;
}

async function adoptFromReplicas(
  ctx: ArchiveContext,
  { ref, replicas }: Found,
  onVolume: ReadonlyMap<PackId, { volume: Volume; bytes: number }>,
): Promise<readonly PackMember[]> {
  let last: unknown = null;
  for (const replica of replicas) {
    try {
      const { body, seal, ref: opened } = await fetchManifest(ctx.replicas.store(replica), ctx.keyring, ref);
      const file = onVolume.get(ref.pack);
      const whole = file !== undefined && file.bytes >= body.bytes;
      const adopted = await adoptable(body, seal, {
        hot: whole ? 'present' : 'cold',
        volume: whole ? file.volume.name : null,
        manifest: { name: opened.name, generation: opened.generation },
        // Listed, not proven: nothing is evicted on their word before they were read again.
        placements: replicas.map((name) => ({ replica: name, verifiedMs: 0 })),
      });
      await ctx.index.adopt(adopted);
      return body.members;
    } catch (error) {
      if (!isOfThisCopy(error)) throw error;
      last = error;
    }
  }
  throw last instanceof ArchiveError ? last : new ArchiveError('ABSENT', `no replica gave ${ref.name}`);
}
