// A cloud that misbehaves on command: an HTTP proxy in front of a real S3 server, whose faults have names and can be switched
// while requests run. What is tested is the whole client: sockets, signatures, retries, and who reacts to what they say.

import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Lie, lieAbout } from './lying-lists.js';

export type Misbehaviour =
  /** Each answer begins so much later. */
  | { readonly name: 'latency'; readonly ms: number }
  | { readonly name: 'bandwidth'; readonly bytesPerSecond: number }
  /** The connection is cut after so many bytes of the answer's body. */
  | { readonly name: 'cut-answer'; readonly afterBytes: number }
  /** The connection is cut after so many bytes of the request's body; nothing of it is applied. */
  | { readonly name: 'cut-request'; readonly afterBytes: number }
  /** Answers so without asking the server: 503 SlowDown, 403, RequestTimeTooSkewed, 404 NoSuchKey, 301, 501. */
  | { readonly name: 'refuse'; readonly status: number; readonly code: string }
  /** A success (or any status) with a body that no S3 server sends. */
  | { readonly name: 'garbage'; readonly status: number; readonly type: 'html' | 'xml' | 'empty' }
  /** The request is applied and its answer is never sent. */
  | { readonly name: 'swallow' }
  /** The request is taken and nothing is done. */
  | { readonly name: 'hang' }
  /** Nothing listens any more. */
  | { readonly name: 'down' }
  /** The answer's body with these changes; headers and status stay as they would be for it. */
  | { readonly name: 'change-body'; readonly change: (body: Buffer, path: string) => Uint8Array }
  | { readonly name: 'change-head'; readonly change: (head: AnswerHead, request: IncomingMessage) => AnswerHead }
  /** A range is answered with 200 and the whole object. */
  | { readonly name: 'ignore-range' }
  | { readonly name: 'lying-list'; readonly lie: Lie };

export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Which requests a fault hits. Default: all of them, always. */
export interface Aim {
  readonly methods?: readonly string[];
  /** The path after the bucket. */
  readonly keys?: (key: string) => boolean;
  readonly headers?: (headers: IncomingMessage['headers']) => boolean;
  /** Share of the requests, by a seeded generator. */
  readonly share?: number;
  readonly times?: number;
}

export interface SeenRequest {
  readonly method: string;
  readonly key: string;
  readonly range: string | undefined;
  readonly headers: IncomingMessage['headers'];
}

export class ChaosProxy {
  readonly #server: Server;
  readonly #upstream: URL;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #sockets = new Set<Socket>();
  /** Every request that came, in order. */
  readonly seen: SeenRequest[] = [];
  #port = 0;
  #faults: { readonly fault: Misbehaviour; readonly aim: Aim; left: number }[] = [];
  #random: () => number;
  #lists = new Map<string, Buffer>();
  readonly #stored = new Map<string, Buffer>();

  private constructor(upstream: string, seed: number) {
    this.#upstream = new URL(upstream);
    this.#random = generator(seed);
    this.#server = createServer((incoming, response) => {
      const { socket } = incoming;
      this.#serve(incoming, response).catch(() => socket.destroy());
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** In front of `upstream` (`http://host:port`). Signatures hold: the host header goes through as it came. */
  static async start(upstream: string, seed = 1): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(upstream, seed);
    await proxy.#listen(0);
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Adds a fault; of several that hit a request, the first counts. */
  async misbehave(fault: Misbehaviour, aim: Aim = {}): Promise<void> {
    this.#faults.push({ fault, aim, left: aim.times ?? Number.POSITIVE_INFINITY });
    if (fault.name === 'down') await this.#stopListening();
  }

  /** No faults any more. What hangs is cut: its caller tries again or has given up. */
  async behave(): Promise<void> {
    const was = this.#faults;
    this.#faults = [];
    this.#lists = new Map();
    if (was.some(({ fault }) => fault.name === 'hang' || fault.name === 'swallow')) this.#cutAll();
    if (!this.#server.listening) await this.#listen(this.#port);
  }

  /** What was last put under a key through this proxy; empty when nothing was. */
  stored(key: string): Buffer {
    return this.#stored.get(key) ?? EMPTY;
  }

  /** Forgets what was seen. */
  forget(): void {
    this.seen.length = 0;
  }

  async close(): Promise<void> {
    this.#faults = [];
    await this.#stopListening();
    this.#agent.destroy();
  }

  async #listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async #stopListening(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#cutAll();
    await closed;
  }

  #cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #faultFor(seen: SeenRequest): Misbehaviour | undefined {
    const found = this.#faults.find(({ aim, left }) => {
      if (left <= 0 || aim.methods?.includes(seen.method) === false) return false;
      if (aim.keys?.(seen.key) === false || aim.headers?.(seen.headers) === false) return false;
      return aim.share === undefined || this.#random() < aim.share;
    });
    if (found === undefined) return undefined;
    found.left -= 1;
    return found.fault;
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = incoming;
    const seen = { method: isList(method, url) ? 'LIST' : method, key: keyOf(url), range: headers.range, headers };
    this.seen.push(seen);
    const fault = this.#faultFor(seen);
    const cutAfter = fault?.name === 'cut-request' ? fault.afterBytes : Number.POSITIVE_INFINITY;
    const body = await bodyOf(incoming, cutAfter);
    if (body === undefined) return void incoming.socket.destroy();
    if (fault?.name === 'hang') return;
    if (fault?.name === 'swallow') return void (await this.#forward(method, url, headers, body));
    if (fault?.name === 'refuse') return send(response, refusal(fault.status, fault.code, method));
    if (fault?.name === 'garbage') return send(response, { head: garbageHead(fault), body: garbageBody(fault) });
    if (fault?.name === 'latency') await sleep(fault.ms);
    if (fault?.name === 'ignore-range' && seen.range !== undefined && this.#stored.has(seen.key)) {
      const whole = this.stored(seen.key);
      return send(response, { head: { status: 200, headers: { 'content-length': `${whole.length}` } }, body: whole });
    }
    const answer = await this.#forward(method, url, headers, body);
    if (method === 'PUT' && answer.head.status === 200) this.#stored.set(seen.key, body);
    if (incoming.socket.destroyed) return;
    await this.#answer(fault, seen, url, answer, incoming, response);
  }

  async #answer(
    fault: Misbehaviour | undefined,
    seen: SeenRequest,
    url: string,
    answer: Answer,
    incoming: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const list = fault?.name === 'lying-list' && seen.method === 'LIST' ? fault.lie : undefined;
    if (list !== undefined) {
      const first = this.#lists.get(url) ?? answer.body;
      this.#lists.set(url, first);
      return send(response, withBody(answer, lieAbout(list, answer.body, first)));
    }
    if (fault?.name === 'change-body' && seen.method !== 'LIST' && answer.head.status < 300) {
      return send(response, withBody(answer, Buffer.from(fault.change(answer.body, seen.key))));
    }
    if (fault?.name === 'change-head') return send(response, { ...answer, head: fault.change(answer.head, incoming) });
    if (fault?.name === 'cut-answer' && answer.body.length > fault.afterBytes) {
      response.writeHead(answer.head.status, answer.head.headers);
      // Node takes the socket from the message when it is closed from the other side.
      const { socket } = incoming;
      response.write(answer.body.subarray(0, fault.afterBytes), () => socket.destroy());
      return;
    }
    if (fault?.name === 'bandwidth') {
      response.writeHead(answer.head.status, answer.head.headers);
      const step = Math.max(1, Math.ceil(fault.bytesPerSecond / 20));
      for (let at = 0; at < answer.body.length && !response.destroyed; at += step) {
        response.write(answer.body.subarray(at, at + step));
        await sleep(50);
      }
      response.end();
      return;
    }
    send(response, answer);
  }

  #forward(method: string, url: string, headers: IncomingMessage['headers'], body: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = this.#upstream;
      const sent = request({ hostname, port, method, path: url, headers, agent: this.#agent }, (answer) => {
        bodyOf(answer, Number.POSITIVE_INFINITY).then((bytes) => {
          const kept = Object.entries(answer.headers).flatMap(([name, value]) =>
            typeof value === 'string' && !HOP.has(name) ? [[name, value] as const] : [],
          );
          resolve({
            head: { status: answer.statusCode ?? 0, headers: Object.fromEntries(kept) },
            body: bytes ?? EMPTY,
          });
        }, reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

interface Answer {
  readonly head: AnswerHead;
  readonly body: Buffer;
}

const EMPTY = Buffer.alloc(0);
/** Said of one connection, not of the answer. */
const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding']);

/** A copy of the bytes with one bit turned. */
export function flipped(bytes: Uint8Array, at: number, bit = 0): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const place = at < 0 ? copy.length + at : at;
  copy[place] = (copy[place] ?? 0) ^ (1 << bit);
  return copy;
}

/** mulberry32: numbers in [0, 1), the same for the same seed. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function send(response: ServerResponse, { head, body }: Answer): void {
  response.writeHead(head.status, head.headers);
  response.end(body);
}

function withBody(answer: Answer, body: Buffer): Answer {
  const headers = { ...answer.head.headers, 'content-length': String(body.length) };
  return { head: { ...answer.head, headers }, body };
}

function refusal(status: number, code: string, method: string): Answer {
  const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>chaos</Message></Error>`;
  const body = method === 'HEAD' ? EMPTY : Buffer.from(text);
  const headers: Record<string, string> = { 'content-type': 'application/xml' };
  if (status === 503) headers['retry-after'] = '1';
  if (status >= 300 && status < 400) headers['location'] = 'http://127.0.0.1:9/elsewhere';
  if (method !== 'HEAD') headers['content-length'] = String(body.length);
  return { head: { status, headers }, body };
}

function garbageBody({ type }: { readonly type: 'html' | 'xml' | 'empty' }): Buffer {
  if (type === 'empty') return EMPTY;
  if (type === 'xml') return Buffer.from('<?xml version="1.0"?><Nothing><That S3="says"></Nothing>');
  return Buffer.from('<!doctype html><html><body><h1>Please log in to the hospital network</h1></body></html>');
}

function garbageHead(fault: { readonly status: number; readonly type: 'html' | 'xml' | 'empty' }): AnswerHead {
  const type = fault.type === 'html' ? 'text/html' : 'application/xml';
  return {
    status: fault.status,
    headers: { 'content-type': type, 'content-length': String(garbageBody(fault).length) },
  };
}

function isList(method: string, url: string): boolean {
  return method === 'GET' && url.includes('list-type=2');
}

function keyOf(url: string): string {
  const [path = ''] = url.split('?');
  return decodeURIComponent(path.split('/').slice(2).join('/'));
}

/** Undefined when it was longer than `max`: read no further. */
async function bodyOf(message: IncomingMessage, max: number): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of message as AsyncIterable<Buffer>) {
    pieces.push(piece);
    length += piece.length;
    if (length > max) return undefined;
  }
  return Buffer.concat(pieces);
}
