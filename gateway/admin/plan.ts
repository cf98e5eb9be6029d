// What a command would touch, before it is confirmed: studies, instances and bytes, and how many are online now. Looks at a
// bounded number of studies; beyond it the answer says that there are more.
import type { Archive, QueryRow, Refusal, Selection } from '../../tiering/archive/archive.js';
import type { Clock } from '../../tiering/core/clock.js';
import { STUDY_LEVEL } from './requests.js';

export interface Plan {
  readonly studies: number;
  readonly instances: number;
  readonly bytes: number;
  /** Of the studies, those that are wholly on a volume. */
  readonly online: number;
  /** More studies are selected than were looked at. */
  readonly more: boolean;
  /** Of a delete: studies of which nothing may be deleted. Then nothing at all is. */
  readonly refused?: readonly Refusal[];
}

const STUDIES_MAX = 1000;
const PLAN_MS_MAX = 20_000;
const PAGE = 100;

export async function planOf(archive: Archive, selection: Selection, clock: Clock): Promise<Plan> {
  const until = clock.monotonicMs() + PLAN_MS_MAX;
  const plan = { studies: 0, instances: 0, bytes: 0, online: 0, more: false };
  let looked = 0;
  for await (const row of selectedRows(archive, selection)) {
    if (looked >= STUDIES_MAX || clock.monotonicMs() > until) return { ...plan, more: true };
    looked += 1;
    let instances = 0;
    let bytes = 0;
    let lastArrivedMs = 0;
    for await (const instance of archive.instances({ study: row.study })) {
      instances += 1;
      bytes += instance.end - instance.start;
      lastArrivedMs = Math.max(lastArrivedMs, instance.arrivedMs);
    }
    if (selection.arrivedBeforeMs !== undefined && lastArrivedMs >= selection.arrivedBeforeMs) continue;
    plan.studies += 1;
    plan.instances += instances;
    plan.bytes += bytes;
    if (row.online) plan.online += 1;
  }
  return plan;
}

async function* selectedRows(archive: Archive, selection: Selection): AsyncIterable<QueryRow> {
  for (const study of selection.studies ?? []) {
    yield* (await archive.query({ ...STUDY_LEVEL, study, limit: 1 })).rows;
  }
  const spec = selection.query ?? (selection.all ? STUDY_LEVEL : undefined);
  if (spec === undefined) return;
  for (let offset = 0; ; offset += PAGE) {
    const page = await archive.query({ ...spec, limit: PAGE, offset });
    yield* page.rows;
    if (!page.more) return;
  }
}
