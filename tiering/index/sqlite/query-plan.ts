// Turns a query into what SQL can narrow by. The rows that come of it hold every match and perhaps more: each key is
// still held against the attributes by dicom/match/matching.ts.
import type { Database } from 'better-sqlite3';
import { levelOfTag } from '../../../dicom/level-attributes.js';
import { isUniversal } from '../../../dicom/match/matching.js';
import type { AttributeMatch, QuerySpec } from '../index.js';
import { Conditions, type QueryPlan, TAG } from './query-conditions.js';
import { LISTED, narrowInstance, narrowSeries, narrowStudy } from './query-narrow.js';

export function planQuery(db: Database, spec: QuerySpec): QueryPlan {
  const keys = spec.matches.filter((key) => !isUniversal(key));
  const at = (level: string) => keys.filter((key) => levelOfKey(key) === level);
  const plan: QueryPlan = {
    study: at('study'),
    series: at('series'),
    instance: at('instance'),
    deep: at('deep'),
    whereStudy: new Conditions(),
    whereSeries: new Conditions(),
    whereInstance: new Conditions(),
  };
  // Rows whose columns do not stand for their values are never left out; there are hardly ever any.
  const oddStudies = db.prepare('SELECT 1 FROM studies WHERE odd = 1 LIMIT 1').get() !== undefined;
  const oddSeries = db.prepare('SELECT 1 FROM series WHERE odd = 1 LIMIT 1').get() !== undefined;
  if (spec.studies !== undefined) plan.whereStudy.add(`s.uid ${LISTED}`, JSON.stringify(spec.studies));
  if (spec.study !== undefined) plan.whereStudy.add('s.uid = ?', spec.study);
  if (spec.series !== undefined) {
    plan.whereSeries.add('e.uid = ?', spec.series);
    plan.whereStudy.add('s.id IN (SELECT study FROM series WHERE uid = ?)', spec.series);
  }
  const settled = new Set<AttributeMatch>();
  narrowStudy(plan, spec.fuzzy, oddStudies, settled);
  narrowSeries(db, plan, oddSeries, settled);
  narrowInstance(plan, settled);
  const open = (of: readonly AttributeMatch[]) => of.filter((key) => !settled.has(key));
  return { ...plan, study: open(plan.study), series: open(plan.series) };
}

/** Which object a key is held against. */
function levelOfKey(key: AttributeMatch): 'study' | 'series' | 'instance' | 'deep' {
  const [tag] = key.path;
  if (tag === TAG.instancesInSeries) return 'series';
  if (tag === TAG.modalitiesInStudy || tag === TAG.classesInStudy) return 'study';
  if (tag === TAG.seriesInStudy || tag === TAG.instancesInStudy) return 'study';
  return (tag === undefined ? undefined : levelOfTag(Number.parseInt(tag, 16))) ?? 'deep';
}
