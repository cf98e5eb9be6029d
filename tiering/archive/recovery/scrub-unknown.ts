// The other half of a scrub: what lies on a replica and is nobody's. It is reported and left alone: it may be another program's, or
// of a pack that an index which was lost has known.
import { hasCode } from '../../core/errors.js';
import type { ObjectKey, ReplicaName } from '../../core/ids.js';
import { CONFIG_NAME, README_NAME } from '../../format/names.js';
import type { ArchiveContext } from '../context.js';
import type { ScrubState } from './scrub-state.js';

const NAMES_AT_ONCE = 1_000;
/** Shown of one replica: whoever keeps a million files under the prefix knows it then. */
const REPORTED_MAX = 1_000;

/** Reports what each replica lists that nothing in the index has. A listing only raises suspicion: the object itself is asked for. */
export async function scrubUnknown(
  ctx: ArchiveContext,
  state: ScrubState,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const replica of ctx.replicas.names) {
    if (state.unavailable.has(replica)) continue;
    try {
      const suspects = await suspectsOn(ctx, replica, signal);
      // Once more: what was on its way while it was listed is known by now.
      for (const name of await ctx.index.unknownObjects(suspects)) {
        if (!(await isThere(ctx, replica, name, signal))) continue;
        state.found({
          where: replica,
          item: name,
          fault: 'unknown',
          detail: 'nothing in the index has it; it is left alone',
        });
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (hasCode(error, 'UNAVAILABLE')) state.unavailable.add(replica);
      else if (hasCode(error, 'CORRUPT')) {
        state.found({ where: replica, item: 'listing', fault: 'corrupt', detail: error.message });
      } else throw error;
    }
  }
}

async function suspectsOn(
  ctx: ArchiveContext,
  replica: ReplicaName,
  signal: AbortSignal | undefined,
): Promise<readonly ObjectKey[]> {
  const suspects: ObjectKey[] = [];
  let names: ObjectKey[] = [];
  const look = async () => {
    suspects.push(...(await ctx.index.unknownObjects(names)));
    names = [];
  };
  for await (const { key } of ctx.replicas.store(replica).list('', { signal })) {
    if (key !== CONFIG_NAME && key !== README_NAME) names.push(key);
    if (names.length >= NAMES_AT_ONCE) await look();
    if (suspects.length >= REPORTED_MAX) return suspects.slice(0, REPORTED_MAX);
  }
  await look();
  return suspects.slice(0, REPORTED_MAX);
}

async function isThere(
  ctx: ArchiveContext,
  replica: ReplicaName,
  name: ObjectKey,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await ctx.replicas.store(replica).head(name, signal);
    return true;
  } catch (error) {
    if (hasCode(error, 'ABSENT')) return false;
    throw error;
  }
}
