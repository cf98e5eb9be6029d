// Looks through the whole index now and then. Damage that no query happened to meet is still damage: what it answers may be wrong, so nothing
// is moved or deleted on its word any more, and whoever asks whether the server is ready is told.
import type { ArchiveContext } from '../context.js';

const SHOWN_MAX = 3;

/** Takes as long as reading the file does, in a thread of its own. */
export async function checkIndex(ctx: ArchiveContext, signal: AbortSignal): Promise<void> {
  const findings = await ctx.index.check(signal);
  if (findings.length === 0) return;
  const shown = findings.slice(0, SHOWN_MAX).join('; ');
  const fault = `the index is damaged (${shown}): stop, then run "filmroom serve --rebuild" or "filmroom rebuild-index"`;
  if (ctx.gate.close(fault, true)) ctx.log({ level: 'error', event: 'index-damaged', detail: findings.join('; ') });
}
