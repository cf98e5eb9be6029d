// A small constant load, as a ward makes it: somebody who reads protected studies, hot and cold ones, over and over, and a modality that
// sends and sends again what was refused. Every byte that is read is compared; every answer is counted.
import { setTimeout as sleep } from 'node:timers/promises';
import type { PhantomInstance } from '../../dicom/phantom/phantom.js';
import { sha256Of } from '../e2e/gateway-clients.js';
import { retrieve, stow } from '../support/stow.js';
import type { Site } from './site.js';

const READ_PAUSE_MS = 40;
const STORE_PAUSE_MS = 150;
/** Longer than any server may keep a client. */
const REQUEST_MS_MAX = 60_000;

export class Counts {
  asked = 0;
  failed = 0;
  slowestMs = 0;
  /** How the first one failed. */
  first: string | null = null;

  add(ms: number, failure: string | null): void {
    this.asked += 1;
    this.slowestMs = Math.max(this.slowestMs, ms);
    if (failure === null) return;
    this.failed += 1;
    this.first ??= failure;
  }
}

export class Load {
  readonly reads = new Counts();
  readonly stores = new Counts();
  /** What was acknowledged since it began. */
  readonly stored: PhantomInstance[] = [];
  /** Reads that gave other bytes: never allowed. */
  readonly changed: string[] = [];
  readonly #site: Site;
  readonly #stop = new AbortController();
  readonly #ended: Promise<unknown>;

  constructor(site: Site) {
    this.#site = site;
    this.#ended = Promise.all([this.#read(), this.#store()]);
  }

  /** Ends it; what is on its way is waited for. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  /** `0 of 84 reads, 0 of 9 stores`. */
  get failures(): string {
    return `${this.reads.failed} of ${this.reads.asked} reads, ${this.stores.failed} of ${this.stores.asked} stores`;
  }

  async #read(): Promise<void> {
    for (let at = 0; !this.#stop.signal.aborted; at += 1) {
      const one = this.#site.protectedOne(at);
      await this.#request(this.reads, async () => {
        const bytes = await retrieve(this.#site.url, one, AbortSignal.timeout(REQUEST_MS_MAX));
        if (sha256Of(bytes) !== sha256Of(one.bytes)) this.changed.push(one.fileName);
      });
      await this.#pause(READ_PAUSE_MS);
    }
  }

  async #store(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const one = this.#site.nextPhantom();
      for (let taken = false; !taken && !this.#stop.signal.aborted; ) {
        await this.#request(this.stores, async () => {
          const answer = await stow(this.#site.url, [one.bytes], AbortSignal.timeout(REQUEST_MS_MAX));
          taken = answer.stored.includes(one.sop);
          if (!taken) throw new Error(`store answered ${answer.status}`);
        });
        await this.#pause(STORE_PAUSE_MS);
        if (taken) this.stored.push(one);
      }
    }
  }

  async #request(counts: Counts, work: () => Promise<void>): Promise<void> {
    const began = performance.now();
    const failure = await work().then(
      () => null,
      (error: unknown) => describe(error),
    );
    counts.add(performance.now() - began, failure);
  }

  #pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }
}

/** Short, and without UIDs: `retrieve answered 503`, `ECONNREFUSED`. */
function describe(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? message.split(':')[0] ?? '';
}
