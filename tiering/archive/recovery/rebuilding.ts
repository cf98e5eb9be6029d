// The archive while its index is made again: what was found so far can be searched and read; nothing is taken, deleted or moved, since arrival
// numbers and identities are not all known yet. What is not found may not have been found yet: that is 503, never 404.
import { ArchiveError } from '../../core/errors.js';
import type { Archive, ArchiveStatus, Progress } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { logFailure } from '../failures.js';
import { readsOf } from '../reading/doubtful-absence.js';
import { readInstance } from '../reading/instance-reader.js';
import { rebuildIndex } from './rebuild.js';
import { describe } from './rebuild-state.js';

/** When no replica answers, or the index cannot be written: tried again after this. */
const AGAIN_MS = 10_000;

export interface AfterRebuild {
  /** Opens the archive on the finished index. */
  readonly open: () => Promise<Archive>;
  /** Of the archive as it is now. */
  readonly status: () => Promise<ArchiveStatus>;
  /** Closes what the archive stands on, when it is closed before the rebuild has ended. */
  readonly closeParts: () => Promise<void>;
}

/** Rebuilds in the background. Resolves at once with an archive that only reads, and becomes the whole one when the index is. */
export function openRebuilding(ctx: ArchiveContext, after: AfterRebuild): Archive {
  const stop = new AbortController();
  let progress: Progress | null = null;
  let opened: Archive | null = null;
  let closing: Promise<void> | null = null;
  const run = async () => {
    while (!stop.signal.aborted) {
      try {
        const report = await rebuildIndex(ctx, {
          signal: stop.signal,
          onProgress: (now) => {
            progress = now;
          },
        });
        const { packs, instances, failures, unavailable } = report;
        const level = failures.length + unavailable.length === 0 ? 'info' : 'warn';
        const detail = `${packs} packs, ${instances} instances, ${failures.length} failures; not asked: ${unavailable.join(', ') || 'none'}`;
        ctx.log({ level, event: 'rebuilt', detail });
        for (const { item, code } of failures)
          ctx.log({ level: 'error', event: 'not-rebuilt', detail: `${item}: ${code}` });
        opened = await after.open();
        return;
      } catch (error) {
        if (stop.signal.aborted) return;
        logFailure(ctx, 'rebuild-failed', error);
        await ctx.clock.sleep(AGAIN_MS, stop.signal).catch(() => undefined);
        await Promise.all([ctx.volumes.probe(), ctx.replicas.probe()]);
      }
    }
  };
  const running = run();

  const told = () => `the index is being rebuilt: ${describe(progress)}`;
  const refuse = () =>
    Promise.reject(new ArchiveError('UNAVAILABLE', `${told()}. Until then it is searched and read only`));
  const reading: Partial<Archive> = {
    ...readsOf(ctx.index, told),
    read: (instance, range, signal) => readInstance(ctx, instance, range, signal, { onCold: () => undefined }),
    status: async () => ({ ...(await after.status()), ingest: 'refused', rebuild: progress ?? NOTHING_YET }),
  };
  const close = async () => {
    stop.abort(new ArchiveError('ABORTED', 'the archive is closing'));
    await running;
    await (opened === null ? after.closeParts() : opened.close());
  };
  // Whatever an archive can do that is not among these changes something.
  return new Proxy({} as Archive, {
    get: (_, name) => {
      if (name === 'close') {
        return () => {
          closing ??= close();
          return closing;
        };
      }
      if (name === 'then') return undefined;
      const call: unknown = Reflect.get(opened ?? reading, name);
      return call ?? refuse;
    },
  });
}

const NOTHING_YET: Progress = { step: 'rebuilding', packsDone: 0, packsTotal: 0, bytesDone: 0, bytesTotal: 0 };
