// A view of a ByteSource through which the scanner reads: over memory it is the whole of it and never
// moves; over anything else it is one page that moves along. Callers check bounds before they ask.
import { ArchiveError, invariant } from '../tiering/core/errors.js';
import type { ByteSource } from './byte-source.js';
import { HEADER_PAGE_BYTES } from './limits.js';

/** What Buffer.toString calls for the two encodings; the types do not list them. */
export interface FastBuffer extends Buffer {
  latin1Slice(start: number, end: number): string;
  base64Slice(start: number, end: number): string;
}

export function fastBuffer(bytes: Uint8Array): FastBuffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) as FastBuffer;
}

/** Text is decoded in pages, of which values are slices: one call into the runtime for a hundred values. */
const TEXT_PAGE_BYTES = 8 * 1024;
const TEXT_PAGED_BYTES_MAX = 1024;

export class ByteWindow {
  readonly size: number;
  /** What is loaded. An index that `at` gave is valid until the next `at`. */
  bytes: FastBuffer;
  #text = '';
  /** Index of the first byte of `#text`. */
  #textStart = 0;
  #start = 0;
  #end: number;
  readonly #source: ByteSource | null;

  constructor(source: Uint8Array | ByteSource) {
    if (source instanceof Uint8Array) {
      this.bytes = fastBuffer(source);
      this.#end = source.length;
      this.#source = null;
    } else {
      this.bytes = fastBuffer(new Uint8Array(0));
      this.#end = 0;
      this.#source = source;
    }
    this.size = source instanceof Uint8Array ? source.length : source.size;
  }

  /**
   * Makes `[start, start + count)` present and returns the index of `start` in `bytes`. The caller has checked that it lies
   * within `size`. `page` is what is read when the window must move.
   */
  at(start: number, count: number, page = HEADER_PAGE_BYTES): number {
    if (start >= this.#start && start + count <= this.#end) return start - this.#start;
    invariant(this.#source !== null, 'the DICOM scanner reads inside of its bytes');
    const end = Math.min(this.size, start + Math.max(count, page));
    const loaded = this.#source.read(start, end);
    if (loaded.length !== end - start) {
      throw new ArchiveError('UNAVAILABLE', `the bytes ${start} to ${end} of an instance could not be read whole`);
    }
    this.bytes = fastBuffer(loaded);
    this.#start = start;
    this.#end = end;
    this.#text = '';
    return 0;
  }

  /**
   * The loaded bytes `[from, to)` (indexes into `bytes`) as Latin-1. The string may be a slice that keeps its page alive: what
   * outlives the scan is copied first.
   */
  latin1(from: number, to: number): string {
    const offset = from - this.#textStart;
    if (offset >= 0 && to - this.#textStart <= this.#text.length) return this.#text.slice(offset, to - this.#textStart);
    if (to - from > TEXT_PAGED_BYTES_MAX) return this.bytes.latin1Slice(from, to);
    this.#textStart = from;
    this.#text = this.bytes.latin1Slice(from, Math.min(this.bytes.length, from + TEXT_PAGE_BYTES));
    return this.#text.slice(0, to - from);
  }
}
