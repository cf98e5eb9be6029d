// Look-up tables of PS3.3 out of a data set: descriptor, entries of 8 or 16 bits in every form in which they are written, and the
// segmented palettes of C.7.9.2.
import { ArchiveError } from '../../tiering/core/errors.js';
import type { DicomJson } from '../json/json-object.js';
import { binaryOf, type FetchBulk, numbersOf } from './item.js';
import type { LookUpTable } from './types.js';

/** 16 bits count no further (C.11.1.1.1: 0 means 2^16). */
const ENTRIES_MAX = 65_536;

interface Descriptor {
  readonly entries: number;
  readonly first: number;
  readonly bits: number;
}

/** @param signed the first value mapped is two's complement, whatever VR the descriptor was written in. */
function descriptorOf(item: DicomJson, tag: string, signed: boolean): Descriptor | null {
  const [count, first, bits] = numbersOf(item, tag);
  if (count === undefined || first === undefined || bits === undefined || bits < 1 || bits > 16) return null;
  // Numbers of 16 bits, of which an implicit VR cannot say whether they are signed.
  const entries = count < 0 ? count + ENTRIES_MAX : count === 0 ? ENTRIES_MAX : count;
  const start = signed ? (first > 32_767 ? first - ENTRIES_MAX : first) : first < 0 ? first + ENTRIES_MAX : first;
  return { entries, first: start, bits };
}

function wordsOf(bytes: Uint8Array): Uint16Array {
  const even = Uint8Array.from(bytes.subarray(0, bytes.length & ~1));
  return new Uint16Array(even.buffer);
}

/** The words of a value, written as numbers (US, SS) or as bytes (OW). */
async function storedWords(item: DicomJson, tag: string, fetch: FetchBulk): Promise<Uint16Array | null> {
  const numbers = numbersOf(item, tag);
  if (numbers.length > 0) return Uint16Array.from(numbers);
  const bytes = await binaryOf(item, tag, fetch);
  return bytes === null ? null : wordsOf(bytes);
}

/** Entries of 8 bits may lie two in a word, the first in its lower half (C.7.6.3.1.6). */
function entriesOf(stored: Uint16Array, { entries, bits }: Descriptor): Uint16Array | null {
  if (stored.length >= entries) return stored.slice(0, entries);
  if (bits > 8 || stored.length * 2 < entries) return null;
  return Uint16Array.from({ length: entries }, (_, at) => ((stored[at >> 1] ?? 0) >> (8 * (at & 1))) & 0xff);
}

/** A table of descriptor and data; null when either is missing, or they contradict each other. */
export async function lookUpTable(
  item: DicomJson,
  tags: { readonly descriptor: string; readonly data: string },
  signed: boolean,
  fetch: FetchBulk,
): Promise<LookUpTable | null> {
  const descriptor = descriptorOf(item, tags.descriptor, signed);
  if (descriptor === null) return null;
  const stored = await storedWords(item, tags.data, fetch);
  const entries = stored === null ? null : entriesOf(stored, descriptor);
  return entries === null ? null : { first: descriptor.first, bits: descriptor.bits, entries };
}

const DISCRETE = 0;
const LINEAR = 1;
const INDIRECT = 2;

class SegmentReader {
  readonly out: number[] = [];
  readonly #data: Uint16Array;

  constructor(data: Uint16Array) {
    this.#data = data;
  }

  #word(at: number): number {
    const word = this.#data[at];
    if (word === undefined) throw new ArchiveError('CORRUPT', 'a segmented palette ends inside of a segment');
    return word;
  }

  /** Reads segments from word `at`: `count` of them, or all. An indirect one repeats others, which are not indirect themselves. */
  read(at: number, count: number, nested: boolean): void {
    let next = at;
    for (let segment = 0; segment < count && next < this.#data.length; segment++) {
      const code = this.#word(next);
      const length = this.#word(next + 1);
      if (code === DISCRETE) {
        for (let entry = 0; entry < length; entry++) this.#push(this.#word(next + 2 + entry));
        next += 2 + length;
      } else if (code === LINEAR) {
        this.#line(length, this.#word(next + 2));
        next += 3;
      } else if (code === INDIRECT && !nested) {
        // The offset is in bytes from the beginning of the data, its lower word first.
        const offset = (this.#word(next + 2) | (this.#word(next + 3) << 16)) >>> 0;
        if (offset % 2 !== 0) throw new ArchiveError('CORRUPT', 'a segmented palette refers to half a word');
        this.read(offset / 2, length, true);
        next += 4;
      } else if (code === 0 && length === 0) return;
      else throw new ArchiveError('CORRUPT', 'a segmented palette has a segment of no known kind');
    }
  }

  #line(length: number, end: number): void {
    const start = this.out.at(-1);
    if (start === undefined) throw new ArchiveError('CORRUPT', 'a segmented palette begins with a line');
    for (let step = 1; step <= length; step++) this.#push(Math.round(start + ((end - start) * step) / length));
  }

  #push(entry: number): void {
    if (this.out.length >= ENTRIES_MAX) throw new ArchiveError('CORRUPT', 'a segmented palette has too many entries');
    this.out.push(entry);
  }
}

/** The entries that segments stand for (C.7.9.2.2). CORRUPT for segments that are none. */
export function expandSegments(data: Uint16Array): Uint16Array {
  const reader = new SegmentReader(data);
  reader.read(0, Number.POSITIVE_INFINITY, false);
  return Uint16Array.from(reader.out);
}

function segmentsOrNull(data: Uint16Array): Uint16Array | null {
  try {
    return expandSegments(data);
  } catch (error) {
    // Broken as it was sent: the image has no palette then, and says so where it is rendered.
    if (error instanceof ArchiveError) return null;
    throw error;
  }
}

const PALETTE = [
  { descriptor: '00281101', data: '00281201', segmented: '00281221' },
  { descriptor: '00281102', data: '00281202', segmented: '00281222' },
  { descriptor: '00281103', data: '00281203', segmented: '00281223' },
] as const;

async function paletteTable(
  json: DicomJson,
  tags: (typeof PALETTE)[number],
  signed: boolean,
  fetch: FetchBulk,
): Promise<LookUpTable | null> {
  if (json[tags.segmented] === undefined) return await lookUpTable(json, tags, signed, fetch);
  const descriptor = descriptorOf(json, tags.descriptor, signed);
  const segments = await storedWords(json, tags.segmented, fetch);
  if (descriptor === null || segments === null) return null;
  const entries = segmentsOrNull(segments)?.slice(0, descriptor.entries) ?? null;
  return entries === null || entries.length === 0 ? null : { first: descriptor.first, bits: descriptor.bits, entries };
}

/** The palette of an instance; null when it has none that is whole. */
export async function paletteOf(json: DicomJson, signed: boolean, fetch: FetchBulk): Promise<Palette | null> {
  const [red, green, blue] = [
    await paletteTable(json, PALETTE[0], signed, fetch),
    await paletteTable(json, PALETTE[1], signed, fetch),
    await paletteTable(json, PALETTE[2], signed, fetch),
  ];
  if (red == null || green == null || blue == null) return null;
  // Old writers say 16 bits and mean 8: no entry of all three tables is above 255 then.
  const narrow = [red, green, blue].every((lut) => lut.bits > 8 && lut.entries.every((entry) => entry < 256));
  const fix = (lut: LookUpTable): LookUpTable => (narrow ? { ...lut, bits: 8 } : lut);
  return [fix(red), fix(green), fix(blue)];
}

export type Palette = readonly [LookUpTable, LookUpTable, LookUpTable];
