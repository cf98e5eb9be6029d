// The rows of series and studies as a pure function of the live instances: each level's attributes are those
// that came with its live instance of the lowest seq (SOP Instance UID where seqs are equal).
import type { Database, Statement } from 'better-sqlite3';
import { seriesColumns, studyColumns } from './search-text.js';

export interface Newcomer {
  readonly id: number;
  readonly study: number;
  readonly series: number;
  readonly class: number;
  readonly seq: number;
  readonly sop: string;
}

interface SeriesChange {
  readonly study: number;
  instances: number;
  lowest: Newcomer | undefined;
  /** An instance left it: texts may be nobody's now. */
  lost: boolean;
  readonly classes: Map<number, number>;
}

interface StudyChange {
  instances: number;
  lost: boolean;
  /** A series of it has another lead, or came, or went. */
  leads: boolean;
  /** The set of SOP classes of a series changed. */
  classes: boolean;
}

interface Lead {
  readonly id: number;
  readonly seq: number;
  readonly sop: string;
  readonly study_text: number;
  readonly series_text: number;
  readonly series_number: number;
}

type LevelRow = { readonly lead: number; readonly text: number; readonly instances: number };

export class Levels {
  readonly #removed = new Set<number>();
  readonly #series = new Map<number, SeriesChange>();
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.#sql = prepare(db);
  }

  appears(newcomer: Newcomer): void {
    const change = this.#changeOf(newcomer.series, newcomer.study);
    change.instances += 1;
    change.classes.set(newcomer.class, (change.classes.get(newcomer.class) ?? 0) + 1);
    if (change.lowest === undefined || isBefore(newcomer, change.lowest)) change.lowest = newcomer;
  }

  disappears(live: {
    readonly id: number;
    readonly study: number;
    readonly series: number;
    readonly class: number;
  }): void {
    const change = this.#changeOf(live.series, live.study);
    change.instances -= 1;
    change.lost = true;
    change.classes.set(live.class, (change.classes.get(live.class) ?? 0) - 1);
    this.#removed.add(live.id);
  }

  #changeOf(series: number, study: number): SeriesChange {
    let change = this.#series.get(series);
    if (change === undefined) {
      change = { study, instances: 0, lowest: undefined, lost: false, classes: new Map() };
      this.#series.set(series, change);
    }
    return change;
  }

  /** Brings the rows in line. True when a series, a study or a text is gone. */
  flush(): boolean {
    const studies = new Map<number, StudyChange>();
    let gone = false;
    for (const [series, change] of this.#series) {
      let study = studies.get(change.study);
      if (study === undefined) {
        study = { instances: 0, lost: false, leads: false, classes: false };
        studies.set(change.study, study);
      }
      study.instances += change.instances;
      if (change.lost) study.lost = true;
      if (this.#countClasses(series, change)) study.classes = true;
      const outcome = this.#settleSeries(series, change);
      if (outcome !== 'same') study.leads = true;
      if (outcome === 'gone') gone = true;
      else if (change.lost && this.#sql.dropTextsOfNobody(1, series)) gone = true;
    }
    for (const [study, change] of studies) {
      if (this.#settleStudy(study, change)) gone = true;
      else if (change.lost && this.#sql.dropTextsOfNobody(0, study)) gone = true;
    }
    this.discard();
    return gone;
  }

  discard(): void {
    this.#removed.clear();
    this.#series.clear();
  }

  #countClasses(series: number, change: SeriesChange): boolean {
    let changed = false;
    for (const [classId, count] of change.classes) {
      if (count === 0) continue;
      const { instances } = this.#sql.countClass.get(series, classId, count) ?? { instances: 0 };
      if (instances === count) changed = true;
      if (instances <= 0) {
        this.#sql.dropClass.run(series, classId);
        changed = true;
      }
    }
    return changed;
  }

  #settleSeries(id: number, change: SeriesChange): 'same' | 'changed' | 'gone' {
    const sql = this.#sql;
    const row = sql.series.get(id);
    if (row === undefined) return 'same';
    const instances = row.instances + change.instances;
    if (instances === 0) {
      sql.dropSeries.run(id);
      sql.dropTexts.run(1, id);
      return 'gone';
    }
    sql.countSeries.run(instances, id);
    const lead = this.#leadOf(row, change.lowest, () => sql.leadOfSeries.get(id));
    if (lead === undefined) return 'same';
    sql.leadSeries.run(lead.id, lead.series_number, id);
    if (lead.series_text !== row.text) {
      const columns = seriesColumns(sql.text.get(lead.series_text)?.json ?? '{}');
      sql.describeSeries.run(lead.series_text, columns.odd ? 1 : 0, columns.modality, id);
    }
    return 'changed';
  }

  /** The new lead of a series, undefined when it stays. */
  #leadOf(row: LevelRow, lowest: Newcomer | undefined, lookUp: () => Lead | undefined): Lead | undefined {
    if (row.lead === 0 || this.#removed.has(row.lead)) return lookUp();
    if (lowest === undefined) return undefined;
    const present = this.#sql.lead.get(row.lead);
    if (present !== undefined && !isBefore(lowest, present)) return undefined;
    return this.#sql.lead.get(lowest.id) ?? lookUp();
  }

  #settleStudy(id: number, change: StudyChange): boolean {
    const sql = this.#sql;
    const row = sql.study.get(id);
    if (row === undefined) return false;
    const instances = row.instances + change.instances;
    if (instances === 0) {
      sql.dropStudy.run(id);
      sql.dropTexts.run(0, id);
      sql.dropSearch.run(id);
      sql.dropNames.run(id);
      sql.dropSpares.run(id);
      return true;
    }
    sql.countStudy.run(instances, id);
    if (change.classes) sql.classesOfStudy.run(id);
    if (!change.leads) return false;
    sql.seriesOfStudy.run(id);
    const lead = sql.leadOfStudy.get(id);
    if (lead === undefined) return false;
    if (lead.id !== row.lead) sql.leadStudy.run(lead.id, id);
    if (lead.study_text !== row.text) this.#describeStudy(id, lead.study_text);
    return false;
  }

  #describeStudy(id: number, text: number): void {
    const columns = studyColumns(this.#sql.text.get(text)?.json ?? '{}');
    this.#sql.describeStudy.run(text, columns.odd ? 1 : 0, columns.date, columns.accession, columns.patient, id);
    const { search, names } = columns;
    this.#sql.search.run(id, search.name, search.referring, search.description, search.patient, search.accession);
    this.#sql.names.run(id, names.name, names.referring);
  }
}

function isBefore(
  a: { readonly seq: number; readonly sop: string },
  b: { readonly seq: number; readonly sop: string },
): boolean {
  return a.seq < b.seq || (a.seq === b.seq && a.sop < b.sop);
}

function prepare(db: Database) {
  const lead = 'i.id, i.seq, i.sop, i.study_text, i.series_text, i.series_number';
  const prepared = <P extends unknown[], R = unknown>(sql: string): Statement<P, R> =>
    db.prepare<P, R>(sql) as Statement<P, R>;
  const textsOf = prepared<[number, number], { n: number }>(
    'SELECT count(*) AS n FROM texts WHERE level = ? AND owner = ?',
  );
  const unused = 'DELETE FROM texts WHERE level = ? AND owner = ? AND id NOT IN';
  const dropUnused = [
    prepared<[number, number, number]>(
      `${unused} (SELECT i.study_text FROM series e JOIN instances i ON i.series = e.id WHERE e.study = ?)`,
    ),
    prepared<[number, number, number]>(`${unused} (SELECT i.series_text FROM instances i WHERE i.series = ?)`),
  ] as const;
  return {
    /** Drops what only instances that are gone have said of a study (level 0) or a series (1). True when there was something. */
    dropTextsOfNobody: (level: 0 | 1, owner: number): boolean =>
      (textsOf.get(level, owner)?.n ?? 0) > 1 && dropUnused[level].run(level, owner, owner).changes > 0,
    series: prepared<[number], LevelRow>('SELECT lead, text, instances FROM series WHERE id = ?'),
    study: prepared<[number], LevelRow>('SELECT lead, text, instances FROM studies WHERE id = ?'),
    text: prepared<[number], { json: string }>('SELECT json FROM texts WHERE id = ?'),
    lead: prepared<[number], Lead>(`SELECT ${lead} FROM instances i WHERE i.id = ?`),
    leadOfSeries: prepared<[number], Lead>(
      `SELECT ${lead} FROM instances i WHERE i.series = ? ORDER BY i.seq, i.sop LIMIT 1`,
    ),
    leadOfStudy: prepared<[number], Lead>(
      `SELECT ${lead} FROM series e JOIN instances i ON i.id = e.lead WHERE e.study = ? ORDER BY i.seq, i.sop LIMIT 1`,
    ),
    countClass: prepared<[number, number, number], { instances: number }>(
      `INSERT INTO series_classes (series, class, instances) VALUES (?, ?, ?)
       ON CONFLICT (series, class) DO UPDATE SET instances = instances + excluded.instances RETURNING instances`,
    ),
    dropClass: prepared<[number, number]>('DELETE FROM series_classes WHERE series = ? AND class = ?'),
    dropTexts: prepared<[number, number]>('DELETE FROM texts WHERE level = ? AND owner = ?'),
    dropSeries: prepared<[number]>('DELETE FROM series WHERE id = ?'),
    countSeries: prepared<[number, number]>('UPDATE series SET instances = ? WHERE id = ?'),
    leadSeries: prepared<[number, number, number]>('UPDATE series SET lead = ?, number = ? WHERE id = ?'),
    describeSeries: prepared<[number, number, string | null, number]>(
      'UPDATE series SET text = ?, odd = ?, modality = ? WHERE id = ?',
    ),
    dropStudy: prepared<[number]>('DELETE FROM studies WHERE id = ?'),
    dropSearch: prepared<[number]>('DELETE FROM study_search WHERE rowid = ?'),
    dropNames: prepared<[number]>('DELETE FROM study_names WHERE rowid = ?'),
    dropSpares: prepared<[number]>('DELETE FROM spares WHERE study = ?'),
    countStudy: prepared<[number, number]>('UPDATE studies SET instances = ? WHERE id = ?'),
    leadStudy: prepared<[number, number]>('UPDATE studies SET lead = ? WHERE id = ?'),
    seriesOfStudy: prepared<[number]>(
      `UPDATE studies SET series = (SELECT count(*) FROM series e WHERE e.study = studies.id), modalities = (
         SELECT coalesce(json_group_array(modality), '[]') FROM (
           SELECT DISTINCT e.modality FROM series e WHERE e.study = studies.id AND e.modality IS NOT NULL ORDER BY 1))
       WHERE id = ?`,
    ),
    classesOfStudy: prepared<[number]>(
      `UPDATE studies SET classes = (SELECT coalesce(json_group_array(uid), '[]') FROM (
         SELECT DISTINCT u.uid FROM series e JOIN series_classes c ON c.series = e.id JOIN uids u ON u.id = c.class
         WHERE e.study = studies.id ORDER BY 1)) WHERE id = ?`,
    ),
    describeStudy: prepared<[number, number, string, string | null, string | null, number]>(
      'UPDATE studies SET text = ?, odd = ?, date = ?, accession = ?, patient = ? WHERE id = ?',
    ),
    search: prepared<[number, string, string, string, string, string]>(
      `INSERT OR REPLACE INTO study_search (rowid, name, referring, description, patient, accession) VALUES (?, ?, ?, ?, ?, ?)`,
    ),
    names: prepared<[number, string, string]>(
      'INSERT OR REPLACE INTO study_names (rowid, name, referring) VALUES (?, ?, ?)',
    ),
  };
}
