// The threads that decode, encode and render frames: a pool of their own, so that a slow picture never stands before hashing and
// sealing. Threads come with the first frame and go when there is nothing to do, with all the memory that codecs have taken.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { codecOf } from '../dicom/codecs/codec-table.js';
import type { Frame } from '../dicom/codecs/frame.js';
import { assertFrameSize, frameBytes } from '../dicom/codecs/frame-size.js';
import { nativeLittle } from '../dicom/codecs/native.js';
import { animateImages } from '../dicom/render/animate.js';
import type { Look, LookUpTable, Rendered, RenderRequest } from '../dicom/render/types.js';
import { EXPLICIT_BIG, EXPLICIT_LITTLE } from '../dicom/transfer-syntax.js';
import { ArchiveError } from '../tiering/core/errors.js';
import { Semaphore, withDeadline } from '../tiering/core/queues.js';
import { alone, type TaskOutcome, transferList } from './tasks/handover.js';
import type { RenderTask, TranscodeTask } from './tasks/pixel-types.js';
import { threadError } from './thread-error.js';

const MiB = 1024 * 1024;

export interface PixelPoolOptions {
  /** Most threads at a time. Default: as many as cores. */
  readonly threads?: number;
  /** Wall clock of one frame, from when a thread is free for it; the thread of one that passes it is ended. Default 60 s. */
  readonly taskTimeoutMs?: number;
  /** Frames that may wait; one more is refused. Default 256. */
  readonly waitingMax?: number;
  /** Bytes of frames given that have not been answered. Default 512 MiB; a single frame is always taken. */
  readonly heldBytesMax?: number;
  /** Memory that running frames may need together, as far as their descriptions tell. Default 1 GiB; a single frame always runs. */
  readonly workBytesMax?: number;
}

/** Implements PixelWorkers of dicomweb/pixels.ts, whose errors it keeps. After `close` everything is UNAVAILABLE. */
export interface PixelPool {
  /** Threads that are up now. */
  readonly threads: number;
  /** Frames in threads and waiting for one. */
  readonly pending: number;
  transcode(frame: Frame, syntax: string, signal?: AbortSignal): Promise<Frame>;
  render(frame: Frame, look: Look, request: RenderRequest, signal?: AbortSignal): Promise<Rendered>;
  animate(images: readonly Uint8Array[], delayMs: number, signal?: AbortSignal): Promise<Rendered>;
  /** Finishes what runs and waits, then ends the threads. Idempotent. */
  close(): Promise<void>;
}

/** Encoded and decoded samples, and 32-bit copies of both inside of a codec: what one byte of a decoded frame costs. */
const WORK_PER_BYTE = 5;
/** A thread without work for so long is ended. */
const IDLE_MS = 60_000;

export function createPixelPool(options: PixelPoolOptions = {}): PixelPool {
  return new PiscinaPixelPool(options);
}

class PiscinaPixelPool implements PixelPool {
  readonly #piscina: Piscina<unknown, TaskOutcome<unknown>>;
  /** A task is handed over only when a thread is free, so that its time limit does not count the waiting. */
  readonly #slots: Semaphore;
  readonly #work: Semaphore;
  readonly #taskTimeoutMs: number;
  readonly #heldBytesMax: number;
  #heldBytes = 0;
  readonly #tasks = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(options: PixelPoolOptions) {
    const threads = options.threads ?? availableParallelism();
    this.#taskTimeoutMs = options.taskTimeoutMs ?? 60_000;
    this.#heldBytesMax = options.heldBytesMax ?? 512 * MiB;
    this.#slots = new Semaphore(threads, options.waitingMax ?? 256);
    // Whoever has a slot waits here: the slots bound how many.
    this.#work = new Semaphore(options.workBytesMax ?? 1024 * MiB);
    this.#piscina = new Piscina({
      filename: fileURLToPath(new URL('./tasks/pixel-entry.cjs', import.meta.url)),
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: IDLE_MS,
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    });
    // A thread that dies between two tasks has failed nobody; piscina replaces it.
    this.#piscina.on('error', () => {});
  }

  get threads(): number {
    return this.#piscina.threads.length;
  }

  get pending(): number {
    return this.#tasks.size;
  }

  async transcode(frame: Frame, syntax: string, signal?: AbortSignal): Promise<Frame> {
    this.#assertOpen();
    if (frame.syntax === syntax) return frame;
    if (syntax === EXPLICIT_LITTLE && isPlain(frame.syntax)) return nativeLittle(frame);
    const bytes = this.#admit(frame);
    const task: TranscodeTask = { frame: { ...frame, bytes }, syntax };
    return await this.#run<Frame>('transcode', task, task.frame, signal);
  }

  async render(frame: Frame, look: Look, request: RenderRequest, signal?: AbortSignal): Promise<Rendered> {
    this.#assertOpen();
    const bytes = this.#admit(frame);
    const task: RenderTask = { frame: { ...frame, bytes }, look: ownLook(look), request };
    return await this.#run<Rendered>('render', task, task.frame, signal);
  }

  async animate(images: readonly Uint8Array[], delayMs: number, signal?: AbortSignal): Promise<Rendered> {
    this.#assertOpen();
    // libvips alone, in threads of libuv: ours would only wait for it. Its turn it takes like any other.
    return await this.#track(
      this.#slots.run(
        () => withDeadline(this.#taskTimeoutMs, 'pixel task animate', () => animateImages(images, delayMs), signal),
        signal === undefined ? {} : { signal },
      ),
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#tasks);
    await this.#piscina.destroy();
  }

  /** Refuses what is too large, by what its description says, before any of it is moved or waits. */
  #admit(frame: Frame): Uint8Array {
    assertFrameSize(frame);
    if (this.#heldBytes > 0 && this.#heldBytes + frame.bytes.length > this.#heldBytesMax) {
      throw new ArchiveError('UNAVAILABLE', 'too many frames are waiting to be decoded; try again shortly');
    }
    return alone(frame.bytes);
  }

  async #run<T>(name: string, task: object, frame: Frame, signal: AbortSignal | undefined): Promise<T> {
    const held = frame.bytes.length;
    const units = held + WORK_PER_BYTE * frameBytes(frame.pixels);
    const waiting = signal === undefined ? {} : { signal };
    const running = this.#slots.run(
      () => this.#work.run(() => this.#inThread(name, task, frame, signal), { units, ...waiting }),
      waiting,
    );
    this.#heldBytes += held;
    try {
      const outcome = await this.#track(running);
      if (outcome.ok) return outcome.value as T;
      throw new ArchiveError(outcome.failure.code, outcome.failure.message);
    } catch (error) {
      if (signal?.aborted === true) throw new ArchiveError('ABORTED', 'nobody waits for the frame any more');
      throw threadError(error, name);
    } finally {
      this.#heldBytes -= held;
    }
  }

  async #track<T>(running: Promise<T>): Promise<T> {
    this.#tasks.add(running);
    try {
      return await running;
    } finally {
      this.#tasks.delete(running);
    }
  }

  #inThread(name: string, task: object, frame: Frame, outer?: AbortSignal): Promise<TaskOutcome<unknown>> {
    return withDeadline(
      this.#taskTimeoutMs,
      `pixel task ${name}`,
      (signal) => this.#piscina.run(task, { name, signal, transferList: transferList([frame.bytes]) }),
      outer,
    );
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ArchiveError('UNAVAILABLE', 'the pixel threads are stopped');
  }
}

/** Native little endian: nothing to do but to check its length. */
function isPlain(syntax: string): boolean {
  return syntax !== EXPLICIT_BIG && codecOf(syntax)?.codec === 'native';
}

/** Cloning a view would clone all of the memory that it looks at. */
function ownLook(look: Look): Look {
  const own = (table: LookUpTable): LookUpTable => ({ ...table, entries: Uint16Array.from(table.entries) });
  const { modality, voi, palette } = look;
  return {
    ...look,
    modality: modality !== null && 'entries' in modality ? own(modality) : modality,
    voi: voi !== null && 'entries' in voi ? own(voi) : voi,
    palette: palette === null ? null : [own(palette[0]), own(palette[1]), own(palette[2])],
  };
}
