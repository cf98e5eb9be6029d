// Reading live instances: point look-ups, and pages of a scope in reading order.
import type { Database, Statement } from 'better-sqlite3';
import { ArchiveError } from '../../core/errors.js';
import type { PackId, SeriesUid, Sha256, SopUid, StudyUid } from '../../core/ids.js';
import type { InstanceRecord, Scope } from '../index.js';
import { NO_NUMBER } from './schema.js';

/** Columns of an InstanceRecord; `i` instances, `e` series, `s` studies, `p` packs, `c` and `x` uids. */
const RECORD = `i.id, s.uid AS study, e.uid AS series, i.sop, c.uid AS class, x.uid AS syntax, i.number, i.series_number,
  i.seq, i.arrived_ms, p.uuid AS pack, i.start, i."end" AS stop, i.sha256, i.series AS series_id, i.pack AS pack_id,
  i.bundle, i.meta_start, i.meta_end, e.number AS series_order`;
const TABLES = `instances i JOIN series e ON e.id = i.series JOIN studies s ON s.id = e.study JOIN packs p ON p.id = i.pack
  JOIN uids c ON c.id = i.class JOIN uids x ON x.id = i.syntax`;

export interface InstanceRow {
  readonly id: number;
  readonly study: string;
  readonly series: string;
  readonly sop: string;
  readonly class: string;
  readonly syntax: string;
  readonly number: number;
  readonly series_number: number;
  readonly seq: number;
  readonly arrived_ms: number;
  readonly pack: string;
  readonly start: number;
  readonly stop: number;
  readonly sha256: Uint8Array;
  readonly series_id: number;
  readonly pack_id: number;
  readonly bundle: number | null;
  readonly meta_start: number | null;
  readonly meta_end: number | null;
  readonly series_order: number;
}

/** A place in the reading order of a scope; the page after it is asked for with it. */
export interface Position {
  readonly seriesOrder: number;
  readonly series: string;
  readonly number: number;
  readonly sop: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Null: there is no more. */
  readonly next: Position | null;
}

export function toRecord(row: InstanceRow): InstanceRecord {
  return {
    study: row.study as StudyUid,
    series: row.series as SeriesUid,
    sop: row.sop as SopUid,
    sopClass: row.class,
    transferSyntax: row.syntax,
    instanceNumber: numberOf(row.number),
    seriesNumber: numberOf(row.series_number),
    seq: row.seq,
    arrivedMs: row.arrived_ms,
    pack: row.pack as PackId,
    start: row.start,
    end: row.stop,
    sha256: Buffer.from(row.sha256).toString('hex') as Sha256,
  };
}

function numberOf(stored: number): number | null {
  return stored === NO_NUMBER ? null : stored;
}

export function positionOf(row: InstanceRow): Position {
  return { seriesOrder: row.series_order, series: row.series, number: row.number, sop: row.sop };
}

/** A position before every other. */
const BEGINNING: Position = { seriesOrder: -NO_NUMBER, series: '', number: -NO_NUMBER, sop: '' };

export class InstanceReader {
  readonly #bySop: Statement<[string], InstanceRow>;
  readonly #layout: Statement<[number], { layout: string }>;
  readonly #seriesAfter: Statement<[string, number, string], { id: number; uid: string }>;
  readonly #oneSeries: Statement<[string, string], { id: number; uid: string }>;
  readonly #instancesAfter: Statement<[number, number, string, number], InstanceRow>;
  readonly #ofPack: Statement<[string], InstanceRow & { layout: string }>;
  readonly #inTrays: Statement<[string], InstanceRow & { layout: string }>;

  constructor(db: Database) {
    this.#bySop = db.prepare(`SELECT ${RECORD} FROM ${TABLES} WHERE i.sop = ?`);
    this.#layout = db.prepare('SELECT layout FROM details WHERE id = ?');
    this.#seriesAfter = db.prepare(
      `SELECT e.id, e.uid FROM series e JOIN studies s ON s.id = e.study
       WHERE s.uid = ? AND (e.number, e.uid) >= (?, ?) ORDER BY e.number, e.uid`,
    );
    this.#oneSeries = db.prepare(
      'SELECT e.id, e.uid FROM series e JOIN studies s ON s.id = e.study WHERE s.uid = ? AND e.uid = ?',
    );
    this.#instancesAfter = db.prepare(
      `SELECT ${RECORD} FROM ${TABLES} WHERE i.series = ? AND (i.number, i.sop) > (?, ?)
       ORDER BY i.number, i.sop LIMIT ?`,
    );
    this.#ofPack = db.prepare(
      `SELECT ${RECORD}, d.layout FROM ${TABLES} JOIN details d ON d.id = i.id WHERE p.uuid = ? ORDER BY i.start, i.sop`,
    );
    this.#inTrays = db.prepare(
      `SELECT ${RECORD}, d.layout FROM ${TABLES} JOIN details d ON d.id = i.id WHERE s.uid = ? AND p.kind = 'tray'
       ORDER BY e.number, e.uid, i.number, i.sop`,
    );
  }

  lookup(sops: readonly SopUid[]): ReadonlyMap<SopUid, InstanceRecord> {
    const found = new Map<SopUid, InstanceRecord>();
    for (const sop of sops) {
      const row = this.#bySop.get(sop);
      if (row !== undefined) found.set(sop, toRecord(row));
    }
    return found;
  }

  /** NOT_FOUND when it is not live, or not where the scope says. */
  instance(scope: Required<Scope>): InstanceRecord & { readonly layout: string } {
    const row = this.rowOf(scope);
    return { ...toRecord(row), layout: this.#layout.get(row.id)?.layout ?? '' };
  }

  rowOf(scope: Required<Scope>): InstanceRow {
    const row = this.#bySop.get(scope.sop);
    if (row === undefined || row.study !== scope.study || row.series !== scope.series) {
      throw new ArchiveError('NOT_FOUND', `the archive has no instance ${scope.sop} in that study and series`);
    }
    return row;
  }

  /** Live rows of the scope after `position`, in reading order, at most `limit`; fewer only at the end. */
  *rowsAfter(scope: Scope, position: Position | null, limit: number): Generator<InstanceRow> {
    if (scope.series !== undefined && scope.sop !== undefined) {
      const row = position === null ? this.#bySop.get(scope.sop) : undefined;
      if (row !== undefined && row.study === scope.study && row.series === scope.series) yield row;
      return;
    }
    const from = position ?? BEGINNING;
    const series =
      scope.series === undefined
        ? this.#seriesAfter.all(scope.study, from.seriesOrder, from.series)
        : this.#oneSeries.all(scope.study, scope.series);
    let left = limit;
    for (const { id, uid } of series) {
      // The position is inside of one series; every later one is read from its beginning.
      const { number, sop } = uid === from.series ? from : BEGINNING;
      const rows = this.#instancesAfter.all(id, number, sop, left);
      yield* rows;
      left -= rows.length;
      if (left <= 0) return;
    }
  }

  page(scope: Scope, position: Position | null, limit: number): Page<InstanceRecord> {
    const rows = [...this.rowsAfter(scope, position, limit)];
    const last = rows[rows.length - 1];
    return {
      items: rows.map(toRecord),
      next: last === undefined || rows.length < limit ? null : positionOf(last),
    };
  }

  rowsOfPack(id: PackId): readonly (InstanceRow & { readonly layout: string })[] {
    return this.#ofPack.all(id);
  }

  rowsInTrays(study: StudyUid): readonly (InstanceRow & { readonly layout: string })[] {
    return this.#inTrays.all(study);
  }
}
