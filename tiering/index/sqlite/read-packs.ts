// Reading packs: one by its id, pages of a mover's filter, damage, and what is left to file.
import type { Database, Statement } from 'better-sqlite3';
import type { ObjectKey, PackId, ReplicaName, StudyUid, VolumeName } from '../../core/ids.js';
import type { PackKind, PackSeal } from '../../format/types.js';
import type { ChunkException, HotState, PackFilter, PackRecord, UnfiledStudy } from '../index.js';
import { protectionOf } from './read-protection.js';

interface PackRow {
  readonly id: number;
  readonly uuid: string;
  readonly kind: string;
  readonly bytes: number;
  readonly created_ms: number;
  readonly accessed_ms: number;
  readonly hot: string;
  readonly volume: string | null;
  readonly manifest_name: string | null;
  readonly manifest_generation: number | null;
  readonly live_instances: number;
  readonly live_bytes: number;
}

interface SealRow {
  readonly suite: number;
  readonly kek_id: string;
  readonly wrap_salt: Uint8Array;
  readonly wrapped_dek: Uint8Array;
  readonly dek_id: Uint8Array;
}

interface ChunkRow {
  readonly bytes: number;
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;
  readonly name: string | null;
}

/** Where a page of packs ended. */
export interface PackPosition {
  readonly ms: number;
  readonly uuid: string;
}

export interface PackPage {
  readonly items: readonly PackRecord[];
  readonly next: PackPosition | null;
}

/** Packs that one page holds. */
const PAGE_PACKS = 256;
/** A study with more hot packs than this has its small ones merged... */
const HOT_PACKS_MAX = 8;
/** ...those up to this size. */
const SMALL_PACK_BYTES = 64 * 1024 * 1024;
/** Up to so many candidates are sorted; more are found by walking the packs in order. */
const SORTED_MAX = 10_000;

export class PackReader {
  readonly #db: Database;
  readonly #one: Statement<[string], PackRow>;
  readonly #seal: Statement<[number], SealRow>;
  readonly #chunks: Statement<[number], ChunkRow>;
  readonly #placements: Statement<[number], { replica: string; verified_ms: number }>;
  readonly #exceptions: Statement<[], ChunkException>;
  readonly #exceptionsOf: Statement<[string], ChunkException>;
  readonly #unfiled: Statement<[], { [K in keyof UnfiledStudy]: UnfiledStudy[K] }>;

  constructor(db: Database) {
    this.#db = db;
    this.#one = db.prepare('SELECT * FROM packs WHERE uuid = ?');
    this.#seal = db.prepare('SELECT * FROM seals WHERE pack = ?');
    this.#chunks = db.prepare('SELECT bytes, salt, commitment, name FROM chunks WHERE pack = ? ORDER BY number');
    this.#placements = db.prepare(
      'SELECT r.name AS replica, l.verified_ms FROM placements l JOIN replicas r ON r.id = l.replica WHERE l.pack = ? ORDER BY r.name',
    );
    const columns = 'pack, chunk, replica, fault';
    this.#exceptions = db.prepare(`SELECT ${columns} FROM exceptions ORDER BY pack, chunk, replica`);
    this.#exceptionsOf = db.prepare(`SELECT ${columns} FROM exceptions WHERE pack = ? ORDER BY chunk, replica`);
    this.#unfiled = db.prepare(
      `SELECT s.uid AS study, sum(u.instances) AS instances, sum(u.bytes) AS bytes, min(u.first_ms) AS firstMs,
         max(u.last_ms) AS lastMs
       FROM (
         SELECT x.* FROM packs p JOIN study_packs x ON x.pack = p.id WHERE p.kind = 'tray'
         UNION ALL
         SELECT x.* FROM studies m JOIN study_packs x ON x.study = m.id JOIN packs p ON p.id = x.pack
         WHERE m.packs_hot > ${HOT_PACKS_MAX} AND p.kind = 'pack' AND p.hot = 'present' AND p.bytes <= ${SMALL_PACK_BYTES}
           AND (SELECT count(*) FROM study_packs y JOIN packs q ON q.id = y.pack WHERE y.study = m.id
                AND q.kind = 'pack' AND q.hot = 'present' AND q.bytes <= ${SMALL_PACK_BYTES}) > ${HOT_PACKS_MAX}
       ) u JOIN studies s ON s.id = u.study GROUP BY u.study ORDER BY firstMs, study`,
    );
  }

  pack(id: PackId): PackRecord | undefined {
    const row = this.#one.get(id);
    return row === undefined ? undefined : this.#record(row);
  }

  #record(row: PackRow): PackRecord {
    return {
      id: row.uuid as PackId,
      kind: row.kind as PackKind,
      bytes: row.bytes,
      createdMs: row.created_ms,
      hot: row.hot as HotState,
      volume: row.volume as VolumeName | null,
      seal: this.#sealOf(row.id),
      manifest:
        row.manifest_name === null
          ? null
          : { name: row.manifest_name as ObjectKey, generation: row.manifest_generation ?? 0 },
      placements: this.#placements
        .all(row.id)
        .map(({ replica, verified_ms }) => ({ replica: replica as ReplicaName, verifiedMs: verified_ms })),
      liveInstances: row.live_instances,
      liveBytes: row.live_bytes,
    };
  }

  #sealOf(pack: number): PackSeal | null {
    const row = this.#seal.get(pack);
    if (row === undefined) return null;
    return {
      suite: row.suite,
      kekId: row.kek_id,
      wrapSalt: plain(row.wrap_salt),
      wrappedDek: plain(row.wrapped_dek),
      dekId: plain(row.dek_id),
      chunks: this.#chunks.all(pack).map((chunk) => ({
        bytes: chunk.bytes,
        salt: plain(chunk.salt),
        commitment: plain(chunk.commitment),
        name: chunk.name as ObjectKey | null,
      })),
    };
  }

  /** One page of the packs that the filter asks for, in its order, after `position`. */
  page(filter: PackFilter, position: PackPosition | null, limit: number): PackPage {
    const wanted = Math.min(limit, PAGE_PACKS);
    const order = filter.order === 'accessed' || filter.order === 'recent' ? 'accessed_ms' : 'created_ms';
    const [beyond, way] = filter.order === 'recent' ? ['<', 'DESC'] : ['>', 'ASC'];
    const { conditions, values } = this.#conditions(filter);
    if (position !== null) {
      conditions.push(`(p.${order}, p.uuid) ${beyond} (?, ?)`);
      values.push(position.ms, position.uuid);
    }
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    // Few are empty, and they have an index of their own: left to itself SQLite goes through all that there are.
    const few = filter.empty === true || filter.dispensable !== undefined;
    const from = few ? 'packs p INDEXED BY packs_empty' : 'packs p';
    const sql = `SELECT p.* FROM ${from} ${where} ORDER BY p.${order} ${way}, p.uuid ${way} LIMIT ?`;
    const rows = this.#db.prepare<unknown[], PackRow>(sql).all(...values, wanted);
    const last = rows[rows.length - 1];
    const ended = last === undefined || rows.length < wanted || rows.length >= limit;
    return {
      items: rows.map((row) => this.#record(row)),
      next: ended ? null : { ms: last[order], uuid: last.uuid },
    };
  }

  #conditions(filter: PackFilter): { readonly conditions: string[]; readonly values: unknown[] } {
    const conditions: string[] = [];
    const values: unknown[] = [];
    const add = (condition: string, ...bound: readonly unknown[]) => {
      conditions.push(condition);
      values.push(...bound);
    };
    if (filter.study !== undefined) {
      add('p.id IN (SELECT x.pack FROM study_packs x JOIN studies s ON s.id = x.study WHERE s.uid = ?)', filter.study);
    }
    if (filter.ids !== undefined) add('p.uuid IN (SELECT value FROM json_each(?))', JSON.stringify(filter.ids));
    if (filter.kind !== undefined) add('p.kind = ?', filter.kind);
    if (filter.hot !== undefined) add('p.hot IN (SELECT value FROM json_each(?))', JSON.stringify(filter.hot));
    if (filter.volume !== undefined) add('p.volume = ?', filter.volume);
    if (filter.placementsMin !== undefined) add('p.placements >= ?', filter.placementsMin);
    if (filter.createdBeforeMs !== undefined) add('p.created_ms < ?', filter.createdBeforeMs);
    if (filter.empty !== undefined) add(filter.empty ? 'p.live_instances = 0' : 'p.live_instances > 0');
    if (filter.dispensable !== undefined) {
      const { lacking } = protectionOf(this, filter.dispensable);
      const poor = `${lacking.sql} AND (o.placements > 0 OR p.hot NOT IN ('open', 'present'))`;
      // A copy of what lives elsewhere; and one that a delete ended, of bytes that were stored again since.
      add(
        `p.live_instances = 0
         AND p.id NOT IN (
           SELECT x.pack FROM spares x JOIN packs o ON o.id = x.pack
             JOIN study_packs y ON y.study = x.study JOIN packs p ON p.id = y.pack WHERE ${poor})
         AND p.id NOT IN (
           SELECT o.id FROM packs o CROSS JOIN erasures e ON e.pack = o.uuid
             JOIN instances i ON i.sop = e.sop AND i.sha256 = e.sha256 JOIN packs p ON p.id = i.pack
           WHERE o.live_instances = 0 AND ${poor})`,
        ...lacking.values,
        ...lacking.values,
      );
    }
    if (filter.placedOn !== undefined) {
      add(
        'p.id IN (SELECT l.pack FROM placements l JOIN replicas r ON r.id = l.replica WHERE r.name = ?)',
        filter.placedOn,
      );
    }
    if (filter.lackingOn !== undefined) this.#addLacking(filter.lackingOn, add);
    return { conditions, values };
  }

  #addLacking(replicas: readonly ReplicaName[], add: (condition: string, ...bound: readonly unknown[]) => void): void {
    const names = JSON.stringify(replicas);
    const held = `(SELECT count(*) FROM placements l JOIN replicas r ON r.id = l.replica
      WHERE l.pack = p.id AND r.name IN (SELECT value FROM json_each(?)))`;
    add(`${held} < ?`, names, new Set(replicas).size);
    if (this.onlyOn(replicas) && this.#isFew('placements < ?', new Set(replicas).size)) {
      // Implied by the above where nothing lies elsewhere, and has an index.
      add('p.placements < ?', new Set(replicas).size);
    }
  }

  #isFew(condition: string, bound: number): boolean {
    const counted = this.#db
      .prepare<[number], { n: number }>(
        `SELECT count(*) AS n FROM (SELECT 1 FROM packs WHERE ${condition} LIMIT ${SORTED_MAX})`,
      )
      .get(bound);
    return (counted?.n ?? 0) < SORTED_MAX;
  }

  /** Whether no pack has a placement on a replica that is not among `replicas`. */
  onlyOn(replicas: readonly ReplicaName[]): boolean {
    const elsewhere = this.#db
      .prepare<[string], unknown>(
        `SELECT 1 FROM replicas r WHERE r.name NOT IN (SELECT value FROM json_each(?))
           AND EXISTS (SELECT 1 FROM placements l WHERE l.replica = r.id)`,
      )
      .get(JSON.stringify(replicas));
    return elsewhere === undefined;
  }

  exceptions(pack?: PackId): readonly ChunkException[] {
    return pack === undefined ? this.#exceptions.all() : this.#exceptionsOf.all(pack);
  }

  unfiled(): readonly UnfiledStudy[] {
    return this.#unfiled.all().map((row) => ({ ...row, study: row.study as StudyUid }));
  }
}

/** A Buffer would arrive as a Uint8Array anyway; making it one here keeps both sides equal. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
