// Calls into one of the index's threads: asynchronous, in order, bounded, and rejected with UNAVAILABLE
// once the thread has died. What the other side runs is in thread-server.ts.
import { Worker } from 'node:worker_threads';
import { ArchiveError } from '../../core/errors.js';
import { type ErrorData, fromErrorData } from './errors.js';

/** What a thread offers: plain synchronous functions of cloneable values. */
export type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

export interface CallMessage {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

export interface ReplyMessage {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: ErrorData;
}

/** The id of the message by which a thread says that it is ready. */
export const READY_ID = 0;

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/** Calls sent to the thread and not answered yet. More would only sit in its port. */
const IN_FLIGHT_MAX = 64;
/** Calls that wait for that; one more is refused. */
const WAITING_MAX = 10_000;

/** The client of one thread. */
export class ThreadClient<M extends Methods> {
  readonly #worker: Worker;
  readonly #what: string;
  readonly #pending = new Map<number, Pending>();
  readonly #waiting: CallMessage[] = [];
  #inFlight = 0;
  #nextId = 1;
  #dead: ArchiveError | undefined;
  #closing = false;
  readonly #exited: Promise<void>;
  /** Resolves when the thread has opened what it serves; rejects with the reason when it could not. */
  readonly ready: Promise<void>;

  /** @param entry module of the thread; it must call `serve`. */
  constructor(entry: URL, what: string, workerData: unknown) {
    this.#what = what;
    this.#worker = new Worker(entry, { workerData, name: `filmroom ${what}` });
    this.ready = new Promise((resolve, reject) => {
      this.#pending.set(READY_ID, { resolve: () => resolve(), reject });
      this.#inFlight = 1;
    });
    this.ready.catch(() => undefined);
    this.#worker.on('message', (reply: ReplyMessage) => this.#onReply(reply));
    this.#worker.on('error', (error) => this.#die(error));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#die(undefined);
        resolve();
      });
    });
  }

  /** The id that the next call will get: a query names itself by it when it is to be cancelled. */
  get nextId(): number {
    return this.#nextId;
  }

  call<K extends keyof M & string>(method: K, ...args: Parameters<M[K]>): Promise<ReturnType<M[K]>> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    if (this.#waiting.length >= WAITING_MAX) {
      return Promise.reject(
        new ArchiveError('UNAVAILABLE', `${this.#what}: ${WAITING_MAX} calls wait already; try again shortly`),
      );
    }
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#pending.set(id, { resolve, reject });
      const message: CallMessage = { id, method, args };
      if (this.#inFlight < IN_FLIGHT_MAX) this.#send(message);
      else this.#waiting.push(message);
      // A thread keeps the process alive while it owes an answer, and not otherwise.
      this.#worker.ref();
    });
  }

  /** Ends the thread after the calls made so far. Idempotent. */
  async close(): Promise<void> {
    if (!this.#closing && this.#dead === undefined) {
      this.#closing = true;
      const done = this.call('close' as keyof M & string, ...([] as unknown as Parameters<M[keyof M]>));
      this.#dead = new ArchiveError('UNAVAILABLE', `${this.#what} is closed`);
      await done.catch(() => undefined);
    }
    await this.#exited;
  }

  /** Ends the thread at once; calls that it owes reject. */
  async kill(reason: ArchiveError): Promise<void> {
    this.#dead ??= reason;
    await this.#worker.terminate();
  }

  #send(message: CallMessage): void {
    this.#worker.postMessage(message);
    this.#inFlight += 1;
  }

  #onReply(reply: ReplyMessage): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    this.#inFlight -= 1;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#send(next);
    if (this.#pending.size === 0 && !this.#closing) this.#worker.unref();
    if (reply.error !== undefined) pending?.reject(fromErrorData(reply.error));
    else pending?.resolve(reply.value as never);
  }

  #die(cause: unknown): void {
    this.#dead ??= new ArchiveError('UNAVAILABLE', `${this.#what} stopped unexpectedly; restart the gateway`, {
      cause,
      retryable: false,
    });
    this.#waiting.length = 0;
    for (const pending of this.#pending.values()) pending.reject(this.#dead);
    this.#pending.clear();
  }
}
