// One table from what a system call answered to what it means for the archive. A failure that the
// table does not know is a failure of the volume, never of the request.
import { ArchiveError, type ErrorCode } from '../core/errors.js';

const CODES: ReadonlyMap<string, ErrorCode> = new Map([
  // Only a volume that has just proved its identity may turn this into "it is not there".
  ['ENOENT', 'ABSENT'],
  ['EEXIST', 'CONFLICT'],
  ['ENOSPC', 'FULL'],
  ['EDQUOT', 'FULL'],
  // The file system cannot hold a file of that length, however much of it is free.
  ['EFBIG', 'FULL'],
  ['EIO', 'UNAVAILABLE'],
  ['EROFS', 'UNAVAILABLE'],
  ['ENODEV', 'UNAVAILABLE'],
  ['ENXIO', 'UNAVAILABLE'],
  ['ESTALE', 'UNAVAILABLE'],
  ['EACCES', 'UNAVAILABLE'],
  // An immutable file or directory (chattr +i) answers this even to root.
  ['EPERM', 'UNAVAILABLE'],
  ['ENOTDIR', 'UNAVAILABLE'],
  ['EMFILE', 'UNAVAILABLE'],
  ['ENFILE', 'UNAVAILABLE'],
  ['ENOMEM', 'UNAVAILABLE'],
  ['ETIMEDOUT', 'UNAVAILABLE'],
  // Descriptors and ranges are this program's own affair.
  ['EBADF', 'INTERNAL'],
  ['EINVAL', 'INTERNAL'],
  ['EFAULT', 'INTERNAL'],
]);

/** The errno name of a failed system call (`ENOENT`), or undefined for anything else that was thrown. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What was thrown by file calls as an ArchiveError; `what` says which step of what, for people. ArchiveErrors pass. */
export function toArchiveError(error: unknown, what: string): ArchiveError {
  if (error instanceof ArchiveError) return error;
  const errno = errnoOf(error);
  if (errno === undefined) {
    const reason = error instanceof Error ? error.message : String(error);
    return new ArchiveError('INTERNAL', `${what}: ${reason}`, { cause: error });
  }
  return new ArchiveError(CODES.get(errno) ?? 'UNAVAILABLE', `${what}: ${errno}`, { cause: error });
}
