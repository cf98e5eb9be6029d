// The JSON text while it grows, as UTF-8 bytes: most of it is copied from the instance byte by byte, which costs a
// tenth of joining strings. Its length is bounded.

import type { FastBuffer } from '../byte-window.js';
import { fastBuffer } from '../byte-window.js';
import { DicomError } from '../dicom-error.js';
import { JSON_BYTES_MAX } from '../limits.js';

const INITIAL_BYTES = 64 * 1024;
/** Copies below this are cheaper in a loop than in a call. */
const LOOP_BYTES_MAX = 64;

const BASE64 = asciiBytes('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const HEX = asciiBytes('0123456789ABCDEF');
const QUOTE = 0x22;
const COLON = 0x3a;
const BASE64_PAD = 0x3d;

/** One buffer is kept from parse to parse: parsing is synchronous, so no two of a thread overlap. */
let spare: FastBuffer | null = null;

export class JsonBytes {
  #bytes: FastBuffer;
  #length = 0;
  #ascii = true;

  constructor() {
    this.#bytes = spare ?? fastBuffer(new Uint8Array(INITIAL_BYTES));
    spare = null;
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** One ASCII character. */
  byte(code: number): void {
    if (this.#length >= this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = code;
  }

  /** ASCII bytes `[from, to)` of `source`, as they are. */
  copy(source: Uint8Array, from: number, to: number): void {
    const count = to - from;
    if (this.#length + count > this.#bytes.length) this.#grow(count);
    const bytes = this.#bytes;
    let at = this.#length;
    this.#length = at + count;
    if (count > LOOP_BYTES_MAX) bytes.set(source.subarray(from, to), at);
    else for (let next = from; next < to; next++) bytes[at++] = source[next] as number;
  }

  put(ascii: Uint8Array): void {
    this.copy(ascii, 0, ascii.length);
  }

  /** Text of ASCII characters only. */
  ascii(text: string): void {
    const count = text.length;
    if (this.#length + count > this.#bytes.length) this.#grow(count);
    if (count > LOOP_BYTES_MAX) {
      this.#bytes.write(text, this.#length, 'latin1');
    } else {
      const bytes = this.#bytes;
      const start = this.#length;
      for (let at = 0; at < count; at++) bytes[start + at] = text.charCodeAt(at);
    }
    this.#length += count;
  }

  /** A tag as a member name, 8 upper-case hexadecimal digits: `"00100010":`. */
  tagName(tag: number): void {
    if (this.#length + 11 > this.#bytes.length) this.#grow(11);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = QUOTE;
    for (let shift = 28; shift >= 0; shift -= 4) bytes[at++] = HEX[(tag >>> shift) & 15] as number;
    bytes[at++] = QUOTE;
    bytes[at++] = COLON;
    this.#length = at;
  }

  /** Bytes `[from, to)` of `source` in base64 (RFC 4648, padded). */
  base64(source: FastBuffer, from: number, to: number): void {
    if (to - from > LOOP_BYTES_MAX) {
      this.ascii(source.base64Slice(from, to));
      return;
    }
    if (this.#length + 2 * LOOP_BYTES_MAX > this.#bytes.length) this.#grow(2 * LOOP_BYTES_MAX);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let next = from; next < to; next += 3) {
      const left = to - next;
      const second = left > 1 ? (source[next + 1] as number) : 0;
      const third = left > 2 ? (source[next + 2] as number) : 0;
      const word = ((source[next] as number) << 16) | (second << 8) | third;
      bytes[at++] = BASE64[word >>> 18] as number;
      bytes[at++] = BASE64[(word >>> 12) & 63] as number;
      bytes[at++] = left > 1 ? (BASE64[(word >>> 6) & 63] as number) : BASE64_PAD;
      bytes[at++] = left > 2 ? (BASE64[word & 63] as number) : BASE64_PAD;
    }
    this.#length = at;
  }

  /** Any text. */
  text(text: string): void {
    const count = Buffer.byteLength(text);
    if (this.#length + count > this.#bytes.length) this.#grow(count);
    this.#length += this.#bytes.write(text, this.#length, 'utf8');
    if (count !== text.length) this.#ascii = false;
  }

  /** What was written between two lengths. */
  slice(start: number, end: number): string {
    return this.#ascii ? this.#bytes.latin1Slice(start, end) : this.#bytes.toString('utf8', start, end);
  }

  /** Gives the buffer back; nothing may be written or read afterwards. */
  release(): void {
    if (this.#bytes.length <= 4 * INITIAL_BYTES) spare = this.#bytes;
    this.#bytes = fastBuffer(new Uint8Array(0));
    this.#length = 0;
  }

  #grow(count: number): void {
    const needed = this.#length + count;
    if (needed > JSON_BYTES_MAX) {
      throw new DicomError('LIMIT', `its metadata is longer than ${JSON_BYTES_MAX} bytes as JSON`);
    }
    const larger = fastBuffer(new Uint8Array(Math.min(JSON_BYTES_MAX, Math.max(needed, this.#bytes.length * 2))));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** ASCII text as bytes, for constants that are written often. */
export function asciiBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}
