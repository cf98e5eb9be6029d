// The sockets of GETs: of HTTP/1.1 (RFC 9112) what one needs to fetch an object, and the body read by the kernel straight into the buffer
// where it belongs. node:http hands a body over in pieces of 64 KiB, each through its parser, a stream and an event, to be copied then:
// 9 ms of processor time for a chunk of 8 MiB, this way 4.
import { connect as connectTcp, type Socket, type TcpSocketConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ArchiveError } from '../../core/errors.js';
import { headOf, type ResponseHead } from './response-head.js';

const HEAD_BYTES_MAX = 16 * 1024;
/** What comes between the head and the first read of the body. */
const BRIDGE_BYTES = 16 * 1024;
/** One read of the kernel holds the event loop for so long as it takes to copy this. */
const READ_BYTES_MAX = 1024 * 1024;
const ERROR_BYTES_MAX = 64 * 1024;

export interface GetSocketsOptions {
  /** Certificates to trust, PEM; absent: Node's own. */
  readonly ca?: readonly string[] | undefined;
  readonly connectMs: number;
  /** Without a byte in either direction. */
  readonly idleMs: number;
  /** Connections kept for the next GET. */
  readonly keptMax: number;
}

/** The head of an answer, and the socket that its body comes from. Exactly one of `readInto`, `text` and `discard` ends it. */
export interface GetAnswer extends ResponseHead {
  /**
   * Fills `target`, which must be as long as what is left of the body. `onBytes` is told of each read. Rejects as the connection fails (ECONNRESET
   * when it ends before), CORRUPT when more comes.
   */
  readInto(target: Uint8Array, onBytes: (count: number) => void): Promise<void>;
  /** The beginning of a body whose length need not be known: an error document. */
  text(): Promise<string>;
  /** Does without the body. */
  discard(): void;
}

export class GetSockets {
  readonly #options: GetSocketsOptions;
  readonly #kept = new Map<string, GetSocket[]>();
  readonly #all = new Set<GetSocket>();
  #closed = false;

  constructor(options: GetSocketsOptions) {
    this.#options = options;
  }

  /** Sends one GET. Rejects with node's own error when the connection fails, with the signal's reason when it fires; the signal also ends the reading of the body. */
  async send(
    base: URL,
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<GetAnswer> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const text = `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
    // A header that ends the line would begin another request.
    if (/[\r\n]/.test(path) || lines.some((line) => /[\r\n]/.test(line.slice(0, -2)))) {
      throw new ArchiveError('INTERNAL', 'a request header with a line break');
    }
    const kept = this.#kept.get(base.origin)?.pop();
    if (kept !== undefined) {
      try {
        return await kept.ask(text, signal);
      } catch (error) {
        // The server may have closed it just as it was used again; a GET may be sent twice (RFC 9112 9.3.1).
        if (signal.aborted || kept.answered) throw error;
      }
    }
    return this.#open(base).ask(text, signal);
  }

  /** Ends every connection; whoever still reads is told that it was cut. */
  close(): void {
    this.#closed = true;
    for (const one of this.#all) one.destroy();
  }

  #open(base: URL): GetSocket {
    const socket = new GetSocket(base, this.#options, (one, isOver) => {
      if (isOver) this.#forget(base.origin, one);
      else this.#keep(base.origin, one);
    });
    this.#all.add(socket);
    if (this.#closed) socket.destroy();
    return socket;
  }

  #keep(origin: string, socket: GetSocket): void {
    const kept = this.#kept.get(origin) ?? [];
    this.#kept.set(origin, kept);
    if (kept.length < this.#options.keptMax) kept.push(socket);
    else socket.destroy();
  }

  #forget(origin: string, socket: GetSocket): void {
    this.#all.delete(socket);
    const kept = this.#kept.get(origin);
    const at = kept?.indexOf(socket) ?? -1;
    if (at >= 0) kept?.splice(at, 1);
  }
}

/** What is being waited for. */
interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class GetSocket {
  readonly #socket: Socket;
  readonly #done: (socket: GetSocket, isOver: boolean) => void;
  readonly #scratch = Buffer.allocUnsafeSlow(HEAD_BYTES_MAX);
  readonly #bridge = Buffer.allocUnsafeSlow(BRIDGE_BYTES);
  #state: 'kept' | 'head' | 'held' | 'body' | 'over' = 'kept';
  /** Bytes in the scratch buffer, and where the head among them ends. */
  #held = 0;
  #head: ResponseHead | null = null;
  #target: Uint8Array = this.#scratch;
  #filled = 0;
  #onBytes: (count: number) => void = () => undefined;
  #waiting: Waiting | null = null;
  #failure: unknown = null;
  #unlisten: () => void = () => undefined;

  constructor(base: URL, options: GetSocketsOptions, done: (socket: GetSocket, isOver: boolean) => void) {
    this.#done = done;
    const secure = base.protocol === 'https:';
    const { connectMs, idleMs, ca } = options;
    const host = base.hostname.replace(/^\[(.*)\]$/, '$1');
    const to: TcpSocketConnectOpts = {
      host,
      port: Number(base.port) || (secure ? 443 : 80),
      noDelay: true,
      onread: { buffer: () => this.#space(), callback: (count, buffer) => this.#received(count, buffer) },
    };
    const certificates = ca === undefined ? {} : { ca: [...ca] };
    this.#socket = secure
      ? connectTls({
          ...to,
          ...certificates,
          ...(/[a-z]/i.test(host) && !host.includes(':') ? { servername: host } : {}),
        })
      : connectTcp(to);
    this.#socket.setTimeout(connectMs);
    this.#socket.once(secure ? 'secureConnect' : 'connect', () => this.#socket.setTimeout(idleMs));
    this.#socket.on('timeout', () => this.#timedOut());
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(cut()));
  }

  /** Whether anything of an answer has come. */
  get answered(): boolean {
    return this.#held > 0;
  }

  async ask(text: string, signal: AbortSignal): Promise<GetAnswer> {
    this.#held = 0;
    this.#head = null;
    this.#state = this.#failure === null ? 'head' : this.#state;
    this.#socket.ref();
    const onAbort = () => this.#fail(signal.reason);
    this.#unlisten = () => signal.removeEventListener('abort', onAbort);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const answered = this.#wait();
    if (this.#failure === null) this.#socket.write(text, 'latin1');
    await answered;
    return this.#answer();
  }

  destroy(): void {
    this.#fail(cut());
  }

  #answer(): GetAnswer {
    const head = this.#head;
    if (head === null) throw new ArchiveError('INTERNAL', 'an answer without a head');
    return {
      ...head,
      readInto: (target, onBytes) => this.#readInto(target, onBytes),
      text: () => this.#text(head),
      discard: () => this.destroy(),
    };
  }

  #wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure === null) this.#waiting = { resolve, reject };
      else reject(this.#failure);
    });
  }

  #readInto(target: Uint8Array, onBytes: (count: number) => void): Promise<void> {
    const early = this.#scratch.subarray(this.#head?.bytes ?? 0, this.#held);
    this.#target = target;
    this.#filled = 0;
    this.#onBytes = onBytes;
    if (this.#failure === null) this.#state = 'body';
    const filled = this.#wait();
    if (this.#state === 'body' && this.#take(early.length, early)) this.#socket.resume();
    return filled;
  }

  async #text(head: ResponseHead): Promise<string> {
    const target = Buffer.alloc(Math.min(head.length ?? ERROR_BYTES_MAX, ERROR_BYTES_MAX));
    let count = 0;
    const read = this.#readInto(target, (more) => {
      count += more;
      // Where the length is not known the document itself says where it ends.
      if (head.length === null && target.includes('</Error>')) this.destroy();
    });
    await read.catch(() => undefined);
    return target.toString('utf8', 0, count);
  }

  /** Where the next read goes. */
  #space(): Uint8Array {
    if (this.#state === 'body') return this.#target.subarray(this.#filled, this.#filled + READ_BYTES_MAX);
    if (this.#state === 'head') return this.#scratch.subarray(this.#held);
    return this.#bridge;
  }

  /** Returns whether to read on. */
  #received(count: number, buffer: Uint8Array): boolean {
    if (this.#state === 'body') return this.#take(count, buffer.subarray(0, count));
    if (this.#state !== 'head') {
      this.#fail(new ArchiveError('CORRUPT', 'the server sent something that nobody had asked for'));
      return false;
    }
    // A kept socket's next read was prepared before it was used again.
    if (buffer.buffer !== this.#scratch.buffer) this.#scratch.set(buffer.subarray(0, count), this.#held);
    this.#held += count;
    try {
      this.#head = headOf(this.#scratch.subarray(0, this.#held));
    } catch (error) {
      this.#fail(error);
      return false;
    }
    if (this.#head !== null) {
      this.#state = 'held';
      this.#settle();
      return false;
    }
    if (this.#held < HEAD_BYTES_MAX) return true;
    this.#fail(new ArchiveError('CORRUPT', 'the head of the answer does not end'));
    return false;
  }

  #take(count: number, bytes: Uint8Array): boolean {
    const left = this.#target.length - this.#filled;
    if (count > left) {
      this.#fail(new ArchiveError('CORRUPT', 'more bytes came than the answer had stated'));
      return false;
    }
    if (bytes.buffer !== this.#target.buffer) this.#target.set(bytes, this.#filled);
    this.#filled += count;
    if (count > 0) this.#onBytes(count);
    if (this.#failure !== null) return false;
    if (count < left) return true;
    this.#end();
    return true;
  }

  /** The body is whole: the connection may be used again, if the server says nothing else. */
  #end(): void {
    this.#unlisten();
    this.#state = 'kept';
    this.#target = this.#scratch;
    const reusable = this.#head?.keepAlive === true && this.#head.length !== null;
    this.#settle();
    if (!reusable) {
      this.destroy();
      return;
    }
    this.#socket.resume();
    this.#socket.unref();
    this.#done(this, false);
  }

  #settle(): void {
    this.#waiting?.resolve();
    this.#waiting = null;
  }

  #timedOut(): void {
    this.#fail(Object.assign(new Error('nothing came for too long'), { code: 'ETIMEDOUT' }));
  }

  #fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = error ?? cut();
    this.#state = 'over';
    this.#unlisten();
    this.#waiting?.reject(this.#failure);
    this.#waiting = null;
    this.#target = this.#scratch;
    this.#socket.destroy();
    this.#done(this, true);
  }
}

function cut(): Error {
  return Object.assign(new Error('the connection was cut'), { code: 'ECONNRESET' });
}
