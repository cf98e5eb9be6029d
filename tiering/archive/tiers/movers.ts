// The background: files what has settled, protects what is due, evicts above the high water mark,
// recalls what was opened, probes volumes and replicas. The index says what ought to be and each round
// makes it so; a mover holds no state that a kill could lose.
import { setMaxListeners } from 'node:events';
import type { Standby } from '../../cold/replicas/guarded-replica.js';
import { hasCode } from '../../core/errors.js';
import type { PackId, VolumeName } from '../../core/ids.js';
import type { Volume } from '../../hot/volume.js';
import type { PackRecord } from '../../index/index.js';
import { checkIndex } from '../authority/check-index.js';
import type { ArchiveContext } from '../context.js';
import { logFailure } from '../failures.js';
import { compactDuePacks } from '../filing/compact.js';
import { fileDueStudies } from '../filing/packer.js';
import { goOnFilling } from '../fleet/fill.js';
import type { Committer } from '../intake/committer.js';
import { Pace } from '../pacing/pace.js';
import { Retries, type Standbys } from '../pacing/retries.js';
import { collectGarbage } from '../recovery/garbage.js';
import { readLate } from '../recovery/late-replica.js';
import { repair } from '../recovery/repair.js';
import { scrub } from '../recovery/scrub.js';
import { deepScrubIsDue } from '../recovery/scrub-state.js';
import type { EmptyPacks } from '../removal/empty-packs.js';
import { payTombstones } from '../removal/send-tombstones.js';
import { evictPack } from './evict.js';
import { reachable } from './protect.js';
import { protectDue } from './protect-due.js';
import { recallPack } from './recall.js';
import { refill } from './refill.js';

/** Opened packs waiting for a recall; the oldest are forgotten beyond it: the next reader asks again. */
const RECALLS_MAX = 1_000;
/** Nobody waits for what is done at this pace: garbage is a day old, and a scrub takes weeks. */
const UPKEEP_MS = 60_000;
/** The index is looked through so long after a start, and then once a day. */
const CHECK_AFTER_MS = 10_000;
const CHECK_EVERY_MS = 24 * 3_600_000;

export class Movers {
  readonly #ctx: ArchiveContext;
  readonly #committer: Committer;
  readonly #stop = new AbortController();
  readonly #recalls = new Set<PackId>();
  readonly #loops: Promise<void>[] = [];
  readonly #retries: Retries;
  readonly #pace: Pace;
  readonly #emptyPacks: EmptyPacks;
  /** The index, once it could be written again. */
  #checking: Promise<void> | null = null;

  constructor(ctx: ArchiveContext, committer: Committer, emptyPacks: EmptyPacks) {
    this.#ctx = ctx;
    this.#committer = committer;
    // Every loop and what it runs listens to it: more than the ten that Node takes for a leak.
    setMaxListeners(0, this.#stop.signal);
    this.#emptyPacks = emptyPacks;
    this.#retries = new Retries(ctx.clock, () => standbysOf(ctx));
    // While arrivals are coming in, the background leaves them most of the machine.
    this.#pace = new Pace(
      ctx.clock,
      () => committer.busy(),
      () => ctx.viewers.waiting,
    );
  }

  start(): void {
    const { moverIntervalMs, probeIntervalMs } = this.#ctx.policy;
    this.#loops.push(
      this.#loop('file', moverIntervalMs, (signal) => fileDueStudies(this.#ctx, this.#retries, this.#pace, signal)),
      this.#loop('protect', moverIntervalMs, (signal) => this.#protectDue(signal)),
      this.#loop('evict', moverIntervalMs, (signal) => evictAboveHighWater(this.#ctx, signal)),
      this.#loop('clear', moverIntervalMs, () => this.#emptyPacks.remove()),
      this.#loop('tell-deletes', moverIntervalMs, (signal) => this.#tellDeletes(signal)),
      this.#loop('read-late', moverIntervalMs, (signal) => this.#readLate(signal)),
      this.#loop('recall', moverIntervalMs, (signal) => this.#recallOpened(signal)),
      this.#loop('refill', moverIntervalMs, (signal) => refill(this.#ctx, this.#retries, this.#pace, signal)),
      this.#loop('compact', UPKEEP_MS, (signal) => compactDuePacks(this.#ctx, this.#retries, this.#pace, signal)),
      this.#loop('collect-garbage', UPKEEP_MS, (signal) => this.#collect(signal)),
      this.#loop('fill', UPKEEP_MS, (signal) => goOnFilling(this.#ctx, this.#pace, signal)),
      this.#loop('scrub', UPKEEP_MS, (signal) => this.#scrubWhenDue(signal)),
      this.#loop('check-index', CHECK_EVERY_MS, (signal) => this.#checkIndex(signal), true),
      this.#loop('probe', probeIntervalMs, () => this.#probe(), true),
    );
  }

  /** Asks for a cold pack to be brought back, because somebody opened it. */
  wantRecall(pack: PackId): void {
    if (this.#ctx.policy.recall !== 'on-open') return;
    this.#recalls.add(pack);
    const [oldest] = this.#recalls;
    if (this.#recalls.size > RECALLS_MAX && oldest !== undefined) this.#recalls.delete(oldest);
  }

  /** Stops after the step in hand. */
  async close(): Promise<void> {
    this.#stop.abort(new DOMException('the archive is closing', 'AbortError'));
    await Promise.all(this.#loops);
    await this.#checking;
  }

  /** @param always also while nothing may be moved: the index would fail every step of every round. */
  async #loop(
    name: string,
    intervalMs: number,
    round: (signal: AbortSignal) => Promise<unknown>,
    always = false,
  ): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (always || this.#ctx.gate.fault === null) await round(signal);
      } catch (error) {
        this.#failed(name, error);
      }
      await this.#ctx.clock.sleep(intervalMs, signal).catch(() => undefined);
    }
  }

  /** Packs that are due and lack a replica that answers, oldest first. */
  async #protectDue(signal: AbortSignal): Promise<void> {
    await protectDue(this.#ctx, this.#retries, { signal, pace: this.#pace });
  }

  async #recallOpened(signal: AbortSignal): Promise<void> {
    for (const pack of this.#recalls) {
      signal.throwIfAborted();
      this.#recalls.delete(pack);
      // One that cannot be had now must not keep the next ones waiting; the next reader asks for it again.
      await recallPack(this.#ctx, pack, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        logFailure(this.#ctx, 'recall-failed', error, pack);
      });
    }
  }

  /** What replicas do not know of deletes. */
  async #tellDeletes(signal: AbortSignal): Promise<void> {
    const up = reachable(this.#ctx).filter((name) => this.#retries.mayTry(name));
    const { failed } = await payTombstones(this.#ctx, up, signal);
    for (const name of up) {
      if (!failed.has(name)) this.#retries.succeeded(name);
    }
    for (const [replica, error] of failed) {
      this.#retries.failed(replica, error);
      logFailure(this.#ctx, 'tell-deletes-failed', error);
    }
  }

  /** What only those know that were away when the index was made again. Arrival numbers go on above theirs. */
  async #readLate(signal: AbortSignal): Promise<void> {
    if (await readLate(this.#ctx, signal)) this.#committer.goOnAbove(await this.#ctx.index.highestSeq());
  }

  async #collect(signal: AbortSignal): Promise<void> {
    const { removed, failed } = await collectGarbage(this.#ctx, signal);
    if (removed > 0) this.#ctx.log({ level: 'info', event: 'garbage-removed', detail: `${removed} objects` });
    for (const error of failed.values()) {
      // Where nobody may delete it stays, on purpose: the status says so.
      if (!hasCode(error, 'FORBIDDEN')) logFailure(this.#ctx, 'garbage-not-removed', error);
    }
  }

  /** What it finds is mended at once: nobody is there to say so. */
  async #scrubWhenDue(signal: AbortSignal): Promise<void> {
    const ctx = this.#ctx;
    if (!(await deepScrubIsDue(ctx))) return;
    const { objects, findings, unavailable } = await scrub(ctx, { deep: true, signal });
    const detail = `${objects} objects, ${findings.length} findings; not asked: ${unavailable.join(', ') || 'none'}`;
    ctx.log({ level: findings.length === 0 ? 'info' : 'warn', event: 'scrubbed', detail });
    if (findings.length === 0) return;
    const { repaired, failures } = await repair(ctx, { signal });
    const level = failures.length === 0 ? 'info' : 'warn';
    ctx.log({ level, event: 'repaired', detail: `${repaired} objects, ${failures.length} could not be mended` });
  }

  async #checkIndex(signal: AbortSignal): Promise<void> {
    await this.#ctx.clock.sleep(CHECK_AFTER_MS, signal);
    await checkIndex(this.#ctx, signal);
  }

  async #probe(): Promise<void> {
    const ctx = this.#ctx;
    await Promise.all([ctx.volumes.probe(), ctx.replicas.probe()]);
    await this.#noteLeft();
    if (!(await ctx.authority.watch())) return;
    // A disk that failed may have damaged more than what was being written. It takes its time, and probes do not wait for it.
    this.#checking ??= checkIndex(ctx, this.#stop.signal)
      .catch((error: unknown) => this.#failed('check-index', error))
      .finally(() => {
        this.#checking = null;
      });
  }

  /** Of volumes that have failed and were left: should they stay away over a power cut, nothing is lacking. */
  async #noteLeft(): Promise<void> {
    const { volumes, unreadTrays, gate } = this.#ctx;
    const committer = this.#committer;
    const mayBeLeft = (name: VolumeName) => gate.fault === null && volumes.hasFailed(name);
    for (const name of volumes.names) {
      // No arrival may have come that would have found out.
      if (mayBeLeft(name) && committer.trayVolume === name) await committer.rotate();
      // Asked and told in one turn: a volume that returns after this bears the mark again.
      if (mayBeLeft(name) && committer.hasLeft(name)) await unreadTrays.lacksNothing(name);
    }
  }

  #failed(name: string, error: unknown): void {
    if (!this.#stop.signal.aborted) logFailure(this.#ctx, `${name}-failed`, error);
  }
}

/** Whoever a mover may have to wait for; a volume may have the name of a replica. */
function standbysOf(ctx: ArchiveContext): Standbys {
  const volumes = [...ctx.volumes.standbys()].map(([name, standby]) => [`volume ${name}`, standby] as const);
  return new Map<string, Standby>([...ctx.replicas.standbys(), ...volumes]);
}

/** Above its high water mark a volume gives up proven packs, longest unopened first, down to the low mark. */
export async function evictAboveHighWater(ctx: ArchiveContext, signal?: AbortSignal): Promise<void> {
  for (const volume of ctx.volumes.readables()) {
    const { bytesFree, bytesTotal } = await volume.usage();
    const used = 1 - bytesFree / bytesTotal;
    if (used < ctx.policy.highWater) continue;
    await evictFrom(ctx, volume, (used - ctx.policy.lowWater) * bytesTotal, signal);
  }
}

async function evictFrom(
  ctx: ArchiveContext,
  volume: Volume,
  bytesWanted: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const createdBeforeMs = ctx.clock.nowMs() - ctx.policy.evictMinAgeMs;
  const candidates: PackRecord[] = [];
  let planned = 0;
  const filter = {
    kind: 'pack',
    hot: ['present'],
    volume: volume.name,
    placementsMin: ctx.replicas.rule.writeQuorum,
    order: 'accessed',
  } as const;
  for await (const record of ctx.index.packs({ ...filter, createdBeforeMs })) {
    if (planned >= bytesWanted) break;
    candidates.push(record);
    planned += record.bytes;
  }
  for (const record of candidates) {
    signal?.throwIfAborted();
    try {
      await evictPack(ctx, record.id, signal);
      ctx.log({ level: 'info', event: 'evicted', pack: record.id });
    } catch (error) {
      signal?.throwIfAborted();
      logFailure(ctx, 'evict-failed', error, record.id);
    }
  }
}
