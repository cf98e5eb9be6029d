// One attempt at one fault: the clock of it, and what was seen.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Load } from './load.js';
import type { Site } from './site.js';

const POLL_MS = 50;

export class Trial {
  readonly site: Site;
  readonly load: Load;
  readonly #seen: string[] = [];
  #since = performance.now();
  #detectMs: number | null = null;
  #recoverMs: number | null = null;

  constructor(site: Site, load: Load) {
    this.site = site;
    this.load = load;
  }

  get seen(): string {
    return [...new Set(this.#seen)].join('; ');
  }

  get detectMs(): number | null {
    return this.#detectMs;
  }

  get recoverMs(): number | null {
    return this.#recoverMs;
  }

  /** Adds to what was seen. */
  say(text: string): void {
    this.#seen.push(text);
  }

  /** Now: the fault is made, or undone. */
  mark(): void {
    this.#since = performance.now();
  }

  /** Waits for the first sign of the fault, which is what `sign` returns, and says it. */
  async detected(sign: () => Promise<string | null>, msMax = 120_000): Promise<void> {
    const text = await this.#until('no sign of the fault', sign, msMax);
    this.#detectMs = performance.now() - this.#since;
    if (text !== '') this.say(text);
  }

  /** Waits until all is well again. */
  async recovered(well: () => Promise<boolean>, msMax = 180_000): Promise<void> {
    await this.#well(well, msMax);
    this.#recoverMs = performance.now() - this.#since;
  }

  /** The same of what need not have been unwell. */
  async waits(well: () => Promise<boolean>, msMax = 180_000): Promise<void> {
    await this.#well(well, msMax);
  }

  /** What was expected, or the attempt ends. */
  expect(holds: boolean, what: string): void {
    if (!holds) throw new Error(what);
  }

  /** The server, which is down, comes up and is whole under the load. */
  async startAgain(): Promise<void> {
    this.mark();
    await this.site.gateway.start(120_000);
    await this.recovered(() => this.site.whole());
    await this.lasts(0);
  }

  /** Lets the load go on for a while: some reads of everything, and a store. */
  async lasts(msMin = 500): Promise<void> {
    const { reads, stores } = this.load;
    const [readsWanted, storesWanted] = [reads.asked + this.site.protectedCount, stores.asked + 1];
    const until = performance.now() + msMin;
    const deadline = performance.now() + 90_000;
    while (performance.now() < until || reads.asked < readsWanted || stores.asked < storesWanted) {
      if (performance.now() > deadline) throw new Error('the load stands still');
      await sleep(POLL_MS);
    }
  }

  async #well(well: () => Promise<boolean>, msMax: number): Promise<void> {
    try {
      await this.#until('not well again', async () => ((await well()) ? '' : null), msMax);
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${(await this.site.unwell()) ?? 'by its own measure'}`);
    }
  }

  async #until(what: string, sign: () => Promise<string | null>, msMax: number): Promise<string> {
    const deadline = performance.now() + msMax;
    for (;;) {
      const text = await sign();
      if (text !== null) return text;
      if (performance.now() > deadline) throw new Error(`${what} within ${Math.round(msMax / 1000)} s`);
      await sleep(POLL_MS);
    }
  }
}
