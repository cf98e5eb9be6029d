// What becomes of credentials: an access, or the status and the words with which they are refused.
import { ArchiveError } from '../../tiering/core/errors.js';
import type { Access } from './access.js';

export type AuthResult =
  | { readonly allowed: true; readonly access: Access }
  | { readonly allowed: false; readonly status: 401 | 403 | 503; readonly detail: string };

export const allowed = (access: Access): AuthResult => ({ allowed: true, access });
export const refused = (status: 401 | 403 | 503, detail: string): AuthResult => ({ allowed: false, status, detail });

/** What a verifier of signed tokens threw, as an answer: its own refusals pass, everything else is a token that is not accepted. */
export function refusalOf(error: unknown): AuthResult {
  if (error instanceof ArchiveError && error.code === 'UNAVAILABLE') return refused(503, error.message);
  if (error instanceof ArchiveError) return refused(401, error.message);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return refused(401, code === 'ERR_JWT_EXPIRED' ? 'this token has expired' : 'this token is not accepted here');
}
