// The ledgers of volumes that came back, as the index keeps them: of each volume the one that is open and the last that ended.
import type { VolumeName } from '../../core/ids.js';
import type { FailbackLedger } from '../archive.js';
import type { ArchiveContext } from '../context.js';

const KEPT_MAX = 20;
const keyOf = (name: VolumeName) => `volume.${name}.ledgers`;

/** Of one volume or of all, latest return first. */
export async function ledgersOf(ctx: ArchiveContext, name?: VolumeName): Promise<readonly FailbackLedger[]> {
  const ledgers: FailbackLedger[] = [];
  for (const volume of name === undefined ? ctx.volumes.names : [name]) ledgers.push(...(await read(ctx, volume)));
  return ledgers.sort((a, b) => (a.returnedAt < b.returnedAt ? 1 : -1));
}

/** The one that has not ended, or null. */
export async function openLedger(ctx: ArchiveContext, name: VolumeName): Promise<FailbackLedger | null> {
  return (await read(ctx, name)).find(({ endedAt }) => endedAt === null) ?? null;
}

/** Durable when it resolves. It takes the place of the one of the same return, and of an earlier one that was left open. */
export async function keepLedger(ctx: ArchiveContext, ledger: FailbackLedger): Promise<void> {
  const others = (await read(ctx, ledger.volume)).filter(
    ({ returnedAt, endedAt }) =>
      returnedAt > ledger.returnedAt || (returnedAt !== ledger.returnedAt && endedAt !== null),
  );
  const kept = [ledger, ...others].slice(0, KEPT_MAX);
  await ctx.index.setSetting(keyOf(ledger.volume), JSON.stringify(kept));
  await ctx.index.commitDurable();
}

async function read(ctx: ArchiveContext, name: VolumeName): Promise<readonly FailbackLedger[]> {
  const text = await ctx.index.setting(keyOf(name));
  return text === undefined ? [] : (JSON.parse(text) as FailbackLedger[]);
}
