// The memory ceiling of ingest: one budget of bytes for every instance in flight of every request
// (I12). Nobody waits while holding half an instance: when the budget is short, the caller spills.
import { INGEST_BYTES_MAX } from '../../core/limits.js';
import { Semaphore } from '../../core/queues.js';

/** Granted in steps, so that the bookkeeping is not done for every 64 KiB of socket data. */
const STEP_BYTES = 256 * 1024;
/** Requests that may wait for their first step; one more is told to come back. */
const WAITING_MAX = 1_000;
/** Long instances on their way to the replicas at once: each holds up to six chunks, beside the budget. */
const LONG_UPLOADS_MAX = 2;
/** Each of these holds what it has read so far, within the budget. */
const LONG_WAITING_MAX = 64;

export class IngestBudget {
  readonly #bytes = new Semaphore(INGEST_BYTES_MAX, WAITING_MAX);
  /** Those that go to the replicas with no volume to lie on. */
  readonly longUploads = new Semaphore(LONG_UPLOADS_MAX, LONG_WAITING_MAX);

  /** Waits for the first step of a new instance. */
  async begin(signal?: AbortSignal): Promise<Allowance> {
    await this.#bytes.acquire(STEP_BYTES, signal);
    return new Allowance(this.#bytes);
  }

  get used(): number {
    return this.#bytes.used;
  }
}

/** What one instance holds of the budget. */
export class Allowance {
  readonly #bytes: Semaphore;
  #held = STEP_BYTES;

  constructor(bytes: Semaphore) {
    this.#bytes = bytes;
  }

  /** Makes the allowance cover `bytes` in all, if that can be had without waiting. */
  covers(bytes: number): boolean {
    while (this.#held < bytes) {
      if (!this.#bytes.tryAcquire(STEP_BYTES)) return false;
      this.#held += STEP_BYTES;
    }
    return true;
  }

  /** Gives everything back. Idempotent. */
  release(): void {
    this.#bytes.release(this.#held);
    this.#held = 0;
  }
}
