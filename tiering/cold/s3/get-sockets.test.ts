// GETs over sockets of our own, against servers that write what they please: cut anywhere, split anywhere, too much, too little, not HTTP at
// all; over TLS; on connections that are used again, or closed just then.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { GetSockets } from './get-sockets.js';

const servers: Server[] = [];
const sockets: GetSockets[] = [];
const never = new AbortController().signal;

afterEach(async () => {
  for (const one of sockets.splice(0)) one.close();
  for (const server of servers.splice(0)) {
    server.close();
    await once(server, 'close');
  }
});

/** Calls `answer` for each request that comes whole; resolves with where the server is. */
async function serve(answer: (socket: Socket, request: number) => void, server = createServer()): Promise<URL> {
  let requests = 0;
  const secure = 'setSecureContext' in server;
  server.on(secure ? 'secureConnection' : 'connection', (socket: Socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => {
      requests += 1;
      answer(socket, requests);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return new URL(`http${secure ? 's' : ''}://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

function client(options: { ca?: readonly string[]; idleMs?: number } = {}): GetSockets {
  const one = new GetSockets({ connectMs: 5_000, idleMs: 5_000, keptMax: 4, ...options });
  sockets.push(one);
  return one;
}

async function fetchAll(from: GetSockets, base: URL, signal = never): Promise<Buffer> {
  const answer = await from.send(base, '/x', { host: base.host }, signal);
  const target = Buffer.allocUnsafeSlow(answer.length ?? 0);
  let told = 0;
  await answer.readInto(target, (count) => {
    told += count;
  });
  expect(told).toBe(target.length);
  return target;
}

const head = (length: number, more = '') => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n${more}\r\n`;

describe('the body of a GET', () => {
  it('arrives as it was sent, however head and body are cut into pieces', async () => {
    const body = randomBytes(70_000);
    const whole = Buffer.concat([
      Buffer.from(`HTTP/1.1 100 Continue\r\n\r\n${head(body.length, 'ETag: "a"\r\n')}`),
      body,
    ]);
    let cuts: readonly number[] = [];
    const base = await serve((socket) => {
      const ends = [...cuts.toSorted((a, b) => a - b), whole.length];
      let at = 0;
      const next = () => {
        const end = ends.shift();
        if (end === undefined) return;
        const piece = whole.subarray(at, end);
        at = end;
        socket.write(piece, () => setImmediate(next));
      };
      socket.setNoDelay(true);
      next();
    });
    const from = client();
    const places = fc.array(fc.oneof(fc.nat({ max: 120 }), fc.nat({ max: whole.length })), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(places, async (drawn) => {
        cuts = drawn;
        expect(Buffer.compare(await fetchAll(from, base), body)).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('comes over connections that are used again, many at a time', async () => {
    const body = randomBytes(3 * 1024 * 1024);
    let connections = 0;
    const server = createServer();
    server.on('connection', () => {
      connections += 1;
    });
    const base = await serve((socket) => socket.write(Buffer.concat([Buffer.from(head(body.length)), body])), server);
    const from = client();
    for (let round = 0; round < 3; round += 1) {
      const all = await Promise.all([1, 2, 3].map(() => fetchAll(from, base)));
      for (const one of all) expect(Buffer.compare(one, body)).toBe(0);
    }
    expect(connections).toBe(3);
  });

  it('comes over TLS from a server that is trusted, and not from another', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'filmroom-tls-'));
    try {
      const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
      execFileSync(
        'openssl',
        ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject],
        { stdio: 'ignore' },
      );
      const pem = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
      const body = randomBytes(2 * 1024 * 1024);
      const base = await serve(
        (socket) => socket.write(Buffer.concat([Buffer.from(head(body.length)), body])),
        createTlsServer(pem) as unknown as Server,
      );
      const from = client({ ca: [pem.cert] });
      for (let round = 0; round < 3; round += 1) expect(Buffer.compare(await fetchAll(from, base), body)).toBe(0);
      await expect(client().send(base, '/x', { host: base.host }, never)).rejects.toMatchObject({
        code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('of no length is there at once, and its connection is used again', async () => {
    const base = await serve((socket) => socket.write(head(0)));
    const from = client();
    expect(await fetchAll(from, base)).toHaveLength(0);
    expect(await fetchAll(from, base)).toHaveLength(0);
  });
});

describe('a connection that fails', () => {
  it.each([
    ['before the answer', ''],
    ['in the head', 'HTTP/1.1 200 OK\r\nContent-Le'],
    ['in the body', `${head(100)}only this`],
  ])('%s is ECONNRESET', async (_, sent) => {
    const base = await serve((socket) => socket.end(sent));
    await expect(fetchAll(client(), base)).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('just as it is used again is not noticed: the request is sent over another', async () => {
    const base = await serve((socket, request) => {
      if (request === 2) socket.destroy();
      else socket.write(`${head(2)}ok`);
    });
    const from = client();
    expect(String(await fetchAll(from, base))).toBe('ok');
    expect(String(await fetchAll(from, base))).toBe('ok');
  });

  it('and has answered in part is not asked again', async () => {
    let asked = 0;
    const base = await serve((socket, request) => {
      asked = request;
      if (request === 1) socket.write(`${head(2)}ok`);
      else socket.end('HTTP/1.1 2');
    });
    const from = client();
    await fetchAll(from, base);
    await expect(fetchAll(from, base)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(asked).toBe(2);
  });

  it('by silence is ETIMEDOUT', async () => {
    const base = await serve((socket) => socket.write(`${head(10)}12345`));
    await expect(fetchAll(client({ idleMs: 200 }), base)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  });

  it('by its caller, who gives up, ends with that reason, before the answer and in the body', async () => {
    const base = await serve((socket, request) => {
      if (request === 2) socket.write(`${head(10)}12345`);
    });
    for (let request = 1; request <= 2; request += 1) {
      const stop = new AbortController();
      const fetched = fetchAll(client(), base, stop.signal);
      setTimeout(() => stop.abort(new Error('enough')), 100);
      await expect(fetched).rejects.toThrow('enough');
    }
  });
});

describe('an answer that is none', () => {
  it.each([
    ['is another protocol', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['has a field that is none', 'HTTP/1.1 200 OK\r\nno field\r\n\r\n'],
    ['has a head without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(4_000)}`],
    ['is longer than it says', `${head(3)}abcdef`],
  ])('%s: CORRUPT', async (_, sent) => {
    const base = await serve((socket) => socket.write(sent));
    await expect(fetchAll(client(), base)).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  it('does not say its length, or says two: it has none', async () => {
    for (const fields of [
      'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n',
      'Content-Length: 5\r\nContent-Length: 6\r\n',
    ]) {
      const base = await serve((socket) => socket.write(`HTTP/1.1 200 OK\r\n${fields}\r\n`));
      const answer = await client().send(base, '/x', {}, never);
      expect(answer.length).toBeNull();
      answer.discard();
    }
  });

  it('and says more after its end costs the connection, and no other answer', async () => {
    const base = await serve((socket, request) => {
      socket.write(`${head(2)}ok`, () => {
        if (request === 1) setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'), 50);
      });
    });
    const from = client();
    expect(String(await fetchAll(from, base))).toBe('ok');
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(String(await fetchAll(from, base))).toBe('ok');
  });

  it('of an error is read as far as it goes, its length known or not', async () => {
    const xml = '<Error><Code>NoSuchKey</Code></Error>';
    for (const [fields, body] of [
      [`Content-Length: ${xml.length}\r\n`, xml],
      ['Transfer-Encoding: chunked\r\n', `${xml.length.toString(16)}\r\n${xml}\r\n0\r\n\r\n`],
      ['Connection: close\r\n', xml],
    ]) {
      const base = await serve((socket) => socket.write(`HTTP/1.1 404 Not Found\r\n${fields}\r\n${body}`));
      const answer = await client().send(base, '/x', {}, never);
      expect(answer.status).toBe(404);
      expect(await answer.text()).toContain(xml);
    }
  });
});

it('a header with a line break is never sent', async () => {
  const base = await serve((socket) => socket.write(head(0)));
  await expect(client().send(base, '/x', { host: 'a\r\nb: c' }, never)).rejects.toMatchObject({ code: 'INTERNAL' });
});
