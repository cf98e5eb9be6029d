// The time of a simulation: nothing waits for the machine. Sleepers stand in a queue, and the clock goes on to the first of them only when
// nothing else can run. Imported before anything of the archive: what would take turns of its own (timers, thread-pool calls of zlib) is
// put onto the same queue, so that the same seed is the same order of events.
import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

interface Sleeper {
  readonly atMs: number;
  readonly order: number;
  wake: (() => void) | null;
}

const realSetImmediate = setImmediate;
const realSetTimeout = setTimeout;
const realClearTimeout = clearTimeout;
let current: VirtualTime | null = null;

/** More events than any history has: one that makes so many goes round in circles. */
const EVENTS_MAX = 60_000;

export class VirtualTime {
  nowMs = 0;
  events = 0;
  readonly #heap: Sleeper[] = [];
  #order = 0;

  /** Wakes after `ms`, in the order in which they were asked for; the result takes it back. */
  at(ms: number, wake: () => void): () => void {
    this.#order += 1;
    const sleeper: Sleeper = { atMs: this.nowMs + Math.max(0, ms), order: this.#order, wake };
    this.#push(sleeper);
    return () => {
      sleeper.wake = null;
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.at(ms, resolve);
    });
  }

  /** Runs `work` to its end in this time. Rejects when everything waits for something that never comes. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let over = false;
      const end = (settle: () => void) => {
        over = true;
        enter(null);
        settle();
      };
      enter(this);
      work().then(
        (value) => end(() => resolve(value)),
        (error: unknown) => end(() => reject(error as Error)),
      );
      const turn = () => {
        if (over) return;
        const next = this.#pop();
        if (next === undefined || this.events > EVENTS_MAX) {
          const why = next === undefined ? 'everything waits, and nothing will come' : 'it goes round in circles';
          end(() => reject(new Error(`${why}, at ${this.nowMs} ms after ${this.events} events`)));
          return;
        }
        this.events += 1;
        this.nowMs = Math.max(this.nowMs, next.atMs);
        next.wake?.();
        // All that follows from it runs first: promises are settled before the loop comes round.
        realSetImmediate(turn);
      };
      realSetImmediate(turn);
    });
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#heap;
    heap.push(sleeper);
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!before(heap[at], heap[parent])) break;
      [heap[at], heap[parent]] = [heap[parent] as Sleeper, heap[at] as Sleeper];
      at = parent;
    }
  }

  #pop(): Sleeper | undefined {
    for (;;) {
      const next = this.#popAny();
      if (next === undefined || next.wake !== null) return next;
    }
  }

  #popAny(): Sleeper | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && before(heap[child], heap[least])) least = child;
      }
      if (least === at) return first;
      [heap[at], heap[least]] = [heap[least] as Sleeper, heap[at] as Sleeper];
      at = least;
    }
  }
}

/** Timers belong to this time from now on. */
function enter(time: VirtualTime | null): void {
  current = time;
}

function before(a: Sleeper | undefined, b: Sleeper | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Timers of what has no clock given to it: deadlines of calls. Outside of a simulation they are the real ones. */
function virtualTimeout(work: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): unknown {
  if (current === null) return realSetTimeout(work, ms, ...args);
  return { takeBack: current.at(ms, () => work(...args)) };
}

function virtualClear(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'takeBack' in timer) (timer.takeBack as () => void)();
  else realClearTimeout(timer as NodeJS.Timeout);
}

/** `zlib.gzip` and `gunzip` at once in a simulation: their threads answer in an order of their own. */
function atOnce<A extends unknown[]>(real: (...args: A) => void, sync: (...args: unknown[]) => Buffer) {
  return (...args: A): void => {
    if (current === null) {
      real(...args);
      return;
    }
    const answer = args.at(-1) as (error: unknown, value?: Buffer) => void;
    let value: Buffer;
    try {
      value = sync(...args.slice(0, -1));
    } catch (error) {
      answer(error);
      return;
    }
    answer(null, value);
  };
}

globalThis.setTimeout = Object.assign(virtualTimeout, {
  [promisify.custom]: Reflect.get(realSetTimeout, promisify.custom) as unknown,
}) as unknown as typeof setTimeout;
globalThis.clearTimeout = virtualClear as typeof clearTimeout;
const realTurn = timersPromises.setImmediate;
timersPromises.setImmediate = ((value?: unknown) =>
  current === null ? realTurn(value) : Promise.resolve(value)) as typeof timersPromises.setImmediate;
zlib.gzip = atOnce(
  zlib.gzip as (...args: unknown[]) => void,
  zlib.gzipSync as (...args: unknown[]) => Buffer,
) as typeof zlib.gzip;
zlib.gunzip = atOnce(
  zlib.gunzip as (...args: unknown[]) => void,
  zlib.gunzipSync as (...args: unknown[]) => Buffer,
) as typeof zlib.gunzip;
syncBuiltinESMExports();
