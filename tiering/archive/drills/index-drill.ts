// The index's drill: it is made again from the replicas alone into a file beside the live one, which serves on untouched, and the two are compared
// instance by instance. What the new one lacks is what a loss of index and volumes together would have cost.
import { ArchiveError } from '../../core/errors.js';
import { parseStudyUid, type StudyUid } from '../../core/ids.js';
import type { Index, QuerySpec } from '../../index/index.js';
import type { JobFailure, JobOptions } from '../archive.js';
import { WriteGate } from '../authority/write-gate.js';
import type { ArchiveContext } from '../context.js';
import { tellFailure } from '../failures.js';
import { PackLocks } from '../pacing/pack-locks.js';
import { Damage } from '../reading/damage.js';
import { PackCatalog } from '../reading/pack-catalog.js';
import { rebuildIndex } from '../recovery/rebuild.js';
import { VolumeSet } from '../volumes/volume-set.js';
import type { DrillReport } from './drill-report.js';

/** An index for the time of a drill. */
export interface ScratchIndex {
  readonly index: Index;
  /** Closes and removes it. */
  dispose(): Promise<void>;
}

const PAGE = 100;
const STUDY_UID = '0020000D';

export async function rehearseIndex(
  ctx: ArchiveContext,
  open: (() => Promise<ScratchIndex>) | undefined,
  forMs: number,
  options: JobOptions,
): Promise<Partial<DrillReport>> {
  if (open === undefined) throw new ArchiveError('NOT_SUPPORTED', 'there is no place for a second index here');
  const fromMs = ctx.clock.monotonicMs();
  const inTime = new AbortController();
  const failures: JobFailure[] = [];
  let compared: Comparison = { studies: 0, instances: 0, different: 0, lacking: 0, oldestMs: null };
  let recoveredMs: number | null = null;
  const scratch = await open();
  const late = ctx.clock.sleep(forMs, inTime.signal).then(
    () => inTime.abort(new ArchiveError('LIMIT', `the index was not made again and compared within ${forMs} ms`)),
    () => undefined,
  );
  const signal = options.signal === undefined ? inTime.signal : AbortSignal.any([inTime.signal, options.signal]);
  try {
    const rebuilt = await rebuildIndex(beside(ctx, scratch.index), { ...options, signal });
    failures.push(...rebuilt.failures);
    for (const item of rebuilt.unavailable) failures.push({ item, code: 'UNAVAILABLE', detail: 'did not answer' });
    recoveredMs = Math.round(ctx.clock.monotonicMs() - fromMs);
    compared = await compare(ctx.index, scratch.index, signal);
    const { different } = compared;
    if (different > 0) failures.push({ item: 'index', code: 'CORRUPT', detail: `${different} instances differ` });
  } catch (error) {
    if (options.signal?.aborted !== true) failures.push({ item: 'index', ...tellFailure(ctx, signal.reason ?? error) });
  } finally {
    inTime.abort(new ArchiveError('ABORTED', 'the drill is over'));
    await late;
    await scratch.dispose();
  }
  const { studies, instances, different, lacking, oldestMs } = compared;
  return {
    outcome: options.signal?.aborted === true ? 'interrupted' : failures.length === 0 ? 'passed' : 'failed',
    rto: { detectedMs: null, firstReadMs: null, firstStoreMs: null, recoveredMs },
    rpo: {
      instances: lacking,
      bytes: 0,
      oldestAgeSeconds: oldestMs === null ? null : Math.round((ctx.clock.nowMs() - oldestMs) / 1000),
    },
    compared: { studies, instances, different },
    failures,
  };
}

/** The same archive with another index and no volumes. */
function beside(ctx: ArchiveContext, index: Index): ArchiveContext {
  const nothing = () => Promise.resolve();
  const { keys, clock } = ctx;
  return {
    ...ctx,
    index,
    gate: new WriteGate(),
    volumes: new VolumeSet([], { onDeletes: nothing, onReturn: nothing, log: () => undefined, clock }),
    catalog: new PackCatalog(index, keys),
    damage: new Damage(index),
    locks: new PackLocks(),
    log: () => undefined,
  };
}

interface Comparison {
  studies: number;
  instances: number;
  /** In both, and not the same. */
  different: number;
  /** In the live one alone: not protected, or not yet known there. */
  lacking: number;
  oldestMs: number | null;
}

async function compare(live: Index, made: Index, signal: AbortSignal): Promise<Comparison> {
  const found: Comparison = { studies: 0, instances: 0, different: 0, lacking: 0, oldestMs: null };
  for await (const study of studiesOf(live)) {
    signal.throwIfAborted();
    found.studies += 1;
    const there = new Map<string, string>();
    for await (const { sop, series, sha256 } of made.instances({ study })) there.set(sop, `${series} ${sha256}`);
    for await (const { sop, series, sha256, arrivedMs } of live.instances({ study })) {
      found.instances += 1;
      const other = there.get(sop);
      if (other === undefined) {
        found.lacking += 1;
        found.oldestMs = Math.min(found.oldestMs ?? arrivedMs, arrivedMs);
      } else if (other !== `${series} ${sha256}`) found.different += 1;
    }
  }
  return found;
}

async function* studiesOf(index: Index): AsyncGenerator<StudyUid> {
  const spec: QuerySpec = { level: 'study', matches: [], fuzzy: false, limit: PAGE, offset: 0, include: [] };
  for (let offset = 0; ; offset += PAGE) {
    const { rows } = await index.query({ ...spec, offset });
    for (const { attributes } of rows) {
      const uid = (JSON.parse(attributes) as Record<string, { readonly Value?: readonly unknown[] }>)[STUDY_UID];
      yield parseStudyUid(String(uid?.Value?.[0]));
    }
    if (rows.length < PAGE) return;
  }
}
