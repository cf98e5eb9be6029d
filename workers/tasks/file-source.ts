// A stretch of a file as the byte source of the DICOM scanner, for instances too large for memory.
// Synchronous: it is used in worker threads only.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { ByteSource } from '../../dicom/byte-source.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { ScanFileTask } from './types.js';

/** Runs `work` on the bytes `[start, end)` of the file. ABSENT without the file, CORRUPT when it ends earlier, else UNAVAILABLE. */
export function withFileSource<T>(task: ScanFileTask, work: (source: ByteSource) => T): T {
  const { path, start, end } = task;
  // O_NONBLOCK: a pipe in the place of a file must not block the thread for ever.
  const fd = attempt(path, () => openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
  try {
    const found = attempt(path, () => fstatSync(fd));
    if (!found.isFile()) throw new ArchiveError('UNAVAILABLE', `${path} is not a file`);
    if (found.size < end) throw new ArchiveError('CORRUPT', `${path} ends before byte ${end}`);
    return work({ size: end - start, read: (from, to) => readExactly(path, fd, start + from, to - from) });
  } finally {
    closeSync(fd);
  }
}

function readExactly(path: string, fd: number, position: number, length: number): Uint8Array {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const count = attempt(path, () => readSync(fd, buffer, done, length - done, position + done));
    if (count === 0) throw new ArchiveError('CORRUPT', `${path} ends before byte ${position + length}`);
    done += count;
  }
  return buffer;
}

function attempt<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const errno = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new ArchiveError(errno === 'ENOENT' ? 'ABSENT' : 'UNAVAILABLE', `${path}: ${errno}`, { cause: error });
  }
}
