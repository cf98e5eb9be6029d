// How far a rebuild is: that one was begun (kept in the index, so that whoever opens it next goes on in place of taking it for whole), and what
// is told of it while it runs.
import type { Clock } from '../../core/clock.js';
import type { Index } from '../../index/index.js';
import type { JobOptions, Progress } from '../archive.js';

const SETTING = 'rebuild';

/** Whether a rebuild was begun and has not come to its end: arrivals and deletes that it has not found yet would be numbered over. */
export async function isUnfinished(index: Index): Promise<boolean> {
  return ((await index.setting(SETTING)) ?? '') !== '';
}

/** Durable when it resolves. */
export async function markBegun(index: Index): Promise<void> {
  await index.setSetting(SETTING, 'begun');
  await index.commitDurable();
}

export async function markEnded(index: Index): Promise<void> {
  // What was found is durable before nobody looks for it any more.
  await index.commitDurable();
  await index.setSetting(SETTING, '');
  await index.commitDurable();
}

/** Counts packs and instances, and says how fast it goes and how long it still takes. */
export class RebuildTally {
  packs = 0;
  instances = 0;
  /** Manifests that were not what their names say are packs that are done with, too. */
  passed = 0;
  total = 0;
  readonly #clock: Clock;
  readonly #beganMs: number;
  readonly #onProgress: JobOptions['onProgress'];
  /** Of those that were in the index already: they say nothing of how fast it goes. */
  #skipped = 0;
  #skippedInstances = 0;

  constructor(clock: Clock, onProgress: JobOptions['onProgress']) {
    this.#clock = clock;
    this.#beganMs = clock.monotonicMs();
    this.#onProgress = onProgress;
  }

  get seconds(): number {
    return (this.#clock.monotonicMs() - this.#beganMs) / 1000;
  }

  /** Instances a second since the beginning. */
  get perSecond(): number {
    return this.seconds > 0 ? Math.round((this.instances - this.#skippedInstances) / this.seconds) : 0;
  }

  /** @param known it was in the index already. */
  done(instances: number, known = false): void {
    this.packs += 1;
    this.instances += instances;
    if (known) {
      this.#skipped += 1;
      this.#skippedInstances += instances;
    }
    this.tell();
  }

  tell(): void {
    const passed = this.packs + this.passed;
    const fresh = passed - this.#skipped;
    const left = Math.max(0, this.total - passed);
    this.#onProgress?.({
      step: 'rebuilding',
      packsDone: passed,
      packsTotal: Math.max(this.total, passed),
      bytesDone: 0,
      bytesTotal: 0,
      instancesDone: this.instances,
      perSecond: this.perSecond,
      secondsLeft: fresh === 0 ? null : Math.round((left * this.seconds) / fresh),
    });
  }
}

/** `120 of 4000 packs`, for answers and people. */
export function describe(progress: Progress | null): string {
  if (progress === null || progress.packsTotal === 0) return 'its packs are being listed';
  const left = progress.secondsLeft ?? null;
  const time = left === null ? '' : `, about ${left < 120 ? `${left} s` : `${Math.round(left / 60)} min`} left`;
  return `${progress.packsDone} of ${progress.packsTotal} packs${time}`;
}
