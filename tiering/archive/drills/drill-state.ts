// What of drills outlives the process, in the index: the one that is on, so that whoever starts next ends it, and how the last ones went.
import type { Index } from '../../index/index.js';
import type { DrillKind, DrillReport, DrillResult } from './drill-report.js';

const ON = 'drill.on';
const LAST = 'drill.last';
const KEPT_MAX = 100;

/** A drill that was begun. */
export interface BegunDrill {
  readonly what: DrillKind;
  readonly name: string | null;
  readonly startedMs: number;
  /** Which phantoms were stored. */
  readonly seed: number;
}

/** Durable when it resolves. */
export async function noteBegun(index: Index, drill: BegunDrill): Promise<void> {
  await index.setSetting(ON, JSON.stringify(drill));
  await index.commitDurable();
}

export async function noteEnded(index: Index): Promise<void> {
  await index.setSetting(ON, '');
  await index.commitDurable();
}

/** The one that was on when the process before this one ended; null when none was. */
export async function begunDrill(index: Index): Promise<BegunDrill | null> {
  const text = (await index.setting(ON)) ?? '';
  return text === '' ? null : (JSON.parse(text) as BegunDrill);
}

/** How the last drill of each kind and name went, the newest first. */
export async function lastDrills(index: Index): Promise<readonly DrillResult[]> {
  const text = await index.setting(LAST);
  return text === undefined ? [] : (JSON.parse(text) as readonly DrillResult[]);
}

export async function noteResult(index: Index, report: DrillReport): Promise<void> {
  const { what, name, startedAt, outcome, rto } = report;
  const others = (await lastDrills(index)).filter((one) => one.what !== what || one.name !== name);
  const all = [{ what, name, startedAt, outcome, rto, report: report.report }, ...others];
  await index.setSetting(LAST, JSON.stringify(all.slice(0, KEPT_MAX)));
}
