// What an errno of a directory store means as an ArchiveError. ENOENT is not here: whether an absent
// file is an absent object depends on the root being there, which only the caller can see.
import { ArchiveError } from '../../core/errors.js';

/** The errno name of anything thrown by node:fs, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || error instanceof ArchiveError) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whether `error` is one of the errnos `names`. */
export function isErrno(error: unknown, ...names: readonly string[]): boolean {
  const name = errnoOf(error);
  return name !== undefined && names.includes(name);
}

/**
 * FULL for ENOSPC and EDQUOT; NOT_SUPPORTED for a name this file system cannot hold; UNAVAILABLE for every other
 * errno (EIO, EROFS, EACCES, ESTALE, ENODEV, EMFILE, …): nothing was learned about the object. Others pass unchanged.
 */
export function fileError(error: unknown, what: string): ArchiveError {
  if (error instanceof ArchiveError) return error;
  const name = errnoOf(error);
  switch (name) {
    case undefined:
      return new ArchiveError('INTERNAL', `${what}: ${String(error)}`, { cause: error });
    case 'ENOSPC':
    case 'EDQUOT':
      return new ArchiveError('FULL', `${what}: no space left (${name})`, { cause: error });
    case 'ENAMETOOLONG':
      return new ArchiveError('NOT_SUPPORTED', `${what}: the name is longer than this file system allows`, {
        cause: error,
      });
    case 'EISDIR':
    case 'ENOTDIR':
    case 'ENOTEMPTY':
      return new ArchiveError('NOT_SUPPORTED', `${what}: in a directory one key cannot be a folder of another`, {
        cause: error,
      });
    default:
      return new ArchiveError('UNAVAILABLE', `${what}: the directory answered ${name}`, { cause: error });
  }
}
