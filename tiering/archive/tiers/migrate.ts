// The two long jobs of operators: migrate (file, protect, prove, evict) and recall, study by study.
// Each step is idempotent, so a job that was killed is simply run again.
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { StudyUid } from '../../core/ids.js';
import { forEachLimited } from '../../core/queues.js';
import type { PackRecord } from '../../index/index.js';
import type { JobFailure, JobOptions, MigrateReport, RecallReport, Selection } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { jobFailure } from '../failures.js';
import { fileStudy } from '../filing/packer.js';
import type { Committer } from '../intake/committer.js';
import type { EmptyPacks } from '../removal/empty-packs.js';
import { evictPack } from './evict.js';
import { protectPack } from './protect.js';
import { recallPack } from './recall.js';
import { selectStudies } from './selection.js';

/** Small studies are all latency (syncs, round trips): a few at once hide it; each holds some chunks in memory. */
const STUDIES_AT_ONCE = 4;

/** Files what has not settled, protects, and evicts unless `keepHot`. A study that fails is reported and the rest goes on. */
export async function migrate(
  ctx: ArchiveContext,
  committer: Committer,
  emptyPacks: EmptyPacks,
  selection: Selection,
  options: JobOptions & { readonly keepHot?: boolean },
): Promise<MigrateReport> {
  const studies = await selectStudies(ctx, selection, options.signal);
  // The open tray holds dead copies of what is filed: ended here, it can be removed at the end.
  if (studies.length > 0) await committer.rotate();
  const job = new PackJob(ctx, options, 'filing');
  let evicted = 0;
  await forEachLimited(studies, STUDIES_AT_ONCE, async (study) => {
    // What cannot be filed is told of, and keeps nothing else of the study from being protected.
    await job.attempt(study, async () => {
      await fileStudy(ctx, study, options.signal);
    });
    for (const record of await job.plan(study)) {
      await job.attempt(record.id, async () => {
        job.step = 'protecting';
        // Deleted since it was planned: there is nothing to keep.
        if ((await ctx.index.pack(record.id))?.liveInstances === 0) return;
        const held = await protectPack(ctx, record.id, options);
        const { rule } = ctx.replicas;
        if (!rule.isMet(held)) {
          throw new ArchiveError('UNAVAILABLE', `pack ${record.id} is ${rule.shortfall(held)}`);
        }
        if (options.keepHot !== true && record.hot === 'present') {
          await evictPack(ctx, record.id, options.signal);
          evicted += 1;
        }
        job.done(record);
      });
    }
  });
  await emptyPacks.remove();
  await ctx.index.commitDurable();
  return { studies: studies.length, packs: job.packsDone, bytes: job.bytesDone, evicted, failures: job.failures };
}

/** Brings every cold pack of the selected studies back to a volume. */
export async function recall(ctx: ArchiveContext, selection: Selection, options: JobOptions): Promise<RecallReport> {
  const studies = await selectStudies(ctx, selection, options.signal);
  const job = new PackJob(ctx, options, 'recalling');
  await forEachLimited(studies, STUDIES_AT_ONCE, async (study) => {
    // What was stored cloud-direct lies in sealed trays: filing it is what brings it to a volume.
    await job.attempt(study, async () => {
      for await (const _tray of ctx.index.packs({ study, kind: 'tray', hot: ['cold'], limit: 1 })) {
        await fileStudy(ctx, study, options.signal);
      }
    });
    for (const record of await job.plan(study)) {
      await job.attempt(record.id, async () => {
        await recallPack(ctx, record.id, options.signal);
        job.done(record);
      });
    }
  });
  await ctx.index.commitDurable();
  return { studies: studies.length, packs: job.packsDone, bytes: job.bytesDone, failures: job.failures };
}

/** Counts packs and bytes, tells of progress, and keeps failures apart from the rest. */
class PackJob {
  readonly failures: JobFailure[] = [];
  step: string;
  packsDone = 0;
  bytesDone = 0;
  #packsTotal = 0;
  #bytesTotal = 0;
  readonly #ctx: ArchiveContext;
  readonly #options: JobOptions;

  constructor(ctx: ArchiveContext, options: JobOptions, step: string) {
    this.#ctx = ctx;
    this.#options = options;
    this.step = step;
  }

  /** The packs of a study, added to the total. */
  async plan(study: StudyUid): Promise<PackRecord[]> {
    const records: PackRecord[] = [];
    // Trays are not a study's own: what lives in one now has come since the study was filed, and moves with the next filing.
    for await (const record of this.#ctx.index.packs({ study, kind: 'pack' })) records.push(record);
    this.#packsTotal += records.length;
    this.#bytesTotal += records.reduce((sum, r) => sum + r.bytes, 0);
    this.#tell();
    return records;
  }

  done(record: PackRecord): void {
    this.packsDone += 1;
    this.bytesDone += record.bytes;
    this.#tell();
  }

  /** Resolves with whether it worked; a failure is kept for the report. */
  async attempt(item: string, work: () => Promise<void>): Promise<boolean> {
    this.#options.signal?.throwIfAborted();
    try {
      await work();
      return true;
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      // Deleted under the work, which is then over.
      if (codeOf(error) === 'NOT_FOUND') return false;
      this.failures.push(jobFailure(this.#ctx, item, error));
      return false;
    }
  }

  #tell(): void {
    this.#options.onProgress?.({
      step: this.step,
      packsDone: this.packsDone,
      packsTotal: this.#packsTotal,
      bytesDone: this.bytesDone,
      bytesTotal: this.#bytesTotal,
    });
  }
}
