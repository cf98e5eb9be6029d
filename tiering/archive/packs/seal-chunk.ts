// A chunk sealed under what the pack's seal says. That is a function of the bytes and the seal, so a chunk that has its name seals to it for ever: the
// name proves the members, and what lies between them.
import type { SealResult, SealTask } from '../../../workers/tasks/types.js';
import { ArchiveError } from '../../core/errors.js';
import type { PackId } from '../../core/ids.js';
import type { PackSeal } from '../../format/types.js';
import type { ArchiveContext } from '../context.js';

export interface ChunkResult extends SealResult {
  /** What is wrong when the chunk had a name and has another now: its bytes changed. */
  readonly changed: ArchiveError | null;
}

/**
 * Seals the bytes of one chunk, which are given away. CORRUPT when a member that lies inside is not what was acknowledged; as
 * PackCatalog.dek when the key cannot be had.
 * @param members those wholly inside, by their place in it.
 */
export async function sealChunk(
  ctx: ArchiveContext,
  { id, seal }: { readonly id: PackId; readonly seal: PackSeal },
  { chunk, plaintext, members }: Pick<SealTask, 'chunk' | 'plaintext' | 'members'>,
): Promise<ChunkResult> {
  const { suite, dekId, chunks } = seal;
  const known = chunks[chunk];
  if (known === undefined) throw new ArchiveError('INTERNAL', `pack ${id} has no chunk ${chunk}`);
  const dek = await ctx.catalog.dek(id, seal);
  const result = await ctx.pool.seal({ plaintext, pack: id, chunk, suite, dek, dekId, salt: known.salt, members });
  const changed =
    known.name === null || known.name === result.name
      ? null
      : new ArchiveError(
          'CORRUPT',
          `chunk ${chunk} of pack ${id} seals to another name than before: its bytes changed`,
        );
  return { ...result, changed };
}
