// What became of a volume that was away: found, missing, repaired, still at risk (DESIGN section 9). In the background of its return: its files are
// compared with the index, what too few replicas vouch for is hashed, and then it waits until the movers have brought back what was missing
// and filed what came meanwhile. The ledger of it is index state, so that a restart goes on; at its end it is signed.
import { ArchiveError, hasCode } from '../../core/errors.js';
import type { Volume } from '../../hot/volume.js';
import type { PackFilter, PackRecord } from '../../index/index.js';
import type { FailbackLedger, FileCount } from '../archive.js';
import type { ArchiveContext } from '../context.js';
import { ByteRate } from '../pacing/byte-rate.js';
import { checkHotCopy } from '../packs/hot-check.js';
import { reconcilePacks } from '../recovery/reconcile-packs.js';
import { keepLedger, openLedger } from './ledgers.js';
import type { Away } from './member.js';

type Mutable = { -readonly [K in keyof FailbackLedger]: FailbackLedger[K] };

const NONE: FileCount = { packs: 0, instances: 0, bytes: 0 };

export class Failback {
  readonly #ctx: ArchiveContext;
  readonly #volume: Volume;
  readonly #ledger: Mutable;

  private constructor(ctx: ArchiveContext, volume: Volume, ledger: FailbackLedger) {
    this.#ctx = ctx;
    this.#volume = volume;
    this.#ledger = { ...ledger };
  }

  /**
   * Opens the ledger of a return, before the volume is used; null at a start that has none to go on with.
   * @param away null at a start: goes on with the ledger that was open when the process ended.
   */
  static async begin(ctx: ArchiveContext, volume: Volume, away: Away | null): Promise<Failback | null> {
    const open = away === null ? await openLedger(ctx, volume.name) : begun(volume, away, ctx.clock.nowMs());
    if (open === null) return null;
    const failback = new Failback(ctx, volume, open);
    // Counted before a mover can bring any of it back.
    if (away !== null) await failback.#countWanted();
    await keepLedger(ctx, failback.#ledger);
    return failback;
  }

  /** To its end, or until the signal. A volume that fails again meanwhile ends it. */
  async run(signal: AbortSignal): Promise<void> {
    const ledger = this.#ledger;
    try {
      const { adopted, missing } = await reconcilePacks(this.#ctx, this.#volume);
      ledger.missing = plus(ledger.missing, missing);
      await this.#hashUnprotected(signal);
      const { name: volume } = this.#volume;
      const found = await this.#sum({ volume, hot: ['present', 'open'], empty: false });
      ledger.found = { ...found, adopted: ledger.found.adopted + adopted };
      await keepLedger(this.#ctx, ledger);
      await this.#broughtBack(signal);
      ledger.outcome = 'complete';
    } catch (error) {
      // Not for good: the next start goes on.
      if (signal.aborted) return;
      ledger.outcome = hasCode(error, 'UNAVAILABLE') ? 'away again' : 'stopped';
      await this.#end();
      throw error;
    }
    await this.#end();
  }

  async #countWanted(): Promise<void> {
    const { name: volume } = this.#volume;
    this.#ledger.missing = await this.#sum({ volume, hot: ['missing'], empty: false });
    this.#ledger.takenIn = await this.#sum({ kind: 'tray', hot: ['cold'], empty: false });
  }

  async #sum(filter: PackFilter, takes: (record: PackRecord) => boolean = () => true): Promise<FileCount> {
    let total = NONE;
    for await (const record of this.#ctx.index.packs(filter)) if (takes(record)) total = plus(total, countOf(record));
    return total;
  }

  #isProtected({ placements }: PackRecord): boolean {
    return this.#ctx.replicas.rule.isMet(placements.map(({ replica }) => replica));
  }

  /** What too few replicas have is read whole; what is not what was acknowledged is from now on read from a replica, where there is one. */
  async #hashUnprotected(signal: AbortSignal): Promise<void> {
    const ctx = this.#ctx;
    const { name } = this.#volume;
    const rate = new ByteRate(ctx.clock, ctx.policy.scrubBytesPerSecond);
    const { corrupt, atRisk } = this.#ledger;
    this.#ledger.hashed = NONE;
    // Of a run that a restart ended: what stays where it is although it is damaged is found again.
    this.#ledger.corrupt = minus(corrupt, atRisk.lost);
    this.#ledger.atRisk = { ...atRisk, lost: NONE };
    for await (const record of ctx.index.packs({ volume: name, hot: ['present'], empty: false })) {
      signal.throwIfAborted();
      if (this.#isProtected(record)) continue;
      try {
        await checkHotCopy(ctx, this.#volume, record, { rate, signal, onBytes: () => undefined });
        this.#ledger.hashed = plus(this.#ledger.hashed, countOf(record));
      } catch (error) {
        signal.throwIfAborted();
        if (hasCode(error, 'UNAVAILABLE')) ctx.volumes.report(name, error);
        if (!hasCode(error, 'CORRUPT', 'ABSENT', 'NOT_FOUND')) throw error;
        await this.#noteDamage(record, error);
      }
    }
  }

  async #noteDamage({ id }: PackRecord, error: ArchiveError): Promise<void> {
    const ctx = this.#ctx;
    const { name } = this.#volume;
    const now = await ctx.index.pack(id);
    // Filed or deleted since it was listed: then nothing is missed.
    if (now?.hot !== 'present' || now.volume !== name || now.liveInstances === 0) return;
    ctx.log({ level: 'error', event: 'hot-damage', pack: id, detail: error.message });
    this.#ledger.corrupt = plus(this.#ledger.corrupt, countOf(now));
    // The last copy is never given up, however damaged.
    if (now.placements.length === 0) {
      const { atRisk } = this.#ledger;
      this.#ledger.atRisk = { ...atRisk, lost: plus(atRisk.lost, countOf(now)) };
      return;
    }
    await ctx.catalog.change(id, (index) => index.setHot(id, 'missing', name));
  }

  /** Until nothing of it waits to be recalled (tiers/refill.ts) or filed (filing/packer.ts). UNAVAILABLE when the volume is away again. */
  async #broughtBack(signal: AbortSignal): Promise<void> {
    const { volume, returnedAt } = this.#ledger;
    const createdBeforeMs = Date.parse(returnedAt);
    const recalls: PackFilter = { kind: 'pack', hot: ['missing'], volume, placementsMin: 1, empty: false, limit: 1 };
    const trays: PackFilter = { kind: 'tray', hot: ['cold'], empty: false, createdBeforeMs, limit: 1 };
    while ((await this.#isAny(recalls)) || (await this.#isAny(trays))) {
      await this.#ctx.clock.sleep(this.#ctx.policy.moverIntervalMs, signal);
      if (this.#ctx.volumes.readable(volume) !== null) continue;
      throw new ArchiveError('UNAVAILABLE', `volume ${volume} is away again`);
    }
  }

  async #isAny(filter: PackFilter): Promise<boolean> {
    for await (const _ of this.#ctx.index.packs(filter)) return true;
    return false;
  }

  /** Counts what is left to say, signs it and keeps it. */
  async #end(): Promise<void> {
    const ledger = this.#ledger;
    const { volume, missing, corrupt, takenIn } = ledger;
    const left = plus(await this.#sum({ volume, hot: ['missing'], empty: false }), ledger.atRisk.lost);
    const gone = await this.#sum({ volume, hot: ['missing'], empty: false }, (one) => one.placements.length === 0);
    const lost = plus(gone, ledger.atRisk.lost);
    const unprotected = await this.#sum(
      { volume, hot: ['present', 'open'], empty: false },
      (one) => !this.#isProtected(one),
    );
    ledger.repaired = minus(plus(missing, corrupt), left);
    ledger.atRisk = { lost, unprotected };
    ledger.endedAt = new Date(this.#ctx.clock.nowMs()).toISOString();
    ledger.report = await this.#ctx.reports.save('failback', { ...ledger, report: undefined });
    await keepLedger(this.#ctx, ledger);
    const bad = lost.packs > 0 || ledger.outcome !== 'complete';
    this.#ctx.log({
      level: bad ? 'warn' : 'info',
      event: 'failback',
      detail: `${volume}: ${ledger.outcome}; missing ${missing.packs}, corrupt ${corrupt.packs}, repaired ${ledger.repaired.packs}, lost ${lost.packs} packs; taken in meanwhile ${takenIn.instances} instances`,
    });
  }
}

function begun({ name }: Volume, { how, sinceMs }: Away, nowMs: number): FailbackLedger {
  return {
    volume: name,
    how,
    awaySince: new Date(sinceMs).toISOString(),
    returnedAt: new Date(nowMs).toISOString(),
    endedAt: null,
    outcome: 'going on',
    found: { ...NONE, adopted: 0 },
    hashed: NONE,
    missing: NONE,
    corrupt: NONE,
    takenIn: NONE,
    repaired: NONE,
    atRisk: { lost: NONE, unprotected: NONE },
    report: null,
  };
}

function countOf({ liveInstances, liveBytes }: PackRecord): FileCount {
  return { packs: 1, instances: liveInstances, bytes: liveBytes };
}

function plus(a: FileCount, b: FileCount): FileCount {
  return { packs: a.packs + b.packs, instances: a.instances + b.instances, bytes: a.bytes + b.bytes };
}

function minus(a: FileCount, b: FileCount): FileCount {
  const less = (x: number, y: number) => Math.max(0, x - y);
  return {
    packs: less(a.packs, b.packs),
    instances: less(a.instances, b.instances),
    bytes: less(a.bytes, b.bytes),
  };
}
