// A real TLS endpoint in front of a plain one, whose certificate is openssl's and can expire while it serves.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';

export class TlsFront {
  /** PEM, to be trusted by the client. */
  readonly ca: string;
  readonly endpoint: string;
  readonly #dir: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(dir: string, ca: string, server: Server, sockets: Set<Socket>) {
    this.#dir = dir;
    this.ca = ca;
    this.#server = server;
    this.#sockets = sockets;
    this.endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** In front of `upstream` (`http://host:port`), with a certificate that is good for two days. */
  static async start(upstream: string): Promise<TlsFront> {
    const dir = await mkdtemp(join(tmpdir(), 'filmroom-tls-'));
    const at = (name: string) => join(dir, name);
    await writeFile(at('names'), 'subjectAltName=IP:127.0.0.1\n');
    openssl([
      ...'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority'.split(' '),
      '-keyout',
      at('ca.key'),
      '-out',
      at('ca.pem'),
    ]);
    openssl([
      ...'req -newkey rsa:2048 -nodes -subj /CN=cloud'.split(' '),
      '-keyout',
      at('key.pem'),
      '-out',
      at('request'),
    ]);
    for (const [name, days] of [
      ['good', '2'],
      ['expired', '-1'],
    ] as const) {
      const by = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('names')];
      openssl(['x509', '-req', '-in', at('request'), ...by, '-days', days, '-out', at(`${name}.pem`)]);
    }
    const ca = readFileSync(at('ca.pem'), 'utf8');
    const sockets = new Set<Socket>();
    const { hostname, port } = new URL(upstream);
    const server = createServer({ key: readFileSync(at('key.pem')), cert: readFileSync(at('good.pem')) }, (client) => {
      const cloud = connect(Number(port), hostname);
      for (const socket of [client, cloud]) {
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          sockets.delete(socket);
          client.destroy();
          cloud.destroy();
        });
      }
      client.pipe(cloud).pipe(client);
    });
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TlsFront(dir, ca, server, sockets);
  }

  /** From the next connection on it shows this certificate; the open ones end. */
  show(certificate: 'good' | 'expired'): void {
    const key = readFileSync(join(this.#dir, 'key.pem'));
    this.#server.setSecureContext({ key, cert: readFileSync(join(this.#dir, `${certificate}.pem`)) });
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await rm(this.#dir, { recursive: true, force: true });
  }
}

function openssl(words: readonly string[]): void {
  execFileSync('openssl', words, { stdio: 'ignore' });
}
