// Long work that an operator started: a bounded number runs, a bounded number waits, the last ones are kept to be asked
// about. A job is a promise with progress; whatever must survive a crash is index state, never here.
import { randomUUID } from 'node:crypto';
import type { JobFailure, JobOptions, Progress } from '../../tiering/archive/archive.js';
import type { Clock } from '../../tiering/core/clock.js';
import { ArchiveError, codeOf, type ErrorCode } from '../../tiering/core/errors.js';

/** Those that are asked for at /jobs. Deleting and erasing have an address of their own, since not everybody who operates may delete. */
export const SELECTION_JOBS = [
  'migrate',
  'recall',
  'repatriate',
  'scrub',
  'repair',
  'add-replica',
  'drain-replica',
  'list-keys',
  'rotate-keys',
  'remove-key',
] as const;
export type JobKind = (typeof SELECTION_JOBS)[number] | 'delete' | 'erase' | 'drill';
/** `partly`: it came to its end, and something in it failed or could not be asked. */
export type JobState = 'queued' | 'running' | 'done' | 'partly' | 'failed' | 'cancelled';

/** What every report of Archive has, as far as a job looks at it. */
export interface JobReport {
  readonly failures?: readonly JobFailure[];
  readonly unavailable?: readonly string[];
  /** How much was done: nothing done and something failed is `failed`, not `partly`. */
  readonly packs?: number;
  readonly repaired?: number;
  readonly objects?: number;
  readonly instances?: number;
}

export interface JobView {
  readonly id: string;
  readonly kind: JobKind;
  readonly state: JobState;
  readonly createdAt: string;
  readonly finishedAt: string | null;
  readonly progress: Progress | null;
  readonly report: JobReport | null;
  readonly error: { readonly code: ErrorCode; readonly detail: string } | null;
}

type Work = (options: JobOptions) => Promise<JobReport>;

interface Job {
  view: JobView;
  readonly work: Work;
  readonly abort: AbortController;
  readonly listeners: Set<(view: JobView) => void>;
}

export interface JobLimits {
  readonly runningMax: number;
  readonly waitingMax: number;
  /** Finished jobs that are remembered. */
  readonly keptMax: number;
}

const LIMITS: JobLimits = { runningMax: 4, waitingMax: 32, keptMax: 100 };

export function isFinished(state: JobState): boolean {
  return state !== 'queued' && state !== 'running';
}

/** Owns every job of one process. */
export class JobRegistry {
  readonly #jobs = new Map<string, Job>();
  readonly #clock: Clock;
  readonly #limits: JobLimits;
  readonly #settled = new Set<Promise<void>>();
  #running = 0;

  constructor(clock: Clock, limits: JobLimits = LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Starts `work` now, or when one of the running jobs ends. Throws UNAVAILABLE when too many wait. */
  submit(kind: JobKind, work: Work): JobView {
    const waiting = [...this.#jobs.values()].filter((job) => job.view.state === 'queued').length;
    if (waiting >= this.#limits.waitingMax) {
      throw new ArchiveError('UNAVAILABLE', `${waiting} jobs are waiting already; cancel one or wait for one to end`);
    }
    const view: JobView = {
      id: randomUUID(),
      kind,
      state: 'queued',
      createdAt: this.#now(),
      finishedAt: null,
      progress: null,
      report: null,
      error: null,
    };
    const job: Job = { view, work, abort: new AbortController(), listeners: new Set() };
    this.#jobs.set(view.id, job);
    this.#startWaiting();
    return job.view;
  }

  /** Newest first. */
  list(): readonly JobView[] {
    return [...this.#jobs.values()].map((job) => job.view).reverse();
  }

  /** NOT_FOUND when there is none, or none any more. */
  get(id: string): JobView {
    return this.#job(id).view;
  }

  /** Asks a job to stop; one that waits is cancelled at once, a finished one stays what it is. */
  cancel(id: string): JobView {
    const job = this.#job(id);
    job.abort.abort(new ArchiveError('ABORTED', 'the job was cancelled'));
    if (job.view.state === 'queued') this.#update(job, { state: 'cancelled', finishedAt: this.#now() });
    return job.view;
  }

  /** Calls `listener` on every change. Returns what ends that. */
  subscribe(id: string, listener: (view: JobView) => void): () => void {
    const { listeners } = this.#job(id);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Cancels everything and waits for it. */
  async close(): Promise<void> {
    for (const job of this.#jobs.values()) if (!isFinished(job.view.state)) this.cancel(job.view.id);
    await Promise.all(this.#settled);
  }

  #job(id: string): Job {
    const job = this.#jobs.get(id);
    if (job === undefined)
      throw new ArchiveError('NOT_FOUND', 'there is no such job; finished ones are not kept for ever');
    return job;
  }

  #startWaiting(): void {
    for (const job of this.#jobs.values()) {
      if (this.#running >= this.#limits.runningMax) return;
      if (job.view.state !== 'queued') continue;
      this.#running += 1;
      this.#update(job, { state: 'running' });
      const settled = this.#run(job).finally(() => {
        this.#settled.delete(settled);
        this.#running -= 1;
        this.#forgetOldest();
        this.#startWaiting();
      });
      this.#settled.add(settled);
    }
  }

  async #run(job: Job): Promise<void> {
    try {
      const onProgress = (progress: Progress) => {
        if (job.view.state === 'running') this.#update(job, { progress });
      };
      const report = await job.work({ signal: job.abort.signal, onProgress });
      this.#update(job, { state: outcome(report), report, finishedAt: this.#now() });
    } catch (error) {
      const cancelled = job.abort.signal.aborted;
      const detail = error instanceof ArchiveError ? error.message : 'an error inside Filmroom; its log says more';
      this.#update(job, {
        state: cancelled ? 'cancelled' : 'failed',
        error: { code: cancelled ? 'ABORTED' : codeOf(error), detail },
        finishedAt: this.#now(),
      });
    }
  }

  #update(job: Job, change: Partial<JobView>): void {
    job.view = { ...job.view, ...change };
    for (const listener of job.listeners) listener(job.view);
  }

  #forgetOldest(): void {
    const finished = [...this.#jobs.values()].filter((job) => isFinished(job.view.state));
    for (const job of finished.slice(0, Math.max(0, finished.length - this.#limits.keptMax))) {
      this.#jobs.delete(job.view.id);
    }
  }

  #now(): string {
    return new Date(this.#clock.nowMs()).toISOString();
  }
}

function outcome(report: JobReport): JobState {
  const troubles = (report.failures?.length ?? 0) + (report.unavailable?.length ?? 0);
  if (troubles === 0) return 'done';
  const done = (report.packs ?? 0) + (report.repaired ?? 0) + (report.objects ?? 0) + (report.instances ?? 0);
  return done > 0 ? 'partly' : 'failed';
}
