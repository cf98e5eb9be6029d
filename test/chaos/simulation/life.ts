// One process. Whatever it calls goes through `call`: it takes its time, and the process may die in front of it, under it or behind it.
// A dead process gets no answer any more and does nothing: what it was doing waits for ever and is collected as garbage.
import type { Clock } from '../../../tiering/core/clock.js';
import type { Seeded } from './seeded.js';
import type { VirtualTime } from './virtual-time.js';

export type Death = 'kill' | 'power';

export interface Sentence {
  /** Dies at the so-manieth write from now. */
  calls: number;
  readonly how: Death;
  /** Of the last write: not done, or done and nobody told. */
  readonly undone: boolean;
}

export interface Surroundings {
  readonly time: VirtualTime;
  /** What is drawn for how long things take. */
  readonly chance: Seeded;
  /** What people would read from a clock, beside the time since the beginning. */
  skewMs(): number;
  /** The process is gone; what it leaves behind is settled now. */
  onDeath(how: Death): void;
}

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

export class Life {
  readonly clock: Clock;
  readonly over: Promise<Death>;
  sentence: Sentence | null = null;
  alive = true;
  readonly bornMs: number;
  /** Writes so far. */
  writes = 0;
  readonly #around: Surroundings;
  #end: (how: Death) => void = () => undefined;

  constructor(around: Surroundings) {
    this.#around = around;
    this.bornMs = around.time.nowMs;
    this.over = new Promise((resolve) => {
      this.#end = resolve;
    });
    const { time } = around;
    this.clock = {
      nowMs: () => Math.floor(time.nowMs + around.skewMs()),
      monotonicMs: () => time.nowMs,
      sleep: (ms, signal) => this.#sleep(ms, signal),
    };
  }

  die(how: Death): void {
    if (!this.alive) return;
    this.alive = false;
    this.#around.onDeath(how);
    this.#end(how);
  }

  /** @param write it changes something: the process may be meant to die here. */
  async call<T>(write: boolean, work: () => T | Promise<T>, msMax = 4): Promise<T> {
    const { chance, time } = this.#around;
    if (!this.alive) return never();
    const waits = chance.chance(0.35);
    const first = chance.chance(0.5);
    if (waits && first) await time.sleep(chance.share() * msMax);
    if (!this.alive) return never();
    if (write) this.writes += 1;
    const dies = write && this.sentence !== null && --this.sentence.calls <= 0 ? this.sentence : null;
    if (dies?.undone === true) {
      this.die(dies.how);
      return never();
    }
    let value: T;
    try {
      value = await work();
    } finally {
      if (dies !== null) this.die(dies.how);
    }
    if (waits && !first) await time.sleep(chance.share() * msMax);
    return this.alive ? value : never();
  }

  /** Gives up a call that hangs, as the caller's own time limit would. */
  async hang(ms: number): Promise<void> {
    await this.#around.time.sleep(ms);
    if (!this.alive) await never();
  }

  #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = () => {
        takeBack();
        if (this.alive) reject(signal?.reason as Error);
      };
      const takeBack = this.#around.time.at(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        if (this.alive) resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
