// The cold tier as the archive sees it: N replicas in different failure domains, written by quorum, read
// from whichever is best now. What each may be asked and believed is decided in guarded-replica.ts.
import type { Clock, Random } from '../../core/clock.js';
import { ArchiveError, invariant } from '../../core/errors.js';
import type { ObjectKey, ReplicaName, Sha256 } from '../../core/ids.js';
import type { ReplicaConfig } from '../../format/names.js';
import { type ByteRange, checkBody, checkRange } from '../checks.js';
import { HEDGE_MS_MAX, HEDGE_MS_MIN } from '../limits.js';
import type { ObjectStore, PutOptions } from '../object-store.js';
import { ComposedStore } from './composed-store.js';
import { firstGood } from './first-good.js';
import { GuardedReplica, type ReplicaState, type Standby } from './guarded-replica.js';
import { SMALL_READ_BYTES_MAX, type Work } from './latency.js';
import { type Member, PlacementRule } from './placement-rule.js';
import { type PutResults, putQuorum } from './quorum-put.js';
import { type Rehearsed, type RehearsedFault, rehearsable } from './rehearsal.js';

export interface Replica extends Member {
  readonly store: ObjectStore;
}

export interface ReplicaSetOptions {
  /** Copies that make an object durable, 1 to the number of replicas. */
  readonly writeQuorum: number;
  /** Distinct failure domains that these copies must lie in; default 1. */
  readonly domains?: number;
  readonly clock: Clock;
  readonly random: Random;
  /** What every replica's `config` must name. */
  readonly archiveId: string;
}

export interface ReadOptions {
  /** Replicas known to have no good copy: tried last, not never. */
  readonly avoid?: ReadonlySet<ReplicaName> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of every replica that had no copy, or a bad one, on the way to a good answer or to none. */
  readonly onFault?: ((replica: ReplicaName, fault: 'missing' | 'corrupt') => void) | undefined;
}

export class ReplicaSet {
  #guards: readonly GuardedReplica[];
  #rule: PlacementRule;
  readonly #members: readonly Member[];
  readonly #clock: Clock;
  readonly #rehearsed: ReadonlyMap<ReplicaName, Rehearsed>;

  /** INVALID for no replicas, two of one name, or a quorum that cannot be. Asks nothing of any replica. */
  constructor(replicas: readonly Replica[], options: ReplicaSetOptions) {
    const { writeQuorum, domains, clock } = options;
    if (replicas.length === 0 || new Set(replicas.map(({ name }) => name)).size !== replicas.length) {
      throw new ArchiveError('INVALID', 'replicas need names of their own, and there must be at least one');
    }
    this.#rule = new PlacementRule(replicas, writeQuorum, domains);
    this.#members = replicas.map(({ name, domain }) => ({ name, domain }));
    this.#clock = clock;
    const rehearsed = replicas.map(({ name, store }) => [name, rehearsable(store, name, clock)] as const);
    this.#rehearsed = new Map(rehearsed);
    this.#guards = rehearsed.map(([name, { store }]) => new GuardedReplica(name, store, options));
  }

  /** All of them, those that are leaving too. */
  get names(): readonly ReplicaName[] {
    return this.#guards.map(({ name }) => name);
  }

  /** When copies are enough, counted over the replicas that stay. */
  get rule(): PlacementRule {
    return this.#rule;
  }

  /** Those that ought to hold everything: all but the ones that are leaving. */
  get targets(): readonly ReplicaName[] {
    return this.#rule.names;
  }

  /** From now on nothing is placed on it and what it holds counts for nothing; it is still read. INVALID when the others are too few. Idempotent. */
  leave(name: ReplicaName): void {
    if (this.targets.includes(name)) this.#rule = this.#rule.without(name);
  }

  /** Takes `leave` back. */
  stay(name: ReplicaName): void {
    if (this.targets.includes(name)) return;
    const staying = this.#members.filter((one) => one.name === name || this.targets.includes(one.name));
    this.#rule = new PlacementRule(staying, this.#rule.writeQuorum, this.#rule.domains);
  }

  /** Forgets a replica that has left, and closes its store. */
  async retire(name: ReplicaName): Promise<void> {
    this.leave(name);
    const gone = this.#guards.find((replica) => replica.name === name);
    this.#guards = this.#guards.filter((replica) => replica !== gone);
    await gone?.close();
  }

  /** Makes a replica fail on purpose; null ends it. In this process alone. */
  rehearse(name: ReplicaName, fault: RehearsedFault | null): void {
    this.#rehearsed.get(name)?.rehearse(fault);
  }

  /** Makes an empty store a replica of this archive (`README.txt`, `config`), or looks whose it is. UNAVAILABLE when it cannot be. */
  async create(name: ReplicaName, signal?: AbortSignal): Promise<void> {
    await this.#guard(name).open(true, signal);
  }

  /**
   * Looks at every replica's identity; with `create`, an empty one becomes a replica of this archive (`README.txt`, `config`).
   * Never rejects for a replica: one that does not answer, or is not this archive's, is unavailable in `state()` and joins
   * later by a call or `probe`. Give `create` only where the operator asked for a new replica: a wiped bucket looks like one.
   */
  async open(options: { readonly create: boolean }): Promise<void> {
    await Promise.allSettled(this.#guards.map((replica) => replica.open(options.create)));
  }

  /**
   * Of a replica that says that it is none (its `config` was deleted or overwritten): puts back what earlier versions have. Resolves with
   * whether it is available then; false for a store that keeps no versions.
   */
  restoreIdentity(name: ReplicaName, signal?: AbortSignal): Promise<boolean> {
    return this.#guard(name).restoreIdentity(signal);
  }

  /** One replica behind its guard. INVALID for a name that is not configured. */
  store(name: ReplicaName): ObjectStore {
    return this.#guard(name);
  }

  #guard(name: ReplicaName): GuardedReplica {
    const found = this.#guards.find((replica) => replica.name === name);
    if (found === undefined) throw new ArchiveError('INVALID', `no replica is named ${name}`);
    return found;
  }

  /**
   * Reads `key` (or `[start, end)` of it) from the best replica and gives it to `decode`, going on to the next when one is
   * late, unavailable, absent or corrupt; CORRUPT thrown by `decode` is that replica's fault, WRONG_KEY stops at once. `decode`
   * may run for two replicas at a time; its bytes are its own. If all fail: UNAVAILABLE if any could not be asked, else
   * CORRUPT if any was, else ABSENT.
   */
  async read<T>(
    key: ObjectKey,
    range: ByteRange | undefined,
    decode: (bytes: Uint8Array, replica: ReplicaName) => T | Promise<T>,
    options: ReadOptions = {},
  ): Promise<T> {
    checkRange(range);
    const work = range !== undefined && range.end - range.start <= SMALL_READ_BYTES_MAX ? 'small' : 'large';
    return this.#any(`read ${key}`, work, options, async (replica, signal) =>
      decode(await replica.get(key, range, signal), replica.name),
    );
  }

  /**
   * Writes at once to all replicas that stay. Resolves when all have settled, or when the quorum has stored it and the rest had a fair
   * time; says of each what became of it. Rejects with UNAVAILABLE (or the one code all failures share, such as FULL)
   * when fewer than the quorum stored it. `body` must not be changed or transferred until a while after: a late write may still read it.
   */
  async putQuorum(
    key: ObjectKey,
    body: Uint8Array,
    options: {
      readonly sha256?: Sha256;
      readonly signal?: AbortSignal | undefined;
      /** In place of the write quorum. */
      readonly quorum?: number;
      /** Only these of those that stay: the others have not what goes before. */
      readonly to?: ReadonlySet<ReplicaName>;
    } = {},
  ): Promise<PutResults> {
    checkBody(body);
    const { quorum, to, ...rest } = options;
    const rule = this.#rule;
    const asked = this.#guards.filter(({ name }) => rule.names.includes(name) && to?.has(name) !== false);
    return putQuorum(asked, { rule, quorum }, this.#clock, { key, body }, rest);
  }

  /** The config of each replica as the last look at its identity saw it; of those that were seen. */
  configs(): ReadonlyMap<ReplicaName, ReplicaConfig> {
    return new Map(this.#guards.flatMap(({ name, config }) => (config === null ? [] : [[name, config] as const])));
  }

  state(): readonly ReplicaState[] {
    return this.#guards.map((replica) => replica.state());
  }

  /** Whether each can be waited for. Cheap: asked for every item that waits. */
  standbys(): ReadonlyMap<ReplicaName, Standby> {
    return new Map(this.#guards.map(({ name, standby }) => [name, standby]));
  }

  /** Looks at every identity again, also of those whose breaker is open. Rejects only when the signal fires. */
  async probe(signal?: AbortSignal): Promise<void> {
    await Promise.allSettled(this.#guards.map((replica) => replica.probe(signal)));
    if (signal?.aborted) throw new ArchiveError('ABORTED', 'the caller gave up', { cause: signal.reason });
  }

  /** The composition seen as one store: put by quorum, get and head from any, list merged, delete from all. */
  asObjectStore(): ObjectStore {
    return new ComposedStore({
      guards: this.#guards,
      writeQuorum: this.#rule.writeQuorum,
      anyOf: (what, signal, run) => this.#any(what, 'small', { signal }, run),
      putQuorum: (key: ObjectKey, body: Uint8Array, options: PutOptions) => this.putQuorum(key, body, options),
    });
  }

  /** Closes every replica's store. Idempotent. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#guards.map((replica) => replica.close()));
  }

  #any<T>(
    what: string,
    work: Work,
    options: ReadOptions,
    run: (replica: GuardedReplica, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { signal, onFault } = options;
    const ordered = this.#inOrder(work, options.avoid);
    const candidates = ordered.map((replica, at) => ({
      name: replica.name,
      hedgeMs: hedgeMs(replica.p95Ms(work), ordered[at + 1]?.p95Ms(work) ?? null),
      run: (own: AbortSignal) => run(replica, own),
    }));
    invariant(candidates.length > 0, 'a replica set has replicas');
    return firstGood(candidates, { what, clock: this.#clock, signal, onFault });
  }

  /** Those believed to have it before those avoided, those that answer before those that do not, then by latency. */
  #inOrder(work: Work, avoid: ReadonlySet<ReplicaName> | undefined): readonly GuardedReplica[] {
    const rank = (replica: GuardedReplica) => ({
      replica,
      tier: (avoid?.has(replica.name) === true ? 2 : 0) + (replica.available ? 0 : 1),
      ms: replica.rankMs(work),
    });
    return this.#guards
      .map(rank)
      .sort((a, b) => a.tier - b.tier || a.ms - b.ms)
      .map(({ replica }) => replica);
  }
}

/** A read is late at its own 95th percentile, or at three times the next one's when that is sooner. */
function hedgeMs(own: number | null, next: number | null): number {
  const late = Math.min(own ?? HEDGE_MS_MAX, next === null ? HEDGE_MS_MAX : 3 * next);
  if (own === null && next === null) return HEDGE_MS_MIN;
  return Math.min(HEDGE_MS_MAX, Math.max(HEDGE_MS_MIN, late));
}
