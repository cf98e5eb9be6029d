// Builds DICOM bytes by hand, right or deliberately wrong: a test says exactly which byte lies where. Shares
// no code with the scanner that it tests.

const LONG = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']);

export const EXPLICIT_LE = '1.2.840.10008.1.2.1';
export const IMPLICIT_LE = '1.2.840.10008.1.2';
export const EXPLICIT_BE = '1.2.840.10008.1.2.2';
export const DEFLATED_LE = '1.2.840.10008.1.2.1.99';
export const JPEG_BASELINE = '1.2.840.10008.1.2.4.50';
export const CT_CLASS = '1.2.840.10008.5.1.4.1.1.2';
export const UNDEFINED = 0xffffffff;

export type Encoding = 'explicit' | 'implicit' | 'big';

export function u16(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [at, value] of values.entries()) bytes.writeUInt16LE(value, at * 2);
  return bytes;
}

export function u32(...values: readonly number[]): Buffer {
  return u32s(values);
}

/** As many as there are: a million arguments are too many for a call. */
function u32s(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [at, value] of values.entries()) bytes.writeUInt32LE(value, at * 4);
  return bytes;
}

/** A value made even with the pad of its VR. */
export function padded(vr: string, value: Buffer | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  if (bytes.length % 2 === 0) return bytes;
  const pad = vr === 'UI' || LONG.has(vr) ? 0 : 0x20;
  return Buffer.concat([bytes, Buffer.from([pad])]);
}

export interface HeaderOptions {
  readonly encoding?: Encoding;
  /** What the length field says; default: the length of the value. */
  readonly length?: number;
}

/** The header of one element, with whatever length it is told. */
export function header(tag: number, vr: string, length: number, encoding: Encoding = 'explicit'): Buffer {
  const long = encoding !== 'implicit' && LONG.has(vr);
  const bytes = Buffer.alloc(long ? 12 : 8);
  const big = encoding === 'big';
  const w16 = (value: number, at: number) => (big ? bytes.writeUInt16BE(value, at) : bytes.writeUInt16LE(value, at));
  const w32 = (value: number, at: number) => (big ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at));
  w16(tag >>> 16, 0);
  w16(tag & 0xffff, 2);
  if (encoding === 'implicit') {
    w32(length, 4);
    return bytes;
  }
  bytes.write(vr, 4, 'latin1');
  if (long) w32(length, 8);
  else w16(length & 0xffff, 6);
  return bytes;
}

/** One element. The value is padded to even length; `options.length` lies about it. */
export function element(tag: number, vr: string, value: Buffer | string, options: HeaderOptions = {}): Buffer {
  const bytes = padded(vr, value);
  return Buffer.concat([header(tag, vr, options.length ?? bytes.length, options.encoding), bytes]);
}

/** An item, of defined length unless `open`. */
export function item(content: Buffer, open = false): Buffer {
  const head = Buffer.concat([u16(0xfffe, 0xe000), u32(open ? UNDEFINED : content.length)]);
  return Buffer.concat(open ? [head, content, u16(0xfffe, 0xe00d), u32(0)] : [head, content]);
}

/** A sequence of items, of defined length unless `open`. */
export function sequence(tag: number, items: readonly Buffer[], open = false, encoding: Encoding = 'explicit'): Buffer {
  const content = Buffer.concat([...items]);
  const head = header(tag, 'SQ', open ? UNDEFINED : content.length, encoding);
  return Buffer.concat(open ? [head, content, u16(0xfffe, 0xe0dd), u32(0)] : [head, content]);
}

/** Encapsulated pixel data: Basic Offset Table, fragments, delimiter. */
export function encapsulated(
  fragments: readonly Buffer[],
  offsets: readonly number[] = [],
  options: { readonly delimiter?: boolean } = {},
): Buffer {
  return Buffer.concat([
    header(0x7fe00010, 'OB', UNDEFINED),
    item(u32s(offsets)),
    ...fragments.map((fragment) => item(padded('OB', fragment))),
    ...(options.delimiter === false ? [] : [u16(0xfffe, 0xe0dd), u32(0)]),
  ]);
}

export interface MetaOptions {
  readonly transferSyntax?: string | null;
  readonly sopUid?: string;
  readonly sopClassUid?: string;
  /** Added to the true group length. */
  readonly groupLengthError?: number;
  readonly extra?: readonly Buffer[];
}

/** File meta information. */
export function fileMeta(options: MetaOptions = {}): Buffer {
  const { transferSyntax = EXPLICIT_LE, sopUid = '1.2.3', sopClassUid = CT_CLASS } = options;
  const rest = Buffer.concat([
    element(0x00020001, 'OB', Buffer.from([0, 1])),
    element(0x00020002, 'UI', sopClassUid),
    element(0x00020003, 'UI', sopUid),
    ...(transferSyntax === null ? [] : [element(0x00020010, 'UI', transferSyntax)]),
    ...(options.extra ?? []),
  ]);
  const length = (rest.length + (options.groupLengthError ?? 0)) >>> 0;
  return Buffer.concat([element(0x00020000, 'UL', u32(length)), rest]);
}

/** Preamble, prefix, file meta information and a data set: a file. */
export function part10(dataset: Buffer, meta: MetaOptions = {}, preamble: Uint8Array = new Uint8Array(128)): Buffer {
  return Buffer.concat([preamble, Buffer.from('DICM'), fileMeta(meta), dataset]);
}

export interface IdentityOptions {
  readonly sopClassUid?: string | null;
  readonly sopUid?: string | null;
  readonly studyUid?: string | null;
  readonly seriesUid?: string | null;
  readonly encoding?: Encoding;
}

/** A data set with the four identifying UIDs, and `others` (whole elements) sorted in by their tags. null leaves one out. */
export function dataset(others: readonly Buffer[] = [], identity: IdentityOptions = {}): Buffer {
  const {
    sopClassUid = CT_CLASS,
    sopUid = '1.2.3',
    studyUid = '1.2',
    seriesUid = '1.2.1',
    encoding = 'explicit',
  } = identity;
  const uid = (tag: number, value: string | null) => (value === null ? [] : [element(tag, 'UI', value, { encoding })]);
  const all = [
    ...uid(0x00080016, sopClassUid),
    ...uid(0x00080018, sopUid),
    ...uid(0x0020000d, studyUid),
    ...uid(0x0020000e, seriesUid),
    ...others,
  ];
  const tagOf = (bytes: Buffer): number =>
    encoding === 'big'
      ? bytes.readUInt16BE(0) * 65_536 + bytes.readUInt16BE(2)
      : bytes.readUInt16LE(0) * 65_536 + bytes.readUInt16LE(2);
  return Buffer.concat([...all].sort((a, b) => tagOf(a) - tagOf(b)));
}

/** A file with identity and `others` in Explicit VR Little Endian. */
export function instance(others: readonly Buffer[] = [], meta: MetaOptions = {}): Buffer {
  return part10(dataset(others), meta);
}

/** A small image: `rows` by `columns` of 16 bits. */
export function imageElements(rows: number, columns: number, frames?: string): Buffer[] {
  return [
    element(0x00280002, 'US', u16(1)),
    element(0x00280004, 'CS', 'MONOCHROME2'),
    ...(frames === undefined ? [] : [element(0x00280008, 'IS', frames)]),
    element(0x00280010, 'US', u16(rows)),
    element(0x00280011, 'US', u16(columns)),
    element(0x00280100, 'US', u16(16)),
  ];
}
