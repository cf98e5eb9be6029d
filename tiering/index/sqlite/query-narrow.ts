// The conditions of a query in SQL, level by level: by columns, by the full-text tables, and by what the stored text of a level
// must contain. A condition may let too much through, never too little.
import type { Database } from 'better-sqlite3';
import { nameKeyParts } from '../../../dicom/match/match-name.js';
import { hasWildcard, trim } from '../../../dicom/match/match-text.js';
import { keyInterval } from '../../../dicom/match/match-time.js';
import { tellingValues } from '../../../dicom/match/matching.js';
import type { AttributeMatch } from '../index.js';
import { type Conditions, type QueryPlan, TAG } from './query-conditions.js';
import { containsExpression, fixedTexts, type NameColumns, nameExpression, type SearchTokens } from './search-text.js';

/** Up to so many series of a modality, their studies are listed; more often, each study is asked instead. */
const LISTED_MAX = 5_000;

export const LISTED = 'IN (SELECT value FROM json_each(?))';

/** The key of a top-level attribute with the VR that its column was made for. */
function keysOf(keys: readonly AttributeMatch[], tag: string, vr: string): readonly AttributeMatch[] {
  return keys.filter((key) => key.path.length === 1 && key.path[0] === tag && key.vr === vr && key.empty !== true);
}

function listOf(key: AttributeMatch): string {
  return JSON.stringify(tellingValues(key).map(trim));
}

/** Adds to `settled` the keys for which the condition says no less than dicom/match/matching.ts would. */
export function narrowStudy(plan: QueryPlan, fuzzy: boolean, odd: boolean, settled: Set<AttributeMatch>): void {
  const where = plan.whereStudy;
  const orOdd = odd ? 'OR s.odd = 1' : '';
  for (const key of keysOf(plan.study, '0020000D', 'UI')) where.add(`s.uid ${LISTED}`, listOf(key));
  for (const key of keysOf(plan.study, TAG.modalitiesInStudy, 'CS')) {
    if (tellingValues(key).some(hasWildcard)) continue;
    where.add(`EXISTS (SELECT 1 FROM series m WHERE m.study = s.id AND m.modality ${LISTED})`, listOf(key));
    settled.add(key);
  }
  for (const key of keysOf(plan.study, TAG.classesInStudy, 'UI')) {
    where.add(`EXISTS (SELECT 1 FROM series m JOIN ${CLASSES} WHERE m.study = s.id)`, listOf(key));
  }
  for (const key of keysOf(plan.study, '00080020', 'DA')) {
    const ranges = tellingValues(key).map((value) => keyInterval('DA', value));
    const known = ranges.filter((range) => range !== null);
    if (known.length !== ranges.length) continue;
    const one = "(s.date >= ? AND s.date <= ? AND s.date <> '')";
    where.add(`(${known.map(() => one).join(' OR ')} ${orOdd})`, ...known.flatMap(({ from, to }) => [from, to]));
    if (!odd && key.time === undefined) settled.add(key);
  }
  narrowByWords(plan, fuzzy, odd, settled);
  narrowByText(where, plan.study, settled, '(SELECT t.json FROM texts t WHERE t.id = s.text)');
}

const CLASSES = `series_classes c ON c.series = m.id AND c.class IN (SELECT u.id FROM uids u WHERE u.uid ${LISTED})`;

const SEARCHED: readonly (readonly [keyof SearchTokens, string, string])[] = [
  ['name', '00100010', 'PN'],
  ['referring', '00080090', 'PN'],
  ['description', '00081030', 'LO'],
  ['patient', '00100020', 'LO'],
  ['accession', '00080050', 'SH'],
];

function narrowByWords(plan: QueryPlan, fuzzy: boolean, odd: boolean, settled: Set<AttributeMatch>): void {
  const where = plan.whereStudy;
  const orOdd = odd ? 'OR s.odd = 1' : '';
  const oddToo = odd ? ' UNION ALL SELECT id FROM studies WHERE odd = 1' : '';
  const expressions: string[] = [];
  for (const [column, tag, vr] of SEARCHED) {
    for (const key of keysOf(plan.study, tag, vr)) {
      const exact = (column === 'patient' || column === 'accession') && !tellingValues(key).some(hasWildcard);
      if (exact) {
        where.add(`(s.${column} ${LISTED} ${orOdd})`, listOf(key));
        if (!odd) settled.add(key);
        continue;
      }
      const expression = expressionOf(column, key);
      if (expression === null) continue;
      if (!fuzzy || (column !== 'name' && column !== 'referring')) {
        expressions.push(expression);
        continue;
      }
      const names = fuzzyExpressionOf(column, key);
      // Those that have no tokens of names yet are all looked at.
      const left = `UNION ALL SELECT id FROM studies WHERE id <= (SELECT value FROM counters WHERE name = 'names_left')`;
      if (names !== null) {
        where.add(`s.id IN (${FOUND} UNION ALL ${FOUND_NAMES} ${left} ${oddToo})`, expression, names);
      }
    }
  }
  if (expressions.length === 0) return;
  where.add(`s.id IN (${FOUND}${oddToo})`, expressions.map((expression) => `(${expression})`).join(' AND '));
}

const FOUND = 'SELECT rowid FROM study_search WHERE study_search MATCH ?';
const FOUND_NAMES = 'SELECT rowid FROM study_names WHERE study_names MATCH ?';

/** One full-text expression that every match of the key satisfies; null when one of its values cannot be looked up. */
function expressionOf(column: keyof SearchTokens, key: AttributeMatch): string | null {
  const any: string[] = [];
  for (const value of tellingValues(key)) {
    const parts = key.vr === 'PN' ? nameKeyParts(value) : trim(value).split(/[*?]+/);
    const all = parts.map((part) => containsExpression(column, part)).filter((expression) => expression !== null);
    if (all.length === 0) return null;
    any.push(`(${all.join(' AND ')})`);
  }
  return any.join(' OR ');
}

function fuzzyExpressionOf(column: keyof NameColumns, key: AttributeMatch): string | null {
  const any = tellingValues(key).map((value) => nameExpression(column, value));
  return any.includes(null) ? null : any.map((one) => `(${one})`).join(' OR ');
}

export function narrowSeries(db: Database, plan: QueryPlan, odd: boolean, settled: Set<AttributeMatch>): void {
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
  narrowByText(plan.whereSeries, plan.series, settled, '(SELECT t.json FROM texts t WHERE t.id = e.text)');
  const open = plan.series.filter((key) => !settled.has(key));
  for (const { sql, values } of textConditions(open, 't.json')) {
    plan.whereStudy.add(
      `EXISTS (SELECT 1 FROM series m JOIN texts t ON t.id = m.text WHERE m.study = s.id AND ${sql})`,
      ...values,
    );
  }
}

export function narrowInstance(plan: QueryPlan, settled: ReadonlySet<AttributeMatch>): void {
  for (const key of keysOf(plan.instance, '00080018', 'UI')) {
    const list = listOf(key);
    plan.whereInstance.add(`i.sop ${LISTED}`, list);
    plan.whereSeries.add(`e.id IN (SELECT series FROM instances WHERE sop ${LISTED})`, list);
    plan.whereStudy.add(
      `s.id IN (SELECT e.study FROM instances i JOIN series e ON e.id = i.series WHERE i.sop ${LISTED})`,
      list,
    );
  }
  const open = plan.instance.filter((key) => !settled.has(key));
  for (const { sql, values } of textConditions(open, 'd.attributes')) {
    const among = 'instances i JOIN details d ON d.id = i.id';
    plan.whereSeries.add(`EXISTS (SELECT 1 FROM ${among} WHERE i.series = e.id AND ${sql})`, ...values);
    plan.whereStudy.add(
      `EXISTS (SELECT 1 FROM series m JOIN ${among} WHERE i.series = m.id AND m.study = s.id AND ${sql})`,
      ...values,
    );
  }
  narrowByText(plan.whereInstance, plan.instance, settled, '(SELECT d.attributes FROM details d WHERE d.id = i.id)');
}

function narrowByText(
  where: Conditions,
  keys: readonly AttributeMatch[],
  settled: ReadonlySet<AttributeMatch>,
  text: string,
): void {
  const open = keys.filter((key) => !settled.has(key));
  for (const { sql, values } of textConditions(open, text)) where.add(sql, ...values);
}

/** What has no column: the stored text must contain what the value says, which SQLite finds out without parsing it. */
function textConditions(
  keys: readonly AttributeMatch[],
  text: string,
): readonly { readonly sql: string; readonly values: readonly string[] }[] {
  const conditions: { readonly sql: string; readonly values: readonly string[] }[] = [];
  for (const key of keys) {
    if (key.empty === true || COMPUTED.has(key.path[0] ?? '')) continue;
    const parts = tellingValues(key).map((value) => fixedTexts(key.vr, value));
    if (parts.some((part) => part.length === 0)) continue;
    const values = parts.flat();
    conditions.push({ sql: `(${values.map(() => `instr(${text}, ?) > 0`).join(' OR ')})`, values });
  }
  return conditions;
}

const COMPUTED: ReadonlySet<string> = new Set(Object.values(TAG));
