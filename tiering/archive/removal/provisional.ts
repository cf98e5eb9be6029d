// Whose deletes are not known: replicas and volumes that did not answer when the index was rebuilt. Until they were read,
// something deleted may be shown, and nothing is removed for being dead: what seems dead may be what was stored after it.
import type { ArchiveContext } from '../context.js';
import { takeTombstones } from './read-tombstones.js';

const SETTING = 'deletes-unread';
const REPLICA = 'replica ';
const VOLUME = 'volume ';

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
  return unread;
}

/** Reads the deletes of those that are back. A volume's were read when it returned. */
export async function readLateDeletes(ctx: ArchiveContext, signal: AbortSignal): Promise<void> {
  const unread = await unreadDeletes(ctx);
  if (unread.length === 0) return;
  const left: string[] = [];
  for (const one of unread) {
    const read = one.startsWith(REPLICA)
      ? await readReplica(ctx, one.slice(REPLICA.length), signal)
      : ctx.volumes.names.some((name) => VOLUME + name === one && ctx.volumes.readable(name) !== null);
    if (!read) left.push(one);
  }
  if (left.length === unread.length) return;
  await ctx.index.setSetting(SETTING, left.join(','));
  await ctx.index.commitDurable();
}

async function readReplica(ctx: ArchiveContext, wanted: string, signal: AbortSignal): Promise<boolean> {
  const replica = ctx.replicas.state().find(({ name }) => name === wanted);
  // One that is not configured any more is not waited for.
  if (replica === undefined) return true;
  if (replica.state !== 'available') return false;
  const taken = await takeTombstones(ctx, [replica.name], signal);
  if (taken.ended > 0) {
    ctx.log({
      level: 'warn',
      event: 'deletes-came-late',
      detail: `replica ${wanted} knew of ${taken.ended} deleted instances; if one was stored again after that, rebuild-index finds it`,
    });
  }
  for (const { item, code } of taken.failures) {
    ctx.log({ level: 'error', event: 'delete-unreadable', detail: `${item} on ${wanted}: ${code}` });
  }
  return taken.unavailable.length === 0 && taken.failures.every(({ code }) => code !== 'UNAVAILABLE');
}
