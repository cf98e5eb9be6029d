// Numbers of a data set as PS3.18 F.2.3 writes them: JSON numbers where JSON can say them exactly, else strings.
import { Kind, type Vr } from '../vr.js';

/** The JSON text of one number; NaN and infinities, which JSON does not have, become strings. */
function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? '"NaN"' : value > 0 ? '"Infinity"' : '"-Infinity"';
}

/** PS3.18 F.2.3: SV and UV are numbers or strings; a string where a double would round. */
function bigText(value: bigint): string {
  const asNumber = Number(value);
  return Number.isSafeInteger(asNumber) ? String(asNumber) : `"${value}"`;
}

type Reader = (bytes: Buffer, at: number) => string;

const LITTLE: Readonly<Record<string, Reader>> = {
  US: (bytes, at) => String(bytes.readUInt16LE(at)),
  SS: (bytes, at) => String(bytes.readInt16LE(at)),
  UL: (bytes, at) => String(bytes.readUInt32LE(at)),
  SL: (bytes, at) => String(bytes.readInt32LE(at)),
  FL: (bytes, at) => numberText(bytes.readFloatLE(at)),
  FD: (bytes, at) => numberText(bytes.readDoubleLE(at)),
  UV: (bytes, at) => bigText(bytes.readBigUInt64LE(at)),
  SV: (bytes, at) => bigText(bytes.readBigInt64LE(at)),
};
const BIG: Readonly<Record<string, Reader>> = {
  US: (bytes, at) => String(bytes.readUInt16BE(at)),
  SS: (bytes, at) => String(bytes.readInt16BE(at)),
  UL: (bytes, at) => String(bytes.readUInt32BE(at)),
  SL: (bytes, at) => String(bytes.readInt32BE(at)),
  FL: (bytes, at) => numberText(bytes.readFloatBE(at)),
  FD: (bytes, at) => numberText(bytes.readDoubleBE(at)),
  UV: (bytes, at) => bigText(bytes.readBigUInt64BE(at)),
  SV: (bytes, at) => bigText(bytes.readBigInt64BE(at)),
};

function tagValue(bytes: Buffer, at: number, bigEndian: boolean): string {
  const group = bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at);
  const element = bigEndian ? bytes.readUInt16BE(at + 2) : bytes.readUInt16LE(at + 2);
  return `"${((group * 65_536 + element) >>> 0).toString(16).toUpperCase().padStart(8, '0')}"`;
}

/**
 * The JSON values of a binary number or AT element, joined with commas. Bytes that are less than one value at the end are left
 * out (the caller warns).
 */
export function numbersJson(vr: Vr, bytes: Buffer, start: number, end: number, bigEndian: boolean): string {
  const size = vr.kind === Kind.TAG ? 4 : vr.unit;
  const read = (bigEndian ? BIG : LITTLE)[vr.name];
  const one = (at: number): string => (read === undefined ? tagValue(bytes, at, bigEndian) : read(bytes, at));
  if (end - start < size) return '';
  let text = one(start);
  for (let at = start + size; at + size <= end; at += size) text += `,${one(at)}`;
  return text;
}

/** Longer than any DS or IS may be (PS3.5 6.2); what is longer is looked at as a whole. */
const NUMBER_TEXT_BYTES_MAX = 16;

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** Whether the bytes are already a JSON number, and for `integer` one without fraction and exponent: the usual DS and IS. */
export function isJsonNumber(bytes: Uint8Array, start: number, end: number, integer: boolean): boolean {
  if (end - start > NUMBER_TEXT_BYTES_MAX) return false;
  let at = start;
  if (bytes[at] === 0x2d) at++;
  const first = bytes[at];
  if (at >= end || !isDigit(first)) return false;
  at++;
  if (first === 0x30) {
    if (at < end && isDigit(bytes[at])) return false;
    // A minus zero is rewritten as zero.
    if (at === end && bytes[start] === 0x2d) return false;
  } else while (at < end && isDigit(bytes[at])) at++;
  if (at === end) return end - start < NUMBER_TEXT_BYTES_MAX;
  if (integer || bytes[at] !== 0x2e) return false;
  at++;
  const fraction = at;
  while (at < end && isDigit(bytes[at])) at++;
  return at === end && at > fraction;
}

/** A DS or IS that is already a JSON number: no plus sign, no leading zeros or bare points, and no more digits than a double keeps. */
const JSON_NUMBER = /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,16})?(?:[eE][+-]?\d{1,2})?$/;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/;
const INTEGER = /^[+-]?\d{1,15}$/;

/**
 * The JSON of one DS or IS: its own digits where they are a JSON number, the same number rewritten where the spelling is
 * not (`+1`, `007`, `.5`), a string where it is no number at all. `text` has its padding removed.
 */
export function decimalJson(text: string, integer: boolean): string {
  if (text === '') return 'null';
  if (integer) return INTEGER.test(text) ? String(Number(text) + 0) : JSON.stringify(text);
  if (JSON_NUMBER.test(text)) return text;
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? String(value) : JSON.stringify(text);
}

/** An IS as an integer, or null. */
export function integerOf(text: string): number | null {
  const trimmed = text.trim();
  return INTEGER.test(trimmed) ? Number(trimmed) + 0 : null;
}
