// Repair: mend what scrub and reads have noted, from any good replica or the hot copy, and pay what
// replicas owe. A chunk is only replaced by bytes that hash to its name; the last readable copy is
// never overwritten by anything else.
import { restoreObject } from '../../cold/replicas/restore.js';
import { ArchiveError, codeOf, hasCode } from '../../core/errors.js';
import type { ObjectKey, PackId, ReplicaName } from '../../core/ids.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import type { ChunkException, PackRecord } from '../../index/index.js';
import type { JobFailure, JobOptions, RepairReport } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { jobFailure } from '../failures.js';
import { sealChunk } from '../packs/seal-chunk.js';
import { readPackWhole } from '../reading/pack-reader.js';
import { payTombstones } from '../removal/send-tombstones.js';
import { proveObject, putProven } from '../tiers/proof.js';
import { makeManifest, protectPack } from '../tiers/protect.js';
import { recallPack } from '../tiers/recall.js';
import { collectGarbage } from './garbage.js';

/** Mends every noted fault once and brings lacking replicas up to date. One failure does not stop the rest. */
export async function repair(ctx: ArchiveContext, options: JobOptions): Promise<RepairReport> {
  const failures: JobFailure[] = [];
  let repaired = 0;
  let bytes = 0;
  const progress = (step: string) =>
    options.onProgress?.({ step, packsDone: repaired, packsTotal: repaired, bytesDone: bytes, bytesTotal: bytes });
  const attempt = async (item: string, step: string, work: () => Promise<number>) => {
    options.signal?.throwIfAborted();
    try {
      bytes += await work();
      repaired += 1;
      ctx.log({ level: 'info', event: 'mended', detail: `${item}: ${step}` });
    } catch (error) {
      options.signal?.throwIfAborted();
      const failure = jobFailure(ctx, item, error);
      failures.push(failure);
      ctx.log({ level: 'warn', event: 'not-mended', detail: `${item}: ${step}: ${failure.code}` });
    }
    progress(step);
  };
  // Looked at now: one that was emptied since the last look is still taken for available.
  await ctx.replicas.probe(options.signal);
  for (const { name, state } of ctx.replicas.state()) {
    if (state === 'available') continue;
    await restoreIdentity(ctx, name, options.signal);
  }
  for (const exception of await ctx.index.exceptions()) {
    await attempt(`${exception.pack}/${exception.chunk}`, 'mending chunks', () =>
      mendChunk(ctx, exception, options.signal),
    );
  }
  const told = await payTombstones(ctx, ctx.replicas.targets, options.signal);
  repaired += told.paid;
  bytes += told.bytes;
  for (const [replica, error] of told.failed) failures.push(jobFailure(ctx, `deletes on ${replica}`, error));
  progress('telling replicas of deletes');
  const lacking = await idsOf(ctx, { placementsMin: 1, lackingOn: ctx.replicas.targets });
  for (const id of lacking) {
    await attempt(id, 'paying debts', async () => {
      const before = await ctx.catalog.fresh(id);
      const held = await protectPack(ctx, id, options);
      const away = ctx.replicas.targets.filter((name) => !held.includes(name));
      if (away.length > 0) throw new ArchiveError('UNAVAILABLE', `${away.join(', ')} lacks it and does not answer`);
      return (held.length - before.placements.length) * before.bytes;
    });
  }
  // Then: of what too few replicas have, a damaged file on a volume is not replaced.
  for (const id of await idsOf(ctx, { kind: 'pack', hot: ['missing'], placementsMin: 1 })) {
    await attempt(id, 'recalling lost hot copies', () => recallPack(ctx, id, options.signal));
  }
  const garbage = await collectGarbage(ctx, options.signal);
  for (const [replica, error] of garbage.failed) {
    // Where nobody may delete, what is thrown away stays, on purpose.
    if (!hasCode(error, 'FORBIDDEN')) failures.push(jobFailure(ctx, `garbage on ${replica}`, error));
  }
  return { repaired, bytes, removed: garbage.removed, failures };
}

/** A replica whose `config` was deleted or overwritten, in a bucket that keeps versions. One that is away stays away. */
async function restoreIdentity(ctx: ArchiveContext, name: ReplicaName, signal: AbortSignal | undefined): Promise<void> {
  try {
    if (!(await ctx.replicas.restoreIdentity(name, signal))) return;
    ctx.log({
      level: 'error',
      event: 'replica-restored',
      detail: `${name}: its config was put back from an earlier version`,
    });
  } catch (error) {
    signal?.throwIfAborted();
    if (codeOf(error) === 'INTERNAL') throw error;
  }
}

async function idsOf(ctx: ArchiveContext, filter: Parameters<typeof ctx.index.packs>[0]): Promise<PackId[]> {
  const ids: PackId[] = [];
  for await (const record of ctx.index.packs(filter)) ids.push(record.id);
  return ids;
}

/** Replaces one bad object on one replica. Resolves with its length. */
async function mendChunk(
  ctx: ArchiveContext,
  exception: ChunkException,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { pack, chunk, replica } = exception;
  return ctx.locks.run(pack, async () => {
    const record = await ctx.catalog.find(pack);
    const name = chunk === -1 ? record?.manifest?.name : record?.seal?.chunks[chunk]?.name;
    if (record === undefined || name === undefined || name === null) {
      await ctx.damage.clear(pack, chunk, replica);
      return 0;
    }
    // Mended together with another copy of it.
    if (!ctx.damage.of(pack, chunk).has(replica)) return 0;
    const good = await goodBytes(ctx, record, chunk, name, signal).catch(async (error: unknown) => {
      if (hasCode(error, 'ABSENT', 'CORRUPT') && (await restoreFromVersions(ctx, record, name, signal))) {
        return goodBytes(ctx, record, chunk, name, signal);
      }
      // Every replica answered and none has the manifest: what it said is in the index.
      if (chunk === -1 && hasCode(error, 'ABSENT', 'CORRUPT')) return null;
      throw error;
    });
    if (good === null) return writeManifestAnew(ctx, record, signal);
    await putProven(ctx, replica, name, good, signal);
    await ctx.line.upload.spend(good.length, signal);
    await ctx.damage.clear(pack, chunk, replica);
    return good.length;
  });
}

/** Every replica answered and none has it: some may keep what was overwritten or deleted. Resolves with whether one had it. */
async function restoreFromVersions(
  ctx: ArchiveContext,
  { placements }: PackRecord,
  name: ObjectKey,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { archiveId } = ctx.keyring;
  for (const { replica } of placements) {
    if (!ctx.replicas.names.includes(replica)) continue;
    if (await restoreObject(ctx.replicas.store(replica), name, { archiveId, signal })) return true;
  }
  return false;
}

/** The manifest is lost everywhere: its next generation goes to every replica that holds the pack. Resolves with the bytes written. */
async function writeManifestAnew(
  ctx: ArchiveContext,
  record: PackRecord,
  signal: AbortSignal | undefined,
): Promise<number> {
  ctx.log({ level: 'error', event: 'manifest-lost', pack: record.id, detail: 'on every replica; it is written anew' });
  const { name, bytes } = await makeManifest(ctx, record);
  const generation = (record.manifest?.generation ?? 0) + 1;
  const failures: unknown[] = [];
  for (const { replica } of record.placements) {
    if (!ctx.replicas.names.includes(replica)) continue;
    try {
      await putProven(ctx, replica, name, bytes, signal);
      await ctx.damage.clear(record.id, -1, replica);
    } catch (error) {
      signal?.throwIfAborted();
      failures.push(error);
      await ctx.damage.note(record.id, -1, replica, 'missing');
    }
  }
  if (failures.length === record.placements.length) throw failures[0];
  await ctx.catalog.change(record.id, (index) => index.setManifest(record.id, { name, generation }));
  return bytes.length;
}

/** The object's bytes, proven: from another replica, else sealed again from the hot copy (which gives the same bytes). */
async function goodBytes(
  ctx: ArchiveContext,
  record: PackRecord,
  chunk: number,
  name: Parameters<typeof proveObject>[1],
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const read = () =>
    ctx.replicas.read(name, undefined, (bytes) => proveObject(ctx, name, bytes), {
      avoid: ctx.damage.of(record.id, chunk),
      ...(signal === undefined ? {} : { signal }),
    });
  try {
    return await ctx.line.fetch(read, ({ length }) => length, signal);
  } catch (error) {
    const sealed = record.seal?.chunks[chunk];
    if (record.hot !== 'present' || record.seal === null || sealed === undefined) throw error;
    const start = chunk * CHUNK_BYTES;
    const plaintext = await readPackWhole(ctx, record.id, start, start + sealed.bytes, signal);
    const again = await sealChunk(ctx, { id: record.id, seal: record.seal }, { chunk, plaintext, members: [] });
    if (again.changed !== null) throw again.changed;
    return again.sealed;
  }
}
