// Puts answers on the socket: segments with back-pressure and one read ahead, JSON text, problems. Nothing is sent before
// the first bytes of data are at hand, so that a read that fails at once is a proper status; one that fails later destroys
// the connection, never ends in a well-formed short answer.
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { releaseBuffer } from '../../tiering/core/buffers.js';
import { ArchiveError, invariant, NO_LONGER_NEEDED } from '../../tiering/core/errors.js';
import type { Exchange } from '../exchange.js';
import { openSegment, type Segment } from './segments.js';

/** On every answer: types are never guessed, and nothing is kept by anybody else without asking again. */
export const COMMON_HEADERS: OutgoingHttpHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'private, no-cache',
  'Content-Security-Policy': "default-src 'none'; sandbox",
};

export interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  /** Of the body, when it is known before. */
  readonly length: number | null;
  readonly segments: Iterable<Segment> | AsyncIterable<Segment>;
}

/** Resolves when the socket takes more. Rejects ABORTED when it closed, UNAVAILABLE when it took nothing for too long. */
function drained(exchange: Exchange): Promise<void> {
  const { res, services } = exchange;
  return new Promise((resolve, reject) => {
    const stop = new AbortController();
    const settle = (error?: ArchiveError) => {
      stop.abort(NO_LONGER_NEEDED);
      res.off('drain', onDrain);
      res.off('close', onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onDrain = () => settle();
    const onClose = () => settle(new ArchiveError('ABORTED', 'the client closed the connection'));
    if (res.destroyed) {
      onClose();
      return;
    }
    res.on('drain', onDrain);
    res.on('close', onClose);
    services.clock.sleep(services.limits.sendStallMs, stop.signal).then(
      () => settle(new ArchiveError('UNAVAILABLE', 'the client takes no more of the answer')),
      () => undefined,
    );
  });
}

interface Primed {
  readonly segment: Segment;
  readonly iterator: AsyncIterator<Uint8Array> | null;
  readonly first: Promise<IteratorResult<Uint8Array>> | null;
}

function prime(segment: Segment, signal: AbortSignal): Primed {
  if (segment instanceof Uint8Array || segment.length === 0) return { segment, iterator: null, first: null };
  const iterator = openSegment(segment, signal)[Symbol.asyncIterator]();
  const first = iterator.next();
  // Read ahead: its failure is met when its turn comes.
  first.catch(() => undefined);
  return { segment, iterator, first };
}

function close(primed: Primed): void {
  primed.iterator?.return?.().catch(() => undefined);
}

/** The segments, each opened while the one before it is being sent. */
class Ahead {
  readonly #source: Iterator<Segment> | AsyncIterator<Segment>;
  readonly #signal: AbortSignal;
  readonly #queue: Primed[] = [];
  #ended = false;

  constructor(segments: Iterable<Segment> | AsyncIterable<Segment>, signal: AbortSignal) {
    this.#source = Symbol.asyncIterator in segments ? segments[Symbol.asyncIterator]() : segments[Symbol.iterator]();
    this.#signal = signal;
  }

  async next(): Promise<Primed | null> {
    if (this.#queue.length === 0) await this.#fill();
    return this.#queue.shift() ?? null;
  }

  /** Makes sure that the next segment to be read, if there is one, is being read. */
  async lookAhead(): Promise<void> {
    while (!this.#ended && !this.#queue.some((primed) => primed.iterator !== null)) await this.#fill();
  }

  async #fill(): Promise<void> {
    const pulled = this.#source.next();
    const next = pulled instanceof Promise ? await pulled : pulled;
    if (next.done === true) this.#ended = true;
    else this.#queue.push(prime(next.value, this.#signal));
  }

  close(): void {
    for (const primed of this.#queue) close(primed);
    const returned = this.#source.return?.();
    if (returned instanceof Promise) returned.catch(() => undefined);
  }
}

class Sender {
  readonly #exchange: Exchange;
  readonly #answer: Answer;
  #pieces: { readonly bytes: Uint8Array; readonly ours: boolean }[] = [];
  #begun = false;

  constructor(exchange: Exchange, answer: Answer) {
    this.#exchange = exchange;
    this.#answer = answer;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** @param ours nobody else has the bytes: their memory is given back as soon as the kernel has them. */
  push(bytes: Uint8Array, ours = false): void {
    if (bytes.length > 0) this.#pieces.push({ bytes, ours });
  }

  /** Writes what is held in one cork. False: the socket wants a pause. */
  flush(end: boolean): boolean {
    const { res } = this.#exchange;
    if (this.#begun && !end && this.#pieces.length === 0) return true;
    res.cork();
    if (!this.#begun) begin(res, this.#answer);
    this.#begun = true;
    for (const { bytes, ours } of this.#pieces) {
      if (ours) res.write(bytes, (error) => error ?? releaseBuffer(bytes));
      else res.write(bytes);
    }
    this.#pieces = [];
    // Of a chunked answer Node 24 sends the end before what is still corked.
    const chunked = this.#answer.length === null;
    if (end && !chunked) res.end();
    res.uncork();
    if (end && chunked) res.end();
    // Not what the writes said: uncorking may have sent all of it, and then no drain comes.
    return !res.writableNeedDrain;
  }
}

function begin(res: ServerResponse, answer: Pick<Answer, 'status' | 'headers' | 'length'>): void {
  const headers = { ...COMMON_HEADERS, ...answer.headers };
  // What CORS has said already (Origin) holds beside what the answer says (Accept).
  const vary = [res.getHeader('Vary'), answer.headers['Vary']].filter((each) => each !== undefined);
  if (vary.length > 0) headers['Vary'] = vary.join(', ');
  if (answer.length !== null) headers['Content-Length'] = answer.length;
  res.writeHead(answer.status, headers);
}

async function sendLazy(exchange: Exchange, sender: Sender, ahead: Ahead, primed: Primed): Promise<void> {
  const { iterator, segment } = primed;
  if (iterator === null) return;
  // Of what has no length the end is the iterator's.
  let left = segment.length ?? Number.POSITIVE_INFINITY;
  let pending = primed.first;
  let aheadAsked = false;
  try {
    while (left > 0) {
      const next = await (pending ?? iterator.next());
      pending = null;
      if (next.done === true) {
        if (segment.length === null) break;
        throw new ArchiveError('CORRUPT', 'a stored range came back shorter than the index says');
      }
      left -= next.value.length;
      invariant(left >= 0, 'a stored range came back longer than it was asked for');
      sender.push(next.value, true);
      if (!aheadAsked) {
        aheadAsked = true;
        await ahead.lookAhead();
      }
      // The last piece goes out together with what follows it.
      if (left > 0 && !sender.flush(false)) await drained(exchange);
    }
  } finally {
    close(primed);
  }
}

/** Sends an answer. Rejects only while nothing was sent yet; afterwards a failure destroys the connection. */
export async function sendAnswer(exchange: Exchange, answer: Answer): Promise<void> {
  const { res, signal } = exchange;
  if (exchange.isHead) {
    begin(res, answer);
    res.end();
    return;
  }
  const sender = new Sender(exchange, answer);
  const ahead = new Ahead(answer.segments, signal);
  try {
    let read = false;
    for (let primed = await ahead.next(); primed !== null; primed = await ahead.next()) {
      if (primed.segment instanceof Uint8Array) {
        sender.push(primed.segment);
        continue;
      }
      // Between two reads: the one before is complete and may leave while this one is awaited.
      if (read && !sender.flush(false)) await drained(exchange);
      read = true;
      await sendLazy(exchange, sender, ahead, primed);
    }
    sender.flush(true);
  } catch (error) {
    if (!sender.begun) throw error;
    res.destroy();
    throw new ArchiveError('ABORTED', 'the answer broke off and the connection was closed', { cause: error });
  } finally {
    ahead.close();
  }
}

/** Sends text that is at hand. */
export function sendText(exchange: Exchange, status: number, headers: OutgoingHttpHeaders, text: string): void {
  const body = Buffer.from(text);
  begin(exchange.res, { status, headers, length: body.length });
  exchange.res.end(exchange.isHead ? undefined : body);
}

/** Sends an answer without a body. */
export function sendEmpty(exchange: Pick<Exchange, 'res'>, status: number, headers: OutgoingHttpHeaders): void {
  begin(exchange.res, { status, headers, length: null });
  exchange.res.end();
}

/**
 * Sends an answer while the client may still be sending its request: the whole answer goes out at once, and the connection
 * is closed only after what was still coming has been read and dropped for a while. Closing at once would reset it, and the
 * client would never see the answer.
 */
export async function sendEarly(
  req: IncomingMessage,
  res: ServerResponse,
  answer: { readonly status: number; readonly headers: OutgoingHttpHeaders; readonly body: string },
  linger: () => Promise<void>,
): Promise<void> {
  const body = Buffer.from(answer.body);
  const early = !req.complete;
  const headers = early ? { ...answer.headers, Connection: 'close' } : answer.headers;
  begin(res, { status: answer.status, headers, length: body.length });
  if (early && req.method !== 'HEAD') {
    res.write(body);
    await linger();
    res.end();
  } else res.end(req.method === 'HEAD' ? undefined : body);
}

/** Sends chunks as they come, under the same rules as `sendAnswer`. */
export async function sendStream(
  exchange: Exchange,
  status: number,
  headers: OutgoingHttpHeaders,
  chunks: AsyncIterable<Uint8Array>,
  length: number | null = null,
): Promise<void> {
  const { res } = exchange;
  const answer = { status, headers, length };
  let begun = false;
  try {
    for await (const chunk of chunks) {
      exchange.signal.throwIfAborted();
      if (!begun) begin(res, answer);
      begun = true;
      if (chunk.length > 0 && !res.write(chunk)) await drained(exchange);
    }
    if (!begun) begin(res, answer);
    begun = true;
    res.end();
  } catch (error) {
    if (!begun) throw error;
    res.destroy();
    throw new ArchiveError('ABORTED', 'the answer broke off and the connection was closed', { cause: error });
  }
}
