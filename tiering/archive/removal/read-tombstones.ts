// Tombstones back from where they are written: the objects of a replica, and the notes of a volume's trays. Read before
// anything else of either is believed, so that nothing that was deleted comes back with it (I9).
import type { ObjectStore } from '../../cold/object-store.js';
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { ObjectKey, ReplicaName } from '../../core/ids.js';
import { forEachLimited } from '../../core/queues.js';
import { openHold } from '../../format/hold.js';
import type { Keyring } from '../../format/keyring.js';
import { HOLD_PREFIX, parseStatementName, TOMBSTONE_PREFIX } from '../../format/names.js';
import type { HoldNote, TombstoneNote } from '../../format/tar-notes.js';
import { openTombstone } from '../../format/tombstone.js';
import type { Volume } from '../../hot/volume.js';
import type { TombstoneRecord } from '../../index/index.js';
import type { JobFailure } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { isOfThisCopy } from '../recovery/manifest-reader.js';
import { acceptedLengths, volumeSource, walkTar } from '../recovery/tar-import.js';
import { makeRecord } from './make-record.js';

const OBJECTS_AT_ONCE = 8;

/** The names of a replica's tombstones, and of what it has of holds. */
export async function statementNames(store: ObjectStore, signal?: AbortSignal): Promise<ObjectKey[]> {
  return [...(await namesUnder(store, TOMBSTONE_PREFIX, signal)), ...(await namesUnder(store, HOLD_PREFIX, signal))];
}

async function namesUnder(store: ObjectStore, prefix: string, signal: AbortSignal | undefined): Promise<ObjectKey[]> {
  const names: ObjectKey[] = [];
  for await (const { key } of store.list(prefix, { signal })) {
    if (parseStatementName(key) !== undefined) names.push(key);
  }
  return names;
}

/** Gets and opens one. CORRUPT when it is not what its name says; WRONG_KEY, ABSENT and UNAVAILABLE as they are. */
export async function fetchStatement(
  store: ObjectStore,
  keyring: Keyring,
  name: ObjectKey,
  signal?: AbortSignal,
): Promise<TombstoneRecord> {
  const object = await store.get(name, undefined, signal);
  const { kind, seq } = parseStatementName(name) ?? {};
  const said =
    kind === 'hold' ? { entries: [], ...(await openHold(object, keyring)) } : await openTombstone(object, keyring);
  if (seq !== said.seq) throw new ArchiveError('CORRUPT', `${name} holds what was said at another time`);
  return { ...said, name, object };
}

export interface TakenTombstones {
  readonly records: number;
  /** Instances that were live until now. */
  readonly ended: number;
  /** Replicas that did not answer: what only they know of is not known here. */
  readonly unavailable: readonly ReplicaName[];
  readonly failures: readonly JobFailure[];
}

/** Records in the index whatever these replicas know of deletes. Rejects only by the signal or when the index cannot be written. */
export async function takeTombstones(
  ctx: ArchiveContext,
  replicas: readonly ReplicaName[],
  signal?: AbortSignal,
): Promise<TakenTombstones> {
  const unavailable: ReplicaName[] = [];
  const holders = new Map<ObjectKey, ReplicaName[]>();
  for (const replica of replicas) {
    try {
      for (const name of await statementNames(ctx.replicas.store(replica), signal)) {
        holders.set(name, [...(holders.get(name) ?? []), replica]);
      }
    } catch (error) {
      if (!isOfThisCopy(error)) throw error;
      unavailable.push(replica);
    }
  }
  const failures: JobFailure[] = [];
  let records = 0;
  let ended = 0;
  await forEachLimited(holders, OBJECTS_AT_ONCE, async ([name, held]) => {
    const found = await fetchFromAny(ctx, name, held, signal);
    if ('failure' in found) {
      failures.push(found.failure);
      return;
    }
    ended += await ctx.index.bury([found.record]);
    records += 1;
    // Under this name where it is the recorded one; another name of a known delete is a spare copy.
    for (const replica of found.good) await ctx.index.setTombstonePlacement(name, replica).catch(ignoreSpare);
  });
  return { records, ended, unavailable, failures };
}

async function fetchFromAny(
  ctx: ArchiveContext,
  name: ObjectKey,
  held: readonly ReplicaName[],
  signal: AbortSignal | undefined,
): Promise<
  { readonly record: TombstoneRecord; readonly good: readonly ReplicaName[] } | { readonly failure: JobFailure }
> {
  let failure: JobFailure = { item: name, code: 'ABSENT', detail: 'no replica gave it' };
  for (const [at, replica] of held.entries()) {
    try {
      const record = await fetchStatement(ctx.replicas.store(replica), ctx.keyring, name, signal);
      // Those before it were asked and failed; those after it list it, and a scrub looks closer.
      return { record, good: held.slice(at) };
    } catch (error) {
      signal?.throwIfAborted();
      if (codeOf(error) === 'INTERNAL') throw error;
      failure = { item: name, code: codeOf(error), detail: (error as Error).message };
    }
  }
  return { failure };
}

function ignoreSpare(error: unknown): void {
  if (codeOf(error) !== 'NOT_FOUND') throw error;
}

/**
 * Records in the index what the trays of a volume say of deletes beyond what is indexed of them. Before the arrivals of any tray are
 * taken in. Rejects with UNAVAILABLE when it cannot be read.
 */
export async function takeTrayTombstones(ctx: ArchiveContext, volume: Volume): Promise<void> {
  const accepted = await acceptedLengths(volume);
  for await (const { ref, bytes } of volume.list('tray')) {
    const record = await ctx.index.pack(ref.id);
    if (record !== undefined && record.hot !== 'open') continue;
    const found: (TombstoneNote | HoldNote)[] = [];
    const source = volumeSource(volume, ref, Math.min(bytes, accepted.get(ref.id) ?? bytes));
    await walkTar(source, ref, record?.bytes ?? 0, async (entry) => {
      if (entry.kind !== 'note') return;
      if (entry.note.note === 'tombstone' || entry.note.note === 'hold') found.push(entry.note);
    });
    for (const note of found) await ctx.index.bury([await makeRecord(ctx, note)]);
  }
}
