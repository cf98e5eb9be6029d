// Whether this index may decide for the archive. A generation is shared between the index and what it decides over: it rises in the index,
// durably, and then on the volumes, before the first thing of each second is done that an older copy of the index would not know of. So an
// index that is behind a volume is an older copy. Replicas learn of it in their time, and of the owner epoch at the next probe: of two servers that
// each have a copy of the index, the one that began earlier finds the other's epoch there and stops writing.

import { claimReplica } from '../../cold/replicas/identity.js';
import type { ReplicaSet } from '../../cold/replicas/replica-set.js';
import type { Clock } from '../../core/clock.js';
import { ArchiveError, hasCode } from '../../core/errors.js';
import type { ReplicaName } from '../../core/ids.js';
import { withDeadline } from '../../core/queues.js';
import type { Volume } from '../../hot/volume.js';
import type { Index } from '../../index/index.js';
import type { KeyHolder } from '../keys/key-holder.js';
import type { VolumeSet } from '../volumes/volume-set.js';
import type { WriteGate } from './write-gate.js';

const SETTING = 'index.generation';
const TRIED = 'index.tried';
/** Acts within so long of each other share a generation. */
const RAISE_EVERY_MS = 1_000;
const CLAIM_MS = 10_000;

/** What to do with an index that is an older copy. */
export function olderIndex(where: string): ArchiveError {
  return new ArchiveError(
    'FOREIGN',
    `the index is an older copy: ${where} knows of changes that were made after it was copied. Stop, then put the newest index back, or run "filmroom serve --rebuild" or "filmroom rebuild-index": the older copy is set aside and the index is made again`,
  );
}

function newerOwner(replica: ReplicaName, epoch: number, own: number): ArchiveError {
  return new ArchiveError(
    'FOREIGN',
    `another server has taken this archive over (replica ${replica} has owner epoch ${epoch}, this one is ${own}): stop one of the two. If there is no other, the clock was set back: correct it and restart`,
  );
}

/** How far an index has come; null for a new one. */
export async function generationOf(index: Index): Promise<number | null> {
  const kept = await index.setting(SETTING);
  return kept === undefined ? null : Number(kept);
}

/** What of the archive it works with. */
interface Surroundings {
  readonly volumes: VolumeSet;
  readonly replicas: ReplicaSet;
  readonly clock: Clock;
  readonly gate: WriteGate;
  readonly keys: KeyHolder;
  readonly log: (event: { readonly level: 'info' | 'error'; readonly event: string; readonly detail?: string }) => void;
}

export class Authority {
  readonly #ctx: Surroundings;
  /** Not the guarded one: this is what the guard waits for. */
  readonly #index: Index;
  /** Null: whoever opened the archive has no epoch (a test), and claims nothing. */
  readonly #ownerEpoch: number | null;
  /** The index is being made again: whatever is found is what it begins from. */
  readonly #takesOver: boolean;
  readonly #claimIntervalMs: number;
  /** When each replica was told last. */
  readonly #claimedMs = new Map<ReplicaName, number>();
  /** It has no generation of its own to be held to. */
  #adopts = true;
  /** Null: the index is new and has none yet. */
  #generation: number | null = null;
  #unread: ReadonlySet<string> = new Set();
  #raisedMs = Number.NEGATIVE_INFINITY;
  /** Opened, and not yet told: nothing is done on it before it is. */
  readonly #fresh = new Set<Volume>();
  #raising: Promise<void> | null = null;

  constructor(
    ctx: Surroundings,
    index: Index,
    options: { readonly ownerEpoch: number | null; readonly takesOver: boolean; readonly claimIntervalMs: number },
  ) {
    this.#ctx = ctx;
    this.#index = index;
    this.#ownerEpoch = options.ownerEpoch;
    this.#takesOver = options.takesOver;
    this.#claimIntervalMs = options.claimIntervalMs;
  }

  /**
   * To be called before anything is opened or acted on. Rejects with FOREIGN as `olderIndex`, or when there is a newer owner.
   * @param unread `volume a`, `replica r1`: the index was made again without them. Where the clock was set back meanwhile they have come further than it,
   *   which is no older copy for that: it goes on from there.
   */
  async begin(unread: readonly string[]): Promise<void> {
    this.#unread = new Set(unread);
    this.#generation = await generationOf(this.#index);
    this.#adopts = this.#takesOver || this.#generation === null;
    await this.#lookAtReplicas();
  }

  /** Of a volume that was just opened. Rejects with FOREIGN when it knows of more than the index. */
  async mustCover(volume: Volume): Promise<void> {
    this.#mustReach(await volume.generation(), `volume ${volume.name}`);
    this.#fresh.add(volume);
  }

  /** Whatever was committed to the index before the call is durable when this resolves, and no copy from before will be taken for the index. */
  async commitDurable(): Promise<void> {
    const recently = this.#ctx.clock.monotonicMs() - this.#raisedMs < RAISE_EVERY_MS;
    if (this.#raising === null && recently && this.#fresh.size === 0) {
      return this.#index.commitDurable();
    }
    // One that is under way may have synced the index before the caller's own commit.
    const underWay = this.#raising;
    if (underWay !== null) {
      await underWay;
      return this.#index.commitDurable();
    }
    this.#raising = this.#raise().finally(() => {
      this.#raising = null;
    });
    return this.#raising;
  }

  /** The index first: killed in between, it is ahead of the volumes, which no copy of it is. */
  async #raise(): Promise<void> {
    const { clock, volumes } = this.#ctx;
    const generation = Math.max((this.#generation ?? 0) + 1, Math.floor(clock.nowMs() / 1000));
    await this.#index.setSetting(SETTING, String(generation));
    await this.#index.commitDurable();
    this.#generation = generation;
    const told = new Set([...volumes.readables(), ...this.#fresh]);
    this.#fresh.clear();
    await Promise.all(
      [...told].map((volume) =>
        volume.setGeneration(generation).catch((error: unknown) => {
          // One that cannot keep it is failing: it is told of that, and what is done does not wait for it.
          volumes.report(volume.name, error);
        }),
      ),
    );
    this.#raisedMs = clock.monotonicMs();
  }

  /**
   * Looks at what the replicas say, and tells them; tries an index that could not be written. Closes the gate for good when this index does not decide any more.
   * Resolves with true when the index can be written again.
   */
  async watch(): Promise<boolean> {
    const { gate, log } = this.#ctx;
    try {
      await this.#lookAtReplicas();
    } catch (error) {
      if (!hasCode(error, 'FOREIGN')) throw error;
      if (gate.close(error.message, true)) log({ level: 'error', event: 'index-superseded', detail: error.message });
    }
    const again = await this.#tryIndex();
    if (gate.fault === null) await this.#claimReplicas();
    return again;
  }

  /** Opens the gate again if the index can be written: there is room again, or its disk is back. */
  async #tryIndex(): Promise<boolean> {
    const { gate, clock, log } = this.#ctx;
    if (gate.fault === null || gate.forGood) return false;
    try {
      // First: after a sync that failed nothing is written before one succeeds.
      await this.#index.commitDurable();
      await this.#index.setSetting(TRIED, String(clock.nowMs()));
      await gate.settle();
      await this.#index.commitDurable();
    } catch (error) {
      if (hasCode(error, 'CORRUPT') && gate.close(`nothing is stored, moved or deleted now: ${error.message}`, true)) {
        log({ level: 'error', event: 'index-not-writable', detail: error.message });
      }
      return false;
    }
    gate.open();
    log({ level: 'info', event: 'index-writable-again' });
    return true;
  }

  async #lookAtReplicas(): Promise<void> {
    const own = this.#ownerEpoch;
    for (const [name, { ownerEpoch, generation }] of this.#ctx.replicas.configs()) {
      if (own !== null && ownerEpoch > own) throw newerOwner(name, ownerEpoch, own);
      this.#mustReach(generation, `replica ${name}`);
    }
  }

  #mustReach(generation: number, where: string): void {
    if (generation <= (this.#generation ?? 0)) return;
    if (!this.#adopts && !this.#unread.has(where)) throw olderIndex(where);
    this.#generation = generation;
    // In the index with whatever is made durable next.
    this.#raisedMs = Number.NEGATIVE_INFINITY;
  }

  async #claimReplicas(): Promise<void> {
    const { replicas } = this.#ctx;
    const ownerEpoch = this.#ownerEpoch;
    if (ownerEpoch === null) return;
    const generation = this.#generation ?? 0;
    const { archiveId } = this.#ctx.keys.ring;
    const seen = replicas.configs();
    const behind = replicas.state().flatMap(({ name, state }) => {
      const config = seen.get(name);
      // A new owner is told at once, how far the index has come in its time.
      const told = config?.ownerEpoch === ownerEpoch;
      const current = told && (config.generation === generation || !this.#isDue(name));
      return state === 'available' && !current ? [name] : [];
    });
    for (const name of behind) this.#claimedMs.set(name, this.#ctx.clock.monotonicMs());
    await Promise.all(
      behind.map((name) =>
        withDeadline(CLAIM_MS, `replica ${name}`, (signal) =>
          claimReplica(replicas.store(name), name, { archiveId, ownerEpoch, generation }, signal),
        ).catch((error: unknown) => {
          // It is told at the next probe; one whose access key may not overwrite never is.
          if (!hasCode(error, 'UNAVAILABLE', 'FORBIDDEN', 'FULL', 'CORRUPT')) throw error;
        }),
      ),
    );
  }

  #isDue(replica: ReplicaName): boolean {
    const told = this.#claimedMs.get(replica) ?? Number.NEGATIVE_INFINITY;
    return this.#ctx.clock.monotonicMs() - told >= this.#claimIntervalMs;
  }
}
