// Erase: the bytes of what was deleted leave at once. What lives beside them is moved away first, by filing and compaction, and
// protected; then the packs and trays that held them go from volumes and replicas, without the time that garbage is kept. Every
// step is one that the background does too, so a kill leaves nothing that the next call, or the background, does not finish.
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { PackId, VolumeName } from '../../core/ids.js';
import type { PackErasure, PackRecord } from '../../index/index.js';
import type { ErasePlace, EraseReport, JobFailure, JobOptions } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { jobFailure } from '../failures.js';
import { compactPack } from '../filing/compact.js';
import { fileStudy } from '../filing/packer.js';
import type { Committer } from '../intake/committer.js';
import { Sweep } from '../recovery/garbage.js';
import { protectPack } from '../tiers/protect.js';
import type { EmptyPacks } from './empty-packs.js';
import { unreadDeletes } from './provisional.js';

const NOT_MOVED = 'what lives in the same packs could not be moved out yet';

export interface Eraser {
  readonly ctx: ArchiveContext;
  readonly committer: Committer;
  readonly emptyPacks: EmptyPacks;
}

/** As Archive.erase. */
export async function erase(
  eraser: Eraser,
  options: JobOptions & { readonly deletes?: readonly number[] | undefined },
): Promise<EraseReport> {
  const { ctx } = eraser;
  const unread = await unreadDeletes(ctx);
  const before = await ctx.index.erasures(options.deletes);
  if (unread.length > 0) {
    throw new ArchiveError(
      'UNAVAILABLE',
      `the index was rebuilt without ${unread.join(', ')}: nothing is erased before their deletes are known`,
    );
  }
  const job = new Erasing(eraser, before, options);
  return job.run(options.deletes);
}

class Erasing {
  readonly #eraser: Eraser;
  readonly #ctx: ArchiveContext;
  readonly #before: readonly PackErasure[];
  readonly #packs: ReadonlySet<PackId>;
  readonly #options: JobOptions;
  readonly #failures: JobFailure[] = [];
  readonly #sweep: Sweep;
  /** Where the files were. */
  readonly #volumes = new Map<PackId, VolumeName>();
  #done = 0;

  constructor(eraser: Eraser, before: readonly PackErasure[], options: JobOptions) {
    this.#eraser = eraser;
    this.#ctx = eraser.ctx;
    this.#before = before;
    this.#packs = new Set(before.map(({ pack }) => pack));
    this.#options = options;
    this.#sweep = new Sweep(eraser.ctx);
  }

  async run(deletes: readonly number[] | undefined): Promise<EraseReport> {
    const { emptyPacks } = this.#eraser;
    const { signal } = this.#options;
    const { erasurePending: pendingBefore } = await this.#status();
    await this.#endOpenTray();
    for (const pack of this.#packs) {
      const record = await this.#ctx.index.pack(pack);
      if (record?.volume != null) this.#volumes.set(pack, record.volume);
      if (record !== undefined) await this.#moveOut(record);
      this.#tell('moving out what lives');
    }
    await emptyPacks.remove(this.#packs);
    await this.#ctx.index.commitDurable();
    for (const pack of this.#packs) {
      // Of a pack that is still there the garbage is older manifests: they go with it.
      if ((await this.#ctx.index.pack(pack)) !== undefined) continue;
      await this.#sweep.remove(await this.#ctx.index.garbageOf(pack), signal);
      this.#tell('removing objects');
    }
    await this.#ctx.index.scour(signal);
    const left = await this.#ctx.index.erasures(deletes);
    const { erasurePending: pending } = await this.#status();
    const places = [...(await this.#volumePlaces()), ...(await this.#replicaPlaces())];
    return {
      packs: this.#before.length - left.length,
      instances: Math.max(0, pendingBefore.instances - pending.instances),
      bytes: Math.max(0, pendingBefore.bytes - pending.bytes),
      pending,
      places,
      failures: this.#failures,
      unavailable: places.flatMap(({ name, pending: one }) => (one === 0 ? [] : [name])),
    };
  }

  async #status() {
    return this.#ctx.index.status(this.#ctx.replicas.rule.data);
  }

  /** What is appended to cannot be emptied. */
  async #endOpenTray(): Promise<void> {
    for await (const _open of this.#ctx.index.packs({ ids: [...this.#packs], hot: ['open'] })) {
      await this.#eraser.committer.rotate();
      return;
    }
  }

  /** Everything that lives in the pack, or that replicas have of it alone, is elsewhere when this resolves, or the failure is noted. */
  async #moveOut(record: PackRecord): Promise<void> {
    const { signal } = this.#options;
    if (record.kind === 'pack') {
      if (record.liveInstances > 0) await this.#attempt(record.id, () => compactPack(this.#ctx, record.id, signal));
    } else {
      const { members } = await this.#ctx.index.packContents(record.id);
      for (const study of new Set(members.map((one) => one.study))) {
        await this.#attempt(record.id, async () => {
          await fileStudy(this.#ctx, study, signal);
        });
      }
    }
    // What replicas hold of it goes only when they hold what took its place.
    if (record.placements.length === 0) return;
    for (const study of await this.#ctx.index.studiesWithCopiesIn(record.id)) {
      await this.#attempt(record.id, async () => {
        await fileStudy(this.#ctx, study, signal);
      });
      for await (const { id } of this.#ctx.index.packs({
        study,
        kind: 'pack',
        lackingOn: this.#ctx.replicas.targets,
      })) {
        await this.#attempt(id, async () => {
          await protectPack(this.#ctx, id, { signal });
        });
      }
    }
  }

  async #attempt(item: PackId, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#options;
    signal?.throwIfAborted();
    try {
      await work();
    } catch (error) {
      signal?.throwIfAborted();
      // Deleted under the work, which is then over.
      if (codeOf(error) !== 'NOT_FOUND') this.#failures.push(jobFailure(this.#ctx, item, error));
    }
  }

  async #volumePlaces(): Promise<readonly ErasePlace[]> {
    const places = new Map<VolumeName, { erased: number; pending: number }>();
    for (const [pack, name] of this.#volumes) {
      const place = places.get(name) ?? { erased: 0, pending: 0 };
      places.set(name, place);
      if ((await this.#ctx.index.pack(pack)) === undefined) place.erased += 1;
      else place.pending += 1;
    }
    return [...places].map(([name, counts]) => ({
      name,
      kind: 'volume' as const,
      ...counts,
      detail: counts.pending === 0 ? null : this.#whyOnVolume(name),
    }));
  }

  #whyOnVolume(name: VolumeName): string {
    if (this.#ctx.volumes.readable(name) === null) return 'the volume is away; its files go when it returns';
    return NOT_MOVED;
  }

  async #replicaPlaces(): Promise<readonly ErasePlace[]> {
    const { failed, removed, left } = this.#sweep;
    const pending = new Map(left);
    for (const pack of this.#packs) {
      const record = await this.#ctx.index.pack(pack);
      for (const { replica } of record?.placements ?? []) {
        pending.set(replica, (pending.get(replica) ?? 0) + (record?.seal?.chunks.length ?? 0) + 1);
      }
    }
    return this.#ctx.replicas.names.map((name) => {
      const error = failed.get(name);
      const here = pending.get(name) ?? 0;
      const why = here === 0 ? null : NOT_MOVED;
      const detail = error === undefined ? why : error instanceof ArchiveError ? error.message : 'it failed';
      return { name, kind: 'replica', erased: removed.get(name) ?? 0, pending: here, detail };
    });
  }

  #tell(step: string): void {
    this.#done += 1;
    this.#options.onProgress?.({
      step,
      packsDone: this.#done,
      packsTotal: 2 * this.#packs.size,
      bytesDone: 0,
      bytesTotal: 0,
    });
  }
}
