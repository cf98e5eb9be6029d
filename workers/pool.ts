// The worker threads, as five functions. Whatever takes more than about 100 us of CPU runs in one of
// them, within a wall-clock limit: a task that passes it is stopped with its thread, which is replaced.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { markSole } from '../tiering/core/buffers.js';
import { ArchiveError } from '../tiering/core/errors.js';
import { Semaphore, withDeadline } from '../tiering/core/queues.js';
import { hashTask, openTask } from './tasks/chunk-tasks.js';
import { ingestTask } from './tasks/dicom-tasks.js';
import { alone, type TaskOutcome, transferList } from './tasks/handover.js';
import type {
  HashResult,
  HashTask,
  IngestResult,
  IngestTask,
  OpenResult,
  OpenTask,
  Parsed,
  ScanFileTask,
  ScanKeptResult,
  ScanKeptTask,
  SealResult,
  SealTask,
} from './tasks/types.js';
import { threadError } from './thread-error.js';

export interface WorkerPoolOptions {
  /** Default: one less than the cores, at least 2. */
  readonly threads?: number;
  /** Wall clock of one task, from when a thread is free for it. Default 30 s. */
  readonly taskTimeoutMs?: number;
  /** Tasks that may wait for a thread; one more is refused. Default 512. Of instances that come in only a few at a time are among them. */
  readonly waitingMax?: number;
  /** JavaScript heap of one thread in MiB; buffers do not count. Default 512. */
  readonly heapMb?: number;
}

/**
 * A buffer given to a task is moved away from its giver (copied first if it is a view of something larger) and comes back in the
 * result where the result has one. Every method rejects with ArchiveError: what the task threw; UNAVAILABLE when too many
 * wait, at the time limit, when the thread died, or after `close`; LIMIT when the task ran out of heap. The buffers of such
 * a task are gone.
 */
export interface WorkerPool {
  readonly threads: number;
  /** Tasks in threads and waiting for one. */
  readonly pending: number;
  /** Faults of the DICOM bytes are in `parsed`; it does not reject for them. */
  ingest(task: IngestTask): Promise<IngestResult>;
  /** Faults of the DICOM bytes are in the result. ABSENT, CORRUPT (too short) or UNAVAILABLE for the file. */
  scanFile(task: ScanFileTask): Promise<Parsed>;
  /** Faults of the DICOM bytes are in the result, and so is what would be needed besides. The bytes stay with their giver. */
  scanKept(task: ScanKeptTask): Promise<ScanKeptResult>;
  /** CORRUPT when a member does not have its SHA-256. */
  seal(task: SealTask): Promise<SealResult>;
  /** Exactly the plaintext `[start, end)`, in the memory of `bytes`, which is used up. WRONG_KEY, CORRUPT, NOT_SUPPORTED. */
  open(task: OpenTask): Promise<OpenResult>;
  hash(task: HashTask): Promise<HashResult>;
  /** Finishes what runs and waits, then ends the threads. Idempotent. */
  close(): Promise<void>;
}

/** Below this the way to a thread and back costs more than the work. */
const INLINE_BYTES_MAX = 256 * 1024;

/** Preamble and prefix of PS3.10 7.1: what is shorter is no instance, and need not be sent to a thread to find that. */
const INSTANCE_BYTES_MIN = 132;
/** Instances that may wait for their turn: twice what the ingest budget lets in. They wait beside the other tasks, so that neither keeps the other out. */
const INGEST_WAITING_MAX = 1_024;
/** Instances of each thread among the tasks that wait for one: enough that no thread is ever idle. */
const INGEST_PER_THREAD = 2;

/** Starts the threads at once. */
export function createWorkerPool(options: WorkerPoolOptions = {}): WorkerPool {
  return new PiscinaPool(options);
}

class PiscinaPool implements WorkerPool {
  readonly threads: number;
  readonly #piscina: Piscina<unknown, TaskOutcome<unknown>>;
  /** A task is handed over only when a thread is free, so that its time limit does not count the waiting. */
  readonly #slots: Semaphore;
  readonly #ingests: Semaphore;
  readonly #taskTimeoutMs: number;
  #pending = 0;
  #closing: Promise<void> | undefined;

  constructor(options: WorkerPoolOptions) {
    this.threads = options.threads ?? Math.max(2, availableParallelism() - 1);
    this.#taskTimeoutMs = options.taskTimeoutMs ?? 30_000;
    this.#slots = new Semaphore(this.threads, options.waitingMax ?? 512);
    this.#ingests = new Semaphore(this.threads * INGEST_PER_THREAD, INGEST_WAITING_MAX);
    this.#piscina = new Piscina({
      filename: fileURLToPath(new URL('./tasks/entry.cjs', import.meta.url)),
      minThreads: this.threads,
      maxThreads: this.threads,
      idleTimeout: Number.POSITIVE_INFINITY,
      resourceLimits: { maxOldGenerationSizeMb: options.heapMb ?? 512 },
    });
    // A thread that dies between two tasks has failed nobody; piscina replaces it.
    this.#piscina.on('error', () => {});
  }

  get pending(): number {
    return this.#pending;
  }

  async ingest(task: IngestTask): Promise<IngestResult> {
    this.#assertOpen();
    if (task.bytes.length < INSTANCE_BYTES_MIN) return ingestTask(task);
    const bytes = alone(task.bytes);
    return this.#run<IngestResult>('ingest', { bytes }, [bytes], this.#ingests);
  }

  scanFile(task: ScanFileTask): Promise<Parsed> {
    return this.#run<Parsed>('scanFile', { path: task.path, start: task.start, end: task.end }, []);
  }

  scanKept({ size, pieces, spotStarts, spotBytes }: ScanKeptTask): Promise<ScanKeptResult> {
    return this.#run<ScanKeptResult>('scanKept', { size, pieces, spotStarts, spotBytes }, []);
  }

  async seal(task: SealTask): Promise<SealResult> {
    const plaintext = alone(task.plaintext);
    // Every field is picked: whatever else the caller's object carries does not cross.
    const { members } = task;
    const result = await this.#run<SealResult>('seal', { ...ownIdentity(task), plaintext, members }, [plaintext]);
    markSole(result.sealed);
    return result;
  }

  async open(task: OpenTask): Promise<OpenResult> {
    if (task.bytes.length < INLINE_BYTES_MAX) {
      this.#assertOpen();
      return openTask(task);
    }
    const bytes = alone(task.bytes);
    const { chunkBytes, start, end, members } = task;
    const commitment = Uint8Array.from(task.commitment);
    const identity = ownIdentity(task);
    const opened = await this.#run<OpenResult>(
      'open',
      { ...identity, commitment, chunkBytes, start, end, members, bytes },
      [bytes],
    );
    markSole(opened.bytes);
    return opened;
  }

  async hash(task: HashTask): Promise<HashResult> {
    if (task.bytes.length < INLINE_BYTES_MAX) {
      this.#assertOpen();
      return hashTask(task);
    }
    const bytes = alone(task.bytes);
    const result = await this.#run<HashResult>('hash', { bytes }, [bytes]);
    markSole(result.bytes);
    return result;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Holding every slot means that nothing runs; what waited before has had its turn.
    while (this.#pending > 0) await this.#slots.run(async () => {}, { units: this.threads });
    await this.#piscina.destroy();
  }

  /** @param lane where it waits before it waits for a thread. */
  async #run<T>(name: string, task: object, parts: readonly Uint8Array[], lane?: Semaphore): Promise<T> {
    this.#assertOpen();
    this.#pending += 1;
    const inThread = () =>
      this.#slots.run(() =>
        withDeadline(this.#taskTimeoutMs, `worker task ${name}`, (signal) =>
          this.#piscina.run(task, { name, signal, transferList: transferList(parts) }),
        ),
      );
    try {
      const outcome = await (lane === undefined ? inThread() : lane.run(inThread));
      if (outcome.ok) return outcome.value as T;
      throw new ArchiveError(outcome.failure.code, outcome.failure.message);
    } catch (error) {
      throw threadError(error, name);
    } finally {
      this.#pending -= 1;
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ArchiveError('UNAVAILABLE', 'the workers are stopped');
  }
}

type ChunkFields = Pick<OpenTask, 'pack' | 'chunk' | 'suite' | 'dek' | 'dekId' | 'salt'>;

/** What names a chunk and its key, in copies: cloning a view clones all of the memory that it looks at. */
function ownIdentity({ pack, chunk, suite, dek, dekId, salt }: ChunkFields): ChunkFields {
  return {
    pack,
    chunk,
    suite,
    dek: Uint8Array.from(dek),
    dekId: Uint8Array.from(dekId),
    salt: Uint8Array.from(salt),
  };
}
