// Which keys are in use, as the replicas themselves have it: the beginning of every manifest and tombstone names the key that its
// DEK is wrapped under. What the index believes is shown beside it.
import { hasCode } from '../../core/errors.js';
import type { ReplicaName } from '../../core/ids.js';
import { forEachLimited } from '../../core/queues.js';
import { KEK_HEAD_BYTES, kekIdIn } from '../../format/envelope.js';
import {
  HOLD_PREFIX,
  MANIFEST_PREFIX,
  parseManifestName,
  parseStatementName,
  TOMBSTONE_PREFIX,
} from '../../format/names.js';
import type { JobOptions, KeysReport } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { isOfThisCopy } from '../recovery/manifest-reader.js';

/** Small ranged reads, all waiting. */
const HEADS_AT_ONCE = 16;
/** Told again after so many. */
const PROGRESS_EVERY = 100;
/** Names of unreadable objects that are kept. */
const UNREADABLE_MAX = 1_000;

interface Count {
  manifests: number;
  tombstones: number;
}

class Counts {
  readonly #counts = new Map<string, Map<string, Count>>();

  add(kekId: string, where: string, what: keyof Count): void {
    this.of(kekId, where)[what] += 1;
  }

  of(kekId: string, where: string): Count {
    const places = this.#counts.get(kekId) ?? new Map<string, Count>();
    this.#counts.set(kekId, places);
    const count = places.get(where) ?? { manifests: 0, tombstones: 0 };
    places.set(where, count);
    return count;
  }

  keys(): readonly string[] {
    return [...this.#counts.keys()];
  }
}

/** No replica's name is empty. */
const INDEX = '';

/** As Archive.countKeys. */
export async function countKeys(ctx: ArchiveContext, options: JobOptions): Promise<KeysReport> {
  const { index, replicas, keyring } = ctx;
  const counts = new Counts();
  const unavailable = new Set<string>();
  for await (const { seal, placements } of index.packs({})) {
    options.signal?.throwIfAborted();
    if (seal !== null) counts.add(seal.kekId, INDEX, 'manifests');
    for (const { replica } of placements) if (!replicas.names.includes(replica)) unavailable.add(replica);
  }
  for await (const { object } of index.tombstones({})) {
    const kekId = kekIdIn(object);
    if (kekId !== undefined) counts.add(kekId, INDEX, 'tombstones');
  }
  const tally: Tally = { objects: 0, unreadable: [] };
  for (const replica of replicas.names) {
    try {
      await countReplica(ctx, replica, counts, tally, options);
    } catch (error) {
      if (!isOfThisCopy(error)) throw error;
      unavailable.add(replica);
    }
  }
  const created = new Map(keyring.keys.map(({ id, createdAt }) => [id, createdAt]));
  const ids = new Set([...created.keys(), ...counts.keys()]);
  const answered = replicas.names.filter((name) => !unavailable.has(name));
  return {
    archiveId: keyring.archiveId,
    keys: [...ids].map((id) => ({
      id,
      createdAt: created.get(id) ?? null,
      current: id === keyring.current,
      replicas: answered.map((name) => ({ name, ...counts.of(id, name) })),
      index: { packs: counts.of(id, INDEX).manifests, tombstones: counts.of(id, INDEX).tombstones },
    })),
    objects: tally.objects,
    unreadable: tally.unreadable,
    unavailable: [...unavailable].sort(),
  };
}

interface Tally {
  objects: number;
  readonly unreadable: string[];
}

async function countReplica(
  ctx: ArchiveContext,
  replica: ReplicaName,
  counts: Counts,
  tally: Tally,
  { signal, onProgress }: JobOptions,
): Promise<void> {
  const store = ctx.replicas.store(replica);
  const tell = () =>
    onProgress?.({
      step: `counting on ${replica}`,
      packsDone: tally.objects,
      packsTotal: tally.objects,
      bytesDone: 0,
      bytesTotal: 0,
    });
  for (const [prefix, what, parse] of [
    [MANIFEST_PREFIX, 'manifests', parseManifestName],
    [TOMBSTONE_PREFIX, 'tombstones', parseStatementName],
    // What is said of holds counts with what is said of deletes: wrapped, told and rotated in the same way.
    [HOLD_PREFIX, 'tombstones', parseStatementName],
  ] as const) {
    await forEachLimited(store.list(prefix, { signal }), HEADS_AT_ONCE, async ({ key, bytes }) => {
      if (parse(key) === undefined) return;
      const head = bytes < KEK_HEAD_BYTES ? null : await headOf(store, key, signal);
      // Removed since it was listed.
      if (head === undefined) return;
      const kekId = head === null ? undefined : kekIdIn(head);
      tally.objects += 1;
      if (kekId !== undefined) counts.add(kekId, replica, what);
      else if (tally.unreadable.length < UNREADABLE_MAX) tally.unreadable.push(`${replica} ${key}`);
      if (tally.objects % PROGRESS_EVERY === 0) tell();
    });
  }
  tell();
}

async function headOf(
  store: ReturnType<ArchiveContext['replicas']['store']>,
  key: Parameters<typeof store.get>[0],
  signal: AbortSignal | undefined,
): Promise<Uint8Array | null | undefined> {
  try {
    return await store.get(key, { start: 0, end: KEK_HEAD_BYTES }, signal);
  } catch (error) {
    if (hasCode(error, 'ABSENT')) return undefined;
    if (hasCode(error, 'CORRUPT')) return null;
    throw error;
  }
}
