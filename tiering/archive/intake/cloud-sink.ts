// Cloud-direct: with no volume to write to, arrivals are sealed as trays of their own and are
// acknowledged once the quorum holds them (DESIGN section 9). Slower than a disk and just as durable.

import { releaseBuffer, takeBuffer } from '../../core/buffers.js';
import { ArchiveError } from '../../core/errors.js';
import { CHUNK_BYTES, CLOUD_DIRECT_WINDOW_MS } from '../../core/limits.js';
import { MEMBER_HEADER_BYTES, TAR_END } from '../../format/tar.js';
import type { ArchiveContext } from '../context.js';
import { bundleArrivals } from '../packs/bundles.js';
import { arrivedInstance, draftPieces, endsOf, type Pending } from './drafts.js';
import { chunksOf, sealToQuorum } from './seal-to-quorum.js';

/** Batches on their way at once: enough to hide a round trip, few enough to bound memory (each about two chunks). */
const BATCHES_IN_FLIGHT = 4;
/** With so many on their way a chunk that is not full waits for one of them to end: many small objects cost more than the wait. */
const BATCHES_ENOUGH = 2;

export class CloudSink {
  readonly #ctx: ArchiveContext;
  readonly #waiting: Pending[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #bytes = 0;
  #timer: Promise<void> | null = null;
  /** What waits has waited long enough. */
  #due = false;

  constructor(ctx: ArchiveContext) {
    this.#ctx = ctx;
  }

  /** Whether enough replicas answer for a batch to be acknowledged. */
  available(): boolean {
    const up = this.#ctx.replicas.state().flatMap((r) => (r.state === 'available' ? [r.name] : []));
    return this.#ctx.replicas.rule.isMet(up, this.#quorum());
  }

  /** Takes instances; each is resolved or rejected by itself. */
  submit(instances: readonly Pending[]): void {
    for (const one of instances) {
      this.#waiting.push(one);
      this.#bytes += one.bytes;
    }
    this.#flush();
    if (this.#waiting.length > 0) this.#timer ??= this.#flushLater();
  }

  /** Resolves once everything that was submitted is settled. */
  async drained(): Promise<void> {
    while (this.#timer !== null || this.#inFlight.size > 0) {
      await this.#timer;
      await Promise.all(this.#inFlight);
    }
  }

  #quorum(): number {
    return this.#ctx.policy.cloudDirectQuorum ?? this.#ctx.replicas.rule.writeQuorum;
  }

  async #flushLater(): Promise<void> {
    await this.#ctx.clock.sleep(CLOUD_DIRECT_WINDOW_MS);
    this.#timer = null;
    this.#due = true;
    this.#flush();
  }

  #flush(): void {
    while (this.#mayBegin()) {
      const batch = this.#take();
      const one: Promise<void> = this.#commit(batch).finally(() => {
        this.#inFlight.delete(one);
        this.#flush();
      });
      this.#inFlight.add(one);
    }
  }

  #mayBegin(): boolean {
    if (this.#waiting.length === 0) {
      this.#due = false;
      return false;
    }
    const inFlight = this.#inFlight.size;
    if (this.#bytes >= CHUNK_BYTES) return inFlight < BATCHES_IN_FLIGHT;
    return this.#due && inFlight < BATCHES_ENOUGH;
  }

  #take(): Pending[] {
    const batch: Pending[] = [];
    let bytes = 0;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (batch.length > 0 && bytes + next.bytes > CHUNK_BYTES - TAR_END.length) break;
      batch.push(next);
      bytes += next.bytes;
      this.#waiting.shift();
    }
    this.#bytes -= bytes;
    return batch;
  }

  /** Never rejects: every one of the batch is told. */
  async #commit(batch: readonly Pending[]): Promise<void> {
    try {
      if (!this.available()) {
        throw new ArchiveError(
          'UNAVAILABLE',
          'no volume is available, and too few replicas answer to store without one',
        );
      }
      await this.#store(batch);
      for (const one of batch) {
        one.resolve();
        // It came straight here, so that no hung call of a volume can still be reading it.
        if (one.attempts === 0 && one.draft.kind === 'instance') releaseBuffer(one.draft.bytes);
      }
    } catch (error) {
      for (const one of batch) one.reject(error);
    }
  }

  async #store(batch: readonly Pending[]): Promise<void> {
    const ctx = this.#ctx;
    const id = ctx.packIds.next();
    // Exactly as long as it will be, so that it can be given to a worker as it is.
    const tar = takeBuffer(batch.reduce((sum, { bytes }) => sum + bytes, TAR_END.length));
    const placed: { pending: Pending; start: number }[] = [];
    let at = 0;
    for (const pending of batch) {
      if (pending.draft.kind !== 'instance') continue;
      placed.push({ pending, start: at + MEMBER_HEADER_BYTES });
      for (const piece of draftPieces(id, pending)) {
        tar.set(piece, at);
        at += piece.length;
      }
    }
    tar.set(TAR_END, at);
    const { length } = tar;

    const instances = placed.flatMap(({ pending, start }) => {
      const { draft, seq, arrivedMs } = pending;
      if (draft.kind !== 'instance') return [];
      return [arrivedInstance(draft.content, { pack: id, start, length: draft.bytes.length, seq, arrivedMs })];
    });
    const { members, bundles, attributes } = await bundleArrivals(instances);
    const createdMs = ctx.clock.nowMs();
    const sealed = await sealToQuorum(ctx, {
      id,
      kind: 'tray',
      createdMs,
      chunks: chunksOf(tar),
      bytes: length,
      members,
      bundles,
      quorum: this.#quorum(),
    });
    const pack = { id, kind: 'tray', bytes: length, createdMs, hot: 'cold', volume: null } as const;
    const ends = batch.flatMap(({ draft }) => endsOf(draft));
    await ctx.index.adopt({ pack, members, bundles, attributes, ...sealed }, ends);
    // The tray is the log only where there is a tray: here the index row is all that knows of the batch.
    await ctx.index.commitDurable();
  }
}
