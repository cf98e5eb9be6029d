// Scrub: compare what replicas and volumes hold with what the index says. Light looks at presence and
// length, deep reads and hashes every byte at the rate that the operator allows; no key is needed for either on a replica. Findings are
// noted for repair; a replica that does not answer is reported as such and nothing is concluded of it.

import { releaseBuffer } from '../../core/buffers.js';
import { hasCode } from '../../core/errors.js';
import type { ObjectKey, ReplicaName } from '../../core/ids.js';
import { forEachLimited } from '../../core/queues.js';
import { sealedBytes } from '../../format/chunk.js';
import { CONFIG_NAME, README_NAME } from '../../format/names.js';
import type { PackRecord, StoredTombstone } from '../../index/index.js';
import type { JobOptions, ScrubReport } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { ByteRate } from '../pacing/byte-rate.js';
import { checkHotCopy } from '../packs/hot-check.js';
import { checkTombstone } from '../removal/send-tombstones.js';
import { proveObject } from '../tiers/proof.js';
import { ScrubState } from './scrub-state.js';
import { scrubUnknown } from './scrub-unknown.js';

const OBJECTS_AT_ONCE = 4;

interface Expected {
  readonly chunk: number;
  readonly name: ObjectKey;
  /** Length of the object; null where only its hash is known. */
  readonly bytes: number | null;
}

/** One pass, or the rest of one. */
interface Pass {
  readonly deep: boolean;
  readonly tally: ScrubState;
  readonly rate: ByteRate;
  readonly signal: AbortSignal | undefined;
}

/**
 * Looks at every pack once, from where an earlier scrub of this depth was stopped, and at what replicas hold besides. Resolves with what was found;
 * rejects only when the index fails or by the signal.
 */
export async function scrub(
  ctx: ArchiveContext,
  options: JobOptions & { readonly deep?: boolean },
): Promise<ScrubReport> {
  const { deep = false, signal } = options;
  const tally = await ScrubState.load(ctx, deep ? 'deep' : 'light');
  const pass = { deep, tally, rate: new ByteRate(ctx.clock, deep ? ctx.policy.scrubBytesPerSecond : null), signal };
  try {
    await scrubPacks(ctx, pass, options);
  } catch (error) {
    await tally.save();
    throw error;
  }
  for await (const tombstone of ctx.index.tombstones({})) {
    signal?.throwIfAborted();
    for (const replica of tombstone.replicas) await scrubTombstone(ctx, tombstone, replica, pass);
  }
  await renewIdentities(ctx, tally, signal);
  await scrubUnknown(ctx, tally, signal);
  await tally.end();
  const { objects, bytes, resumed, findings, unavailable } = tally;
  return { objects, bytes, resumed, findings, unavailable: [...unavailable].sort() };
}

async function scrubPacks(ctx: ArchiveContext, pass: Pass, options: JobOptions): Promise<void> {
  const { tally, signal, deep } = pass;
  let packsDone = 0;
  for await (const record of ctx.index.packs(tally.left)) {
    signal?.throwIfAborted();
    await scrubReplicas(ctx, record, pass);
    await scrubVolume(ctx, record, pass);
    await tally.passed(record);
    packsDone += 1;
    options.onProgress?.({
      step: deep ? 'deep scrub' : 'light scrub',
      packsDone,
      packsTotal: packsDone,
      bytesDone: tally.bytes,
      bytesTotal: tally.bytes,
    });
  }
}

async function scrubReplicas(ctx: ArchiveContext, record: PackRecord, pass: Pass): Promise<void> {
  const expected: Expected[] = [];
  for (const [chunk, { name, bytes }] of (record.seal?.chunks ?? []).entries()) {
    if (name !== null) expected.push({ chunk, name, bytes: sealedBytes(bytes) });
  }
  if (record.manifest !== null) expected.push({ chunk: -1, name: record.manifest.name, bytes: null });
  // A replica that is not configured any more is nobody's to ask.
  const placements = record.placements.filter(({ replica }) => ctx.replicas.names.includes(replica));
  const pairs = placements.flatMap(({ replica }) => expected.map((object) => ({ replica, object })));
  await forEachLimited(pairs, OBJECTS_AT_ONCE, async ({ replica, object }) => {
    if (pass.tally.unavailable.has(replica)) return;
    await scrubObject(ctx, record, replica, object, pass);
  });
}

async function scrubObject(
  ctx: ArchiveContext,
  record: PackRecord,
  replica: ReplicaName,
  object: Expected,
  { deep, tally, rate, signal }: Pass,
): Promise<void> {
  const store = ctx.replicas.store(replica);
  const found = async (fault: 'missing' | 'corrupt', detail: string) => {
    tally.found({ where: replica, item: object.name, fault, detail });
    await ctx.damage.note(record.id, object.chunk, replica, fault);
  };
  try {
    tally.objects += 1;
    if (deep) {
      const body = await ctx.line.behindViewers(() => store.get(object.name, undefined, signal), signal);
      tally.bytes += body.length;
      await rate.spend(body.length, signal);
      releaseBuffer(await proveObject(ctx, object.name, body, replica));
    } else {
      const { bytes } = await store.head(object.name, signal);
      if (object.bytes !== null && bytes !== object.bytes) {
        await found('corrupt', `${bytes} bytes in place of ${object.bytes}`);
        return;
      }
    }
    await store.renew?.(object.name, signal);
    // What was noted before and is good now (mended by hand, or a passing fault) is struck off.
    if (deep && ctx.damage.of(record.id, object.chunk).has(replica))
      await ctx.damage.clear(record.id, object.chunk, replica);
  } catch (error) {
    if (hasCode(error, 'ABSENT')) {
      // A manifest that was replaced since the record was read is not missing.
      const now = object.chunk === -1 ? await ctx.index.pack(record.id) : record;
      if (now !== undefined && (object.chunk !== -1 || now.manifest?.name === object.name)) {
        await found('missing', 'the replica has no such object');
      }
    } else if (hasCode(error, 'CORRUPT')) await found('corrupt', error.message);
    else if (hasCode(error, 'UNAVAILABLE')) tally.unavailable.add(replica);
    else throw error;
  }
}

/** One that is not there as it should be is owed again, and written by the movers or by repair. */
async function scrubTombstone(
  ctx: ArchiveContext,
  tombstone: StoredTombstone,
  replica: ReplicaName,
  { deep, tally, signal }: Pass,
): Promise<void> {
  if (!ctx.replicas.names.includes(replica) || tally.unavailable.has(replica)) return;
  try {
    tally.objects += 1;
    if (deep) tally.bytes += tombstone.object.length;
    const fault = await checkTombstone(ctx, tombstone, replica, deep, signal);
    if (fault === null) {
      await ctx.replicas.store(replica).renew?.(tombstone.name, signal);
      return;
    }
    tally.found({ where: replica, item: tombstone.name, fault, detail: 'the delete is told again' });
  } catch (error) {
    // It went between the two: under another name by now, or the next scrub finds it.
    if (hasCode(error, 'ABSENT')) return;
    if (!hasCode(error, 'UNAVAILABLE')) throw error;
    tally.unavailable.add(replica);
  }
}

/** What makes a replica one stays locked like everything else in it. */
async function renewIdentities(ctx: ArchiveContext, tally: ScrubState, signal: AbortSignal | undefined): Promise<void> {
  for (const replica of ctx.replicas.names) {
    const { renew } = ctx.replicas.store(replica);
    if (renew === undefined || tally.unavailable.has(replica)) continue;
    for (const name of [CONFIG_NAME, README_NAME]) {
      await renew(name, signal).catch((error: unknown) => {
        signal?.throwIfAborted();
        if (!hasCode(error, 'UNAVAILABLE')) throw error;
        tally.unavailable.add(replica);
      });
    }
  }
}

async function scrubVolume(
  ctx: ArchiveContext,
  record: PackRecord,
  { deep, tally, rate, signal }: Pass,
): Promise<void> {
  if (record.hot !== 'present' || record.volume === null) return;
  const volume = ctx.volumes.readable(record.volume);
  if (volume === null) {
    tally.unavailable.add(record.volume);
    return;
  }
  const ref = { id: record.id, kind: record.kind };
  try {
    tally.objects += 1;
    const size = await volume.size(ref);
    if (size < record.bytes) {
      await hotDamage(ctx, record, tally, 'corrupt', `${size} bytes in place of ${record.bytes}`);
      return;
    }
    if (!deep) return;
    const onBytes = (bytes: number) => {
      tally.bytes += bytes;
    };
    const changed = await checkHotCopy(ctx, volume, record, { rate, signal, onBytes });
    // Every image of it is whole: it stays until a replica was seen to have all of it.
    if (changed !== null)
      await hotDamage(ctx, record, tally, 'corrupt', changed.message, isWholeElsewhere(ctx, record, tally));
  } catch (error) {
    if (hasCode(error, 'ABSENT')) await hotDamage(ctx, record, tally, 'missing', 'the file is not on the volume');
    else if (hasCode(error, 'CORRUPT')) await hotDamage(ctx, record, tally, 'corrupt', error.message);
    else if (hasCode(error, 'UNAVAILABLE')) {
      ctx.volumes.report(volume.name, error);
      tally.unavailable.add(volume.name);
      // Nothing lives in it any more, and it was removed since the record was read.
    } else if (!hasCode(error, 'NOT_FOUND')) throw error;
  }
}

/** A hot copy that is not what it ought to be is not read again where a replica has the pack; the last copy is never given up. */
async function hotDamage(
  ctx: ArchiveContext,
  record: PackRecord,
  tally: ScrubState,
  fault: 'missing' | 'corrupt',
  detail: string,
  mayGo = record.placements.length > 0,
): Promise<void> {
  const { volume } = record;
  // Evicted or removed since the record was read: that it is not there is as it should be.
  const now = await ctx.index.pack(record.id);
  if (volume === null || now?.hot !== 'present' || now.volume !== volume) return;
  tally.found({ where: volume, item: record.id, fault, detail });
  if (!mayGo && fault === 'corrupt') return;
  await ctx.catalog.change(record.id, (index) => index.setHot(record.id, 'missing', volume));
}

/** Of every chunk some replica that answered in this pass has a copy that was found good. */
function isWholeElsewhere(ctx: ArchiveContext, { id, seal, placements }: PackRecord, tally: ScrubState): boolean {
  const asked = placements.filter(
    ({ replica }) => ctx.replicas.names.includes(replica) && !tally.unavailable.has(replica),
  );
  const good = (chunk: number) => asked.some(({ replica }) => !ctx.damage.of(id, chunk).has(replica));
  return seal?.chunks.every(({ name }, chunk) => name !== null && good(chunk)) ?? false;
}
