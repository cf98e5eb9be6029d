// The threads of one index as the main thread sees them.
import type { ReaderMethods } from './reader-methods.js';
import { ThreadClient } from './thread-client.js';
import type { WriterMethods } from './writer-methods.js';

const WRITER = new URL('./writer-thread.js', import.meta.url);
const READER = new URL('./reader-thread.js', import.meta.url);

export type Writer = ThreadClient<WriterMethods>;

export interface Reader {
  readonly client: ThreadClient<ReaderMethods>;
  /** Shared with the thread: the id of the query that nobody waits for any more. */
  readonly cancelled: Int32Array;
  /** Calls that it owes. */
  busy: number;
}

/** `path` is absolute. Whether it could open the file is said by the client's `ready`. */
export function startWriter(path: string): Writer {
  return new ThreadClient<WriterMethods>(WRITER, 'index writer', { path });
}

export function startReader(path: string): Reader {
  const cell = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const client = new ThreadClient<ReaderMethods>(READER, 'index reader', { path, cancelled: cell });
  return { client, cancelled: new Int32Array(cell), busy: 0 };
}

/** Rejects with the signal's reason as soon as it fires, after `cancel`; what `answer` becomes then is nobody's. */
export async function raceAbort<T>(answer: Promise<T>, signal: AbortSignal, cancel: () => void): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      cancel();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  answer.catch(() => undefined);
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
