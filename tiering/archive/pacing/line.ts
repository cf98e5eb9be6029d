// The line to the replicas as everything uses it but an answer to somebody: within the operator's two rates, whoever began the work, and what
// is read in bulk only once nobody waits for cold images.
import type { Clock } from '../../core/clock.js';
import { ByteRate } from './byte-rate.js';
import { Pace } from './pace.js';
import type { Viewers } from './viewers.js';

export class Line {
  /** Of what is sent to protect, to pay debts and to mend. */
  readonly upload: ByteRate;
  /** Of what is read to prove, to copy on, to mend and to bring back. */
  readonly download: ByteRate;
  readonly #pace: Pace;

  /** Rates in bytes a second, of all replicas together; null: as fast as it goes. */
  constructor(
    clock: Clock,
    viewers: Viewers,
    rates: { readonly uploadBytesPerSecond: number | null; readonly downloadBytesPerSecond: number | null },
  ) {
    this.upload = new ByteRate(clock, rates.uploadBytesPerSecond);
    this.download = new ByteRate(clock, rates.downloadBytesPerSecond);
    const nobodyStores = () => false;
    this.#pace = new Pace(clock, nobodyStores, () => viewers.waiting);
  }

  /** Reads once nobody waits for cold images, two seconds later at most, and rests if somebody does then. For what has a rate of its own. */
  behindViewers<T>(read: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#pace.step(read, signal);
  }

  /** Likewise; resolves when what came is within the rate of the line. Rejects as `read`, and with the signal's reason. */
  async fetch<T>(read: () => Promise<T>, bytesOf: (got: T) => number, signal?: AbortSignal): Promise<T> {
    const got = await this.behindViewers(read, signal);
    await this.download.spend(bytesOf(got), signal);
    return got;
  }
}
