// Nothing is put on a replica before the index knows its name, durably: what a kill or a power cut leaves behind is then somebody's and is removed.
import type { ObjectKey } from '../../core/ids.js';
import type { ArchiveContext } from '../context.js';

/** The names count as thrown away until something in the index has them; in the order in which they would be removed. Durable when it resolves. */
export async function announce(ctx: ArchiveContext, names: readonly ObjectKey[]): Promise<void> {
  await ctx.index.announceObjects(names);
  await ctx.index.commitDurable();
}
