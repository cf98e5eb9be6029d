// A DICOMweb server over real loopback sockets for tests, a plain client for it, and an independent reader of multipart answers
// (split at the boundary, nothing of the product's parser).
import { createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders, request, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createDicomweb, type DicomwebOptions } from '../../dicomweb/dicomweb.js';
import type { DicomwebEvent } from '../../dicomweb/exchange.js';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer | Iterable<Buffer>;
}

export interface ReadPart {
  readonly headers: ReadonlyMap<string, string>;
  /** The header block as it was sent. */
  readonly head: string;
  readonly body: Buffer;
}

export const BOUNDARY = '0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1';
export const STOW_TYPE = `multipart/related; type="application/dicom"; boundary=${BOUNDARY}`;

/** A request body of instances as clients send it. */
export function multipartBody(parts: readonly Uint8Array[], boundary = BOUNDARY): Buffer {
  const pieces = parts.flatMap((part) => [
    Buffer.from(`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`),
    part,
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]);
}

/** The parts of a multipart answer. Throws when it is not well-formed to the last byte. */
export function readMultipart(reply: Pick<Reply, 'headers' | 'body'>): readonly ReadPart[] {
  const boundary = /boundary="?([^";]+)"?/.exec(reply.headers['content-type'] ?? '')?.[1];
  if (boundary === undefined) throw new Error('the answer has no boundary');
  const opening = Buffer.from(`--${boundary}\r\n`);
  if (!reply.body.subarray(0, opening.length).equals(opening))
    throw new Error('the answer does not open with its boundary');
  const closing = Buffer.from(`\r\n--${boundary}--\r\n`);
  if (!reply.body.subarray(-closing.length).equals(closing))
    throw new Error('the answer does not end with its boundary');
  const between = Buffer.from(`\r\n--${boundary}\r\n`);
  const inside = reply.body.subarray(opening.length, reply.body.length - closing.length);
  const parts: ReadPart[] = [];
  for (let at = 0; at >= 0 && at <= inside.length; ) {
    const next = inside.indexOf(between, at);
    const whole = inside.subarray(at, next < 0 ? inside.length : next);
    const split = whole.indexOf('\r\n\r\n');
    const head = whole.toString('latin1', 0, split);
    const headers = new Map(
      head.split('\r\n').map((line): [string, string] => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    parts.push({ headers, head, body: whole.subarray(split + 4) });
    if (next < 0) break;
    at = next + between.length;
  }
  return parts;
}

export class DicomwebRig {
  readonly events: DicomwebEvent[] = [];
  readonly server: Server;
  readonly port: number;

  private constructor(server: Server, port: number, events: DicomwebEvent[]) {
    this.server = server;
    this.port = port;
    this.events = events;
  }

  static async start(options: DicomwebOptions): Promise<DicomwebRig> {
    const events: DicomwebEvent[] = [];
    const dicomweb = createDicomweb({ log: (event) => events.push(event), ...options });
    const server = createServer({ requestTimeout: 0 }, (req, res) => {
      void dicomweb.handle(req, res);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new DicomwebRig(server, (server.address() as AddressInfo).port, events);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Rejects when the connection breaks before the answer is complete. */
  call(path: string, options: CallOptions = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const { method = 'GET', headers = {}, body } = options;
      const req = request({ host: '127.0.0.1', port: this.port, path, method, headers, agent: false }, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () =>
          resolve({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks) }),
        );
      });
      req.on('error', reject);
      if (body === undefined || Buffer.isBuffer(body)) req.end(body);
      else {
        for (const chunk of body) req.write(chunk);
        req.end();
      }
    });
  }

  stow(parts: readonly Uint8Array[], path = '/dicomweb/studies', headers: OutgoingHttpHeaders = {}): Promise<Reply> {
    return this.call(path, {
      method: 'POST',
      headers: { 'Content-Type': STOW_TYPE, ...headers },
      body: multipartBody(parts),
    });
  }

  /** A socket of its own, for what no well-behaved client sends. */
  socket(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => resolve(socket));
      socket.on('error', reject);
    });
  }
}

/** Everything a socket receives until it is closed, as text. */
export function untilClosed(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
}
