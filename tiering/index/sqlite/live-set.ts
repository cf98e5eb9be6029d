// The set of live instances and who is in it: at most one per SOP Instance UID, the one with the lowest seq.
// Every change to it goes through here; what follows from the set (counts, levels) is settled by `flush`.
import { createHash } from 'node:crypto';
import type { Database, Statement } from 'better-sqlite3';
import type { LevelAttributes } from '../../../dicom/instance.js';
import type { PackMember, Tombstone } from '../../format/types.js';
import { Aggregates } from './aggregates.js';
import { Dictionary } from './dictionary.js';
import { ErasureTable } from './erasure-table.js';
import { NO_NUMBER } from './schema.js';

/** A pack as the writer needs it. */
export interface PackRow {
  readonly id: number;
  readonly uuid: string;
  readonly kind: string;
}

/** Where the metadata of an instance is: by itself, or in a bundle. */
export type MetadataPlace =
  | { readonly metadata: Uint8Array }
  | { readonly bundle: number; readonly metaStart: number; readonly metaEnd: number };

export type Candidate = Omit<PackMember, 'metaStart' | 'metaEnd'> & {
  readonly attributes: LevelAttributes;
  readonly place: MetadataPlace;
};

/** A live instance as the writer needs it. */
export interface LiveRow {
  readonly id: number;
  readonly series: number;
  readonly study: number;
  readonly seq: number;
  readonly sha256: Uint8Array;
  readonly pack: number;
  readonly bytes: number;
  readonly arrived_ms: number;
  readonly class: number;
  readonly bundle: number | null;
}

const REMEMBERED_MAX = 20_000;

export class LiveSet {
  readonly aggregates: Aggregates;
  readonly erasures: ErasureTable;
  readonly #uids: Dictionary;
  readonly #texts = new Map<string, number>();
  readonly #studies = new Map<string, number>();
  readonly #series = new Map<string, number>();
  readonly #packsById: Statement<[number], PackRow>;
  readonly #find: Statement<[string], LiveRow>;
  readonly #findText: Statement<[number, number, Uint8Array], { id: number }>;
  readonly #addText: Statement<[number, number, Uint8Array, string]>;
  readonly #findStudy: Statement<[string], { id: number }>;
  readonly #addStudy: Statement<[string]>;
  readonly #findSeries: Statement<[string, number], { id: number }>;
  readonly #addSeries: Statement<[number, string, number]>;
  readonly #addRow: Statement<unknown[]>;
  readonly #addDetails: Statement<[number, string, string]>;
  readonly #addUnbundled: Statement<[number, Uint8Array]>;
  readonly #dropUnbundled: Statement<[number]>;
  readonly #dropDetails: Statement<[number]>;
  readonly #dropRow: Statement<[number]>;
  readonly #moveRow: Statement<unknown[]>;

  constructor(db: Database) {
    this.aggregates = new Aggregates(db);
    this.erasures = new ErasureTable(db);
    this.#uids = new Dictionary(db, 'uids', 'uid');
    this.#packsById = db.prepare('SELECT id, uuid, kind FROM packs WHERE id = ?');
    this.#find = db.prepare(
      `SELECT i.id, i.series, e.study, i.seq, i.sha256, i.pack, i."end" - i.start AS bytes, i.arrived_ms, i.class, i.bundle
       FROM instances i JOIN series e ON e.id = i.series WHERE i.sop = ?`,
    );
    this.#findText = db.prepare('SELECT id FROM texts WHERE level = ? AND owner = ? AND hash = ?');
    this.#addText = db.prepare('INSERT INTO texts (level, owner, hash, json) VALUES (?, ?, ?, ?)');
    this.#findStudy = db.prepare('SELECT id FROM studies WHERE uid = ?');
    this.#addStudy = db.prepare('INSERT INTO studies (uid) VALUES (?)');
    this.#findSeries = db.prepare('SELECT id FROM series WHERE uid = ? AND study = ?');
    this.#addSeries = db.prepare('INSERT INTO series (study, uid, number) VALUES (?, ?, ?)');
    this.#addRow = db.prepare(
      `INSERT INTO instances (series, sop, number, series_number, seq, arrived_ms, pack, start, "end", sha256, class, syntax,
        study_text, series_text, bundle, meta_start, meta_end) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#addDetails = db.prepare('INSERT INTO details (id, attributes, layout) VALUES (?, ?, ?)');
    this.#addUnbundled = db.prepare('INSERT INTO unbundled (id, metadata) VALUES (?, ?)');
    this.#dropUnbundled = db.prepare('DELETE FROM unbundled WHERE id = ?');
    this.#dropDetails = db.prepare('DELETE FROM details WHERE id = ?');
    this.#dropRow = db.prepare('DELETE FROM instances WHERE id = ?');
    this.#moveRow = db.prepare(
      'UPDATE instances SET pack = ?, start = ?, "end" = ?, bundle = ?, meta_start = ?, meta_end = ? WHERE id = ?',
    );
  }

  find(sop: string): LiveRow | undefined {
    return this.#find.get(sop);
  }

  /**
   * Makes `candidate`, which lies in `pack`, live if no delete came after it and its seq is the lowest that its SOP Instance UID has. Order of
   * calls does not matter.
   */
  admit(candidate: Candidate, pack: PackRow): void {
    const sha256 = Buffer.from(candidate.sha256, 'hex');
    if (this.erasures.noteDead(candidate, sha256, pack.uuid)) return;
    const live = this.find(candidate.sop);
    if (live === undefined) {
      this.#insert(candidate, pack);
      return;
    }
    const order = Buffer.compare(sha256, live.sha256);
    if (candidate.seq < live.seq || (candidate.seq === live.seq && order < 0)) {
      this.#remove(live);
      this.aggregates.leavesCopy(live.study, live.pack);
      this.#insert(candidate, pack);
      return;
    }
    // The same arrival in another pack: the packer's work counts before the tray's, the newer before the older.
    const same = candidate.seq === live.seq && order === 0;
    if (same && this.#prefers(pack, live, candidate.place)) this.move(live, pack, candidate);
    else if (pack.id !== live.pack) this.aggregates.leavesCopy(live.study, pack.id);
  }

  /** A copy that was just written into `pack` and is not live: whoever wrote it had read it before it was deleted or replaced. */
  noteStray(member: PackMember, pack: PackRow): void {
    if (this.erasures.noteDead(member, Buffer.from(member.sha256, 'hex'), pack.uuid)) return;
    const live = this.find(member.sop);
    if (live !== undefined) this.aggregates.leavesCopy(live.study, pack.id);
  }

  /** Ends the live instances that a delete names, if they came before it. Returns how many. */
  end({ seq, entries }: Tombstone): number {
    let ended = 0;
    for (const { sop, sha256 } of entries) {
      const live = this.find(sop);
      if (live === undefined || live.seq >= seq) continue;
      if (Buffer.compare(Buffer.from(sha256, 'hex'), live.sha256) !== 0) continue;
      this.erasures.noteEnded({ sop, sha256: live.sha256, seq, bytes: live.bytes }, live.study, live.pack);
      this.#remove(live);
      ended += 1;
    }
    return ended;
  }

  #prefers(pack: PackRow, live: LiveRow, place: MetadataPlace): boolean {
    if (pack.id === live.pack) return 'bundle' in place && place.bundle !== live.bundle;
    const present = this.#packsById.get(live.pack);
    if (present === undefined) return true;
    if (pack.kind !== present.kind) return pack.kind === 'pack';
    return pack.uuid > present.uuid;
  }

  /** Points a live instance at another copy of the same bytes. */
  move(
    live: LiveRow,
    pack: PackRow,
    to: { readonly start: number; readonly end: number; readonly place: MetadataPlace },
  ): void {
    const { place } = to;
    const bundled = 'bundle' in place ? place : undefined;
    this.#moveRow.run(
      pack.id,
      to.start,
      to.end,
      bundled?.bundle ?? null,
      bundled?.metaStart ?? null,
      bundled?.metaEnd ?? null,
      live.id,
    );
    // A bundle goes with its pack, so whoever leaves the pack without another bundle keeps its metadata by itself.
    if (bundled !== undefined && live.bundle === null) this.#dropUnbundled.run(live.id);
    if ('metadata' in place && live.bundle !== null) this.#addUnbundled.run(live.id, place.metadata);
    if (pack.id === live.pack) return;
    this.aggregates.leavesPack(live.study, live.pack, live.bytes);
    this.aggregates.leavesCopy(live.study, live.pack);
    this.aggregates.entersPack(live.study, pack.id, to.end - to.start, live.arrived_ms);
  }

  #insert(candidate: Candidate, pack: PackRow): void {
    const study = this.#studyId(candidate.study);
    const series = this.#seriesId(study, candidate.series);
    const classId = this.#uids.idOf(candidate.sopClass);
    const bundled = 'bundle' in candidate.place ? candidate.place : undefined;
    const id = Number(
      this.#addRow.run(
        series,
        candidate.sop,
        candidate.instanceNumber ?? NO_NUMBER,
        candidate.seriesNumber ?? NO_NUMBER,
        candidate.seq,
        candidate.arrivedMs,
        pack.id,
        candidate.start,
        candidate.end,
        Buffer.from(candidate.sha256, 'hex'),
        classId,
        this.#uids.idOf(candidate.transferSyntax),
        this.#textId(0, study, candidate.attributes.study),
        this.#textId(1, series, candidate.attributes.series),
        bundled?.bundle ?? null,
        bundled?.metaStart ?? null,
        bundled?.metaEnd ?? null,
      ).lastInsertRowid,
    );
    this.#addDetails.run(id, candidate.attributes.instance, candidate.layout);
    if ('metadata' in candidate.place) this.#addUnbundled.run(id, candidate.place.metadata);
    this.aggregates.appears({ id, study, series, class: classId, seq: candidate.seq, sop: candidate.sop });
    this.aggregates.entersPack(study, pack.id, candidate.end - candidate.start, candidate.arrivedMs);
  }

  #remove(live: LiveRow): void {
    this.#dropRow.run(live.id);
    this.#dropDetails.run(live.id);
    if (live.bundle === null) this.#dropUnbundled.run(live.id);
    this.aggregates.disappears(live);
    this.aggregates.leavesPack(live.study, live.pack, live.bytes);
  }

  /** Settles what follows from the changes since the last flush: must run in the same transaction. */
  flush(): void {
    // A study or series that lost its last instance is gone, and so is what is remembered of it.
    if (this.aggregates.flush()) this.forget();
  }

  /** Forgets everything remembered of the database, and the changes that were not flushed. */
  forget(): void {
    this.aggregates.discard();
    this.#uids.forget();
    this.#texts.clear();
    this.#studies.clear();
    this.#series.clear();
  }

  #studyId(uid: string): number {
    return remembered(
      this.#studies,
      uid,
      () => this.#findStudy.get(uid)?.id ?? Number(this.#addStudy.run(uid).lastInsertRowid),
    );
  }

  #seriesId(study: number, uid: string): number {
    return remembered(
      this.#series,
      `${study}/${uid}`,
      () => this.#findSeries.get(uid, study)?.id ?? Number(this.#addSeries.run(study, uid, NO_NUMBER).lastInsertRowid),
    );
  }

  #textId(level: number, owner: number, json: string): number {
    return remembered(this.#texts, `${level}/${owner}/${json}`, () => {
      const hash = createHash('sha256').update(json).digest().subarray(0, 16);
      const found = this.#findText.get(level, owner, hash)?.id;
      return found ?? Number(this.#addText.run(level, owner, hash, json).lastInsertRowid);
    });
  }
}

function remembered(map: Map<string, number>, key: string, make: () => number): number {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  if (map.size >= REMEMBERED_MAX) map.clear();
  map.set(key, made);
  return made;
}
