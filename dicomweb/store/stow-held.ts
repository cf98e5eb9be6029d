// What requests that store metadata hold in memory until an instance is whole: one budget for each and one for all (I12).
// Nobody waits for it, since those who hold would wait for each other.
import { ArchiveError } from '../../tiering/core/errors.js';
import { INGEST_BYTES_MAX } from '../../tiering/core/limits.js';
import { Semaphore } from '../../tiering/core/queues.js';
import type { DicomwebLimits } from '../limits.js';
import { HttpProblem } from '../problem.js';

/** Of the process: as much as instances that are being received may have. */
const total = new Semaphore(INGEST_BYTES_MAX);

/** What one request holds. */
export class Held {
  readonly #limits: DicomwebLimits;
  #bytes = 0;

  constructor(limits: DicomwebLimits) {
    this.#limits = limits;
  }

  /** LIMIT (413) when this request holds too much, UNAVAILABLE when all together do. */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#limits.storeHeldBytesMax) {
      throw new HttpProblem(
        413,
        `instances that wait for their bulk data hold more than ${this.#limits.storeHeldBytesMax} bytes: send fewer at once`,
        { code: 'LIMIT' },
      );
    }
    if (!total.tryAcquire(bytes)) {
      throw new ArchiveError('UNAVAILABLE', 'too much metadata is being stored just now; send it again shortly');
    }
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    total.release(bytes);
    this.#bytes -= bytes;
  }

  /** Gives everything back. */
  close(): void {
    this.give(this.#bytes);
  }
}
