// The inside of one of the index's threads: says whether it could start, then takes calls from the port and
// answers them one after another. Writes are grouped instead: write-group.ts.
import { type MessagePort, parentPort } from 'node:worker_threads';
import { ArchiveError } from '../../core/errors.js';
import { toErrorData } from './errors.js';
import { type CallMessage, type Methods, READY_ID, type ReplyMessage } from './thread-client.js';

let transfers: ArrayBuffer[] = [];

/** Marks bytes read from the database to be moved, not copied, to the caller. Gives them back as a plain Uint8Array. */
export function transferred(bytes: Uint8Array): Uint8Array {
  const { buffer } = bytes;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== bytes.byteLength) return bytes;
  transfers.push(buffer);
  return new Uint8Array(buffer);
}

export function portOfThread(): MessagePort {
  if (parentPort === null) throw new ArchiveError('INTERNAL', 'this module is the entry of a worker thread');
  return parentPort;
}

export function invoke(methods: Methods, message: CallMessage): unknown {
  const method = methods[message.method];
  if (method === undefined) throw new ArchiveError('INTERNAL', `the index thread has no method ${message.method}`);
  return (method as (...args: readonly unknown[]) => unknown)(...message.args);
}

/** Runs `start` and tells the client that the thread is ready, or why it is not. */
export function startThread(start: () => void, what: string): void {
  const port = portOfThread();
  try {
    start();
    port.postMessage({ id: READY_ID } satisfies ReplyMessage);
  } catch (error) {
    port.postMessage({ id: READY_ID, error: toErrorData(error, what) } satisfies ReplyMessage);
    port.close();
  }
}

/** Answers calls one after another. `begin` is told the id of each call before it runs. */
export function serveReads(methods: Methods, hooks: { begin: (id: number) => void; close: () => void }): void {
  const port = portOfThread();
  port.on('message', (message: CallMessage) => {
    if (message.method === 'close') {
      hooks.close();
      port.postMessage({ id: message.id } satisfies ReplyMessage);
      port.close();
      return;
    }
    transfers = [];
    try {
      hooks.begin(message.id);
      const value = invoke(methods, message);
      port.postMessage({ id: message.id, value } satisfies ReplyMessage, transfers);
    } catch (error) {
      port.postMessage({ id: message.id, error: toErrorData(error, message.method) } satisfies ReplyMessage);
    }
  });
}
