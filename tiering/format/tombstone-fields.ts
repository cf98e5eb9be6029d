// A tombstone as JSON: the same fields in the note of a tray and in the body of the object `t/` (docs/format.md 2.2, 5.2).
import { ArchiveError } from '../core/errors.js';
import { parseSha256, parseSopUid } from '../core/ids.js';
import { TOMBSTONE_ENTRIES_MAX } from '../core/limits.js';
import { arrayField, integerField, type JsonRecord } from './fields.js';
import type { Tombstone, TombstoneEntry } from './types.js';

const SEQ_MAX = 1e15 - 1;

/** INVALID when it names nothing, or too much. */
export function tombstoneFields({ seq, entries }: Tombstone): object {
  if (entries.length < 1 || entries.length > TOMBSTONE_ENTRIES_MAX) {
    throw new ArchiveError(
      'INVALID',
      `a tombstone names 1 to ${TOMBSTONE_ENTRIES_MAX} instances, not ${entries.length}`,
    );
  }
  return { seq, entries: entries.map(({ sop, sha256 }) => [sop, sha256]) };
}

/** CORRUPT when the fields are not those of one; no UID is quoted. */
export function parseTombstoneFields(fields: JsonRecord): Tombstone {
  const seq = integerField(fields, 'seq', 'tombstone', 1);
  const entries = arrayField(fields, 'entries', 'tombstone', TOMBSTONE_ENTRIES_MAX).map(parseEntry);
  if (seq > SEQ_MAX || entries.length === 0) throw new ArchiveError('CORRUPT', 'a tombstone that names nothing');
  return { seq, entries };
}

function parseEntry(value: unknown, at: number): TombstoneEntry {
  if (Array.isArray(value) && value.length === 2) {
    const [sop, sha256] = value as readonly unknown[];
    try {
      if (typeof sop === 'string' && typeof sha256 === 'string')
        return { sop: parseSopUid(sop), sha256: parseSha256(sha256) };
    } catch {
      // Told below, without what it said.
    }
  }
  throw new ArchiveError('CORRUPT', `tombstone: entries[${at}] is not a SOP Instance UID and a SHA-256`);
}
