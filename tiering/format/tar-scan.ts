// Walking a pack or tray without an index: every member in order, where the tar ends and how, and the
// next good member after damage. Reads headers and notes, never instance data: whoever copies those hashes them.
import { createHash } from 'node:crypto';
import { ArchiveError } from '../core/errors.js';
import type { PackId, SeriesUid, Sha256, SopUid, StudyUid } from '../core/ids.js';
import { READ_PIECE_BYTES } from '../core/limits.js';
import {
  MEMBER_HEADER_BYTES,
  type MemberHeader,
  memberPadding,
  parseMemberHeader,
  TAR_BLOCK_BYTES,
  TAR_END,
} from './tar.js';
import { NOTE_BYTES_MAX, type Note, noteName, parseNote } from './tar-notes.js';

/** Random access to the bytes of one tar. */
export interface TarSource {
  /** Its length in bytes; for a tray, how much of it counts. */
  readonly size: number;
  /** Exactly the bytes `[start, end)`. */
  read(start: number, end: number): Promise<Uint8Array>;
}

interface EntryPlace {
  /** Where its header begins. */
  readonly at: number;
  /** `[start, end)` of its data. */
  readonly start: number;
  readonly end: number;
  /** Where the next member begins. */
  readonly next: number;
  readonly arrivedMs: number;
  readonly sha256: Sha256;
  /** Its 1536 header bytes. */
  readonly header: Uint8Array;
}

export interface TarInstance extends EntryPlace {
  readonly kind: 'instance';
  readonly study: StudyUid;
  readonly series: SeriesUid;
  readonly sop: SopUid;
  readonly seq: number;
}

/** Its data were read and agree with their SHA-256. */
export interface TarNote extends EntryPlace {
  readonly kind: 'note';
  readonly note: Note;
}

export type TarEntry = TarInstance | TarNote;

/** CORRUPT, with where and how. */
export class TarDamage extends ArchiveError {
  /** Offset of the first byte that is not accounted for. */
  readonly at: number;
  /**
   * The tar ends here as a write that was cut off would leave it: short, or only zeros. Harmless beyond the accepted
   * length of a tray, corruption before it. False: other bytes follow; `findNextMember(source, pack, at)` may go on.
   */
  readonly torn: boolean;

  constructor(message: string, at: number, torn: boolean) {
    super('CORRUPT', message);
    this.at = at;
    this.torn = torn;
  }
}

/**
 * Every member of the tar from offset `from` on, which must be where one begins. Ends quietly at the end of the source
 * or at its 1024 zero bytes; throws TarDamage else, after all members before it were yielded. NOT_SUPPORTED for
 * a sound member of a later format. What `source.read` throws passes through.
 */
export async function* scanTar(source: TarSource, pack: PackId, from = 0): AsyncIterable<TarEntry> {
  let at = from;
  while (at < source.size) {
    if (at + MEMBER_HEADER_BYTES > source.size) {
      if (source.size - at === TAR_END.length && (await isZero(source, at))) return;
      throw new TarDamage(`pack ${pack}: it ends within a member header at byte ${at}`, at, true);
    }
    const header = await source.read(at, at + MEMBER_HEADER_BYTES);
    const member = parseMemberHeader(header, pack);
    if (member === undefined) {
      const torn = await isZero(source, at);
      const what = torn ? 'only zeros follow' : 'no sound member header of this pack';
      throw new TarDamage(`pack ${pack}: ${what} at byte ${at} of ${source.size}`, at, torn);
    }
    const entry = await entryOf(source, pack, at, header, member);
    yield entry;
    at = entry.next;
  }
}

/**
 * Offset of the first sound member header of `pack` at or after `from`, or undefined when there is none. Looks at every
 * multiple of 512 and believes the header's check, so that a tar inside of an instance is passed over.
 */
export async function findNextMember(source: TarSource, pack: PackId, from: number): Promise<number | undefined> {
  const last = source.size - MEMBER_HEADER_BYTES;
  let at = Math.ceil(from / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
  while (at <= last) {
    const end = Math.min(source.size, at + READ_PIECE_BYTES + MEMBER_HEADER_BYTES);
    const piece = await source.read(at, end);
    const starts = piece.length - MEMBER_HEADER_BYTES;
    let offset = 0;
    for (; offset <= starts; offset += TAR_BLOCK_BYTES) {
      if (piece[offset + 156] !== 0x78 || piece[offset] !== 0x50) continue; // 'x', and the P of its name
      const candidate = piece.subarray(offset, offset + MEMBER_HEADER_BYTES);
      if (isSound(candidate, pack)) return at + offset;
    }
    at += offset;
  }
  return undefined;
}

/** A sound header of a later format counts as one too: whoever scans on from there is told. */
function isSound(header: Uint8Array, pack: PackId): boolean {
  try {
    return parseMemberHeader(header, pack) !== undefined;
  } catch {
    return true;
  }
}

async function entryOf(
  source: TarSource,
  pack: PackId,
  at: number,
  header: Uint8Array,
  member: MemberHeader,
): Promise<TarEntry> {
  const start = at + MEMBER_HEADER_BYTES;
  const end = start + member.bytes;
  const next = end + memberPadding(member.bytes);
  if (next > source.size) {
    throw new TarDamage(`pack ${pack}: the member at byte ${at} ends at ${next}, beyond ${source.size}`, at, true);
  }
  const place = { at, start, end, next, arrivedMs: member.arrivedMs, sha256: member.sha256, header };
  if (member.kind === 'instance') {
    const { study, series, sop, seq } = member;
    return { kind: 'instance', ...place, study, series, sop, seq };
  }
  const data = await source.read(start, Math.min(end, start + NOTE_BYTES_MAX + 1));
  if (createHash('sha256').update(data).digest('hex') !== member.sha256) {
    throw new TarDamage(`pack ${pack}: the note at byte ${at} does not match its SHA-256`, at, false);
  }
  const note = parseNote(data);
  if (noteName(pack, note) !== member.name) {
    throw new TarDamage(`pack ${pack}: the note at byte ${at} is under the name of another`, at, false);
  }
  return { kind: 'note', ...place, note };
}

async function isZero(source: TarSource, from: number): Promise<boolean> {
  for (let at = from; at < source.size; at += READ_PIECE_BYTES) {
    const piece = await source.read(at, Math.min(source.size, at + READ_PIECE_BYTES));
    if (piece.some((byte) => byte !== 0)) return false;
  }
  return true;
}
