// One replica behind its guard: nothing is asked of it before its identity was seen, nothing while its
// breaker is open; calls are counted, limited and timed; its "absent" counts only while it is itself.
import type { Clock, Random } from '../../core/clock.js';
import { ArchiveError, type ErrorCode, hasCode } from '../../core/errors.js';
import type { ObjectKey, ReplicaName } from '../../core/ids.js';
import { Semaphore, withDeadline } from '../../core/queues.js';
import { CONFIG_NAME, README_NAME, type ReplicaConfig } from '../../format/names.js';
import { type ByteRange, orAborted, throwIfAborted } from '../checks.js';
import * as limits from '../limits.js';
import type { ObjectEntry, ObjectStore, ObjectStoreCapabilities, PutOptions } from '../object-store.js';
import { Breaker } from './breaker.js';
import { createIdentity, mustBelong, readIdentity } from './identity.js';
import { Latency, SMALL_READ_BYTES_MAX, type Work } from './latency.js';
import { restoreObject } from './restore.js';

export interface GuardOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly archiveId: string;
}

export interface ReplicaState {
  readonly name: ReplicaName;
  readonly state: 'available' | 'unavailable';
  /** Why it is not available, or what it lacks. */
  readonly detail: string | null;
  readonly latencyMs: number | null;
  /** Since when it has not been available, milliseconds since 1970; null while it is. */
  readonly unavailableSinceMs: number | null;
}

/** What is known of a replica or a volume, for those who wait for it. */
export interface Standby {
  /** `ailing`: it answers, and yet the last write failed. */
  readonly state: 'well' | 'ailing' | 'away';
  /** How often it was seen to come back after it had been seen to be away. */
  readonly returns: number;
}

/** Codes that are an answer, if not the one hoped for: the replica is well. */
const ANSWERS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(['ABSENT', 'CORRUPT', 'CONFLICT', 'FULL', 'LIMIT', 'INVALID', 'NOT_SUPPORTED', 'FORBIDDEN'] as const),
]);

const NO_DELETES = 'its access key may not delete: what is deleted or replaced stays there';

export class GuardedReplica implements ObjectStore {
  readonly name: ReplicaName;
  readonly capabilities: ObjectStoreCapabilities;
  readonly #store: ObjectStore;
  readonly #options: GuardOptions;
  readonly #breaker = new Breaker();
  readonly #latency = new Latency();
  readonly #reads = new Semaphore(limits.REPLICA_READS_MAX, limits.REPLICA_WAITERS_MAX);
  readonly #writes = new Semaphore(limits.REPLICA_WRITES_MAX, limits.REPLICA_WAITERS_MAX);
  readonly #closing = new AbortController();
  #verifiedMs: number | undefined;
  #probing: Promise<void> | undefined;
  #detail: string | null = 'not asked yet';
  #mayDelete = true;
  #config: ReplicaConfig | null = null;
  #unavailableSinceMs: number | null;
  /** Why the last write failed, until one works: a link may be good enough for a look and not for a chunk. */
  #writeFailure: string | null = null;
  /** Whether the last look at it failed. */
  #wasAway = false;
  #returns = 0;

  constructor(name: ReplicaName, store: ObjectStore, options: GuardOptions) {
    this.name = name;
    this.capabilities = store.capabilities;
    this.#store = store;
    this.#options = options;
    this.#unavailableSinceMs = options.clock.nowMs();
  }

  /** Its config as it was last seen, if it was this archive's. */
  get config(): ReplicaConfig | null {
    return this.#config;
  }

  get available(): boolean {
    return this.#verifiedMs !== undefined && !this.#breaker.open && !this.#closing.signal.aborted;
  }

  state(): ReplicaState {
    const mean = this.#latency.meanMs('small') ?? this.#latency.meanMs('large') ?? this.#latency.meanMs('write');
    return {
      name: this.name,
      state: this.available ? 'available' : 'unavailable',
      detail: this.available ? this.#lacks() : this.#detail,
      latencyMs: mean === null ? null : Math.round(mean * 10) / 10,
      unavailableSinceMs: this.available ? null : this.#unavailableSinceMs,
    };
  }

  get standby(): Standby {
    const answers = this.#writeFailure === null ? 'well' : 'ailing';
    return { state: this.available ? answers : 'away', returns: this.#returns };
  }

  #lacks(): string | null {
    if (this.#writeFailure !== null) return `the last write failed: ${this.#writeFailure}`;
    return this.#mayDelete ? null : NO_DELETES;
  }

  /** For ordering: smaller is better. */
  rankMs(work: Work): number {
    return this.#latency.rankMs(work, this.#options.clock.monotonicMs());
  }

  p95Ms(work: Work): number | null {
    return this.#latency.p95Ms(work);
  }

  /** Looks at the identity now, breaker or no breaker. Rejects with UNAVAILABLE. Callers at the same time share one look. */
  async probe(signal?: AbortSignal): Promise<void> {
    this.#probing ??= this.#look(false).finally(() => {
      this.#probing = undefined;
    });
    await unlessAborted(this.#probing, signal);
  }

  /** As probe; with `create`, an empty store becomes a replica of this archive first. */
  async open(create: boolean, signal?: AbortSignal): Promise<void> {
    if (!create) return this.probe(signal);
    await unlessAborted(this.#look(true), signal);
  }

  put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.#call('write', options.signal, () => this.#store.put(key, body, options));
  }

  get(key: ObjectKey, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    const small = range !== undefined && range.end - range.start <= SMALL_READ_BYTES_MAX;
    return this.#trusted(signal, () =>
      this.#call(small ? 'small' : 'large', signal, () => this.#store.get(key, range, signal)),
    );
  }

  head(key: ObjectKey, signal?: AbortSignal): Promise<{ readonly bytes: number }> {
    return this.#trusted(signal, () => this.#call('small', signal, () => this.#store.head(key, signal)));
  }

  async delete(key: ObjectKey, signal?: AbortSignal): Promise<void> {
    try {
      await this.#call('write', signal, () => this.#store.delete(key, signal));
      this.#mayDelete = true;
    } catch (error) {
      if (hasCode(error, 'FORBIDDEN')) this.#mayDelete = false;
      throw error;
    }
  }

  get history(): ObjectStore['history'] {
    return this.#store.history;
  }

  get renew(): ObjectStore['renew'] {
    const renew = this.#store.renew?.bind(this.#store);
    return renew === undefined ? undefined : (key, signal) => this.#call('write', signal, () => renew(key, signal));
  }

  /** Puts `config` and `README.txt` back from earlier versions where the store keeps them, and looks again. Resolves with whether it is itself then. */
  async restoreIdentity(signal?: AbortSignal): Promise<boolean> {
    const { archiveId } = this.#options;
    if (!(await restoreObject(this.#store, CONFIG_NAME, { archiveId, signal }))) return false;
    await restoreObject(this.#store, README_NAME, { archiveId, signal });
    await this.probe(signal);
    return true;
  }

  async *list(
    prefix: string,
    options: { readonly after?: string; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<ObjectEntry, void, void> {
    await this.#admit('small', options.signal);
    try {
      for await (const entry of this.#store.list(prefix, options)) {
        if (this.#closing.signal.aborted) break;
        yield entry;
      }
    } catch (error) {
      this.#judge(error, options.signal);
      throw orAborted(error, options.signal);
    }
    this.#mustBeOpen();
    this.#breaker.answered();
    // The end of a listing says that there is nothing more: as much a claim as an ABSENT.
    if (this.#identityAgeMs(this.#options.clock.monotonicMs()) > limits.IDENTITY_AGE_MS_ABSENT) {
      await this.probe(options.signal);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#store.close();
  }

  async #call<T>(work: Work, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    await this.#admit(work, signal);
    const places = work === 'write' ? this.#writes : this.#reads;
    // Outside of what is judged: a queue that is full here says nothing about the replica.
    await places.acquire(1, signal).catch((error: unknown) => {
      throw orAborted(error, signal);
    });
    const { clock } = this.#options;
    const began = clock.monotonicMs();
    try {
      const result = await run();
      this.#breaker.answered();
      if (work === 'write') this.#writeFailure = null;
      this.#latency.record(work, clock.monotonicMs() - began, clock.monotonicMs());
      return result;
    } catch (error) {
      if (signal?.aborted) this.#latency.recordAtLeast(work, clock.monotonicMs() - began, clock.monotonicMs());
      this.#judge(error, signal);
      if (work === 'write' && isFailure(error) && signal?.aborted !== true) this.#writeFailure = messageOf(error);
      throw orAborted(error, signal);
    } finally {
      places.release();
    }
  }

  /** A call was given up from outside because it took too long: counts as one that was not answered. */
  noteFailure(error: ArchiveError): void {
    this.#writeFailure = error.message;
    this.#failed(error);
  }

  /** Tells the breaker what an error means. A caller that gave up says nothing about the replica. */
  #judge(error: unknown, signal: AbortSignal | undefined): void {
    if (signal?.aborted || this.#closing.signal.aborted) return;
    if (!isFailure(error)) {
      this.#breaker.answered();
      return;
    }
    this.#failed(error);
  }

  #failed(error: unknown): void {
    this.#breaker.failed(this.#options.clock.monotonicMs(), this.#share());
    if (this.#breaker.open) this.#away(error);
  }

  #away(error: unknown): void {
    this.#detail = messageOf(error);
    this.#unavailableSinceMs ??= this.#options.clock.nowMs();
  }

  /** Lets a call through, looking at the identity first where that is due. UNAVAILABLE at once while the breaker is open. */
  async #admit(work: Work, signal: AbortSignal | undefined): Promise<void> {
    this.#mustBeOpen();
    throwIfAborted(signal);
    const nowMs = this.#options.clock.monotonicMs();
    if (!this.available) {
      if (!this.#breaker.mayProbe(nowMs)) {
        throw new ArchiveError(
          'UNAVAILABLE',
          `replica ${this.name} is not asked just now: ${this.#detail ?? 'it failed'}`,
        );
      }
      await this.probe(signal);
    } else if (work === 'write' && this.#identityAgeMs(nowMs) > limits.IDENTITY_AGE_MS_WRITE) {
      await this.probe(signal);
    }
  }

  /** Runs a read; its ABSENT passes only if the replica is known to be itself, else it becomes UNAVAILABLE. */
  async #trusted<T>(signal: AbortSignal | undefined, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      const ageMs = this.#identityAgeMs(this.#options.clock.monotonicMs());
      if (!hasCode(error, 'ABSENT') || ageMs <= limits.IDENTITY_AGE_MS_ABSENT) throw error;
      await this.probe(signal);
      // Once more: its disk may have come back only just before the look.
      return read();
    }
  }

  async #look(create: boolean): Promise<void> {
    const { clock, archiveId } = this.#options;
    try {
      this.#mustBeOpen();
      await withDeadline(
        create ? limits.PROBE_MS * 4 : limits.PROBE_MS,
        `replica ${this.name}`,
        async (signal) => {
          let config = await readIdentity(this.#store, this.name, signal);
          if (config === undefined && create) {
            await createIdentity(this.#store, this.name, archiveId);
            config = await readIdentity(this.#store, this.name, signal);
          }
          mustBelong(config, archiveId, this.name);
          this.#config = config;
        },
        this.#closing.signal,
      );
      this.#verifiedMs = clock.monotonicMs();
      if (this.#wasAway) this.#returns += 1;
      this.#wasAway = false;
      this.#detail = null;
      this.#unavailableSinceMs = null;
      this.#breaker.close();
    } catch (error) {
      this.#verifiedMs = undefined;
      this.#wasAway = true;
      this.#away(error);
      this.#breaker.trip(clock.monotonicMs(), this.#share());
      throw hasCode(error, 'UNAVAILABLE') ? error : new ArchiveError('UNAVAILABLE', messageOf(error), { cause: error });
    }
  }

  #identityAgeMs(nowMs: number): number {
    return this.#verifiedMs === undefined ? Number.POSITIVE_INFINITY : nowMs - this.#verifiedMs;
  }

  #mustBeOpen(): void {
    if (this.#closing.signal.aborted) throw new ArchiveError('UNAVAILABLE', `replica ${this.name} is closed`);
  }

  #share(): number {
    return Buffer.from(this.#options.random.bytes(4)).readUInt32BE() / 2 ** 32;
  }
}

/** Whether it was not answered; an answer that was not hoped for is one. */
function isFailure(error: unknown): boolean {
  return !(error instanceof ArchiveError && ANSWERS.has(error.code));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Waits for shared work, but not beyond the caller's own signal. The work goes on. */
async function unlessAborted(shared: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return shared;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(orAborted(undefined, signal) as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
  try {
    await Promise.race([shared, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
