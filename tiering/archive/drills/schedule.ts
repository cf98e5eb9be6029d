// Drills that are held by themselves: at night, while nothing comes in, when nothing speaks against them, one after another.
import { setMaxListeners } from 'node:events';
import { hasCode } from '../../core/errors.js';
import type { ArchiveContext } from '../context.js';
import { logFailure } from '../failures.js';
import type { Drills } from './drill.js';
import type { DrillSchedule } from './drill-report.js';

const LOOK_MS = 60_000;
/** Hours of the machine's own time in which nobody reads. */
const QUIET_FROM = 1;
const QUIET_UNTIL = 5;

export class Schedule {
  readonly #ctx: ArchiveContext;
  readonly #drills: Drills;
  readonly #busy: () => boolean;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  /** Told once, and not every minute of the night. */
  #refused = '';

  constructor(ctx: ArchiveContext, drills: Drills, busy: () => boolean) {
    this.#ctx = ctx;
    this.#drills = drills;
    this.#busy = busy;
    setMaxListeners(0, this.#stop.signal);
  }

  start(): void {
    if (this.#ctx.policy.drills.length === 0 || this.#stop.signal.aborted) return;
    this.#loop = this.#run();
  }

  /** One that is on is ended and cleaned up. */
  async close(): Promise<void> {
    this.#stop.abort(new DOMException('the archive is closing', 'AbortError'));
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      for (const schedule of this.#ctx.policy.drills) {
        if (!signal.aborted && this.#isQuiet()) await this.#hold(schedule);
      }
      await this.#ctx.clock.sleep(LOOK_MS, signal).catch(() => undefined);
    }
  }

  #isQuiet(): boolean {
    const hour = new Date(this.#ctx.clock.nowMs()).getHours();
    return hour >= QUIET_FROM && hour < QUIET_UNTIL && !this.#busy() && this.#ctx.gate.fault === null;
  }

  async #hold(schedule: DrillSchedule): Promise<void> {
    const { signal } = this.#stop;
    const request = { ...schedule, anyway: false };
    try {
      const { what, name } = await this.#drills.plan(request);
      const last = (await this.#drills.last()).find((one) => one.what === what && one.name === name);
      const due = last === undefined || this.#ctx.clock.nowMs() - Date.parse(last.startedAt) >= schedule.everyMs;
      if (due) await this.#drills.run(request, { signal });
      this.#refused = '';
    } catch (error) {
      if (signal.aborted || hasCode(error, 'LOCKED')) return;
      const told = String((error as Error).message);
      if (told !== this.#refused) logFailure(this.#ctx, 'drill-not-held', error);
      this.#refused = told;
    }
  }
}
