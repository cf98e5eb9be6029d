// What may not be deleted: studies under legal hold, and studies that the configuration says to keep. Asked by every delete, whichever way
// it comes; eviction, migration and all that keeps an instance whole do not ask.
import type { StudyUid } from '../../core/ids.js';
import type { StudyHold } from '../../format/types.js';
import type { Refusal } from '../archive.js';
import type { ArchiveContext } from '../context.js';

const DAY_MS = 24 * 3_600_000;
const STUDY_DATE = '00080020';
const MODALITIES = '00080061';

/** Of these studies, those of which nothing may be deleted now, in their order. */
export async function refusalsOf(ctx: ArchiveContext, studies: readonly StudyUid[]): Promise<readonly Refusal[]> {
  const holds = new Map((await ctx.index.holds(studies)).map((hold) => [hold.study, hold]));
  const refusals: Refusal[] = [];
  for (const study of studies) {
    const hold = holds.get(study);
    const refusal = hold === undefined ? await retained(ctx, study) : refusedByHold(hold);
    if (refusal !== null) refusals.push(refusal);
  }
  return refusals;
}

function refusedByHold({ study, atMs, reason }: StudyHold): Refusal {
  const since = dayOf(atMs);
  const detail = `the study is under legal hold since ${since}${reason === '' ? '' : `: ${reason}`}`;
  return { study, cause: 'hold', until: null, detail };
}

/**
 * Retention counts from the later of Study Date (its end) and the last arrival of the study. Of each of its modalities the first rule that fits counts, and of
 * these the longest.
 */
async function retained(ctx: ArchiveContext, study: StudyUid): Promise<Refusal | null> {
  const { retention } = ctx.policy;
  if (retention.length === 0) return null;
  const spec = { level: 'study', study, matches: [], fuzzy: false, limit: 1, offset: 0, include: [] } as const;
  const [row] = (await ctx.index.query(spec)).rows;
  if (row === undefined) return null;
  const attributes = JSON.parse(row.attributes) as Readonly<Record<string, { readonly Value?: readonly unknown[] }>>;
  const modalities = attributes[MODALITIES]?.Value ?? [];
  const keepMs = longestKeep(retention, modalities);
  if (keepMs === null) return null;
  let fromMs = endOfDay(attributes[STUDY_DATE]?.Value?.[0]);
  for await (const { arrivedMs } of ctx.index.instances({ study })) fromMs = Math.max(fromMs, arrivedMs);
  const untilMs = fromMs + keepMs;
  if (untilMs <= ctx.clock.nowMs()) return null;
  const until = dayOf(untilMs);
  return { study, cause: 'retention', until, detail: `the study must be kept until ${until} (retention)` };
}

type Rules = ArchiveContext['policy']['retention'];

/** Null: no rule fits. A study without a modality has the rules that name none. */
function longestKeep(rules: Rules, modalities: readonly unknown[]): number | null {
  const each = modalities.length === 0 ? [null] : modalities;
  const kept = each.flatMap((modality) => {
    const rule = rules.find((one) => one.modality === null || one.modality === modality);
    return rule === undefined ? [] : [rule.keepMs];
  });
  return kept.length === 0 ? null : Math.max(...kept);
}

/** The end of a day in UTC; 0 when `date` is not one (PS3.5 6.2, DA). */
function endOfDay(date: unknown): number {
  const match = typeof date === 'string' ? /^([0-9]{4})([0-9]{2})([0-9]{2})$/.exec(date.trim()) : null;
  const ms = match === null ? Number.NaN : Date.parse(`${match[1]}-${match[2]}-${match[3]}T00:00:00Z`);
  return Number.isNaN(ms) ? 0 : ms + DAY_MS;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
