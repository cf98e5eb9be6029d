// How one volume does: which state follows from which (DESIGN section 9). Pure: it makes no call and reads no clock, so that every order of
// events can be tried. Errors of real calls make a volume suspect, a probe decides; a failed one returns after good probes in a row,
// and after more of them the more often it failed lately.
import type { VolumeState } from '../reports.js';

/** Good probes in a row after which a failed volume returns: one that works once is not yet well. */
const GOOD_PROBES_MIN = 2;
/** However often it failed: at a probe every five seconds, under three minutes. */
const GOOD_PROBES_MAX = 32;
/** So many failures within the window ask for no more than the least: a cable pulled by mistake, and put back wrongly once. */
const FAILURES_FREE = 2;
const FAILURE_WINDOW_MS = 10 * 60_000;
/** Looks in a row that find a slow volume quick again. */
const QUICK_LOOKS = 3;

/** What a good probe of the volume means. */
export type AfterProbe = 'serves' | 'wait' | 'return';

export class VolumeHealth {
  #state: VolumeState = 'failed';
  #detail: string | null = 'not opened yet';
  #out = false;
  #goodProbes = 0;
  #quickLooks = 0;
  /** When it failed, within the window. */
  #failures: number[] = [];

  get state(): VolumeState {
    return this.#state;
  }

  /** Why it is not healthy; null when it is. */
  get detail(): string | null {
    return this.#detail;
  }

  /** Taken out of use by the operator: not looked at until it is taken in. */
  get out(): boolean {
    return this.#out;
  }

  /** It may be read from: what it says is believed until a probe says otherwise. */
  get readable(): boolean {
    return this.#state !== 'failed';
  }

  /** It may be written to. */
  get writable(): boolean {
    return this.#state === 'healthy' || this.#state === 'slow';
  }

  /** A real call gave an error. True when a probe is to decide what it means. */
  suspected(why: string): boolean {
    if (this.#state === 'failed' || this.#state === 'returning') return false;
    this.#become('suspect', why);
    return true;
  }

  /** A call takes too long and is not over: slow from now on, and quick only after looks that say so. */
  lags(why: string): void {
    this.#quickLooks = 0;
    if (this.#state === 'healthy') this.#become('slow', why);
  }

  /** A probe, or taking it in, did not work. */
  failed(nowMs: number, why: string): void {
    if (this.#state !== 'failed') {
      this.#forget(nowMs);
      this.#failures.push(nowMs);
    }
    this.#goodProbes = 0;
    this.#become('failed', why);
  }

  /** A probe worked. */
  probedWell(nowMs: number): AfterProbe {
    if (this.#state !== 'failed') return 'serves';
    this.#goodProbes += 1;
    return this.#goodProbes >= this.probesToReturn(nowMs) ? 'return' : 'wait';
  }

  /** Good probes in a row that a failed volume needs: 2, and twice as many for each failure beyond the second in ten minutes. */
  probesToReturn(nowMs: number): number {
    this.#forget(nowMs);
    const beyond = Math.max(0, this.#failures.length - FAILURES_FREE);
    return Math.min(GOOD_PROBES_MAX, GOOD_PROBES_MIN * 2 ** beyond);
  }

  /** Its deletes and its tail are being read. */
  returning(): void {
    this.#become('returning', 'what it holds is being read');
  }

  /** It works. @param slow in what way it is slow, or null. */
  serves(slow: string | null): void {
    this.#goodProbes = 0;
    this.#quickLooks = slow === null ? this.#quickLooks + 1 : 0;
    if (slow !== null) this.#become('slow', slow);
    else if (this.#state !== 'slow' || this.#quickLooks >= QUICK_LOOKS) this.#become('healthy', null);
  }

  /** The operator's: whatever it was, it is as if it had failed, and stays so. */
  takeOut(why: string): void {
    this.#out = true;
    this.#goodProbes = 0;
    this.#become('failed', why);
  }

  /** The operator's word is the first good probe, and settles what was held against it. */
  takeIn(): void {
    this.#out = false;
    this.#failures = [];
    this.#goodProbes = GOOD_PROBES_MIN - 1;
  }

  /** Nothing is asked of it any more. */
  close(): void {
    this.#become('failed', 'closed');
  }

  #become(state: VolumeState, detail: string | null): void {
    this.#state = state;
    this.#detail = detail;
  }

  #forget(nowMs: number): void {
    this.#failures = this.#failures.filter((at) => nowMs - at < FAILURE_WINDOW_MS);
  }
}
