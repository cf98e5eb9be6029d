// Turns a query into what SQL can narrow by. The rows that come of it hold every match and perhaps more: each key is
// still held against the attributes by dicom/matching.ts.
import type { Database } from 'better-sqlite3';
import { levelOfTag } from '../../../dicom/level-attributes.js';
import { nameKeyParts } from '../../../dicom/match-name.js';
import { hasWildcard, trim } from '../../../dicom/match-text.js';
import { keyInterval } from '../../../dicom/match-time.js';
import { isUniversal, tellingValues } from '../../../dicom/matching.js';
import type { AttributeMatch, QuerySpec } from '../index.js';
import { containsExpression, type SearchTokens } from './search-text.js';

export const TAG = {
  modalitiesInStudy: '00080061',
  classesInStudy: '00080062',
  seriesInStudy: '00201206',
  instancesInStudy: '00201208',
  instancesInSeries: '00201209',
} as const;

/** Conditions joined with AND, and what is bound in them, in order. */
export class Conditions {
  readonly #sql: string[] = [];
  readonly values: unknown[] = [];

  add(sql: string, ...values: readonly unknown[]): void {
    this.#sql.push(sql);
    this.values.push(...values);
  }

  /** Whether any row may be left out. */
  get narrows(): boolean {
    return this.#sql.length > 0;
  }

  get sql(): string {
    return this.#sql.length === 0 ? '1' : this.#sql.join(' AND ');
  }
}

export interface QueryPlan {
  /** Keys by the level that they are held against; without those that the conditions below decide by themselves. */
  readonly study: readonly AttributeMatch[];
  readonly series: readonly AttributeMatch[];
  readonly instance: readonly AttributeMatch[];
  /** Keys of no level: held against the full metadata of the row's leading instance. */
  readonly deep: readonly AttributeMatch[];
  /** On `s` (studies), `e` (series) and `i` (instances). */
  readonly whereStudy: Conditions;
  readonly whereSeries: Conditions;
  readonly whereInstance: Conditions;
}

/** Up to so many series of a modality, their studies are listed; more often, each study is asked instead. */
const LISTED_MAX = 5_000;

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
  narrowStudy(plan, oddStudies, settled);
  narrowSeries(db, plan, oddSeries, settled);
  narrowInstance(plan);
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

/** The key of a top-level attribute with the VR that its column was made for. */
function keysOf(keys: readonly AttributeMatch[], tag: string, vr: string): readonly AttributeMatch[] {
  return keys.filter((key) => key.path.length === 1 && key.path[0] === tag && key.vr === vr);
}

function listOf(key: AttributeMatch): string {
  return JSON.stringify(tellingValues(key).map(trim));
}

const LISTED = 'IN (SELECT value FROM json_each(?))';

/** Adds to `settled` the keys for which the condition says no less than dicom/matching.ts would. */
function narrowStudy(plan: QueryPlan, odd: boolean, settled: Set<AttributeMatch>): void {
  const where = plan.whereStudy;
  const orOdd = odd ? 'OR s.odd = 1' : '';
  for (const key of keysOf(plan.study, '0020000D', 'UI')) where.add(`s.uid ${LISTED}`, listOf(key));
  for (const key of keysOf(plan.study, TAG.modalitiesInStudy, 'CS')) {
    if (tellingValues(key).some(hasWildcard)) continue;
    where.add(`EXISTS (SELECT 1 FROM series m WHERE m.study = s.id AND m.modality ${LISTED})`, listOf(key));
    settled.add(key);
  }
  for (const key of keysOf(plan.study, '00080020', 'DA')) {
    const ranges = tellingValues(key).map((value) => keyInterval('DA', value));
    const known = ranges.filter((range) => range !== null);
    if (known.length !== ranges.length) continue;
    const one = "(s.date >= ? AND s.date <= ? AND s.date <> '')";
    where.add(`(${known.map(() => one).join(' OR ')} ${orOdd})`, ...known.flatMap(({ from, to }) => [from, to]));
    if (!odd) settled.add(key);
  }
  const expressions: string[] = [];
  for (const [column, tag, vr] of SEARCHED) {
    for (const key of keysOf(plan.study, tag, vr)) {
      const exact = (column === 'patient' || column === 'accession') && !tellingValues(key).some(hasWildcard);
      if (exact) {
        where.add(`(s.${column} ${LISTED} ${orOdd})`, listOf(key));
        if (!odd) settled.add(key);
      } else expressions.push(...expressionOf(column, key));
    }
  }
  if (expressions.length === 0) return;
  const found = 'SELECT rowid FROM study_search WHERE study_search MATCH ?';
  const oddToo = odd ? ' UNION ALL SELECT id FROM studies WHERE odd = 1' : '';
  where.add(`s.id IN (${found}${oddToo})`, expressions.map((expression) => `(${expression})`).join(' AND '));
}

const SEARCHED: readonly (readonly [keyof SearchTokens, string, string])[] = [
  ['name', '00100010', 'PN'],
  ['referring', '00080090', 'PN'],
  ['description', '00081030', 'LO'],
  ['patient', '00100020', 'LO'],
  ['accession', '00080050', 'SH'],
];

/** One full-text expression that every match of the key satisfies; none when one of its values cannot be looked up. */
function expressionOf(column: keyof SearchTokens, key: AttributeMatch): readonly string[] {
  const any: string[] = [];
  for (const value of tellingValues(key)) {
    const parts = key.vr === 'PN' ? nameKeyParts(value) : trim(value).split(/[*?]+/);
    const all = parts.map((part) => containsExpression(column, part)).filter((expression) => expression !== null);
    if (all.length === 0) return [];
    any.push(`(${all.join(' AND ')})`);
  }
  return [any.join(' OR ')];
}

function narrowSeries(db: Database, plan: QueryPlan, odd: boolean, settled: Set<AttributeMatch>): void {
  for (const key of keysOf(plan.series, '0020000E', 'UI')) {
    plan.whereSeries.add(`e.uid ${LISTED}`, listOf(key));
    plan.whereStudy.add(`s.id IN (SELECT study FROM series WHERE uid ${LISTED})`, listOf(key));
  }
  for (const key of keysOf(plan.series, '00080060', 'CS')) {
    if (tellingValues(key).some(hasWildcard)) continue;
    const list = listOf(key);
    plan.whereSeries.add(`(e.modality ${LISTED} ${odd ? 'OR e.odd = 1' : ''})`, list);
    if (!odd) settled.add(key);
    const oddToo = odd ? 'UNION ALL SELECT study FROM series WHERE odd = 1' : '';
    const listed = `SELECT study FROM series WHERE modality ${LISTED} ${oddToo}`;
    const few = db
      .prepare<[string], { n: number }>(`SELECT count(*) AS n FROM (${listed} LIMIT ${LISTED_MAX})`)
      .get(list);
    if ((few?.n ?? 0) < LISTED_MAX) plan.whereStudy.add(`s.id IN (${listed})`, list);
    else if (!odd) {
      plan.whereStudy.add(`EXISTS (SELECT 1 FROM series m WHERE m.study = s.id AND m.modality ${LISTED})`, list);
    }
  }
}

function narrowInstance(plan: QueryPlan): void {
  for (const key of keysOf(plan.instance, '00080018', 'UI')) {
    const list = listOf(key);
    plan.whereInstance.add(`i.sop ${LISTED}`, list);
    plan.whereSeries.add(`e.id IN (SELECT series FROM instances WHERE sop ${LISTED})`, list);
    plan.whereStudy.add(
      `s.id IN (SELECT e.study FROM instances i JOIN series e ON e.id = i.series WHERE i.sop ${LISTED})`,
      list,
    );
  }
}
