// The file calls that a volume makes, as promises over plain descriptors: exact reads and writes
// that go on after a short answer, and the fsync of a directory.
import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { ArchiveError } from '../core/errors.js';
import type { CallState } from './bulkhead.js';

export const open = promisify(fs.open);
export const close = promisify(fs.close);
export const fsync = promisify(fs.fsync);
export const fdatasync = promisify(fs.fdatasync);
export const lstat = promisify(fs.lstat);
export const mkdir: (path: string) => Promise<unknown> = promisify(fs.mkdir);
export const readdir: (path: string) => Promise<string[]> = promisify(fs.readdir);
export const rename = promisify(fs.rename);
export const statfs: (path: string) => Promise<fs.StatsFs> = promisify(fs.statfs);
export const unlink = promisify(fs.unlink);
export const fstat: (fd: number) => Promise<fs.Stats> = promisify(fs.fstat);

/** Linux refuses more pieces in one writev (IOV_MAX). */
const WRITEV_PIECES_MAX = 1024;
/** Linux cuts a single read or write short a little below 2 GiB; staying well below keeps one call bounded in time. */
const CALL_BYTES_MAX = 256 * 1024 * 1024;

function readOnce(fd: number, into: Uint8Array, at: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, into, at, length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

function writevOnce(fd: number, pieces: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.writev(fd, pieces, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

/** Fills `into` from `position` on. Resolves with the bytes read: fewer than its length only when the file ends. */
export async function readFully(fd: number, into: Uint8Array, position: number, call: CallState): Promise<number> {
  let done = 0;
  while (done < into.length) {
    stopWhenAbandoned(call);
    const count = await readOnce(fd, into, done, Math.min(into.length - done, CALL_BYTES_MAX), position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes all pieces one after another from `position` on. */
export async function writeFully(
  fd: number,
  pieces: readonly Uint8Array[],
  position: number,
  call: CallState,
): Promise<void> {
  let at = position;
  let rest = pieces.filter((piece) => piece.length > 0);
  while (rest.length > 0) {
    stopWhenAbandoned(call);
    const batch = takeBatch(rest);
    const count = await writevOnce(fd, batch, at);
    if (count === 0) throw new ArchiveError('UNAVAILABLE', 'the file system accepted no bytes and gave no reason');
    at += count;
    rest = dropBytes(rest, count);
  }
}

/** As many leading pieces as one call may carry; a single longer piece is cut. */
function takeBatch(pieces: readonly Uint8Array[]): Uint8Array[] {
  const batch: Uint8Array[] = [];
  let room = CALL_BYTES_MAX;
  for (const piece of pieces) {
    if (batch.length === WRITEV_PIECES_MAX || room === 0) break;
    const part = piece.length <= room ? piece : piece.subarray(0, room);
    batch.push(part);
    room -= part.length;
  }
  return batch;
}

/** What is left of `pieces` once their first `count` bytes are gone. */
function dropBytes(pieces: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  let index = 0;
  for (; index < pieces.length; index += 1) {
    const length = pieces[index]?.length ?? 0;
    if (left < length) break;
    left -= length;
  }
  const rest = pieces.slice(index);
  const first = rest[0];
  if (first !== undefined && left > 0) rest[0] = first.subarray(left);
  return rest;
}

function stopWhenAbandoned(call: CallState): void {
  // The caller has been answered already; going on would touch a file nobody waits for.
  if (call.abandoned) throw new ArchiveError('UNAVAILABLE', 'the call was given up');
}

/** Makes creates, renames and unlinks in `path` durable. */
export async function syncDirectory(path: string): Promise<void> {
  const fd = await open(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    await fsync(fd);
  } finally {
    await close(fd);
  }
}
