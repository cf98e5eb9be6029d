// Runs a query: studies newest first, their series and instances in reading order, each held against the keys until
// the page is full. Exact paging over distinct rows, whatever level the keys are of.
import type { Database, Statement } from 'better-sqlite3';
import { type DicomJsonObject, matchesAll } from '../../../dicom/match/matching.js';
import { ArchiveError } from '../../core/errors.js';
import type { AttributeMatch, QueryPage, QueryRow, QuerySpec } from '../index.js';
import type { QueryClock } from './query-clock.js';
import type { QueryPlan } from './query-conditions.js';
import { planQuery } from './query-plan.js';
import {
  computedOfSeries,
  computedOfStudy,
  type Found,
  type LeafRow,
  RowBuilder,
  type SeriesRow,
  type StudyRow,
} from './query-row.js';
import type { MetadataReader } from './read-metadata.js';

/** Rows that one page may have. */
export const QUERY_ROWS_MAX = 10_000;
/** A count of all matches beside a page may take this long; then the page comes without it. */
const COUNT_MS = 50;
/** The time is looked at for every 64th study that SQL goes over: the call costs more than most conditions. */
const ON_TIME = '((s.id & 63) <> 0 OR on_time())';
/** Characters of attributes that one page may have: `include` of everything is large. */
const PAGE_CHARACTERS_MAX = 64 * 1024 * 1024;
/** Studies that one query may be restricted to: they are bound as one text of some 700 KB. */
const STUDIES_MAX = 10_000;
/** Keys that one query may have. */
const KEYS_MAX = 200;

export class QueryEngine {
  readonly #db: Database;
  readonly #clock: QueryClock;
  readonly #rows: RowBuilder;

  constructor(db: Database, clock: QueryClock, metadata: MetadataReader) {
    this.#db = db;
    this.#clock = clock;
    this.#rows = new RowBuilder(db, metadata);
  }

  run(spec: QuerySpec): QueryPage {
    checkBounds(spec);
    this.#rows.forget();
    try {
      return this.#run(spec);
    } finally {
      this.#rows.forget();
    }
  }

  #run(spec: QuerySpec): QueryPage {
    const page = new PageCollector(spec);
    const search = new Search(this.#db, this.#clock, this.#rows, spec, page);
    search.run();
    let characters = 0;
    const rows: QueryRow[] = [];
    for (const found of page.found) {
      this.#clock.tick();
      const row = this.#rows.build(found, spec.include);
      characters += row.attributes.length;
      // A shorter page, and not none: who asked goes on behind it.
      if (characters > PAGE_CHARACTERS_MAX && rows.length > 0) break;
      rows.push(row);
    }
    const total = spec.count === true ? search.total() : null;
    return { rows, more: page.more || rows.length < page.found.length, ...(total === null ? {} : { total }) };
  }
}

function checkBounds(spec: QuerySpec): void {
  for (const [name, value] of [
    ['limit', spec.limit],
    ['offset', spec.offset],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new ArchiveError('INVALID', `${name} must be a whole number of 0 or more`);
    }
  }
  if (spec.limit > QUERY_ROWS_MAX) {
    throw new ArchiveError('LIMIT', `limit is at most ${QUERY_ROWS_MAX} rows; ask for the rest by offset`);
  }
  if ((spec.studies?.length ?? 0) > STUDIES_MAX) {
    throw new ArchiveError('LIMIT', `a query is restricted to at most ${STUDIES_MAX} studies`);
  }
  if (spec.matches.length > KEYS_MAX) throw new ArchiveError('LIMIT', `a query has at most ${KEYS_MAX} keys`);
}

class PageCollector {
  readonly found: Found[] = [];
  /** The page is full and more follows. */
  more = false;
  #skip: number;
  readonly #limit: number;
  readonly #offset: number;

  constructor(spec: QuerySpec) {
    this.#skip = spec.offset;
    this.#offset = spec.offset;
    this.#limit = spec.limit;
  }

  /** All rows that match, when the search came to its end; null while it did not. */
  get total(): number | null {
    return this.more ? null : this.#offset - this.#skip + this.found.length;
  }

  /** Skips `count` rows at once if they all lie before the page. */
  skips(count: number): boolean {
    if (count > this.#skip) return false;
    this.#skip -= count;
    return true;
  }

  /** True when the page is full and it is known that more follows. */
  take(found: Found): boolean {
    if (this.skips(1)) return false;
    if (this.found.length === this.#limit) {
      this.more = true;
      return true;
    }
    this.found.push(found);
    return false;
  }
}

const STUDY_COLUMNS = `s.id, s.uid, s.lead, s.text, s.series, s.instances, s.modalities, s.classes, s.packs, s.packs_hot`;

/** One query under way. */
class Search {
  readonly #db: Database;
  readonly #clock: QueryClock;
  readonly #builder: RowBuilder;
  readonly #spec: QuerySpec;
  readonly #page: PageCollector;
  readonly #plan: QueryPlan;
  readonly #studies: Statement<unknown[], StudyRow>;
  readonly #series: Statement<unknown[], SeriesRow>;
  readonly #instances: Statement<unknown[], LeafRow>;

  constructor(db: Database, clock: QueryClock, builder: RowBuilder, spec: QuerySpec, page: PageCollector) {
    this.#db = db;
    this.#clock = clock;
    this.#builder = builder;
    this.#spec = spec;
    this.#page = page;
    this.#plan = planQuery(db, spec);
    this.#studies = db.prepare(
      `SELECT ${STUDY_COLUMNS} FROM studies s
       WHERE ${ON_TIME} AND ${this.#plan.whereStudy.sql} ORDER BY s.date DESC, s.uid`,
    );
    this.#series = db.prepare(
      `SELECT e.id, e.uid, e.lead, e.text, e.instances FROM series e
       WHERE on_time() AND e.study = ? AND ${this.#plan.whereSeries.sql} ORDER BY e.number, e.uid`,
    );
    this.#instances = db.prepare(
      `SELECT i.id, i.sop FROM instances i
       WHERE on_time() AND i.series = ? AND ${this.#plan.whereInstance.sql} ORDER BY i.number, i.sop`,
    );
  }

  /** How many rows match in all; null when only looking at each of them would tell, or takes longer than COUNT_MS. */
  total(): number | null {
    const known = this.#page.total;
    if (known !== null) return known;
    const { level } = this.#spec;
    const plan = this.#plan;
    if (plan.study.length > 0 || plan.deep.length > 0 || this.#hasSeriesKeys || this.#hasInstanceKeys) return null;
    const what = level === 'study' ? 'count(*)' : level === 'series' ? 'sum(s.series)' : 'sum(s.instances)';
    const { sql, values } = plan.whereStudy;
    const counted = this.#db.prepare<unknown[], { n: number | null }>(
      `SELECT ${what} AS n FROM studies s WHERE ${ON_TIME} AND ${sql}`,
    );
    return this.#clock.within(COUNT_MS, () => counted.get(...values)?.n ?? 0);
  }

  run(): void {
    for (const study of this.#studies.iterate(...this.#plan.whereStudy.values)) {
      if (this.#matchesStudy(study) && this.#takeStudy(study)) return;
    }
  }

  /** Whether some series of a study may not do. */
  get #hasSeriesKeys(): boolean {
    return this.#plan.series.length > 0 || this.#plan.whereSeries.narrows;
  }

  get #hasInstanceKeys(): boolean {
    return this.#plan.instance.length > 0;
  }

  /** True when the page is full. */
  #takeStudy(study: StudyRow): boolean {
    const { level } = this.#spec;
    if (level === 'study') {
      if ((this.#hasSeriesKeys || this.#hasInstanceKeys) && !this.#hasSuchSeries(study)) return false;
      return this.#matchesDeep({ study }) && this.#page.take({ study });
    }
    const plain = !this.#hasSeriesKeys && !this.#hasInstanceKeys && this.#plan.deep.length === 0;
    if (plain && this.#page.skips(level === 'series' ? study.series : study.instances)) return false;
    for (const series of this.#seriesOf(study)) {
      if (this.#takeSeries(study, series)) return true;
    }
    return false;
  }

  #takeSeries(study: StudyRow, series: SeriesRow): boolean {
    if (this.#spec.level === 'series') {
      if (this.#hasInstanceKeys && !this.#hasSuchInstance(series)) return false;
      return this.#matchesDeep({ study, series }) && this.#page.take({ study, series });
    }
    const plain = !this.#hasInstanceKeys && this.#plan.deep.length === 0;
    if (plain && this.#page.skips(series.instances)) return false;
    for (const instance of this.#instancesOf(series)) {
      const found = { study, series, instance };
      if (this.#matchesDeep(found) && this.#page.take(found)) return true;
    }
    return false;
  }

  *#seriesOf(study: StudyRow): Generator<SeriesRow> {
    for (const series of this.#series.iterate(study.id, ...this.#plan.whereSeries.values)) {
      this.#clock.tick();
      if (
        this.#matchesAll(this.#plan.series, () =>
          objectOf(this.#builder.levelText(series.text), computedOfSeries(series)),
        )
      )
        yield series;
    }
  }

  *#instancesOf(series: SeriesRow): Generator<LeafRow> {
    for (const instance of this.#instances.iterate(series.id, ...this.#plan.whereInstance.values)) {
      this.#clock.tick();
      if (this.#matchesAll(this.#plan.instance, () => objectOf(this.#builder.instanceText(instance.id), [])))
        yield instance;
    }
  }

  /** One series must satisfy all keys of its level, one instance in it all of its own. */
  #hasSuchSeries(study: StudyRow): boolean {
    for (const series of this.#seriesOf(study)) {
      if (!this.#hasInstanceKeys || this.#hasSuchInstance(series)) return true;
    }
    return false;
  }

  #hasSuchInstance(series: SeriesRow): boolean {
    // A loop, since leaving it is what closes the statement.
    for (const _ of this.#instancesOf(series)) return true;
    return false;
  }

  #matchesStudy(study: StudyRow): boolean {
    this.#clock.tick();
    return this.#matchesAll(this.#plan.study, () =>
      objectOf(this.#builder.levelText(study.text), computedOfStudy(study)),
    );
  }

  #matchesDeep(found: Found): boolean {
    this.#clock.tick();
    return this.#matchesAll(this.#plan.deep, () => objectOf(this.#builder.fullText(found), []));
  }

  #matchesAll(keys: readonly AttributeMatch[], object: () => DicomJsonObject): boolean {
    if (keys.length === 0) return true;
    return matchesAll(object(), keys, this.#spec);
  }
}

function objectOf(json: string, computed: readonly (readonly [string, string])[]): DicomJsonObject {
  const object = JSON.parse(json) as Record<string, DicomJsonObject[string]>;
  for (const [tag, text] of computed) object[tag] = JSON.parse(text) as DicomJsonObject[string];
  return object;
}
