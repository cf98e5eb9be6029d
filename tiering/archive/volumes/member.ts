// One volume of the set through its life: opened, probed, failed, let go of, opened again, taken in. What each event means for its state is
// volume-health.ts; how quick its calls are is pulse.ts.
import type { Clock } from '../../core/clock.js';
import { ArchiveError, codeOf } from '../../core/errors.js';
import type { VolumeName } from '../../core/ids.js';
import type { Vacancy } from '../../hot/vacancy.js';
import type { Volume, VolumeUsage } from '../../hot/volume.js';
import type { VolumeState } from '../archive.js';
import { measured } from './measured-volume.js';
import { type Latencies, Pulse } from './pulse.js';
import { VolumeHealth } from './volume-health.js';

export interface VolumeSource {
  readonly name: VolumeName;
  /** Opens it, or rejects: UNAVAILABLE when it is missing, FOREIGN when it is another archive's. */
  readonly open: () => Promise<Volume>;
  /** For a disk that was replaced by an empty one. Left out: such a volume cannot be adopted. */
  readonly replacement?: {
    /** As lookAtVacancy (tiering/hot/vacancy.ts). */
    readonly look: () => Promise<Vacancy>;
    /** Makes the empty directory into the volume. */
    readonly take: () => Promise<Volume>;
  };
}

/** A change of state, or a trend that begins or ends. */
export interface VolumeEvent {
  readonly level: 'info' | 'warn';
  readonly event: 'volume-state' | 'volume-trend';
  readonly detail: string;
}

/** How a volume is taken back in before it is used again. */
export interface VolumeHooks {
  /** Reads what its trays say of deletes; of every volume before the arrivals of any. */
  readonly onDeletes: (volume: Volume) => Promise<void>;
  /** Recovers its trays. `away`: it was, and how it comes back; null at a start. */
  readonly onReturn: (volume: Volume, away: Away | null) => Promise<void>;
  readonly log: (event: VolumeEvent) => void;
  readonly clock: Clock;
}

/** How a volume came back; `sinceMs`: since when it was away, in milliseconds since 1970. */
export interface Away {
  readonly how: 'returned' | 'adopted';
  readonly sinceMs: number;
}

export interface VolumeView {
  readonly name: VolumeName;
  readonly state: VolumeState;
  /** Why it is not healthy. */
  readonly detail: string | null;
  /** What gets worse with it, before it fails; null when nothing does. */
  readonly trend: string | null;
  readonly latencies: Latencies;
  readonly usage: VolumeUsage | null;
}

const TAKEN_OUT = 'taken out of use by the operator (filmroom volume return takes it back in)';

export class Member {
  readonly name: VolumeName;
  readonly health = new VolumeHealth();
  readonly #source: VolumeSource;
  readonly #hooks: VolumeHooks;
  readonly #pulse: Pulse;
  #volume: Volume | null = null;
  #usage: VolumeUsage | null = null;
  #trend: string | null = null;
  #probing: Promise<void> | null = null;
  #told: VolumeState | null = null;
  /** When it was last found to have failed; at first, when this began. */
  #awaySinceMs: number;
  #returns = 0;

  constructor(source: VolumeSource, hooks: VolumeHooks) {
    this.name = source.name;
    this.#source = source;
    this.#hooks = hooks;
    this.#pulse = new Pulse(hooks.clock);
    this.#awaySinceMs = hooks.clock.nowMs();
  }

  /** As it was opened last; also while it is failed and still in its place. */
  get volume(): Volume | null {
    return this.#volume;
  }

  get usage(): VolumeUsage | null {
    return this.#usage;
  }

  /** How often it was taken back in. */
  get returns(): number {
    return this.#returns;
  }

  /** The probe that is under way. */
  get probing(): Promise<void> | null {
    return this.#probing;
  }

  view(): VolumeView {
    return {
      name: this.name,
      state: this.health.state,
      detail: this.health.detail,
      trend: this.#trend,
      latencies: this.#pulse.latencies(),
      usage: this.#usage,
    };
  }

  /** At a start: opens it, for `serve` to follow. Resolves with null where it could not be had; a mistake (FOREIGN, LOCKED) rejects. */
  async open(): Promise<Volume | null> {
    return this.#attempt(async () => {
      const volume = await this.#openSource();
      this.#volume = volume;
      await this.#hooks.onDeletes(volume);
      return volume;
    });
  }

  /** Recovers what was opened, then uses it. */
  async serve(volume: Volume): Promise<void> {
    await this.#attempt(async () => {
      await this.#hooks.onReturn(volume, null);
      this.#usage = await volume.usage();
      this.#serves();
    });
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      const code = codeOf(error);
      if (code === 'FOREIGN' || code === 'LOCKED' || code === 'INTERNAL') throw error;
      this.#failed(error);
      return null;
    }
  }

  async #openSource(): Promise<Volume> {
    return measured(await this.#source.open(), this.#pulse);
  }

  /** An error that a call on it gave. Returns at once; a probe decides what it means. */
  report(error: unknown): void {
    const code = codeOf(error);
    if (code === 'FULL') {
      if (this.#usage !== null) this.#usage = { ...this.#usage, bytesFree: 0 };
      return;
    }
    if (code !== 'UNAVAILABLE' || !this.health.suspected((error as Error).message)) return;
    this.#tell();
    void this.probe();
  }

  /** A call that is not over after `ms`. Returns at once. */
  lags(ms: number): void {
    if (this.health.state !== 'healthy') return;
    this.health.lags(`a read was not over after ${ms} ms`);
    this.#tell();
    void this.probe();
  }

  async takeOut(): Promise<void> {
    this.health.takeOut(TAKEN_OUT);
    // A probe that was under way may have found it well.
    await this.#probing;
    this.health.takeOut(TAKEN_OUT);
    this.#tell();
    await this.#letGo();
  }

  async takeIn(): Promise<void> {
    if (!this.health.out) return;
    this.health.takeIn();
    await this.probe();
  }

  /** What lies in its place. CONFLICT when that is the volume itself, in use or not. */
  async vacancy(): Promise<Vacancy> {
    const { replacement } = this.#source;
    if (replacement === undefined) throw new ArchiveError('NOT_SUPPORTED', `volume ${this.name} cannot be replaced`);
    if (this.health.readable) {
      throw new ArchiveError('CONFLICT', `volume ${this.name} is ${this.health.state}: there is nothing to replace`);
    }
    return replacement.look();
  }

  /**
   * Makes the empty disk in its place into it, calls `giveUp` once it is there, and uses it. As `vacancy`; what goes wrong after `giveUp` leaves a failed
   * volume that returns by itself.
   */
  async adopt(giveUp: () => Promise<void>): Promise<void> {
    await this.#probing;
    const adopting = this.#adopt(giveUp);
    // No probe opens it meanwhile.
    this.#probing = adopting
      .catch(() => undefined)
      .finally(() => {
        this.#probing = null;
      });
    await adopting;
  }

  async #adopt(giveUp: () => Promise<void>): Promise<void> {
    await this.vacancy();
    await this.#letGo();
    const made = await this.#source.replacement?.take();
    if (made === undefined) return;
    const volume = measured(made, this.#pulse);
    try {
      await giveUp();
      this.health.takeIn();
      await this.#takeBack(volume, 'adopted');
    } catch (error) {
      await volume.close();
      this.#failed(error);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#probing;
    await this.#letGo();
    this.health.close();
  }

  async #letGo(): Promise<void> {
    const volume = this.#volume;
    this.#volume = null;
    await volume?.close();
  }

  /** Looks at it once: never rejects, and never twice at a time. */
  probe(): Promise<void> {
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = null;
    });
    return this.#probing;
  }

  async #probe(): Promise<void> {
    if (this.health.out) return;
    try {
      if (!this.health.readable || this.#volume === null) {
        await this.#tryReturn();
        return;
      }
      await this.#volume.probe();
      this.#usage = await this.#volume.usage();
      this.#serves();
    } catch (error) {
      // A full volume is not a failed one: it reads, and refuses arrivals by its free space.
      if (codeOf(error) === 'FULL' && this.#volume !== null && this.health.readable) {
        this.#usage = await this.#volume.usage().catch(() => this.#usage);
        this.#serves();
        return;
      }
      this.#failed(error);
    }
  }

  /** Opens a failed volume afresh: a new mount has new descriptors, and its identity is checked again. */
  async #tryReturn(): Promise<void> {
    const { clock } = this.#hooks;
    const stale = this.#volume;
    if (stale !== null && (await isInPlace(stale))) {
      // It stays open for what only it holds, until there is reason to think that it is well.
      await stale.probe();
      if (this.health.probedWell(clock.monotonicMs()) === 'wait') return;
    }
    await this.#letGo();
    const volume = await this.#openSource();
    try {
      await volume.probe();
      if (this.health.probedWell(clock.monotonicMs()) === 'wait') {
        await volume.close();
        return;
      }
      await this.#takeBack(volume, 'returned');
    } catch (error) {
      await volume.close();
      throw error;
    }
  }

  /** Reads what it holds, then uses it. */
  async #takeBack(volume: Volume, how: Away['how']): Promise<void> {
    this.health.returning();
    this.#tell();
    await this.#hooks.onDeletes(volume);
    await this.#hooks.onReturn(volume, { how, sinceMs: this.#awaySinceMs });
    this.#usage = await volume.usage();
    this.#volume = volume;
    this.#returns += 1;
    this.#serves();
  }

  #serves(): void {
    const { slow, trend } = this.#pulse.look();
    this.health.serves(slow);
    this.#tell();
    if ((trend === null) !== (this.#trend === null)) {
      const detail = `${this.name}: ${trend ?? 'as usual again'}`;
      this.#hooks.log({ level: trend === null ? 'info' : 'warn', event: 'volume-trend', detail });
    }
    this.#trend = trend;
  }

  #failed(error: unknown): void {
    const why = error instanceof ArchiveError ? error.message : 'an unexpected error: see the log';
    this.health.failed(this.#hooks.clock.monotonicMs(), why);
    this.#tell();
  }

  /** Of a change of state, once. */
  #tell(): void {
    const { state, detail } = this.health;
    if (this.#told === state) return;
    const first = this.#told === null;
    this.#told = state;
    if (state === 'failed') this.#awaySinceMs = this.#hooks.clock.nowMs();
    if (first && state === 'healthy') return;
    const level = state === 'healthy' || state === 'returning' ? 'info' : 'warn';
    const why = detail === null ? '' : `: ${detail}`;
    this.#hooks.log({ level, event: 'volume-state', detail: `${this.name} is ${state}${why}` });
  }
}

/** Whether its path still shows it. What was unmounted is let go of, so that the disk can be mended. */
async function isInPlace(volume: Volume): Promise<boolean> {
  try {
    await volume.usage();
    return true;
  } catch {
    return false;
  }
}
