// How SQLite's result codes become the product's error codes, and how errors cross a thread border:
// as data, since a class does not survive the crossing. Never carries bound values, only SQLite's own text.
import { ArchiveError, type ErrorCode } from '../../core/errors.js';

/** An error as it travels between threads. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What a SQLite result code (extended, as better-sqlite3 names it) means for the caller. Null: a mistake of this program. */
function codeOfSqlite(sqliteCode: string): ErrorCode | null {
  if (sqliteCode.startsWith('SQLITE_FULL')) return 'FULL';
  if (sqliteCode.startsWith('SQLITE_CORRUPT') || sqliteCode === 'SQLITE_NOTADB') return 'CORRUPT';
  if (/^SQLITE_(IOERR|READONLY|CANTOPEN|PERM|AUTH|BUSY|LOCKED|NOMEM|PROTOCOL|NOLFS|INTERRUPT)/.test(sqliteCode)) {
    return 'UNAVAILABLE';
  }
  return null;
}

const ADVICE: Partial<Record<ErrorCode, string>> = {
  FULL: 'free space on the disk of the index, and it goes on by itself',
  CORRUPT:
    'the index file is damaged; run `filmroom serve --rebuild` or `filmroom rebuild-index`: it is set aside and made again',
  UNAVAILABLE: 'check the disk and the permissions of the index folder',
};

/** Any thrown value as an ArchiveError. `what` says what was being done. */
export function toArchiveError(error: unknown, what: string): ArchiveError {
  if (error instanceof ArchiveError) return error;
  const sqliteCode = (error as { code?: unknown } | null)?.code;
  const text = error instanceof Error ? error.message : String(error);
  if (typeof sqliteCode === 'string' && sqliteCode.startsWith('SQLITE_')) {
    const code = codeOfSqlite(sqliteCode);
    if (code !== null) {
      return new ArchiveError(code, `index: ${what}: ${text} (${sqliteCode}); ${ADVICE[code] ?? 'try again'}`, {
        cause: error,
      });
    }
    return new ArchiveError('INTERNAL', `index: ${what}: ${text} (${sqliteCode})`, { cause: error });
  }
  return new ArchiveError('INTERNAL', `index: ${what}: ${text}`, { cause: error });
}

export function toErrorData(error: unknown, what: string): ErrorData {
  const archiveError = toArchiveError(error, what);
  return { code: archiveError.code, message: archiveError.message };
}

export function fromErrorData(data: ErrorData): ArchiveError {
  return new ArchiveError(data.code, data.message);
}
