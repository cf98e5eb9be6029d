// Data sets to bytes (PS3.5 7 and A.1, A.2), as little as phantoms need. dcmjs is not used for it: its
// writer encodes text in UTF-8 only, knows no fragments of our choosing, and takes about as long as 20 copies of the pixels.
import { ArchiveError } from '../../tiering/core/errors.js';
import { encodeText, type PhantomCharset } from './text-encoder.js';

export type DataSet = readonly Element[];

/** One element; `undefined` and '' are written with no value. */
export interface Element {
  /** `gggg << 16 | eeee`. */
  readonly tag: number;
  readonly vr: string;
  readonly value: string | readonly string[] | number | readonly number[] | Uint8Array | Items | undefined;
}

/** The value of an SQ. */
export interface Items {
  readonly items: readonly DataSet[];
  /** Written with undefined lengths and delimiters, as many modalities do. */
  readonly delimited?: boolean;
}

export interface Encoding {
  readonly explicit: boolean;
  readonly charset: PhantomCharset;
}

/** PS3.5 7.1.2: VRs with two reserved bytes and a 32-bit length. */
const LONG_VRS: ReadonlySet<string> = new Set([
  'OB',
  'OD',
  'OF',
  'OL',
  'OV',
  'OW',
  'SQ',
  'SV',
  'UC',
  'UN',
  'UR',
  'UT',
  'UV',
]);
/** PS3.5 6.1.2.2: VRs whose text is in the Specific Character Set. */
const CHARSET_VRS: ReadonlySet<string> = new Set(['LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UT']);
const UNDEFINED_LENGTH = 0xffffffff;
const BACKSLASH = Buffer.from('\\');

export function element(tag: number, vr: string, value: Element['value']): Element {
  return { tag, vr, value };
}

/** A sequence of items. */
export function sequence(tag: number, items: readonly DataSet[], delimited = false): Element {
  return { tag, vr: 'SQ', value: { items, delimited } };
}

/** The elements as bytes, in order of their tags. */
export function writeDataSet(elements: DataSet, encoding: Encoding): Buffer {
  const pieces: Uint8Array[] = [];
  for (const one of elements.toSorted((a, b) => a.tag - b.tag)) {
    if (isItems(one.value)) pieces.push(...writeSequence(one.tag, one.value, encoding));
    else {
      const value = valueBytes(one, encoding.charset);
      pieces.push(elementHeader(one.tag, one.vr, value.length, encoding.explicit), value);
    }
  }
  return Buffer.concat(pieces);
}

/** Tag, VR when explicit, and length. INVALID for a length that its field does not hold. */
export function elementHeader(tag: number, vr: string, length: number, explicit: boolean): Buffer {
  const long = !explicit || LONG_VRS.has(vr);
  if (length > (long ? UNDEFINED_LENGTH : 0xffff) || length % 2 !== (length === UNDEFINED_LENGTH ? 1 : 0)) {
    throw new ArchiveError('INVALID', `a value of ${length} bytes cannot be written as ${vr}`);
  }
  const header = Buffer.alloc(explicit && long ? 12 : 8);
  writeTag(header, tag);
  if (!explicit) header.writeUInt32LE(length, 4);
  else {
    header.write(vr, 4, 'latin1');
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

function writeSequence(tag: number, value: Items, encoding: Encoding): Uint8Array[] {
  const delimited = value.delimited === true;
  const content: Uint8Array[] = [];
  for (const item of value.items) {
    const bytes = writeDataSet(item, encoding);
    content.push(itemHeader(0xe000, delimited ? UNDEFINED_LENGTH : bytes.length), bytes);
    if (delimited) content.push(itemHeader(0xe00d, 0));
  }
  if (delimited) content.push(itemHeader(0xe0dd, 0));
  const length = delimited ? UNDEFINED_LENGTH : content.reduce((sum, piece) => sum + piece.length, 0);
  return [elementHeader(tag, 'SQ', length, encoding.explicit), ...content];
}

function valueBytes({ vr, value, tag }: Element, charset: PhantomCharset): Uint8Array {
  if (value === undefined) return Buffer.alloc(0);
  if (value instanceof Uint8Array) return padTo(value, 0);
  if (isItems(value)) throw new ArchiveError('INVALID', `items in ${tag.toString(16)}, which is no sequence`);
  const values = Array.isArray(value) ? (value as readonly (string | number)[]) : [value as string | number];
  if (typeof values[0] === 'number') return numberBytes(vr, values as readonly number[]);
  const used = CHARSET_VRS.has(vr) ? charset : '';
  const parts: Uint8Array[] = [];
  // Each value is encoded by itself: in GB18030 a backslash may be the second half of a character.
  for (const [index, one] of values.entries()) {
    if (index > 0) parts.push(BACKSLASH);
    parts.push(encodeText(String(one), used));
  }
  return padTo(Buffer.concat(parts), vr === 'UI' ? 0 : 0x20);
}

function numberBytes(vr: string, values: readonly number[]): Buffer {
  const width = vr === 'FD' ? 8 : vr === 'US' || vr === 'SS' ? 2 : 4;
  const bytes = Buffer.alloc(values.length * width);
  for (const [index, value] of values.entries()) {
    const at = index * width;
    if (vr === 'US') bytes.writeUInt16LE(value, at);
    else if (vr === 'SS') bytes.writeInt16LE(value, at);
    else if (vr === 'UL') bytes.writeUInt32LE(value, at);
    else if (vr === 'SL') bytes.writeInt32LE(value, at);
    else if (vr === 'FL') bytes.writeFloatLE(value, at);
    else if (vr === 'FD') bytes.writeDoubleLE(value, at);
    else if (vr === 'AT') writeTag(bytes.subarray(at), value);
    else throw new ArchiveError('INVALID', `numbers are not written as ${vr}`);
  }
  return bytes;
}

function writeTag(into: Buffer, tag: number): void {
  into.writeUInt16LE(tag >>> 16, 0);
  into.writeUInt16LE(tag & 0xffff, 2);
}

/** PS3.5 6.2: values have an even length. */
function padTo(bytes: Uint8Array, pad: number): Uint8Array {
  if (bytes.length % 2 === 0) return bytes;
  const even = new Uint8Array(bytes.length + 1);
  even.set(bytes);
  even[bytes.length] = pad;
  return even;
}

function isItems(value: Element['value']): value is Items {
  return typeof value === 'object' && 'items' in value;
}
