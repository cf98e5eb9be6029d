// Which studies an operator's command is about, page by page, so that "all" of a million fits.
import type { StudyUid } from '../../core/ids.js';
import type { QuerySpec } from '../../index/index.js';
import type { Selection } from '../archive.js';
import type { ArchiveContext } from '../context.js';

const PAGE = 500;
const EVERYTHING: QuerySpec = { level: 'study', matches: [], fuzzy: false, limit: PAGE, offset: 0, include: [] };

/** The selected studies that exist, each once. An empty selection selects nothing. */
export async function selectStudies(
  ctx: ArchiveContext,
  selection: Selection,
  signal?: AbortSignal,
): Promise<StudyUid[]> {
  const selected = new Set<StudyUid>(selection.studies ?? []);
  const everything = selection.all === true || (selection.arrivedBeforeMs !== undefined && selected.size === 0);
  const query = selection.query ?? (everything ? EVERYTHING : null);
  if (query !== null) {
    for (let offset = 0; ; offset += PAGE) {
      const page = await ctx.index.query({ ...query, level: 'study', limit: PAGE, offset }, signal);
      for (const row of page.rows) selected.add(row.study);
      if (!page.more) break;
    }
  }
  const { arrivedBeforeMs } = selection;
  if (arrivedBeforeMs === undefined) return [...selected];
  const old: StudyUid[] = [];
  for (const study of selected) {
    if (await quietSince(ctx, study, arrivedBeforeMs)) old.push(study);
  }
  return old;
}

async function quietSince(ctx: ArchiveContext, study: StudyUid, beforeMs: number): Promise<boolean> {
  for await (const instance of ctx.index.instances({ study })) {
    if (instance.arrivedMs >= beforeMs) return false;
  }
  return true;
}
