// Notes: the small members that Filmroom writes for itself into trays (docs/format.md 2.2). To tar they
// are harmless files under .filmroom/; to recovery they say what the instances alone cannot.
import { createHash } from 'node:crypto';
import { ArchiveError } from '../core/errors.js';
import { type PackId, parsePackId, parseSha256, type Sha256 } from '../core/ids.js';
import { integerField, type JsonRecord, jsonRecord, recordOf, textField } from './fields.js';
import { holdFields, parseHoldFields } from './hold.js';
import { memberBytes, noteHeader } from './tar.js';
import { parseTombstoneFields, tombstoneFields } from './tombstone-fields.js';
import type { HoldStatement, Tombstone } from './types.js';

/** First member of every tray: how far its predecessor counts. */
export interface TrayNote {
  readonly note: 'tray';
  /** Null for the first tray of an archive. `bytes`: its accepted length. */
  readonly predecessor: { readonly pack: PackId; readonly bytes: number } | null;
}

/** A pack that was written at once, beside the trays. */
export interface PointerNote {
  readonly note: 'pointer';
  readonly pack: PackId;
  /** Length of the pack's tar. */
  readonly bytes: number;
  /** SHA-256 over its member headers in order; they hold the SHA-256 of the data, so it commits to all of it. */
  readonly headersSha256: Sha256;
}

/** A delete. */
export type TombstoneNote = Tombstone & { readonly note: 'tombstone' };

/** A study is put under legal hold, or released. */
export type HoldNote = HoldStatement & { readonly note: 'hold' };

export type Note = TrayNote | PointerNote | TombstoneNote | HoldNote;

/** Longest data of a note: a tombstone of TOMBSTONE_ENTRIES_MAX instances; the others have a few hundred bytes. */
export const NOTE_BYTES_MAX = 160 * 1024;

const ANY = /^/;

/** A whole member (header, data, padding) that carries `note`, for the tray `pack`. */
export function noteMember(options: {
  readonly pack: PackId;
  readonly note: Note;
  readonly arrivedMs: number;
}): Uint8Array {
  const { pack, note, arrivedMs } = options;
  const data = noteData(note);
  if (data.length > NOTE_BYTES_MAX) throw new ArchiveError('LIMIT', `tray ${pack}: a note of ${data.length} bytes`);
  const sha256 = parseSha256(createHash('sha256').update(data).digest('hex'));
  const member = Buffer.alloc(memberBytes(data.length));
  const header = noteHeader({ pack, seq: 0, arrivedMs, bytes: data.length, sha256, name: noteName(pack, note) });
  member.set(header);
  member.set(data, header.length);
  return member;
}

/** Bytes of the whole member that carries `note`. */
export function noteMemberBytes(note: Note): number {
  return memberBytes(noteData(note).length);
}

/** The path of the member that carries `note` in the tray `pack`. */
export function noteName(pack: PackId, note: Note): string {
  switch (note.note) {
    case 'tray':
      return `.filmroom/tray/${pack}.json`;
    case 'pointer':
      return `.filmroom/pointer/${note.pack}.json`;
    case 'tombstone':
      return `.filmroom/tombstone/${note.seq}.json`;
    case 'hold':
      return `.filmroom/hold/${note.seq}.json`;
  }
}

/** The note in a member's data. CORRUPT when it is not one; NOT_SUPPORTED for one of a later version. */
export function parseNote(data: Uint8Array): Note {
  const fields = jsonRecord(data, 'note', NOTE_BYTES_MAX);
  const note = textField(fields, 'note', 'note', ANY);
  try {
    switch (note) {
      case 'tray':
        return { note, predecessor: parsePredecessor(fields) };
      case 'pointer':
        return {
          note,
          pack: parsePackId(textField(fields, 'pack', 'note', ANY)),
          bytes: integerField(fields, 'bytes', 'note', 1),
          headersSha256: parseSha256(textField(fields, 'headersSha256', 'note', ANY)),
        };
      case 'tombstone':
        return { note, ...parseTombstoneFields(fields) };
      case 'hold':
        return { note, ...parseHoldFields(fields) };
      default:
        break;
    }
  } catch (cause) {
    throw new ArchiveError('CORRUPT', `a ${note} note does not have the fields of one`, { cause });
  }
  throw new ArchiveError('NOT_SUPPORTED', 'a note of a kind that this version does not know; use a newer filmroom');
}

function parsePredecessor(fields: JsonRecord): TrayNote['predecessor'] {
  const value = fields.get('predecessor');
  if (value === null) return null;
  const predecessor = recordOf(value, 'predecessor');
  return {
    pack: parsePackId(textField(predecessor, 'pack', 'predecessor', ANY)),
    bytes: integerField(predecessor, 'bytes', 'predecessor', 0),
  };
}

function noteData(note: Note): Buffer {
  return Buffer.from(`${JSON.stringify(noteJson(note))}\n`);
}

/** What a note is as JSON, its keys in the order of the format, whatever the caller's object looks like. */
function noteJson(note: Note): object {
  switch (note.note) {
    case 'tray': {
      const before = note.predecessor;
      return { note: 'tray', predecessor: before === null ? null : { pack: before.pack, bytes: before.bytes } };
    }
    case 'pointer':
      return { note: 'pointer', pack: note.pack, bytes: note.bytes, headersSha256: note.headersSha256 };
    case 'tombstone':
      return { note: 'tombstone', ...tombstoneFields(note) };
    case 'hold':
      return { note: 'hold', ...holdFields(note) };
  }
}
