// Data sets to bytes (PS3.5 7 and A.1, A.2), for phantoms and for what was sent as JSON or XML. dcmjs is not used for it: its
// writer encodes text in UTF-8 only, knows no fragments of our choosing, and takes about as long as 20 copies of the pixels.
import { ArchiveError } from '../../tiering/core/errors.js';
import { tagText } from '../dicom-error.js';
import { Kind, type Vr, vrNamed } from '../vr.js';
import { type DataSet, type Element, inOrder, isBulkReference, isItems } from './element.js';
import { numberBytes } from './number-bytes.js';

export interface Encoding {
  readonly explicit: boolean;
  /** A text as bytes. `inCharset`: of a VR that Specific Character Set is about (PS3.5 6.1.2.2); else of the default repertoire. */
  readonly text: (text: string, inCharset: boolean) => Uint8Array;
  /** Which elements are written; all when absent. `depth` 0 is the data set itself. */
  readonly keeps?: (tag: number, depth: number) => boolean;
  /** Told of each element whose value could not be written as it was given. */
  readonly onCoerced?: (tag: number) => void;
}

/** Where a bulk value is to be put: its header and value are not among the pieces. */
export interface BulkPlace {
  readonly tag: number;
  readonly vr: string;
  readonly uri: string;
  /** Of the data set itself and of no item. */
  readonly top: boolean;
}

const UNDEFINED_LENGTH = 0xffffffff;
const SHORT_LENGTH_MAX = 0xfffe;
/** PS3.5 6.2: characters of one DS. */
const DECIMAL_CHARACTERS_MAX = 16;
const BACKSLASH = Buffer.from('\\');

/** The elements as bytes, in order of their tags. INVALID for a value that its VR cannot have. */
export function writeDataSet(elements: DataSet, encoding: Encoding): Buffer {
  const pieces: Uint8Array[] = [];
  for (const piece of dataSetPieces(elements, encoding)) {
    if (!(piece instanceof Uint8Array)) throw new ArchiveError('INTERNAL', 'bulk data in a data set without any');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

interface Open {
  readonly elements: DataSet;
  next: number;
  /** Of the sequence at `next`. */
  nextItem: number;
}

/** The elements in small pieces, with a place for each bulk value. Sequences may be as deep as they like when they are `delimited`. */
export function* dataSetPieces(elements: DataSet, encoding: Encoding): Generator<Uint8Array | BulkPlace, void, void> {
  const open: Open[] = [{ elements: inOrder(elements), next: 0, nextItem: 0 }];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const one = top.elements[top.next];
    if (one === undefined) {
      open.pop();
      if (open.length > 0) yield itemHeader(0xe00d, 0);
      continue;
    }
    const { tag, vr, value } = one;
    if (top.nextItem === 0 && encoding.keeps?.(tag, open.length - 1) === false) top.next++;
    else if (isItems(value) && value.delimited === true) {
      if (top.nextItem === 0) yield elementHeader(tag, 'SQ', UNDEFINED_LENGTH, encoding.explicit);
      const item = value.items[top.nextItem];
      if (item === undefined) {
        yield itemHeader(0xe0dd, 0);
        top.next++;
        top.nextItem = 0;
        continue;
      }
      top.nextItem++;
      yield itemHeader(0xe000, UNDEFINED_LENGTH);
      open.push({ elements: inOrder(item), next: 0, nextItem: 0 });
    } else {
      top.next++;
      if (isBulkReference(value)) yield { tag, vr, uri: value.uri, top: open.length === 1 };
      else {
        const bytes = isItems(value) ? itemsBytes(value.items, encoding) : valueBytes(one, encoding);
        yield elementHeader(tag, vr, bytes.length, encoding.explicit);
        yield bytes;
      }
    }
  }
}

/**
 * Tag, VR when explicit, and length. A value too long for the length field of its VR is written as UN (PS3.5 6.2.2 note 7).
 * INVALID for a length that is odd or that no field holds.
 */
export function elementHeader(tag: number, vr: string, length: number, explicit: boolean): Buffer {
  const fits = !explicit || vrNamed(vr)?.long === true;
  const long = fits || length > SHORT_LENGTH_MAX;
  if (length > UNDEFINED_LENGTH || length % 2 !== (length === UNDEFINED_LENGTH ? 1 : 0)) {
    throw new ArchiveError('INVALID', `a value of ${length} bytes cannot be written in ${tagText(tag)}`);
  }
  const header = Buffer.alloc(explicit && long ? 12 : 8);
  writeTag(header, tag);
  if (!explicit) header.writeUInt32LE(length, 4);
  else {
    header.write(fits || !long ? vr : 'UN', 4, 'latin1');
    if (long) header.writeUInt32LE(length, 8);
    else header.writeUInt16LE(length, 6);
  }
  return header;
}

/** An item tag (FFFE,eeee) with its length. */
export function itemHeader(elementNumber: number, length: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16LE(0xfffe, 0);
  header.writeUInt16LE(elementNumber, 2);
  header.writeUInt32LE(length, 4);
  return header;
}

/** Fragments, one a frame, as the value of an encapsulated Pixel Data (PS3.5 A.4), with a Basic Offset Table. */
export function encapsulate(frames: readonly Uint8Array[]): Buffer {
  const table = Buffer.alloc(frames.length * 4);
  const pieces: Uint8Array[] = [itemHeader(0xe000, table.length), table];
  let at = 0;
  for (const [index, frame] of frames.entries()) {
    table.writeUInt32LE(at, index * 4);
    const padded = padTo(frame, 0);
    pieces.push(itemHeader(0xe000, padded.length), padded);
    at += 8 + padded.length;
  }
  pieces.push(itemHeader(0xe0dd, 0));
  return Buffer.concat(pieces);
}

/** Items of defined length. */
function itemsBytes(items: readonly DataSet[], encoding: Encoding): Buffer {
  return Buffer.concat(
    items.flatMap((item) => {
      const bytes = writeDataSet(item, encoding);
      return [itemHeader(0xe000, bytes.length), bytes];
    }),
  );
}

function valueBytes({ vr, value, tag }: Element, encoding: Encoding): Uint8Array {
  if (value === undefined) return Buffer.alloc(0);
  if (value instanceof Uint8Array) return padTo(value, 0);
  const known = vrNamed(vr);
  if (known === undefined || (typeof value === 'object' && !Array.isArray(value))) {
    throw new ArchiveError('INVALID', `a value that its vr cannot have in ${tagText(tag)}`);
  }
  const values = Array.isArray(value) ? (value as readonly (string | number)[]) : [value as string | number];
  if (values.every((one) => one === '')) return textBytes(known, values.length, () => '', encoding);
  if (known.kind === Kind.NUMBER || known.kind === Kind.TAG) return numberBytes(tag, known, values);
  if (known.kind !== Kind.NUMBER_TEXT) return textBytes(known, values.length, (at) => String(values[at]), encoding);
  return textBytes(known, values.length, (at) => numberText(tag, known, String(values[at]), encoding), encoding);
}

/** Values with backslashes between them; nothing at all for a binary VR, whose empty values have no bytes. */
function textBytes(vr: Vr, count: number, text: (at: number) => string, encoding: Encoding): Uint8Array {
  if (vr.kind === Kind.NUMBER || vr.kind === Kind.TAG) return Buffer.alloc(0);
  const inCharset = vr.kind === Kind.TEXT || vr.kind === Kind.PERSON || vr.kind === Kind.LONG_TEXT;
  const parts: Uint8Array[] = [];
  // Each value is encoded by itself: in GB18030 a backslash may be the second half of a character.
  for (let at = 0; at < count; at++) {
    if (at > 0) parts.push(BACKSLASH);
    parts.push(encoding.text(text(at), inCharset));
  }
  return padTo(Buffer.concat(parts), vr.name === 'UI' ? 0 : 0x20);
}

/** A DS or IS as PS3.5 spells it. What is no number stays as it is: stored data sets have such, and their JSON is a string. */
function numberText(tag: number, vr: Vr, text: string, encoding: Encoding): string {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) return text;
  if (vr.name === 'IS') return /[.eE]/.test(text) && Number.isSafeInteger(value) ? String(value) : text;
  if (text.length <= DECIMAL_CHARACTERS_MAX) return text;
  encoding.onCoerced?.(tag);
  for (let digits = DECIMAL_CHARACTERS_MAX; digits > 1; digits--) {
    const shorter = String(Number(value.toPrecision(digits)));
    if (shorter.length <= DECIMAL_CHARACTERS_MAX) return shorter;
  }
  return String(Number(value.toPrecision(1)));
}

function writeTag(into: Buffer, tag: number): void {
  into.writeUInt16LE(tag >>> 16, 0);
  into.writeUInt16LE(tag & 0xffff, 2);
}

/** PS3.5 6.2: values have an even length. */
export function padTo(bytes: Uint8Array, pad: number): Uint8Array {
  if (bytes.length % 2 === 0) return bytes;
  const even = new Uint8Array(bytes.length + 1);
  even.set(bytes);
  even[bytes.length] = pad;
  return even;
}
