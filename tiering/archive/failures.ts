// How a failure is told: to the caller its code and a text for people, to the log what nobody expected.
import { ArchiveError, codeOf, type ErrorCode } from '../core/errors.js';
import type { PackId } from '../core/ids.js';
import type { JobFailure } from './archive.js';
import type { ArchiveContext } from './context.js';

/** Code and text of anything thrown. An error that is not ours is logged with where it came from; its text is not shown. */
export function tellFailure(
  ctx: ArchiveContext,
  error: unknown,
): { readonly code: ErrorCode; readonly detail: string } {
  if (error instanceof ArchiveError) {
    if (error.code === 'INTERNAL') logUnexpected(ctx, error);
    return { code: error.code, detail: error.message };
  }
  const code = codeOf(error);
  if (code !== 'ABORTED') logUnexpected(ctx, error);
  return { code, detail: code === 'ABORTED' ? 'it was stopped' : 'an unexpected error: see the server log' };
}

/** For work that nobody waits for: the log is all that tells of it. */
export function logFailure(ctx: ArchiveContext, event: string, error: unknown, pack?: PackId): void {
  const { code, detail } = tellFailure(ctx, error);
  ctx.log({
    level: code === 'UNAVAILABLE' || code === 'FULL' ? 'warn' : 'error',
    event,
    detail: `${code}: ${detail}`,
    ...(pack && { pack }),
  });
}

/** The same, of one item of a job. */
export function jobFailure(ctx: ArchiveContext, item: string, error: unknown): JobFailure {
  return { item, ...tellFailure(ctx, error) };
}

function logUnexpected(ctx: ArchiveContext, error: unknown): void {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  ctx.log({ level: 'error', event: 'unexpected-error', detail });
}
