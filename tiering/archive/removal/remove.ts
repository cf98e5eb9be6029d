// Delete: a tombstone is durable in the tray and visible in the index before it goes to the replicas, so that whatever a
// replica holds is known here too. From the index commit on nothing of it is found; the bytes leave later, with their packs.
// The index alone decides against movers that work on the same packs, so a delete waits for none of them.
import { ArchiveError } from '../../core/errors.js';
import { TOMBSTONE_ENTRIES_MAX } from '../../core/limits.js';
import { forEachLimited } from '../../core/queues.js';
import type { InstanceRecord, Scope, TombstoneRecord } from '../../index/index.js';
import type { RemoveReport } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import type { Committer } from '../intake/committer.js';
import type { Identities } from '../intake/identities.js';
import type { PackLocks } from '../pacing/pack-locks.js';
import { nothingToRemove } from '../restricted-archive.js';
import { makeRecord } from './make-record.js';
import { refusalsOf } from './refusals.js';
import { sendTombstone } from './send-tombstones.js';

/** Tombstones on their way to the replicas at once. */
const SENT_AT_ONCE = 4;

export interface Remover {
  readonly ctx: ArchiveContext;
  readonly committer: Committer;
  readonly identities: Identities;
  /** Whoever deletes something of a study, or changes its hold, is alone with it. */
  readonly gate: PackLocks;
}

/** As Archive.remove. */
export async function remove(remover: Remover, scope: Scope, signal?: AbortSignal): Promise<RemoveReport> {
  const { ctx } = remover;
  const records = await remover.gate.run(scope.study, () => buryAll(remover, scope, signal));
  const instances = records.reduce((sum, { entries }) => sum + entries.length, 0);
  if (instances === 0) throw nothingToRemove();
  // What replicas hold under this name must be known by it after a power cut too: from the tray it would be sealed anew, under another.
  await ctx.index.commitDurable();
  let pending = 0;
  await forEachLimited(records, SENT_AT_ONCE, async (record) => {
    if (!ctx.replicas.rule.isMet(await sendTombstone(ctx, record, signal))) pending += 1;
  });
  const left = await firstOf(ctx, { study: scope.study }, Number.POSITIVE_INFINITY, 1);
  return {
    instances,
    studies: left.length === 0 ? 1 : 0,
    durable: pending === 0 ? 'quorum' : 'pending',
    deletes: records.map(({ seq }) => seq),
  };
}

async function buryAll(
  remover: Remover,
  scope: Scope,
  signal: AbortSignal | undefined,
): Promise<readonly TombstoneRecord[]> {
  const { ctx, committer } = remover;
  // What arrives from now on is not meant: the delete has its place in the order of arrivals.
  const before = committer.nextSeq();
  const records: TombstoneRecord[] = [];
  for (;;) {
    signal?.throwIfAborted();
    // From the beginning each time: what was deleted is not there any more.
    const batch = await firstOf(ctx, scope, before);
    if (batch.length === 0) break;
    if (records.length === 0) await mustBeDeletable(ctx, scope);
    const record = await bury(remover, batch);
    if (record === null) break;
    records.push(record);
  }
  return records;
}

async function mustBeDeletable(ctx: ArchiveContext, { study }: Scope): Promise<void> {
  const [refusal] = await refusalsOf(ctx, [study]);
  if (refusal !== undefined) throw new ArchiveError('CONFLICT', `nothing was deleted: ${refusal.detail}`);
}

async function firstOf(
  ctx: ArchiveContext,
  scope: Scope,
  before: number,
  countMax = TOMBSTONE_ENTRIES_MAX,
): Promise<readonly InstanceRecord[]> {
  const found: InstanceRecord[] = [];
  for await (const instance of ctx.index.instances(scope)) {
    if (instance.seq < before) found.push(instance);
    if (found.length >= countMax) break;
  }
  return found;
}

/** Ends what of `batch` still lives. Resolves with the tombstone, null when somebody else was faster. */
async function bury(
  { ctx, committer, identities }: Remover,
  batch: readonly InstanceRecord[],
): Promise<TombstoneRecord | null> {
  const sops = batch.map(({ sop }) => sop);
  // Held, so that a store of the same instance comes either before the delete, and is deleted, or after it, and lives.
  return identities.hold(sops, async () => {
    const live = await ctx.index.lookup(sops);
    const entries = batch.flatMap(({ sop, seq }) => {
      const now = live.get(sop);
      return now === undefined || now.seq !== seq ? [] : [{ sop, sha256: now.sha256 }];
    });
    if (entries.length === 0) return null;
    const record = await makeRecord(ctx, { seq: committer.nextSeq(), entries });
    await committer.submit({ kind: 'delete', record });
    return record;
  });
}
