// Groups the writes that wait into one transaction. Each call keeps a savepoint of its own: one that fails leaves
// nothing behind and does not disturb its neighbours. Nothing is answered before the commit.
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Database } from 'better-sqlite3';
import { systemClock } from '../../core/clock.js';
import { toErrorData } from './errors.js';
import type { Log } from './log.js';
import type { CallMessage, Methods, ReplyMessage } from './thread-client.js';
import { invoke, portOfThread } from './thread-server.js';

/** A group is committed after this time even if more calls wait, so that the first of them is not kept. */
const GROUP_MS_MAX = 50;

export interface WriterHooks {
  readonly db: Database;
  readonly methods: Methods;
  /** Forgets everything remembered of the database: it may have been rolled back. */
  readonly forget: () => void;
  readonly log: Log;
  readonly close: () => void;
}

/** Answers calls in order, as many as wait at a time in one transaction. */
export function serveWrites(hooks: WriterHooks): void {
  const port = portOfThread();
  const group = new WriteGroup(hooks, port);
  port.on('message', (first: CallMessage) => {
    const beginMs = systemClock.monotonicMs();
    let message: CallMessage | undefined = first;
    while (message !== undefined) {
      group.take(message);
      if (group.closed) return;
      if (systemClock.monotonicMs() - beginMs > GROUP_MS_MAX) break;
      message = receiveMessageOnPort(port)?.message as CallMessage | undefined;
    }
    group.commit();
  });
}

/** One connection's groups, one after another: `take` each call, then `commit`. */
export class WriteGroup {
  readonly #hooks: WriterHooks;
  readonly #port: MessagePort;
  /** Answers held back until the commit. */
  #replies: ReplyMessage[] = [];
  /** Callers of commitDurable that wait for one sync. */
  #durable: number[] = [];
  closed = false;

  constructor(hooks: WriterHooks, port: MessagePort) {
    this.#hooks = hooks;
    this.#port = port;
  }

  take(message: CallMessage): void {
    if (message.method === 'commitDurable') {
      this.#durable.push(message.id);
      return;
    }
    if (message.method === 'emptyLog') {
      this.commit();
      this.#emptyLog(message.id);
      return;
    }
    if (message.method === 'close') {
      this.commit();
      this.closed = true;
      this.#hooks.close();
      this.#port.postMessage({ id: message.id } satisfies ReplyMessage);
      this.#port.close();
      return;
    }
    this.#run(message);
  }

  #run(message: CallMessage): void {
    const { db, methods, log } = this.#hooks;
    try {
      if (log.fault !== null) throw log.fault;
      if (!db.inTransaction) db.exec('BEGIN IMMEDIATE');
      db.exec('SAVEPOINT one_call');
    } catch (error) {
      this.#failAll([...this.#replies.map((reply) => reply.id), message.id], error, 'begin');
      return;
    }
    try {
      const value = invoke(methods, message);
      db.exec('RELEASE one_call');
      this.#replies.push({ id: message.id, value });
    } catch (error) {
      this.#hooks.forget();
      const failed: ReplyMessage = { id: message.id, error: toErrorData(error, message.method) };
      // https://sqlite.org/lang_transaction.html: FULL, IOERR, NOMEM and the like may roll the whole transaction back by
      // themselves; then the calls before this one in the group failed as well.
      if (db.inTransaction && this.#undoOne()) {
        this.#replies.push(failed);
        return;
      }
      this.#failAll([...this.#replies.map((reply) => reply.id), message.id], error, message.method);
    }
  }

  #emptyLog(id: number): void {
    try {
      this.#port.postMessage({ id, value: this.#hooks.log.empty() } satisfies ReplyMessage);
    } catch (error) {
      this.#port.postMessage({ id, error: toErrorData(error, 'emptyLog') } satisfies ReplyMessage);
    }
  }

  #undoOne(): boolean {
    try {
      this.#hooks.db.exec('ROLLBACK TO one_call; RELEASE one_call');
      return true;
    } catch {
      return false;
    }
  }

  commit(): void {
    const { db } = this.#hooks;
    if (db.inTransaction) {
      try {
        db.exec('COMMIT');
      } catch (error) {
        this.#failAll(
          this.#replies.map((reply) => reply.id),
          error,
          'commit',
        );
      }
    }
    for (const reply of this.#replies) this.#port.postMessage(reply);
    this.#replies = [];
    this.#answerDurable();
    this.#hooks.log.tidy();
  }

  #answerDurable(): void {
    if (this.#durable.length === 0) return;
    let reply: Omit<ReplyMessage, 'id'> = {};
    try {
      this.#hooks.log.sync();
    } catch (error) {
      reply = { error: toErrorData(error, 'commitDurable') };
    }
    for (const id of this.#durable) this.#port.postMessage({ id, ...reply } satisfies ReplyMessage);
    this.#durable = [];
  }

  #failAll(ids: readonly number[], error: unknown, what: string): void {
    this.#hooks.forget();
    if (this.#hooks.db.inTransaction) {
      try {
        this.#hooks.db.exec('ROLLBACK');
      } catch {
        // The connection is unusable; every later call will say so itself.
      }
    }
    const data = toErrorData(error, what);
    for (const id of ids) this.#port.postMessage({ id, error: data } satisfies ReplyMessage);
    this.#replies = [];
  }
}
