// Group commit: whoever waits at a moment shares one fdatasync, and the next batch is written while
// this one syncs. A batch whose volume fails goes to another volume, or to the cloud, before anyone is
// told that it failed. Acknowledged means durable and visible, in this order (invariant I1).

import { releaseBuffer } from '../../core/buffers.js';
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { PackId, VolumeName } from '../../core/ids.js';
import { COMMIT_BYTES_MAX, TRAY_BYTES_MAX } from '../../core/limits.js';
import { Semaphore } from '../../core/queues.js';
import type { Volume } from '../../hot/volume.js';
import type { ArchiveContext } from '../context.js';
import { within } from '../reading/hedge.js';
import { ArrivalNumbers } from './arrival-numbers.js';
import { CloudSink } from './cloud-sink.js';
import { type Draft, draftBytes, type Pending } from './drafts.js';
import { type AppendedBatch, TrayLog } from './tray-log.js';

/** A batch tries a volume, another one, and the cloud. */
const ATTEMPTS_MAX = 3;
/** One batch syncs while the next one is written. */
const BATCHES_IN_FLIGHT = 2;
/** An arrival this long ago still counts as one that is coming in. */
const BUSY_MS = 250;
/** A volume that has not written a batch after this is left, if there is anywhere else to go: the deadline of its calls is for those who have no choice. */
const WRITE_PATIENCE_MS = 2_000;
/** The same for what its probe says before the batch is tried elsewhere. */
const PROBE_PATIENCE_MS = 1_000;

export class Committer {
  readonly #ctx: ArchiveContext;
  readonly #cloud: CloudSink;
  readonly #queue: Pending[] = [];
  readonly #slots = new Semaphore(BATCHES_IN_FLIGHT);
  readonly #numbers: ArrivalNumbers;
  #tray: TrayLog | null = null;
  #predecessor: { pack: PackId; bytes: number } | null = null;
  /** Resolves when `#predecessor` is that of the next tray. */
  #counted: Promise<void> = Promise.resolve();
  /** Trays that were left: several batches may fail under one. */
  readonly #leavings = new WeakMap<TrayLog, Promise<void>>();
  /** Who waits for the tray to be ended. */
  readonly #endings: (() => void)[] = [];
  #running: Promise<void> | null = null;
  #ending: Promise<void> | null = null;
  /** Batches that were begun and have not ended. */
  #underWay = 0;
  #tail: Promise<void> = Promise.resolve();
  #closed = false;
  #lastArrivalMs = Number.NEGATIVE_INFINITY;

  /** @param highestSeq the highest arrival number that the index knows of. */
  constructor(ctx: ArchiveContext, highestSeq: number) {
    this.#ctx = ctx;
    this.#numbers = new ArrivalNumbers(highestSeq, ctx.clock.nowMs());
    this.#cloud = new CloudSink(ctx);
  }

  /** Whether instances are coming in: something waits, or came just now. */
  busy(): boolean {
    return this.#queue.length > 0 || this.#ctx.clock.monotonicMs() - this.#lastArrivalMs < BUSY_MS;
  }

  /** Where the next arrival would go. */
  destination(): 'volume' | 'cloud-direct' | 'refused' {
    if (this.#ctx.volumes.writable(0) !== null) return 'volume';
    return this.#cloud.available() ? 'cloud-direct' : 'refused';
  }

  /** Where the tray lies that takes what comes next; null when none is open. */
  get trayVolume(): VolumeName | null {
    return this.#tray?.volume ?? null;
  }

  /** Whether nothing that came is, or will be, written to this volume without its being taken back in: it failed, and has been left. */
  hasLeft(volume: VolumeName): boolean {
    return this.#running === null && this.#underWay === 0 && this.trayVolume !== volume;
  }

  /** A volume that came back may hold arrivals that the index had lost: numbers go on above them. */
  goOnAbove(seq: number): void {
    this.#numbers.goOnAbove(seq);
  }

  /** The next arrival number, for what is written before it is submitted. */
  nextSeq(): number {
    return this.#numbers.next();
  }

  /** Takes over the draft's bytes. Resolves once it is durable and visible; rejects with why it could not be stored. */
  submit(draft: Draft): Promise<void> {
    if (this.#closed) return Promise.reject(new ArchiveError('UNAVAILABLE', 'the archive is closing'));
    return new Promise((resolve, reject) => {
      const arrivedMs = this.#ctx.clock.nowMs();
      this.#lastArrivalMs = this.#ctx.clock.monotonicMs();
      this.#queue.push({
        draft,
        seq: this.nextSeq(),
        arrivedMs,
        bytes: draftBytes(draft),
        attempts: 0,
        resolve,
        reject: (error) => void this.#endsDurable().then(() => reject(error as Error)),
      });
      this.#wake();
    });
  }

  /** Ends the tray that is being appended to, so that the packer can empty it. A new one begins with the next arrival. */
  rotate(): Promise<void> {
    return new Promise((resolve) => {
      this.#endings.push(resolve);
      this.#wake();
    });
  }

  /** Commits what waits, then ends the tray. */
  async close(): Promise<void> {
    this.#closed = true;
    do {
      await this.rotate();
      await this.#running;
      await this.#tail;
    } while (this.#queue.length > 0 || this.#tray !== null);
    await this.#cloud.drained();
  }

  #wake(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      if (this.#queue.length > 0 || this.#endings.length > 0) this.#wake();
    });
  }

  async #run(): Promise<void> {
    // Whatever arrives within this turn of the event loop shares the first batch.
    await Promise.resolve();
    while (this.#queue.length > 0 || this.#endings.length > 0) {
      // Here, between two batches: a tray that is ended beside them fails under the one that is being written.
      if (this.#endings.length > 0) await this.#endForAll();
      if (this.#queue.length === 0) continue;
      await this.#slots.acquire();
      const batch = this.#take();
      const { done } = await this.#begin(batch);
      this.#underWay += 1;
      this.#tail = done.finally(() => {
        this.#underWay -= 1;
        this.#slots.release();
      });
    }
  }

  async #endForAll(): Promise<void> {
    const waiting = this.#endings.splice(0);
    await this.#tail;
    await this.#endTray();
    for (const resolve of waiting) resolve();
  }

  #take(): Pending[] {
    const batch: Pending[] = [];
    let bytes = 0;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      if (batch.length > 0 && bytes + next.bytes > COMMIT_BYTES_MAX) break;
      // Deletes may use the reserve of a volume, arrivals may not: they go by themselves.
      if (batch[0] !== undefined && isDelete(batch[0]) !== isDelete(next)) break;
      batch.push(next);
      bytes += next.bytes;
      this.#queue.shift();
    }
    return batch;
  }

  /** Writes the batch. Resolves once the next one may be written; `done`, which never rejects, is the end of this one. */
  async #begin(batch: Pending[]): Promise<{ readonly done: Promise<void> }> {
    const before = this.#tail;
    const bytes = batch.reduce((sum, one) => sum + one.bytes, 0);
    const deletes = batch.every(isDelete);
    const tray = await this.#trayFor(bytes, deletes);
    if (tray === null) {
      if (deletes) return { done: this.#toIndexAlone(batch) };
      this.#toCloud(batch);
      return { done: Promise.resolve() };
    }
    try {
      const appended = await this.#patiently(tray.volume, tray.append(batch));
      return { done: this.#finish(tray, appended, before) };
    } catch (error) {
      return { done: this.#failedOn(tray, batch, error) };
    }
  }

  async #finish(tray: TrayLog, appended: AppendedBatch, before: Promise<void>): Promise<void> {
    const synced = this.#patiently(tray.volume, tray.sync());
    try {
      // Both must settle: an order of index commits, and a sync that covers this batch.
      await Promise.all([synced, before]);
    } catch (error) {
      await this.#failedOn(tray, [...appended.pending], error);
      return;
    }
    if (this.#tray !== tray) {
      // An earlier batch of this tray failed, and the tray ends before it: this one lies in no man's land.
      const failure = new ArchiveError('UNAVAILABLE', 'the tray failed under an earlier batch');
      this.#again([...appended.pending], failure);
      return;
    }
    try {
      await tray.index(appended);
    } catch (error) {
      this.#ctx.log({ level: 'error', event: 'index-write-failed', pack: tray.id, detail: messageOf(error) });
      // Before anyone is told that it failed, it has: the bytes stay, and a replay passes them over.
      await this.#abandon(tray);
      const failure = new ArchiveError('UNAVAILABLE', 'the index cannot be written now; send it again later', {
        cause: error,
      });
      for (const one of appended.pending) one.reject(failure);
      return;
    }
    for (const one of appended.pending) {
      one.resolve();
      // Written at the first attempt, so that no system call can still be reading it: a hung one might.
      if (one.attempts === 0 && one.draft.kind === 'instance') releaseBuffer(one.draft.bytes);
    }
  }

  /** A volume failed under a batch: tell the volume set, leave the tray, and try the batch elsewhere. */
  async #failedOn(tray: TrayLog, batch: Pending[], error: unknown): Promise<void> {
    this.#ctx.volumes.report(tray.volume, error);
    this.#ctx.log({ level: 'warn', event: 'tray-failed', pack: tray.id, detail: messageOf(error) });
    await this.#abandon(tray);
    // A volume that gave an error is only suspect: its probe decides before the batch is tried again.
    if (codeOf(error) === 'UNAVAILABLE') await this.#settled(tray.volume);
    this.#again(batch, error);
  }

  #again(batch: Pending[], error: unknown): void {
    for (const one of batch) one.attempts += 1;
    this.#queue.unshift(...batch.filter((one) => one.attempts < ATTEMPTS_MAX));
    for (const one of batch) {
      if (one.attempts >= ATTEMPTS_MAX) one.reject(error);
    }
    this.#wake();
  }

  /**
   * Before anyone is told that it failed: that the trays in which it lies all the same end before it is durable. Read to their ends after a power cut,
   * they would bring it in place of what was answered since. An index that cannot do that answers nothing until it can. Shared by who fails in one turn.
   */
  #endsDurable(): Promise<void> {
    this.#ending ??= Promise.resolve().then(() => {
      this.#ending = null;
      return this.#ctx.index.commitDurable().catch(() => undefined);
    });
    return this.#ending;
  }

  /** From now on nothing of the tray is accepted, but for the batch that the index is taking just now: its sender will be told that it is stored. */
  #abandon(tray: TrayLog): Promise<void> {
    if (this.#tray === tray) this.#tray = null;
    const known = this.#leavings.get(tray);
    if (known !== undefined) return known;
    this.#counted = tray.accepted().then((bytes) => {
      this.#predecessor = { pack: tray.id, bytes };
    });
    const leaving = this.#leave(tray);
    this.#leavings.set(tray, leaving);
    return leaving;
  }

  async #leave(tray: TrayLog): Promise<void> {
    try {
      await tray.close();
    } catch (error) {
      this.#ctx.log({ level: 'error', event: 'tray-close-failed', pack: tray.id, detail: messageOf(error) });
      await tray.endWithoutIndex().catch((end: unknown) => {
        this.#ctx.log({ level: 'error', event: 'tray-end-not-stated', pack: tray.id, detail: messageOf(end) });
        // Whoever reads it would bring what its senders were told had failed: nothing is answered that this could contradict.
        this.#ctx.gate.owe(
          `nothing is stored, moved or deleted now: the index does not know where tray ${tray.id} ends`,
          () => tray.stateEnd(),
        );
      });
    }
  }

  /** The tray that takes `bytes` more, begun or rotated as needed; null when no volume can take them. */
  async #trayFor(bytes: number, intoReserve: boolean, attempt = 1): Promise<TrayLog | null> {
    const current = this.#tray;
    const full = current !== null && current.bytes > 0 && current.bytes + bytes > TRAY_BYTES_MAX;
    if (current !== null && !full && this.#ctx.volumes.canTake(current.volume, bytes, intoReserve)) return current;
    if (current !== null) {
      await this.#tail;
      await this.#endTray();
    }
    await this.#counted;
    const volume = this.#ctx.volumes.writable(bytes, intoReserve);
    if (volume === null) return null;
    try {
      this.#tray = await this.#beginTray(volume);
      return this.#tray;
    } catch (error) {
      this.#ctx.volumes.report(volume.name, error);
      this.#ctx.log({ level: 'warn', event: 'tray-begin-failed', detail: messageOf(error) });
      await this.#settled(volume.name);
      // Whatever is wrong with a volume that still counts as well: not for ever.
      return attempt >= ATTEMPTS_MAX ? null : this.#trayFor(bytes, intoReserve, attempt + 1);
    }
  }

  async #beginTray(volume: Volume): Promise<TrayLog> {
    const begun = TrayLog.begin(this.#ctx, volume, this.#predecessor);
    return this.#patiently(volume.name, begun).catch((error: unknown) => {
      // Should it begin after all, nothing is ever written to it.
      begun.then((late) => late.close()).catch(() => undefined);
      throw error;
    });
  }

  /** What a volume writes, or UNAVAILABLE when it takes too long and something else could do it; it goes on then, and what it writes is of no account. */
  async #patiently<T>(volume: VolumeName, work: Promise<T>): Promise<T> {
    const { clock, volumes } = this.#ctx;
    const written = await within(clock, WRITE_PATIENCE_MS, work);
    if (written !== 'late') return written;
    const others = volumes.state().some(({ name, state }) => name !== volume && state === 'healthy');
    if (!others && !this.#cloud.available()) return work;
    work.catch(() => undefined);
    throw new ArchiveError('UNAVAILABLE', `volume ${volume} did not write within ${WRITE_PATIENCE_MS} ms`);
  }

  async #settled(volume: VolumeName): Promise<void> {
    await within(this.#ctx.clock, PROBE_PATIENCE_MS, this.#ctx.volumes.settled(volume));
  }

  async #endTray(): Promise<void> {
    const tray = this.#tray;
    if (tray === null) return;
    await this.#abandon(tray);
  }

  /** No volume can take the deletes: the index keeps them, on its own disk, until the replicas know of them too. Never rejects. */
  async #toIndexAlone(batch: readonly Pending[]): Promise<void> {
    try {
      await this.#ctx.index.bury(batch.flatMap(({ draft }) => (draft.kind === 'delete' ? [draft.record] : [])));
      // The tray is the log only where there is a tray.
      await this.#ctx.index.commitDurable();
      for (const one of batch) one.resolve();
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
  }

  /** No volume can take it: the instances become sealed trays on the write quorum. */
  #toCloud(batch: Pending[]): void {
    const refusal = new ArchiveError('UNAVAILABLE', 'no volume is available to record a pack that lies on one');
    for (const one of batch) {
      if (one.draft.kind === 'birth') one.reject(refusal);
    }
    this.#cloud.submit(batch.filter((one) => one.draft.kind === 'instance'));
  }
}

function isDelete({ draft }: Pending): boolean {
  return draft.kind === 'delete';
}

function messageOf(error: unknown): string {
  return error instanceof ArchiveError ? error.message : `unexpected: ${(error as Error).name}`;
}
