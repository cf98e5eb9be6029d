// One error class for the whole product, with a closed union of codes. Which HTTP status or STOW
// failure reason a code becomes is decided in one table above (dicomweb/problem.ts), never here.

/**
 * What went wrong, as a machine may act on it.
 *
 * The first four are never blurred (invariant I7): ABSENT, it is not there and the one who says so
 * was in a position to know; UNAVAILABLE, nobody could be asked just now; CORRUPT, it is there and
 * is not what it ought to be; WRONG_KEY, it is intact and this keyring does not open it.
 */
export type ErrorCode =
  | 'ABSENT'
  | 'UNAVAILABLE'
  | 'CORRUPT'
  | 'WRONG_KEY'
  /** It is intact and sealed with a cipher suite that this archive's configuration does not open. */
  | 'SUITE_REFUSED'
  /** The index has no such study, series, instance or pack, or it was deleted. The only source of a 404. */
  | 'NOT_FOUND'
  /** Every copy that the index knows of is absent or corrupt, and every replica answered. */
  | 'LOST'
  /** Who asks may not do this. What one may not even see is NOT_FOUND instead. */
  | 'FORBIDDEN'
  /** What the caller sent is malformed. */
  | 'INVALID'
  /** The same identity exists with other content. */
  | 'CONFLICT'
  /** No space: a file system is at its reserve or answered ENOSPC, or a quota is reached. */
  | 'FULL'
  /** A stated limit of tiering/core/limits.ts was passed. */
  | 'LIMIT'
  /** Well-formed, and this implementation does not do it. */
  | 'NOT_SUPPORTED'
  /** The volume, replica or index belongs to another archive, or to a newer owner of this one. */
  | 'FOREIGN'
  /** Another process holds it. */
  | 'LOCKED'
  /** The caller gave up (its AbortSignal fired). */
  | 'ABORTED'
  /** A broken invariant of this program. */
  | 'INTERNAL';

export interface ArchiveErrorOptions {
  readonly cause?: unknown;
  /** Whether the same call may succeed later with nothing else changed. Default: by code. */
  readonly retryable?: boolean;
}

const RETRYABLE: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'FULL', 'LOCKED']);

/** The one error of Filmroom. `message` is for people: what was wrong, where, what to do. Never patient data. */
export class ArchiveError extends Error {
  override readonly name: string = 'ArchiveError';
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: ArchiveErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? RETRYABLE.has(code);
  }
}

/** The reason with which a timer or a losing attempt is stopped: made once, since each `abort()` without one makes a stack trace. */
export const NO_LONGER_NEEDED = new ArchiveError('ABORTED', 'it is no longer needed');

/** Whether `error` is an ArchiveError with one of `codes`. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is ArchiveError {
  return error instanceof ArchiveError && codes.includes(error.code);
}

/** The code of anything thrown: an ArchiveError's own, ABORTED for an abort, else INTERNAL. */
export function codeOf(error: unknown): ErrorCode {
  if (error instanceof ArchiveError) return error.code;
  if (error instanceof Error && error.name === 'AbortError') return 'ABORTED';
  return 'INTERNAL';
}

/** Refuses to go on with a broken invariant; stays on in production. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new ArchiveError('INTERNAL', `broken invariant: ${message}`);
}
