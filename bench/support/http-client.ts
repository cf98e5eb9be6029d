// The client of all benchmarks: node:http with kept connections, no more work a request than it must do. The same client
// asks the product and the bare server.
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { forEachLimited } from '../../tiering/core/queues.js';
import { type StowRequest, stowRequests } from './corpus.js';

const TIMEOUT_MS = 60_000;

export interface Received {
  readonly status: number;
  readonly bytes: number;
}

export class Client {
  readonly #agent: Agent;
  readonly #url: string;

  constructor(url: string, connections: number) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Reads the answer to its end and counts it. Rejects unless it is a success. */
  async get(path: string, headers: OutgoingHttpHeaders = {}): Promise<Received> {
    const response = await this.#send('GET', path, headers, []);
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await ended(response);
    return { status: mustBeSuccess(response, path), bytes };
  }

  /** The answer as text. */
  async text(path: string, headers: OutgoingHttpHeaders = {}): Promise<string> {
    const response = await this.#send('GET', path, headers, []);
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    await ended(response);
    mustBeSuccess(response, path);
    return Buffer.concat(chunks).toString();
  }

  async post(path: string, { contentType, pieces, bytes }: StowRequest): Promise<Received> {
    const headers = { 'Content-Type': contentType, 'Content-Length': bytes, Accept: 'application/dicom+json' };
    const response = await this.#send('POST', path, headers, pieces);
    response.resume();
    await ended(response);
    return { status: mustBeSuccess(response, path), bytes };
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(method: string, path: string, headers: OutgoingHttpHeaders, pieces: readonly Uint8Array[]) {
    return new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request(`${this.#url}${path}`, { method, headers, agent: this.#agent, timeout: TIMEOUT_MS });
      outgoing.on('response', resolve);
      outgoing.on('error', reject);
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path} did not answer in ${TIMEOUT_MS} ms`)));
      for (const piece of pieces) outgoing.write(piece);
      outgoing.end();
    });
  }
}

function ended(response: IncomingMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    response.on('end', resolve);
    response.on('error', reject);
    response.on('aborted', () => reject(new Error('the answer broke off')));
  });
}

function mustBeSuccess(response: IncomingMessage, path: string): number {
  const status = response.statusCode ?? 0;
  if (status !== 200) throw new Error(`${path} answered ${status}`);
  return status;
}

/** Work with a client of its own: a connection left idle since the last turn may be closed by the server at any moment. */
export async function withClient<T>(
  url: string,
  connections: number,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client(url, connections);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** Sends the requests over `width` connections, each taking the next as soon as it is free. */
export async function postAll(
  client: Client,
  path: string,
  requests: readonly StowRequest[],
  width: number,
): Promise<void> {
  await forEachLimited(requests, width, async (one) => {
    await client.post(path, one);
  });
}

/** Stores phantoms as the product's clients do, for benchmarks of what comes after. */
export async function storeAll(client: Client, instances: Parameters<typeof stowRequests>[0]): Promise<void> {
  await postAll(client, '/dicomweb/studies', stowRequests(instances, 10), 4);
}
