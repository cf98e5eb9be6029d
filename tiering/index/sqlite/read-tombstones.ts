// Reading deletes: pages of what a tray holds, or of what replicas lack.
import type { Database } from 'better-sqlite3';
import type { ObjectKey, PackId, ReplicaName, Sha256, SopUid, StudyUid } from '../../core/ids.js';
import type { StudyHold } from '../../format/types.js';
import type { StoredTombstone, TombstoneFilter } from '../index.js';

interface Row {
  readonly id: number;
  readonly seq: number;
  readonly name: string;
  readonly object: Uint8Array;
  readonly tray: string | null;
  readonly hold: string | null;
}

export interface TombstonePage {
  readonly items: readonly StoredTombstone[];
  /** Where the next page begins; null when there is none. */
  readonly next: number | null;
}

/** Of a delete `t`, how many of the replicas in a JSON array hold it. */
export const HELD_OF_RECORD = `SELECT count(*) FROM tombstone_placements l JOIN replicas r ON r.id = l.replica
  WHERE l.record = t.id AND r.name IN (SELECT value FROM json_each(?))`;

/**
 * SQL that leaves out deletes which lack no replica for sure, by an index: those with as many placements as replicas were ever
 * known. Nothing when one of `replicas` was never seen.
 */
export function perhapsLacking(db: Database, replicas: readonly ReplicaName[]): string {
  const { known, named } = db
    .prepare<[string], { known: number; named: number }>(
      `SELECT count(*) AS known, coalesce(sum(name IN (SELECT value FROM json_each(?))), 0) AS named FROM replicas`,
    )
    .get(JSON.stringify(replicas)) ?? { known: 0, named: 0 };
  return named === new Set(replicas).size ? `t.placements < ${known}` : '1';
}

/** Each is up to 140 kB of entries and as much of object. */
const PAGE = 50;

export class TombstoneReader {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** One page, after the record `after`. */
  page(filter: TombstoneFilter, after: number): TombstonePage {
    const conditions = ['t.id > ?'];
    const values: unknown[] = [after];
    if (filter.tray !== undefined) {
      conditions.push('t.tray = ?');
      values.push(filter.tray);
    }
    if (filter.lackingOn !== undefined) {
      conditions.push(perhapsLacking(this.#db, filter.lackingOn), `(${HELD_OF_RECORD}) < ?`);
      values.push(JSON.stringify(filter.lackingOn), new Set(filter.lackingOn).size);
    }
    const rows = this.#db
      .prepare<unknown[], Row>(
        `SELECT t.id, t.seq, t.name, t.object, t.tray, t.hold FROM tombstone_records t WHERE ${conditions.join(' AND ')}
         ORDER BY t.id LIMIT ${PAGE}`,
      )
      .all(...values);
    return {
      items: rows.map((row) => this.#record(row)),
      next: rows.length < PAGE ? null : (rows.at(-1)?.id ?? null),
    };
  }

  #record(row: Row): StoredTombstone {
    const entries = this.#db
      .prepare<[number], { sop: string; sha256: Buffer }>(
        'SELECT sop, sha256 FROM tombstones WHERE record = ? ORDER BY sop, sha256',
      )
      .all(row.id)
      .map(({ sop, sha256 }) => ({ sop: sop as SopUid, sha256: sha256.toString('hex') as Sha256 }));
    const replicas = this.#db
      .prepare<[number], string>(
        `SELECT r.name FROM tombstone_placements l JOIN replicas r ON r.id = l.replica WHERE l.record = ? ORDER BY r.name`,
      )
      .pluck()
      .all(row.id) as ReplicaName[];
    return {
      seq: row.seq,
      entries,
      name: row.name as ObjectKey,
      object: new Uint8Array(row.object.buffer, row.object.byteOffset, row.object.length),
      tray: row.tray as PackId | null,
      replicas,
      ...(row.hold === null ? {} : { hold: parseHold(row.hold) }),
    };
  }

  /** As Index.holds. */
  holds(studies: readonly StudyUid[] | undefined): readonly StudyHold[] {
    const among = studies === undefined ? '' : 'AND study IN (SELECT value FROM json_each(?))';
    return this.#db
      .prepare<unknown[], { study: StudyUid; atMs: number; reason: string }>(
        `SELECT study, at_ms AS atMs, reason FROM holds WHERE held = 1 ${among} ORDER BY study`,
      )
      .all(...(studies === undefined ? [] : [JSON.stringify(studies)]))
      .map((row) => ({ ...row, held: true }));
  }
}

function parseHold(text: string): StudyHold {
  const [study, held, atMs, reason] = JSON.parse(text) as [StudyUid, boolean, number, string];
  return { study, held, atMs, reason };
}
