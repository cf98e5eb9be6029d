// What of a stored instance can be given in another transfer syntax, decided by tables before anything is sent, and the frames
// themselves: read, handed to the codecs and handed on one by one, a few ahead of the one that is being sent.
import { codecOf } from '../../dicom/codecs/codec-table.js';
import type { Frame, PixelDescription } from '../../dicom/codecs/frame.js';
import { EXPLICIT_LITTLE, type TransferSyntax } from '../../dicom/transfer-syntax.js';
import { ArchiveError, invariant } from '../../tiering/core/errors.js';
import type { Services } from '../exchange.js';
import type { Gives } from '../negotiation/negotiation.js';
import type { OpenInstance } from './open-instance.js';
import { storedFrame, storedFrameBytes } from './stored-frame.js';

/**
 * Frames in another syntax. What is encoded here is lossless, but for JPEG Baseline of what never lost anything: a second loss adds to
 * the first, and nobody could tell.
 */
export function framesGiven(services: Pick<Services, 'pixels'>, stored: TransferSyntax): Gives {
  return (syntax) => {
    const from = codecOf(stored.uid);
    const to = codecOf(syntax);
    if (services.pixels === null || from === undefined || to?.encodes !== true) return false;
    return to.lossless || !maybeLossy(stored);
  };
}

/** Whole instances in another syntax: never a lossy one, which would need attributes and a UID of its own (PS3.3 C.7.6.1.1.5). */
export function instancesGiven(services: Pick<Services, 'pixels'>, stored: TransferSyntax): Gives {
  return (syntax) => {
    const from = codecOf(stored.uid);
    const to = codecOf(syntax);
    if (from === undefined || to?.encodes !== true || !to.lossless) return false;
    // Other bytes around the same pixels need no codec.
    const same = !stored.encapsulated && !stored.bigEndian && syntax === EXPLICIT_LITTLE;
    return same || services.pixels !== null;
  };
}

/** Whether a stored syntax may have lost something: all but the native ones and those that say so in their name. */
function maybeLossy(stored: TransferSyntax): boolean {
  return stored.encapsulated && !/lossless|uncompressed|deflated/i.test(stored.name);
}

/** A frame in its new syntax; `done` gives its memory back to the budget and must be called once. */
export interface TakenFrame {
  readonly frame: Frame;
  readonly done: () => void;
}

/** What a run of frames is about. */
export interface FrameRun {
  readonly instance: OpenInstance;
  readonly pixels: PixelDescription;
  readonly syntax: string;
  /** Numbers from 1, in the order in which they will be taken. */
  readonly frames: readonly number[];
}

/** The frames of one answer. Each is taken once, in order; what was begun and never taken is given back when `signal` fires or by `close`. */
export class TranscodedFrames {
  readonly #services: Services;
  readonly #run: FrameRun;
  readonly #signal: AbortSignal;
  readonly #begun = new Map<number, Promise<TakenFrame>>();
  readonly #onAbort = () => this.close();
  #listening = false;
  #closed = false;

  constructor(services: Services, run: FrameRun, signal: AbortSignal) {
    this.#services = services;
    this.#run = run;
    this.#signal = signal;
  }

  /** The frame at `index` of the run. Rejects as storedFrame and PixelWorkers.transcode say. */
  take(index: number): Promise<TakenFrame> {
    // Listened to only while there is something to give back: an answer may have thousands of runs.
    if (!this.#listening) this.#signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#listening = true;
    const taken = this.#begin(index);
    this.#begun.delete(index);
    const { framesAhead, frameAheadBytesMax } = this.#services.limits;
    for (let next = index + 1; next <= index + framesAhead && next < this.#run.frames.length; next++) {
      if (this.#bytes(next) > frameAheadBytesMax) break;
      void this.#begin(next);
    }
    return taken;
  }

  /** Gives back what is not taken. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    for (const begun of this.#begun.values()) begun.then((taken) => taken.done()).catch(() => undefined);
    this.#begun.clear();
  }

  #number(index: number): number {
    const frame = this.#run.frames[index];
    invariant(frame !== undefined, 'a frame beyond the run was taken');
    return frame;
  }

  /** What the frame takes while it is worked on: as stored, and decoded. */
  #bytes(index: number): number {
    const { rows, columns, samplesPerPixel, bitsAllocated } = this.#run.pixels;
    const decoded = Math.ceil((rows * columns * samplesPerPixel * bitsAllocated) / 8);
    return decoded + storedFrameBytes(this.#run.instance, this.#number(index));
  }

  #begin(index: number): Promise<TakenFrame> {
    const known = this.#begun.get(index);
    if (known !== undefined) return known;
    const begun = this.#closed
      ? Promise.reject<TakenFrame>(new ArchiveError('ABORTED', 'the answer has ended'))
      : this.#transcode(this.#number(index), this.#bytes(index));
    // Read ahead: its failure is met when its turn comes.
    begun.catch(() => undefined);
    this.#begun.set(index, begun);
    return begun;
  }

  async #transcode(number: number, bytes: number): Promise<TakenFrame> {
    const { archive, pixels: workers, pixelBudget } = this.#services;
    if (workers === null) throw new ArchiveError('NOT_SUPPORTED', 'this server has no codecs');
    const { instance, pixels, syntax } = this.#run;
    await pixelBudget.memory.acquire(bytes, this.#signal);
    let held = true;
    const done = () => {
      if (held) pixelBudget.memory.release(bytes);
      held = false;
    };
    try {
      const stored = await storedFrame(archive, instance, pixels, number, this.#signal);
      const work = () => workers.transcode(stored, syntax, this.#signal);
      return { frame: await pixelBudget.slots.run(work, { signal: this.#signal }), done };
    } catch (error) {
      done();
      throw error;
    }
  }
}
