// Hot copies that were lost (a disk that was replaced, a file that went missing or was damaged) and that replicas have are brought back by
// themselves: what was opened or came last first, up to the low water mark; beyond it they are cold, as if they had been evicted.
// What is left to do is index state, so that a kill loses nothing of it.
import { hasCode } from '../../core/errors.js';
import type { PackId } from '../../core/ids.js';
import type { ArchiveContext } from '../context.js';
import { logFailure } from '../failures.js';
import type { Pace } from '../pacing/pace.js';
import type { Retries } from '../pacing/retries.js';
import { hasColdCopy } from '../reading/cold-reader.js';
import { recallPack } from './recall.js';

/** Packs a round takes before it looks again at what is wanted most. */
const ROUND = 20;

/** Brings back some of what is missing. Ends early where no volume can take it. */
export async function refill(ctx: ArchiveContext, retries: Retries, pace: Pace, signal: AbortSignal): Promise<void> {
  const wanted: { readonly id: PackId; readonly bytes: number; readonly isProtected: boolean }[] = [];
  for await (const record of ctx.index.packs({
    kind: 'pack',
    hot: ['missing'],
    placementsMin: 1,
    empty: false,
    order: 'recent',
  })) {
    if (!hasColdCopy(record) || !retries.mayTry(record.id)) continue;
    const isProtected = ctx.replicas.rule.isMet(record.placements.map(({ replica }) => replica));
    wanted.push({ id: record.id, bytes: record.bytes, isProtected });
    if (wanted.length >= ROUND) break;
  }
  for (const { id, bytes, isProtected } of wanted) {
    signal.throwIfAborted();
    if (!retries.mayTry(id)) continue;
    const room = await roomBelowLowWater(ctx);
    if (room === null) return;
    try {
      // What too few replicas have is worth a hot copy wherever it fits.
      if (bytes > room && isProtected) await leaveCold(ctx, id);
      else if ((await pace.step(() => recallPack(ctx, id, signal), signal)) > 0) {
        ctx.log({ level: 'info', event: 'refilled', pack: id });
      }
      retries.succeeded(id);
    } catch (error) {
      signal.throwIfAborted();
      retries.failed(id, error);
      if (!hasCode(error, 'NOT_FOUND')) logFailure(ctx, 'refill-failed', error, id);
    }
  }
}

/** Bytes up to the low water mark of the volume that recalls go to; null when there is none. */
async function roomBelowLowWater(ctx: ArchiveContext): Promise<number | null> {
  const usage = await ctx.volumes.writable(0, true)?.usage();
  return usage === undefined ? null : usage.bytesFree - (1 - ctx.policy.lowWater) * usage.bytesTotal;
}

async function leaveCold(ctx: ArchiveContext, id: PackId): Promise<void> {
  await ctx.locks.run(id, async () => {
    const { hot } = await ctx.catalog.fresh(id);
    if (hot === 'missing') await ctx.catalog.change(id, (index) => index.setHot(id, 'cold', null));
  });
}
