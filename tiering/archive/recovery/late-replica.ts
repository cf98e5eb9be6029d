// A replica that was away when the index was made again, and is back: its deletes, then packs of which it alone told, newest first; so nothing that was
// deleted comes back with them (I9). May be killed and run again.
import { codeOf } from '../../core/errors.js';
import type { ReplicaName } from '../../core/ids.js';
import type { ArchiveContext } from '../context.js';
import { leaveUnread, REPLICA, unreadDeletes, VOLUME } from '../removal/provisional.js';
import { takeTombstones } from '../removal/read-tombstones.js';
import { hotFileOf, packOfManifest } from './adopt-manifest.js';
import { type FoundManifest, newestFirst, surveyManifests } from './manifest-slices.js';
import { tellConflicts } from './replay-trays.js';

/** Reads those that are back: their deletes, then what only they have. A volume was read when it returned. Resolves with whether anything was. */
export async function readLate(ctx: ArchiveContext, signal: AbortSignal): Promise<boolean> {
  const unread = await unreadDeletes(ctx);
  if (unread.length === 0) return false;
  const left: string[] = [];
  for (const one of unread) {
    const read = one.startsWith(REPLICA)
      ? await readReplica(ctx, one.slice(REPLICA.length), signal)
      : ctx.volumes.names.some((name) => VOLUME + name === one && ctx.volumes.readable(name) !== null);
    if (!read) left.push(one);
  }
  if (left.length === unread.length) return false;
  await leaveUnread(ctx, left);
  return true;
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
  if (taken.unavailable.length > 0 || taken.failures.some(({ code }) => code === 'UNAVAILABLE')) return false;
  return takeLatePacks(ctx, replica.name, signal);
}

/** Takes in what the index does not know. Resolves with whether all of it was asked for; what cannot be read is told in the log. Rejects only by the signal or the index. */
async function takeLatePacks(ctx: ArchiveContext, replica: ReplicaName, signal: AbortSignal): Promise<boolean> {
  const others = ctx.replicas.names.filter((name) => name !== replica);
  const unavailable = [...others];
  const survey = await surveyManifests(ctx, unavailable, signal);
  let complete = true;
  let packs = 0;
  let instances = 0;
  for await (const [pack, generations] of newestFirst(ctx, survey, unavailable, signal)) {
    signal.throwIfAborted();
    // What is garbage, or of a pack that is known, is no news.
    const news = new Set(await ctx.index.unknownObjects(generations.map(({ ref }) => ref.name)));
    if (news.size === 0 || (await ctx.index.pack(pack)) !== undefined) continue;
    const unknown = generations.filter(({ ref }) => news.has(ref.name));
    const taken = await ctx.locks.run(pack, () => takeNewest(ctx, unknown, signal));
    if (taken === 'unavailable') complete = false;
    else if (taken !== null) {
      packs += 1;
      instances += taken;
    }
  }
  if (packs > 0) {
    await ctx.index.commitDurable();
    ctx.log({
      level: 'info',
      event: 'packs-came-late',
      detail: `${packs} packs, ${instances} instances of replica ${replica}`,
    });
  }
  return complete && unavailable.length === others.length;
}

/** The newest manifest that opens: how many instances it has; null: none does. */
async function takeNewest(
  ctx: ArchiveContext,
  generations: readonly FoundManifest[],
  signal: AbortSignal,
): Promise<number | 'unavailable' | null> {
  let away = false;
  for (const found of generations) {
    const { pack, name } = found.ref;
    if ((await ctx.index.pack(pack)) !== undefined) return null;
    try {
      const adopted = await packOfManifest(ctx, found, await hotFileOf(ctx, pack), { signal });
      await tellConflicts(ctx, pack, adopted.members);
      await ctx.catalog.change(pack, (index) => index.adopt(adopted));
      return adopted.members.length;
    } catch (error) {
      signal.throwIfAborted();
      const code = codeOf(error);
      if (code === 'INTERNAL') throw error;
      away ||= code === 'UNAVAILABLE';
      ctx.log({ level: 'error', event: 'not-rebuilt', pack, detail: `${name}: ${code}` });
    }
  }
  return away ? 'unavailable' : null;
}
