// Gathers what is written in Explicit VR Little Endian, a few bytes at a time, into chunks that are worth sending. Holds one
// chunk; the caller takes it whenever it is due.
import { UNDEFINED_LENGTH } from '../scan/element-header.js';
import { Kind, UN, type Vr } from '../vr.js';

/** A chunk is due from here on. */
const DUE_BYTES = 48 * 1024;
/** Values longer than this are not gathered: they leave as they came. */
export const GATHERED_VALUE_BYTES_MAX = 15 * 1024;
/** Room for a due chunk, one gathered value and some headers, which is all that is written between two looks at `due`. */
const CHUNK_BYTES = 64 * 1024;
const SHORT_LENGTH_MAX = 0xffff;

const ITEM = 0xfffee000;
const ITEM_END = 0xfffee00d;
const SEQUENCE_END = 0xfffee0dd;

/** The pad byte that makes a value of `vr` even (PS3.5 6.2): a space for text, else NUL. */
export function padByte(vr: Vr): number {
  return vr.kind === Kind.BINARY || vr.kind === Kind.NUMBER || vr.kind === Kind.TAG || vr.name === 'UI' ? 0 : 0x20;
}

export class ChunkWriter {
  #bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #length = 0;

  get due(): boolean {
    return this.#length >= DUE_BYTES;
  }

  get empty(): boolean {
    return this.#length === 0;
  }

  /** What was gathered; it is the caller's. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    if (this.#length < CHUNK_BYTES / 2) {
      this.#length = 0;
      return Buffer.from(taken);
    }
    this.#bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#length = 0;
    return taken;
  }

  /**
   * An element header, `length` even or UNDEFINED_LENGTH. A length that the 16-bit field of its VR does not hold makes it UN, as
   * PS3.5 6.2.2 has it.
   */
  header(tag: number, vr: Vr, length: number): void {
    const shown = !vr.long && length > SHORT_LENGTH_MAX ? UN : vr;
    const at = this.#tag(tag);
    const bytes = this.#bytes;
    bytes[at] = shown.name.charCodeAt(0);
    bytes[at + 1] = shown.name.charCodeAt(1);
    if (shown.long) {
      bytes.writeUInt16LE(0, at + 2);
      bytes.writeUInt32LE(length, at + 4);
      this.#length = at + 8;
    } else {
      bytes.writeUInt16LE(length, at + 2);
      this.#length = at + 4;
    }
  }

  item(length = UNDEFINED_LENGTH): void {
    this.#delimiter(ITEM, length);
  }

  itemEnd(): void {
    this.#delimiter(ITEM_END, 0);
  }

  sequenceEnd(): void {
    this.#delimiter(SEQUENCE_END, 0);
  }

  /** Copies a value of at most GATHERED_VALUE_BYTES_MAX bytes; returns where it lies, to be changed in place until the next call. */
  value(from: Uint8Array, start: number, end: number): Buffer {
    const at = this.#length;
    this.#bytes.set(from.subarray(start, end), at);
    this.#length = at + end - start;
    return this.#bytes.subarray(at, this.#length);
  }

  byte(byte: number): void {
    this.#bytes[this.#length++] = byte;
  }

  #tag(tag: number): number {
    const at = this.#length;
    this.#bytes.writeUInt16LE(tag >>> 16, at);
    this.#bytes.writeUInt16LE(tag & 0xffff, at + 2);
    return at + 4;
  }

  #delimiter(tag: number, length: number): void {
    const at = this.#tag(tag);
    this.#bytes.writeUInt32LE(length, at);
    this.#length = at + 4;
  }
}
