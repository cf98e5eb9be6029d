// Deletes asked for by an operator: what is meant, checked; what it amounts to; and the job that does it. Studies, series and
// instances are named one by one: nothing here deletes by a query.
import { z } from 'zod';
import type { Archive, EraseReport, JobFailure, JobOptions, Refusal, Scope } from '../../tiering/archive/archive.js';
import { ArchiveError, codeOf } from '../../tiering/core/errors.js';
import { parseSeriesUid, parseSopUid, parseStudyUid } from '../../tiering/core/ids.js';
import type { JobReport } from './jobs.js';
import type { Plan } from './plan.js';
import { checked } from './requests.js';

const STUDIES_MAX = 1_000;

const schema = z.strictObject({
  studies: z.array(z.string()).min(1).max(STUDIES_MAX),
  series: z.string().optional(),
  instance: z.string().optional(),
  erase: z.boolean().optional(),
});
const eraseSchema = z.strictObject({ erase: z.literal(true) });

export interface Deletion {
  readonly scopes: readonly Scope[];
  /** The bytes leave at once. */
  readonly erase: boolean;
}

/** Whether nothing is to be deleted, and what was deleted before is to be erased. */
export function isErasure(body: unknown): boolean {
  return eraseSchema.safeParse(body).success;
}

/** What is to be deleted. INVALID for a series of several studies, or an instance without its series. */
export function parseDeletion(body: unknown): Deletion {
  const { studies, series, instance, erase } = checked(schema, body);
  if (series !== undefined && studies.length > 1) {
    throw new ArchiveError('INVALID', 'series: give the one study that it belongs to');
  }
  if (instance !== undefined && series === undefined) {
    throw new ArchiveError('INVALID', 'instance: give the series that it belongs to, too');
  }
  const scopes = [...new Set(studies)].map((study) => ({
    study: parseStudyUid(study),
    ...(series === undefined ? {} : { series: parseSeriesUid(series) }),
    ...(instance === undefined ? {} : { sop: parseSopUid(instance) }),
  }));
  return { scopes, erase: erase ?? false };
}

/** What would be deleted now. */
export async function planDeletion(archive: Archive, scopes: readonly Scope[]): Promise<Plan> {
  const plan = { studies: 0, instances: 0, bytes: 0, online: 0, more: false };
  for (const scope of scopes) {
    const before = plan.instances;
    for await (const { start, end } of archive.instances(scope)) {
      plan.instances += 1;
      plan.bytes += end - start;
    }
    if (plan.instances > before) plan.studies += 1;
  }
  const refused = await archive.refusals(scopes.map(({ study }) => study));
  return refused.length === 0 ? plan : { ...plan, refused };
}

export interface DeletionReport extends JobReport {
  readonly instances: number;
  readonly studies: number;
  readonly durable: 'quorum' | 'pending';
  readonly failures: readonly JobFailure[];
  /** With `erase`: what became of the bytes, and the places where some are left. */
  readonly erased?: Pick<EraseReport, 'instances' | 'bytes' | 'pending' | 'places'>;
  readonly unavailable?: readonly string[];
}

/** Nothing is deleted when any of the studies may not be. Else one that fails is reported and the rest goes on. */
export async function deleteScopes(
  archive: Archive,
  { scopes, erase }: Deletion,
  options: JobOptions,
): Promise<DeletionReport> {
  const refused = await archive.refusals(scopes.map(({ study }) => study));
  if (refused.length > 0) return refusedReport(refused);
  const failures: JobFailure[] = [];
  const deletes: number[] = [];
  let instances = 0;
  let studies = 0;
  let durable: DeletionReport['durable'] = 'quorum';
  for (const [at, scope] of scopes.entries()) {
    try {
      const report = await archive.remove(scope, { signal: options.signal });
      instances += report.instances;
      studies += report.studies;
      deletes.push(...report.deletes);
      if (report.durable === 'pending') durable = 'pending';
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof ArchiveError)) throw error;
      failures.push({ item: scope.sop ?? scope.series ?? scope.study, code: codeOf(error), detail: error.message });
    }
    options.onProgress?.({
      step: 'deleting',
      packsDone: at + 1,
      packsTotal: scopes.length,
      bytesDone: 0,
      bytesTotal: 0,
    });
  }
  if (!erase || deletes.length === 0) return { instances, studies, durable, failures };
  try {
    const { failures: kept, unavailable, packs: _, ...erased } = await archive.erase({ ...options, deletes });
    return { instances, studies, durable, failures: [...failures, ...kept], erased, unavailable };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (!(error instanceof ArchiveError)) throw error;
    failures.push({ item: 'erase', code: codeOf(error), detail: error.message });
    return { instances, studies, durable, failures };
  }
}

function refusedReport(refused: readonly Refusal[]): DeletionReport {
  const failures = refused.map(({ study, detail }) => ({ item: study, code: 'CONFLICT' as const, detail }));
  return { instances: 0, studies: 0, durable: 'quorum', failures };
}
