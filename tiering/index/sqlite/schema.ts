// The tables of the index and how an older file becomes the present one. `user_version` counts the
// migrations that were applied; each runs in one transaction with its own count.
import type { Database } from 'better-sqlite3';
import { ArchiveError } from '../../core/errors.js';

/** "FRI1": marks the file as an index of this product. */
export const APPLICATION_ID = 0x46524931;

/** Stands for "no number" in reading order: after every number that DICOM can have. */
export const NO_NUMBER = Number.MAX_SAFE_INTEGER;

const VERSION_1 = `
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- UIDs that repeat in every row: SOP classes and transfer syntaxes.
CREATE TABLE uids (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE replicas (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE packs (
  id INTEGER PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  accessed_ms INTEGER NOT NULL,
  hot TEXT NOT NULL,
  closed INTEGER NOT NULL DEFAULT 0,
  volume TEXT,
  manifest_name TEXT,
  manifest_generation INTEGER,
  placements INTEGER NOT NULL DEFAULT 0,
  live_instances INTEGER NOT NULL DEFAULT 0,
  live_bytes INTEGER NOT NULL DEFAULT 0,
  oldest_ms INTEGER
) STRICT;
CREATE INDEX packs_created ON packs (created_ms, uuid);
CREATE INDEX packs_accessed ON packs (accessed_ms, uuid);
CREATE INDEX packs_kind ON packs (kind, hot, created_ms);
CREATE INDEX packs_hot ON packs (hot, created_ms);
CREATE INDEX packs_placements ON packs (placements);
CREATE INDEX packs_empty ON packs (created_ms) WHERE live_instances = 0;

CREATE TABLE seals (
  pack INTEGER PRIMARY KEY,
  suite INTEGER NOT NULL,
  kek_id TEXT NOT NULL,
  wrap_salt BLOB NOT NULL,
  wrapped_dek BLOB NOT NULL,
  dek_id BLOB NOT NULL
) STRICT;
CREATE TABLE chunks (
  pack INTEGER NOT NULL,
  number INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  salt BLOB NOT NULL,
  commitment BLOB NOT NULL,
  name TEXT,
  PRIMARY KEY (pack, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE placements (
  pack INTEGER NOT NULL,
  replica INTEGER NOT NULL,
  verified_ms INTEGER NOT NULL,
  PRIMARY KEY (pack, replica)
) STRICT, WITHOUT ROWID;
CREATE INDEX placements_replica ON placements (replica);
CREATE TABLE exceptions (
  pack TEXT NOT NULL,
  chunk INTEGER NOT NULL,
  replica TEXT NOT NULL,
  fault TEXT NOT NULL,
  PRIMARY KEY (pack, chunk, replica)
) STRICT, WITHOUT ROWID;
CREATE TABLE garbage (name TEXT PRIMARY KEY, since_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE bundles (id INTEGER PRIMARY KEY, pack INTEGER NOT NULL, series TEXT NOT NULL, gzip BLOB NOT NULL) STRICT;
CREATE INDEX bundles_pack ON bundles (pack, series);

-- What each level's attributes are, once per distinct text: nearly always one per study and one per series.
CREATE TABLE texts (
  id INTEGER PRIMARY KEY,
  level INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  hash BLOB NOT NULL,
  json TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX texts_owner ON texts (level, owner, hash);

-- "lead": the live instance with the lowest seq. The attributes of a level are those that came with it.
CREATE TABLE studies (
  id INTEGER PRIMARY KEY,
  uid TEXT NOT NULL UNIQUE,
  lead INTEGER NOT NULL DEFAULT 0,
  text INTEGER NOT NULL DEFAULT 0,
  odd INTEGER NOT NULL DEFAULT 0,
  date TEXT NOT NULL DEFAULT '',
  accession TEXT,
  patient TEXT,
  series INTEGER NOT NULL DEFAULT 0,
  instances INTEGER NOT NULL DEFAULT 0,
  modalities TEXT NOT NULL DEFAULT '[]',
  classes TEXT NOT NULL DEFAULT '[]',
  accessed_ms INTEGER NOT NULL DEFAULT 0,
  packs INTEGER NOT NULL DEFAULT 0,
  packs_hot INTEGER NOT NULL DEFAULT 0,
  placements_min INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX studies_date ON studies (date DESC, uid);
CREATE INDEX studies_accession ON studies (accession);
CREATE INDEX studies_patient ON studies (patient);
CREATE INDEX studies_tier ON studies (packs_hot, placements_min);
CREATE INDEX studies_odd ON studies (id) WHERE odd = 1;
-- Tokens are made by search-text.ts: every three characters in a row, so that any part of a text is a phrase or a prefix.
CREATE VIRTUAL TABLE study_search USING fts5(
  name, referring, description, patient, accession,
  content = '', contentless_delete = 1, tokenize = "ascii tokenchars '_'"
);

CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  study INTEGER NOT NULL,
  uid TEXT NOT NULL,
  number INTEGER NOT NULL,
  lead INTEGER NOT NULL DEFAULT 0,
  text INTEGER NOT NULL DEFAULT 0,
  odd INTEGER NOT NULL DEFAULT 0,
  modality TEXT,
  instances INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX series_uid ON series (uid, study);
CREATE INDEX series_order ON series (study, number, uid);
CREATE INDEX series_modality ON series (modality, study);
CREATE INDEX series_odd ON series (study) WHERE odd = 1;
CREATE TABLE series_classes (
  series INTEGER NOT NULL,
  class INTEGER NOT NULL,
  instances INTEGER NOT NULL,
  PRIMARY KEY (series, class)
) STRICT, WITHOUT ROWID;

CREATE TABLE instances (
  id INTEGER PRIMARY KEY,
  series INTEGER NOT NULL,
  sop TEXT NOT NULL UNIQUE,
  number INTEGER NOT NULL,
  series_number INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  arrived_ms INTEGER NOT NULL,
  pack INTEGER NOT NULL,
  start INTEGER NOT NULL,
  "end" INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  class INTEGER NOT NULL,
  syntax INTEGER NOT NULL,
  study_text INTEGER NOT NULL,
  series_text INTEGER NOT NULL,
  bundle INTEGER,
  meta_start INTEGER,
  meta_end INTEGER
) STRICT;
CREATE INDEX instances_order ON instances (series, number, sop);
CREATE INDEX instances_pack ON instances (pack, arrived_ms);
-- Beside the thin row, by its id. metadata: only while no bundle holds it.
CREATE TABLE details (id INTEGER PRIMARY KEY, attributes TEXT NOT NULL, layout TEXT NOT NULL) STRICT;
CREATE TABLE unbundled (id INTEGER PRIMARY KEY, metadata BLOB NOT NULL) STRICT;

-- Which packs hold live instances of which study.
CREATE TABLE study_packs (
  study INTEGER NOT NULL,
  pack INTEGER NOT NULL,
  instances INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  PRIMARY KEY (study, pack)
) STRICT, WITHOUT ROWID;
CREATE INDEX study_packs_pack ON study_packs (pack);
`;

/** Tokens of person names (dicom/match/name-tokens.ts). Studies up to the id in `names_left` get theirs in the background: name-backfill.ts. */
const VERSION_2 = `
CREATE VIRTUAL TABLE study_names USING fts5(
  name, referring,
  content = '', contentless_delete = 1, detail = column, tokenize = "ascii tokenchars '_'"
);
INSERT INTO counters (name, value) SELECT 'names_left', max(id) FROM studies HAVING max(id) IS NOT NULL;
`;

const VERSION_3 = `
-- Deletes. "content": SHA-256 of what it says, so that one delete is one record under whatever object name it is found.
CREATE TABLE tombstone_records (
  id INTEGER PRIMARY KEY,
  content BLOB NOT NULL UNIQUE,
  seq INTEGER NOT NULL,
  name TEXT NOT NULL UNIQUE,
  object BLOB NOT NULL,
  tray TEXT,
  placements INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX tombstone_records_tray ON tombstone_records (tray);
CREATE INDEX tombstone_records_placements ON tombstone_records (placements);
CREATE TABLE tombstones (
  sop TEXT NOT NULL,
  sha256 BLOB NOT NULL,
  seq INTEGER NOT NULL,
  record INTEGER NOT NULL,
  PRIMARY KEY (sop, sha256, seq, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_record ON tombstones (record);
CREATE TABLE tombstone_placements (
  record INTEGER NOT NULL,
  replica INTEGER NOT NULL,
  PRIMARY KEY (record, replica)
) STRICT, WITHOUT ROWID;
`;

/** Whose an object is: asked for every name that a replica lists. */
const VERSION_4 = `
CREATE INDEX chunks_name ON chunks (name) WHERE name IS NOT NULL;
CREATE INDEX packs_manifest ON packs (manifest_name) WHERE manifest_name IS NOT NULL;
CREATE INDEX garbage_since ON garbage (since_ms);
`;

const VERSION_5 = `
-- Where the bytes of deleted instances still are: the packs and trays that hold a copy, or may. "seq": of the delete. Gone with
-- the pack's row and the last of its garbage.
CREATE TABLE erasures (
  sop TEXT NOT NULL,
  sha256 BLOB NOT NULL,
  pack TEXT NOT NULL,
  seq INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (sop, sha256, pack)
) STRICT, WITHOUT ROWID;
CREATE INDEX erasures_pack ON erasures (pack, seq);
-- Packs and trays that hold copies of a study's instances which live in another pack.
CREATE TABLE spares (study INTEGER NOT NULL, pack INTEGER NOT NULL, PRIMARY KEY (study, pack)) STRICT, WITHOUT ROWID;
CREATE INDEX spares_pack ON spares (pack);
ALTER TABLE garbage ADD COLUMN pack TEXT;
CREATE INDEX garbage_pack ON garbage (pack) WHERE pack IS NOT NULL;
`;

const VERSION_6 = `
-- Legal holds. A statement of one is kept beside the deletes ("hold": its JSON), with its object, tray and placements; "holds" has what counts
-- of each study that ever had one.
ALTER TABLE tombstone_records ADD COLUMN hold TEXT;
CREATE TABLE holds (
  study TEXT PRIMARY KEY,
  seq INTEGER NOT NULL,
  held INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;

/** Chunks under a pack's last DEK: kept until no replica has a manifest any more that names them. */
const VERSION_7 = `
CREATE TABLE old_chunks (
  pack INTEGER NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (pack, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX old_chunks_name ON old_chunks (name);
`;

const MIGRATIONS: readonly string[] = [VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6, VERSION_7];

/**
 * Brings the file to the present schema. FOREIGN when it is a database of something else; NOT_SUPPORTED when a newer
 * release made it.
 */
export function migrate(db: Database, path: string): void {
  const application = db.pragma('application_id', { simple: true });
  const version = Number(db.pragma('user_version', { simple: true }));
  const tables = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get();
  if (application !== APPLICATION_ID && !(application === 0 && version === 0 && tables === 0)) {
    throw new ArchiveError('FOREIGN', `${path} is a SQLite database, but not an index of Filmroom; it was left alone`);
  }
  if (version > MIGRATIONS.length) {
    throw new ArchiveError(
      'NOT_SUPPORTED',
      `${path} has index schema ${version}, this release knows up to ${MIGRATIONS.length}; use the newer release`,
    );
  }
  for (const [at, sql] of MIGRATIONS.entries()) {
    if (at < version) continue;
    db.transaction(() => {
      db.exec(sql);
      db.pragma(`application_id = ${APPLICATION_ID}`);
      db.pragma(`user_version = ${at + 1}`);
    }).immediate();
  }
}
