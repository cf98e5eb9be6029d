// The objects of this archive leave a replica that nothing depends on. Only names that the index knows, or has thrown away, are removed; what
// else lies there is somebody's. `config` goes last, and after it the replica is none.
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey, ReplicaName } from '../../core/ids.js';
import { forEachLimited } from '../../core/queues.js';
import { CONFIG_NAME, parseChunkName, parseManifestName, parseStatementName, README_NAME } from '../../format/names.js';
import type { DrainReport, JobOptions } from '../archive.js';
import type { ArchiveContext } from '../context.js';

const NAMES_AT_ONCE = 1_000;
const DELETES_AT_ONCE = 8;

/** Resolves with how many objects were removed and how many others lie there. CONFLICT when something was placed there meanwhile. */
export async function eraseReplica(
  ctx: ArchiveContext,
  name: ReplicaName,
  { signal, onProgress }: JobOptions,
): Promise<Pick<DrainReport, 'erased' | 'left'>> {
  const store = ctx.replicas.store(name);
  let erased = 0;
  let left = 0;
  let names: ObjectKey[] = [];
  const eraseBatch = async () => {
    const unknown = new Set(await ctx.index.unknownObjects(names));
    // After the names: whatever the index knew when it was asked, it also knew where to find.
    await mustHoldNothing(ctx, name);
    const ours = names.filter((one) => !unknown.has(one));
    left += names.length - ours.length;
    await forEachLimited(ours, DELETES_AT_ONCE, (one) => store.delete(one, signal));
    erased += ours.length;
    names = [];
    onProgress?.({ step: `erasing ${name}`, packsDone: erased, packsTotal: erased, bytesDone: 0, bytesTotal: 0 });
  };
  for await (const { key } of store.list('', { signal })) {
    signal?.throwIfAborted();
    if (key === CONFIG_NAME || key === README_NAME) continue;
    if (isOfTheFormat(key)) names.push(key);
    else left += 1;
    if (names.length >= NAMES_AT_ONCE) await eraseBatch();
  }
  await eraseBatch();
  await store.delete(README_NAME, signal);
  // Before its config goes: a replica without one is a missing one, which would be waited for.
  await ctx.fleet.set(name, { state: 'erased' });
  await store.delete(CONFIG_NAME, signal);
  await ctx.replicas.retire(name);
  return { erased: erased + 2, left };
}

function isOfTheFormat(key: ObjectKey): boolean {
  return [parseChunkName, parseManifestName, parseStatementName].some((parse) => parse(key) !== undefined);
}

async function mustHoldNothing(ctx: ArchiveContext, name: ReplicaName): Promise<void> {
  for await (const { id } of ctx.index.packs({ placedOn: name, limit: 1 })) {
    throw new ArchiveError('CONFLICT', `pack ${id} was placed on ${name} meanwhile: drain it again`);
  }
}
