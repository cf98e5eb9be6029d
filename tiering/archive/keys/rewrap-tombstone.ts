// One delete under the current key: the same statement sealed anew, told to every replica under its new name; then the objects
// under older keys go. What the index holds is what replicas are told, so a kill at any point is made good by the next pass.
import { codeOf, hasCode } from '../../core/errors.js';
import type { ObjectKey, ReplicaName } from '../../core/ids.js';
import { kekIdIn } from '../../format/envelope.js';
import { rewrapHold } from '../../format/hold.js';
import { parseStatementName, statementPrefix } from '../../format/names.js';
import { rewrapTombstone } from '../../format/tombstone.js';
import type { StoredTombstone } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { isOfThisCopy } from '../recovery/manifest-reader.js';
import { deleteIfAllowed } from '../removal/delete-if-allowed.js';
import { fetchStatement } from '../removal/read-tombstones.js';
import { checkTombstone, payTombstone } from '../removal/send-tombstones.js';
import { holdingsOf, type Rewrapped } from './holders.js';

export async function rewrapDelete(
  ctx: ArchiveContext,
  before: StoredTombstone,
  signal: AbortSignal | undefined,
): Promise<Rewrapped> {
  const stale = kekIdIn(before.object) !== ctx.keyring.current;
  const record = stale ? await sealAnew(ctx, before) : before;
  const { listed, silent } = await holdingsOf(ctx, statementPrefix(record.name), signal);
  const lacking: ReplicaName[] = [...silent];
  for (const replica of listed.keys()) {
    try {
      const told =
        record.replicas.includes(replica) && (await checkTombstone(ctx, record, replica, true, signal)) === null;
      if (!told) await payTombstone(ctx, record, replica, signal);
    } catch (error) {
      if (!isOfThisCopy(error) && !hasCode(error, 'FULL')) throw error;
      lacking.push(replica);
    }
  }
  let removed = 0;
  if (lacking.length === 0) {
    for (const [replica, names] of listed) removed += await removeOthers(ctx, record, replica, names, signal);
  }
  return { rewrapped: stale, removed, lacking };
}

async function sealAnew(ctx: ArchiveContext, before: StoredTombstone): Promise<StoredTombstone> {
  const rewrap = before.hold === undefined ? rewrapTombstone : rewrapHold;
  const sealed = await rewrap(before.object, ctx.keyring, ctx.random);
  await ctx.index.resealTombstone(before.name, sealed);
  await ctx.index.commitDurable();
  return { ...before, ...sealed, replicas: [] };
}

/** Other objects that say the same; one that says something else, or cannot be opened, stays. */
async function removeOthers(
  ctx: ArchiveContext,
  record: StoredTombstone,
  replica: ReplicaName,
  names: readonly ObjectKey[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const store = ctx.replicas.store(replica);
  const said = wordsOf(record);
  let removed = 0;
  for (const name of names) {
    if (name === record.name || parseStatementName(name) === undefined) continue;
    try {
      const told = await fetchStatement(store, ctx.keyring, name, signal);
      if (wordsOf(told) !== said) continue;
    } catch (error) {
      if (['CORRUPT', 'WRONG_KEY', 'SUITE_REFUSED', 'NOT_SUPPORTED', 'FOREIGN', 'ABSENT'].includes(codeOf(error)))
        continue;
      throw error;
    }
    if (await deleteIfAllowed(store, name, signal)) removed += 1;
  }
  return removed;
}

function wordsOf({ seq, entries, hold }: Pick<StoredTombstone, 'seq' | 'entries' | 'hold'>): string {
  if (hold !== undefined) return `${seq} ${hold.study} ${hold.held} ${hold.atMs} ${hold.reason}`;
  const named = entries.map(({ sop, sha256 }) => `${sop} ${sha256}`).sort();
  return `${seq} ${named.join(' ')}`;
}
