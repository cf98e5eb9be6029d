// The line to a cloud, below HTTP: a TCP proxy with so many bytes a second in each direction for all connections together, which can
// be cut and mended. What it does to a client is what a real line does: connections that crawl, end, or are refused.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Passed on at once, and then paid for. */
const PIECE_BYTES = 16 * 1024;

export class NarrowLink {
  /** In each direction; null: as fast as it goes. */
  bytesPerSecond: number | null = null;
  /** Passed on so far: to the cloud, and from it. */
  readonly passed = { up: 0, down: 0 };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #freeMs = { up: 0, down: 0 };
  #port = 0;

  private constructor(upstream: URL) {
    this.#server = createServer((client) => {
      const cloud = connect(Number(upstream.port), upstream.hostname);
      for (const socket of [client, cloud]) {
        socket.setNoDelay(true);
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => this.#sockets.delete(socket));
      }
      void this.#pass(client, cloud, 'up');
      void this.#pass(cloud, client, 'down');
    });
  }

  /** In front of `upstream` (`http://host:port`). */
  static async start(upstream: string): Promise<NarrowLink> {
    const link = new NarrowLink(new URL(upstream));
    await link.mend();
    return link;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Every connection ends, and new ones are refused. */
  async cut(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async mend(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async #pass(from: Socket, to: Socket, way: 'up' | 'down'): Promise<void> {
    try {
      for await (const data of from as AsyncIterable<Buffer>) {
        for (let at = 0; at < data.length; at += PIECE_BYTES) {
          const piece = data.subarray(at, at + PIECE_BYTES);
          await this.#pay(way, piece.length);
          if (to.destroyed) return;
          if (!to.write(piece)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
          this.passed[way] += piece.length;
        }
      }
      to.end();
    } catch {
      to.destroy();
    }
  }

  async #pay(way: 'up' | 'down', bytes: number): Promise<void> {
    if (this.bytesPerSecond === null) return;
    const nowMs = performance.now();
    const waitMs = Math.max(0, this.#freeMs[way] - nowMs);
    this.#freeMs[way] = Math.max(this.#freeMs[way], nowMs) + (bytes * 1000) / this.bytesPerSecond;
    if (waitMs > 0) await sleep(waitMs);
  }
}
