// The log beside the index file (`-wal`) as bytes. After an fsync that failed, Linux takes the pages that it could not write for written: they can be
// read for as long as memory keeps them, are not on the disk, and the next fsync succeeds without them. So what counts of a log is written
// again as it reads, which makes its pages dirty once more, and only an fsync after that is believed. Relied on: pages that were written since the file was
// opened are written by an fsync that returns 0 (https://wiki.postgresql.org/wiki/Fsync_Errors), and the checksums of the log tell whether what reads
// back is what was committed. The database file needs nothing of the kind: the log goes on holding whatever a sync of that file did not confirm.
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { ArchiveError } from '../../core/errors.js';

/** https://sqlite.org/fileformat2.html#the_write_ahead_log */
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;
const VERSION = 3_007_000;
/** Read and written at a time. */
const SLICE_BYTES = 1024 * 1024;

/** The checksum of a log up to some frame: it covers every byte before, since each frame's goes on from that of the frame before it. */
export type LogChecksum = readonly [number, number];

/**
 * Writes every frame of the log of the database at `path` again and syncs it; nothing beyond the last sound frame. Resolves with the checksum at frame
 * number `frame`, from 1, or null when the log does not reach so far. A log that is not there holds nothing. UNAVAILABLE when it cannot be read, written or synced.
 */
export function rewriteLog(path: string, frame: number): LogChecksum | null {
  let fd: number;
  try {
    fd = openSync(`${path}-wal`, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw failed(error);
  }
  try {
    const found = rewriteFrames(fd, frame);
    fsyncSync(fd);
    return found;
  } catch (error) {
    throw failed(error);
  } finally {
    // SQLite's locks are on the database file and on `-shm`: closing a descriptor of this one drops none of them.
    closeSync(fd);
  }
}

function rewriteFrames(fd: number, wanted: number): LogChecksum | null {
  const header = Buffer.alloc(HEADER_BYTES);
  if (readSync(fd, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return null;
  const magic = header.readUInt32BE(0);
  const pageBytes = header.readUInt32BE(8);
  // SQLite takes a log with another header for an empty one.
  if (magic >>> 1 !== MAGIC >>> 1 || header.readUInt32BE(4) !== VERSION) return null;
  if (pageBytes < 512 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0) return null;
  const sum = new RunningSum((magic & 1) === 0);
  sum.add(header, 0, 24);
  if (!sum.is(header, 24)) return null;
  writeAll(fd, header, HEADER_BYTES, 0);

  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  const slice = Buffer.alloc(Math.max(1, Math.floor(SLICE_BYTES / frameBytes)) * frameBytes);
  let found: LogChecksum | null = null;
  let number = 0;
  for (let at = HEADER_BYTES; ; at += slice.length) {
    const read = readSync(fd, slice, 0, slice.length, at);
    let sound = 0;
    for (; sound + frameBytes <= read; sound += frameBytes) {
      // Another salt: of the round of the log before this one.
      if (slice.compare(header, 16, 24, sound + 8, sound + 16) !== 0) break;
      sum.add(slice, sound, 8);
      sum.add(slice, sound + FRAME_HEADER_BYTES, pageBytes);
      if (!sum.is(slice, sound + 16)) break;
      number += 1;
      if (number === wanted) found = sum.value;
    }
    writeAll(fd, slice, sound, at);
    if (sound < slice.length) return found;
  }
}

function writeAll(fd: number, bytes: Buffer, length: number, at: number): void {
  for (let done = 0; done < length; ) done += writeSync(fd, bytes, done, length - done, at + done);
}

/** https://sqlite.org/fileformat2.html#checksum_algorithm */
class RunningSum {
  readonly #littleEndian: boolean;
  #s0 = 0;
  #s1 = 0;

  constructor(littleEndian: boolean) {
    this.#littleEndian = littleEndian;
  }

  get value(): LogChecksum {
    return [this.#s0 >>> 0, this.#s1 >>> 0];
  }

  /** @param length a multiple of 8. */
  add(bytes: Buffer, start: number, length: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, length);
    for (let at = 0; at < length; at += 8) {
      this.#s0 = (this.#s0 + view.getUint32(at, this.#littleEndian) + this.#s1) | 0;
      this.#s1 = (this.#s1 + view.getUint32(at + 4, this.#littleEndian) + this.#s0) | 0;
    }
  }

  /** Whether it is what is written there, which is big-endian in any case. */
  is(bytes: Buffer, at: number): boolean {
    const [s0, s1] = this.value;
    return bytes.readUInt32BE(at) === s0 && bytes.readUInt32BE(at + 4) === s1;
  }
}

function failed(error: unknown): ArchiveError {
  const { message } = error as Error;
  return new ArchiveError(
    'UNAVAILABLE',
    `index: its log cannot be written again and synced: ${message}; check the disk and the permissions of the index folder`,
    { cause: error },
  );
}
