// Where the scanner takes its bytes from: memory, or anything that can be read by range. A source over a
// file is asked for header pages and fragment headers only, whatever the file's size.

/** Random access to the bytes of one instance. Synchronous: parsing runs in a worker. */
export interface ByteSource {
  /** Bytes in all. */
  readonly size: number;
  /**
   * The bytes from `start` to `end`, or to any place from `least` on (more than `least` is only a page read ahead);
   * `0 <= start <= least <= end <= size`. The answer may share memory with the source and is not written to. Throws when they
   * cannot be read.
   */
  read(start: number, end: number, least: number): Uint8Array;
}
