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

export class ByteWindow {
  readonly size: number;
  /** What is loaded. An index that `at` gave is valid until the next `at`. */
  bytes: FastBuffer;
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
    const loaded = this.#source.read(start, end, start + count);
    if (loaded.length < count || loaded.length > end - start) {
      throw new ArchiveError('UNAVAILABLE', `the bytes ${start} to ${end} of an instance could not be read whole`);
    }
    this.bytes = fastBuffer(loaded);
    this.#start = start;
    this.#end = start + loaded.length;
    return 0;
  }
}
