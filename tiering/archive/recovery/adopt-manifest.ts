// One pack of the replicas into the index, by its manifest: as a rebuild does for all of them, and as is done for one replica that was away meanwhile.
import { ArchiveError } from '../../core/errors.js';
import type { PackId } from '../../core/ids.js';
import type { Volume } from '../../hot/volume.js';
import type { AdoptedPack } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { adoptable, fetchManifest, isOfThisCopy } from './manifest-reader.js';
import type { FoundManifest } from './manifest-slices.js';

/** The file of a pack on a volume that can be read. */
export interface HotFile {
  readonly volume: Volume;
  readonly bytes: number;
}

export async function hotFileOf(ctx: ArchiveContext, id: PackId): Promise<HotFile | null> {
  for (const volume of ctx.volumes.readables()) {
    try {
      return { volume, bytes: await volume.size({ id, kind: 'pack' }) };
    } catch (error) {
      if (!isOfThisCopy(error)) throw error;
    }
  }
  return null;
}

/**
 * What the index is to know of the pack, from the first of the replicas that gives its manifest whole. Rejects with the last one's error when none does.
 * @param begin which of the replicas is asked first.
 */
export async function packOfManifest(
  ctx: ArchiveContext,
  { ref, replicas }: FoundManifest,
  file: HotFile | null,
  { begin = 0, signal }: { readonly begin?: number; readonly signal?: AbortSignal | undefined },
): Promise<AdoptedPack> {
  let last: unknown = null;
  const first = begin % replicas.length;
  for (const replica of [...replicas.slice(first), ...replicas.slice(0, first)]) {
    try {
      const { body, seal, ref: opened } = await fetchManifest(ctx.replicas.store(replica), ctx.keyring, ref, signal);
      const whole = file !== null && file.bytes >= body.bytes;
      return await adoptable(body, seal, {
        hot: whole ? 'present' : 'cold',
        volume: whole ? file.volume.name : null,
        manifest: { name: opened.name, generation: opened.generation },
        // Listed, not proven: nothing is evicted on their word before they were read again.
        placements: replicas.map((name) => ({ replica: name, verifiedMs: 0 })),
      });
    } catch (error) {
      if (!isOfThisCopy(error)) throw error;
      last = error;
    }
  }
  throw last instanceof ArchiveError ? last : new ArchiveError('ABSENT', `no replica gave ${ref.name}`);
}
