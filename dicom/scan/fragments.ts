// Encapsulated pixel data (PS3.5 A.4): walks item headers without reading the fragments, and says which
// fragments make up which frame. Strict about structure, honest where the grouping cannot be known.

import type { ByteWindow } from '../byte-window.js';
import { DicomError } from '../dicom-error.js';
import type { ByteRange } from '../instance.js';
import { FRAGMENT_PAGE_BYTES, FRAGMENTS_MAX } from '../limits.js';

const ITEM = 0xfffee000;
const SEQUENCE_END = 0xfffee0dd;

/** The items of one encapsulated value. */
export interface Fragments {
  /** Value bytes of fragment n: `[starts[n], starts[n] + lengths[n])`. The Basic Offset Table is not among them. */
  readonly starts: readonly number[];
  readonly lengths: readonly number[];
  /** Value bytes of the Basic Offset Table item. */
  readonly offsetTable: ByteRange;
  /** Where the value field ends: at the sequence delimitation item. */
  readonly end: number;
  /** False when the file ends where the delimiter should be. */
  readonly delimited: boolean;
}

/** Walks the items from `start` (the value field) to the sequence delimitation item, all below `limit`. */
export function walkFragments(window: ByteWindow, start: number, limit: number, tag: number): Fragments {
  const starts: number[] = [];
  const lengths: number[] = [];
  let offsetTable: ByteRange | undefined;
  for (let at = start; ; ) {
    if (at === limit && limit === window.size && offsetTable !== undefined && starts.length > 0) {
      // Nothing is missing but the delimiter itself: some writers leave it out at the end of a file.
      return { starts, lengths, offsetTable, end: at, delimited: false };
    }
    if (at + 8 > limit) {
      throw new DicomError('TRUNCATED', 'encapsulated data ends without a sequence delimiter', { offset: at, tag });
    }
    const index = window.at(at, 8, FRAGMENT_PAGE_BYTES);
    const bytes = window.bytes;
    const item = bytes.readUInt16LE(index) * 65_536 + bytes.readUInt16LE(index + 2);
    const length = bytes.readUInt32LE(index + 4);
    if (item === SEQUENCE_END) {
      if (length !== 0) throw new DicomError('MALFORMED', 'a sequence delimiter with a length', { offset: at, tag });
      if (offsetTable === undefined || starts.length === 0) {
        throw new DicomError('MALFORMED', 'encapsulated data without a fragment', { offset: at, tag });
      }
      return { starts, lengths, offsetTable, end: at, delimited: true };
    }
    if (item !== ITEM)
      throw new DicomError('MALFORMED', 'something other than an item among fragments', { offset: at, tag });
    if (length === 0xffffffff) {
      throw new DicomError('MALFORMED', 'a fragment of undefined length', { offset: at, tag });
    }
    if (at + 8 + length > limit) {
      throw new DicomError('TRUNCATED', 'a fragment reaches past the end', { offset: at, tag });
    }
    if (offsetTable === undefined) offsetTable = { start: at + 8, end: at + 8 + length };
    else {
      if (starts.length >= FRAGMENTS_MAX)
        throw new DicomError('LIMIT', `more than ${FRAGMENTS_MAX} fragments`, { offset: at, tag });
      starts.push(at + 8);
      lengths.push(length);
    }
    at += 8 + length;
  }
}

/** What decides the grouping besides the fragments. */
export interface GroupingHints {
  /** (0028,0008), 1 when absent, null when it is not a positive integer. */
  readonly frames: number | null;
  readonly video: boolean;
  /** Value range of (7FE0,0001), when present. */
  readonly extendedOffsets: ByteRange | null;
}

export interface Grouping {
  readonly frames: readonly (readonly ByteRange[])[];
  /** What is odd about it, or null. */
  readonly complaint: string | null;
}

/** Groups fragments into frames: by the extended or basic offset table, one to one, as one frame, or by codestream starts. */
export function groupFrames(window: ByteWindow, fragments: Fragments, hints: GroupingHints): Grouping {
  const count = fragments.starts.length;
  const frames = hints.frames;
  if (hints.video) return { frames: split(fragments, [0]), complaint: null };
  const extended = hints.extendedOffsets === null ? null : tableStarts(window, fragments, hints.extendedOffsets, 8);
  if (extended !== null && (frames === null || extended.length === frames)) {
    return { frames: split(fragments, extended), complaint: null };
  }
  const hasBasic = fragments.offsetTable.end > fragments.offsetTable.start;
  const basic = hasBasic ? tableStarts(window, fragments, fragments.offsetTable, 4) : null;
  if (basic !== null && (frames === null || basic.length === frames)) {
    return { frames: split(fragments, basic), complaint: null };
  }
  const complaint =
    (hasBasic && basic === null) || (hints.extendedOffsets !== null && extended === null)
      ? 'an offset table that does not point at fragments'
      : hasBasic || hints.extendedOffsets !== null
        ? 'an offset table that disagrees with Number of Frames'
        : null;
  if (frames === count) return { frames: split(fragments, range(count)), complaint };
  if (frames === 1) return { frames: split(fragments, [0]), complaint };
  if (frames !== null && frames > count) {
    return { frames: split(fragments, range(count)), complaint: 'fewer fragments than frames' };
  }
  const marked = range(count).filter((at) => startsCodestream(window, fragments, at));
  if (marked[0] === 0 && (frames === null || marked.length === frames)) {
    return { frames: split(fragments, marked), complaint };
  }
  if (frames === null && count === 1) return { frames: split(fragments, [0]), complaint };
  return { frames: [], complaint: complaint ?? 'fragments that cannot be told apart into frames' };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

/** Frames that begin at the fragments `firsts`, each running up to the next. */
function split(fragments: Fragments, firsts: readonly number[]): ByteRange[][] {
  return firsts.map((first, at) => {
    const frame: ByteRange[] = [];
    const end = firsts[at + 1] ?? fragments.starts.length;
    for (let next = first; next < end; next++) {
      const start = fragments.starts[next] as number;
      frame.push({ start, end: start + (fragments.lengths[next] as number) });
    }
    return frame;
  });
}

/** The fragments at which an offset table's entries point, or null when it is not a table: PS3.5 A.4 counts from the first fragment's item tag. */
function tableStarts(window: ByteWindow, fragments: Fragments, table: ByteRange, width: 4 | 8): number[] | null {
  const length = table.end - table.start;
  const entries = length / width;
  if (entries === 0 || !Number.isInteger(entries) || entries > fragments.starts.length) return null;
  const origin = (fragments.starts[0] as number) - 8;
  const index = window.at(table.start, length);
  const bytes = window.bytes;
  const found: number[] = [];
  let fragment = 0;
  for (let entry = 0; entry < entries; entry++) {
    const at = index + entry * width;
    const offset = width === 4 ? bytes.readUInt32LE(at) : Number(bytes.readBigUInt64LE(at));
    const wanted = origin + offset + 8;
    while (fragment < fragments.starts.length && (fragments.starts[fragment] as number) < wanted) fragment++;
    if (fragments.starts[fragment] !== wanted) return null;
    if (found.length > 0 && fragment <= (found[found.length - 1] as number)) return null;
    found.push(fragment);
  }
  return found[0] === 0 ? found : null;
}

/** JPEG and JPEG-LS SOI, JPEG 2000 SOC, JPEG XL, and the signature boxes of JP2 and JPEG XL. */
const STARTS: readonly (readonly number[])[] = [
  [0xff, 0xd8, 0xff],
  [0xff, 0x4f, 0xff, 0x51],
  [0xff, 0x0a],
  [0x00, 0x00, 0x00, 0x0c, 0x6a, 0x50, 0x20, 0x20],
  [0x00, 0x00, 0x00, 0x0c, 0x4a, 0x58, 0x4c, 0x20],
];

function startsCodestream(window: ByteWindow, fragments: Fragments, at: number): boolean {
  const start = fragments.starts[at] as number;
  const length = Math.min(8, fragments.lengths[at] as number);
  const index = window.at(start, length, FRAGMENT_PAGE_BYTES);
  return STARTS.some(
    (mark) => mark.length <= length && mark.every((byte, offset) => window.bytes[index + offset] === byte),
  );
}
