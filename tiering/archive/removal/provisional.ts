// Whose deletes are not known, nor what they alone have: replicas and volumes that did not answer when the index was rebuilt. Until they were read,
// something deleted may be shown, and nothing is removed for being dead: what seems dead may be what was stored after it.
import type { ArchiveContext } from '../context.js';

const SETTING = 'deletes-unread';
/** What a replica is called in the list, and a volume. */
export const REPLICA = 'replica ';
export const VOLUME = 'volume ';

/** `replica r1`, `volume a`: whose deletes are missing. Empty in an archive that was never rebuilt without one of them. */
export async function unreadDeletes(ctx: Pick<ArchiveContext, 'index'>): Promise<readonly string[]> {
  const text = await ctx.index.setting(SETTING);
  return text === undefined || text === '' ? [] : text.split(',');
}

/** Remembers after a rebuild which of them are missing. */
export async function noteUnread(ctx: ArchiveContext, replicas: readonly string[]): Promise<readonly string[]> {
  const volumes = ctx.volumes.names.filter((name) => ctx.volumes.readable(name) === null);
  const unread = [...replicas.map((name) => REPLICA + name), ...volumes.map((name) => VOLUME + name)];
  await ctx.index.setSetting(SETTING, unread.join(','));
  ctx.unreadReplicas.note(replicas);
  return unread;
}

/** As the index has it, when it is opened. */
export async function loadUnread(ctx: ArchiveContext): Promise<void> {
  ctx.unreadReplicas.note(replicasOf(await unreadDeletes(ctx)));
}

function replicasOf(unread: readonly string[]): readonly string[] {
  return unread.flatMap((one) => (one.startsWith(REPLICA) ? [one.slice(REPLICA.length)] : []));
}

/** Some of them were read: these are left. Durable when it resolves. */
export async function leaveUnread(ctx: ArchiveContext, left: readonly string[]): Promise<void> {
  // First: whoever reads in the index that all is known is told nothing else.
  ctx.unreadReplicas.note(replicasOf(left));
  await ctx.index.setSetting(SETTING, left.join(','));
  await ctx.index.commitDurable();
}
