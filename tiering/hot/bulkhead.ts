// The bulkhead around one volume: a cap of system calls in flight, a bounded queue before it, and a
// deadline for each. A hung array takes its own slots and nothing else of the process.
import type { Clock } from '../core/clock.js';
import { ArchiveError } from '../core/errors.js';
import { toArchiveError } from './errno.js';

export interface BulkheadOptions {
  /** Names the volume in messages. */
  readonly name: string;
  readonly clock: Clock;
  /** Calls in flight; each may hold a thread of the process' file thread pool. */
  readonly callsMax: number;
  /** From the request to the answer, waiting included. */
  readonly callTimeoutMs: number;
}

/** What running work may ask about its own call. */
export interface CallState {
  /** The caller was answered (deadline or signal): stop between system calls. */
  readonly abandoned: boolean;
}

export interface RunOptions<T> {
  readonly signal?: AbortSignal | undefined;
  /** Called once, when the work will touch nothing any more: it settled, or never began. */
  readonly done?: () => void;
  /** Takes the result of work that succeeded after its caller was answered (a descriptor to close). */
  readonly discard?: (value: T) => void;
  /** Clean-up: waits however long the queue is and runs after `close` as well. */
  readonly cleanup?: boolean;
}

interface Call {
  readonly deadlineMs: number;
  running: boolean;
  abandoned: boolean;
  overdue: boolean;
  readonly begin: () => void;
  readonly abandon: (error: ArchiveError) => void;
}

/** Callers beyond the cap that may wait while the volume is answering. */
const WAITING_MAX = 1024;

export class Bulkhead {
  readonly #options: BulkheadOptions;
  readonly #calls = new Set<Call>();
  readonly #queue: Call[] = [];
  readonly #stop = new AbortController();
  readonly #idle: (() => void)[] = [];
  #running = 0;
  #overdue = 0;
  #watching = false;
  #closed = false;

  constructor(options: BulkheadOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` in a slot. Rejects with ArchiveError: what the work threw, by errno; UNAVAILABLE at the deadline, after `close`,
   * at once when every slot is taken and a call in them is hung, or when too many wait; ABORTED by the signal. Hung work keeps its slot.
   */
  run<T>(what: string, work: (call: CallState) => Promise<T>, options: RunOptions<T> = {}): Promise<T> {
    const refusal = this.#refusal(options);
    if (refusal !== undefined) {
      options.done?.();
      return Promise.reject(refusal);
    }
    return new Promise<T>((resolve, reject) => {
      const call: Call = {
        deadlineMs: this.#options.clock.monotonicMs() + this.#options.callTimeoutMs,
        running: false,
        abandoned: false,
        overdue: false,
        begin: () => {
          call.running = true;
          this.#running += 1;
          work(call).then(
            (value) => {
              if (call.abandoned) options.discard?.(value);
              finish();
              resolve(value);
            },
            (error: unknown) => {
              finish();
              reject(toArchiveError(error, `volume ${this.#options.name}: ${what}`));
            },
          );
        },
        abandon: (error) => {
          if (call.abandoned) return;
          call.abandoned = true;
          reject(error);
          if (!call.running) {
            options.signal?.removeEventListener('abort', onAbort);
            this.#leave(call, options);
          }
          this.#settleIdle();
        },
      };
      const onAbort = () => call.abandon(abortError(options.signal, what));
      const finish = () => {
        options.signal?.removeEventListener('abort', onAbort);
        this.#running -= 1;
        if (call.overdue) this.#overdue -= 1;
        this.#leave(call, options);
        this.#next();
      };
      options.signal?.addEventListener('abort', onAbort, { once: true });
      this.#calls.add(call);
      if (this.#running < this.#options.callsMax) call.begin();
      else this.#queue.push(call);
      void this.#watch();
    });
  }

  /** Refuses what comes from now on, and resolves once every caller has its answer: at the deadline at the latest. */
  async close(): Promise<void> {
    this.#closed = true;
    if (!this.#allAnswered()) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Ends the watch over deadlines: nothing more will be asked. */
  stopWatching(): void {
    this.#stop.abort(new ArchiveError('ABORTED', 'the volume is closed'));
  }

  #refusal(options: {
    readonly signal?: AbortSignal | undefined;
    readonly cleanup?: boolean;
  }): ArchiveError | undefined {
    if (options.cleanup === true) return undefined;
    const { name, callsMax } = this.#options;
    if (this.#closed) return new ArchiveError('UNAVAILABLE', `volume ${name} is closed`);
    if (options.signal?.aborted === true) return abortError(options.signal, `volume ${name}`);
    if (this.#running < callsMax) return undefined;
    if (this.#overdue > 0) {
      return new ArchiveError('UNAVAILABLE', `volume ${name} is suspect: ${this.#overdue} of ${callsMax} calls hang`);
    }
    if (this.#queue.length < WAITING_MAX) return undefined;
    return new ArchiveError('UNAVAILABLE', `volume ${name} is too slow: ${this.#queue.length} calls wait for it`);
  }

  #leave<T>(call: Call, options: RunOptions<T>): void {
    if (!this.#calls.delete(call)) return;
    const at = call.running ? -1 : this.#queue.indexOf(call);
    if (at >= 0) this.#queue.splice(at, 1);
    options.done?.();
    this.#settleIdle();
  }

  #next(): void {
    while (this.#running < this.#options.callsMax) {
      const call = this.#queue.shift();
      if (call === undefined) return;
      call.begin();
    }
  }

  #allAnswered(): boolean {
    for (const call of this.#calls) if (!call.abandoned) return false;
    return true;
  }

  #settleIdle(): void {
    if (!this.#closed || this.#idle.length === 0 || !this.#allAnswered()) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** One timer for all calls, not one for each: a quarter of the deadline is precision enough. */
  async #watch(): Promise<void> {
    if (this.#watching || this.#stop.signal.aborted) return;
    this.#watching = true;
    const { clock, callTimeoutMs, name } = this.#options;
    try {
      while (this.#calls.size > 0) {
        await clock.sleep(Math.max(1, Math.min(callTimeoutMs / 4, 1000)), this.#stop.signal);
        const now = clock.monotonicMs();
        for (const call of this.#calls) {
          if (now < call.deadlineMs || call.overdue) continue;
          if (call.running) {
            call.overdue = true;
            this.#overdue += 1;
          }
          call.abandon(new ArchiveError('UNAVAILABLE', `volume ${name} did not answer within ${callTimeoutMs} ms`));
        }
      }
    } catch {
      // The watch was stopped: the volume is closed and every caller has been answered.
    } finally {
      this.#watching = false;
    }
  }
}

/** The promise's result, or ABORTED as soon as the signal fires; the promise itself goes on. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return await promise;
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(abortError(signal, what));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function abortError(signal: AbortSignal | undefined, what: string): ArchiveError {
  const reason: unknown = signal?.reason;
  return reason instanceof ArchiveError
    ? reason
    : new ArchiveError('ABORTED', `${what}: the caller gave up`, { cause: reason });
}
