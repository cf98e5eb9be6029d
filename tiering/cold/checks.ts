// What every object store checks of its arguments, and how an abort shows: one place, so that all
// implementations refuse the same things with the same code.
import { takeBuffer } from '../core/buffers.js';
import { ArchiveError } from '../core/errors.js';
import { OBJECT_BYTES_MAX } from './limits.js';

export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Throws ABORTED when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal);
}

/** The ABORTED error for a signal that has fired. */
export function abortedError(signal: AbortSignal): ArchiveError {
  return new ArchiveError('ABORTED', 'the caller gave up', { cause: signal.reason });
}

/** ABORTED when the signal has fired (whatever the error says then), else the error itself. */
export function orAborted(error: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted ? abortedError(signal) : error;
}

/** Throws INVALID for a range that is empty, negative, not whole or not exact; LIMIT for one longer than any object. */
export function checkRange(range: ByteRange | undefined): void {
  if (range === undefined) return;
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end <= start) {
    throw new ArchiveError('INVALID', `not a byte range: [${start}, ${end})`);
  }
  if (end - start > OBJECT_BYTES_MAX) {
    throw new ArchiveError('LIMIT', `a range of ${end - start} bytes is longer than any object (${OBJECT_BYTES_MAX})`);
  }
}

/** Throws LIMIT for a body longer than an object may be. */
export function checkBody(body: Uint8Array): void {
  if (body.byteLength > OBJECT_BYTES_MAX) {
    throw new ArchiveError('LIMIT', `an object of ${body.byteLength} bytes is over the limit of ${OBJECT_BYTES_MAX}`);
  }
}

/** Memory of its own for `bytes` bytes (not a slice of a shared pool), so that it may be transferred to a worker. */
export function ownBuffer(bytes: number): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = takeBuffer(bytes);
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, length);
}
