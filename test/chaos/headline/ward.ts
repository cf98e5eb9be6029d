// A ward at work, as the headline run needs it: viewers that read protected studies without a pause, and modalities that send without one. Every answer is
// counted and timed, every byte that is read is compared.
import { setTimeout as sleep } from 'node:timers/promises';
import type { PhantomInstance } from '../../../dicom/phantom/phantom.js';
import { sha256Of } from '../../e2e/gateway-clients.js';
import { retrieve, stow } from '../../support/stow.js';

/** What one phase of the run saw. Times in milliseconds. */
export interface PhaseCounts {
  reads: number;
  readsFailed: number;
  slowestRead: number;
  stores: number;
  storesFailed: number;
  slowestStore: number;
  /** The longest time in which nothing was acknowledged. */
  longestPause: number;
  /** How the first request that failed did. */
  firstFailure: string | null;
}

const REQUEST_MS_MAX = 60_000;
const READ_PAUSE_MS = 5;
const STORE_PAUSE_MS = 25;

const none = (): PhaseCounts => ({
  ...{ reads: 0, readsFailed: 0, slowestRead: 0 },
  ...{ stores: 0, storesFailed: 0, slowestStore: 0, longestPause: 0, firstFailure: null },
});

export class Ward {
  readonly acknowledged: PhantomInstance[] = [];
  readonly #url: string;
  readonly #protected: readonly PhantomInstance[];
  readonly #next: () => readonly PhantomInstance[];
  readonly #stop = new AbortController();
  readonly #stopSending = new AbortController();
  #counts = none();
  #lastAck = performance.now();
  readonly #work: Promise<void>[] = [];
  readonly #sending: Promise<void>[] = [];

  /** @param next what a modality sends in one request: never the same twice. */
  constructor(url: string, protectedOnes: readonly PhantomInstance[], next: () => readonly PhantomInstance[]) {
    this.#url = url;
    this.#protected = protectedOnes;
    this.#next = next;
  }

  begin({ viewers, modalities }: { readonly viewers: number; readonly modalities: number }): void {
    this.#lastAck = performance.now();
    for (let n = 0; n < viewers; n += 1) this.#work.push(this.#view(n));
    for (let n = 0; n < modalities; n += 1) this.#sending.push(this.#send());
  }

  /** What was seen since the last call of this. */
  phase(): PhaseCounts {
    const counts = this.#counts;
    this.#counts = none();
    return counts;
  }

  /** Resolves once what the modalities were sending is answered. */
  async stopSending(): Promise<void> {
    this.#stopSending.abort();
    await Promise.all(this.#sending);
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.stopSending();
    await Promise.all(this.#work);
  }

  async #view(viewer: number): Promise<void> {
    for (let n = viewer; !this.#stop.signal.aborted; n += 7) {
      const one = this.#protected[n % this.#protected.length];
      if (one === undefined) return;
      const begun = performance.now();
      const failure = await this.#read(one);
      this.#counts.reads += 1;
      this.#counts.slowestRead = Math.max(this.#counts.slowestRead, performance.now() - begun);
      if (failure !== null) {
        this.#counts.readsFailed += 1;
        this.#counts.firstFailure ??= `read: ${failure}`;
      }
      await sleep(READ_PAUSE_MS);
    }
  }

  async #read(one: PhantomInstance): Promise<string | null> {
    try {
      const bytes = await retrieve(this.#url, one, AbortSignal.timeout(REQUEST_MS_MAX));
      return sha256Of(bytes) === sha256Of(one.bytes) ? null : 'other bytes came back';
    } catch (error) {
      return String(error).slice(0, 300);
    }
  }

  async #send(): Promise<void> {
    while (!this.#stopSending.signal.aborted) {
      const phantoms = this.#next();
      const begun = performance.now();
      const files = phantoms.map(({ bytes }) => bytes);
      const answer = await stow(this.#url, files, AbortSignal.timeout(REQUEST_MS_MAX)).catch((error: unknown) => ({
        status: 0,
        text: String(error),
      }));
      const now = performance.now();
      this.#counts.stores += 1;
      this.#counts.slowestStore = Math.max(this.#counts.slowestStore, now - begun);
      if (answer.status === 200) {
        this.#counts.longestPause = Math.max(this.#counts.longestPause, now - this.#lastAck);
        this.#lastAck = now;
        this.acknowledged.push(...phantoms);
      } else {
        this.#counts.storesFailed += 1;
        this.#counts.firstFailure ??= `store: ${answer.status} ${answer.text.slice(0, 300)}`;
      }
      await sleep(STORE_PAUSE_MS);
    }
  }
}
