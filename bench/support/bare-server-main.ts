// A bare node:http server, a process of its own as the product is: what HTTP alone costs on this machine.
//   GET /memory?bytes=N&piece=M   N bytes from memory, in writes of M bytes with back-pressure
//   GET /file?bytes=N             N bytes of a file at the next offset, read by pread: no index, no negotiation
//   POST /sink                    the body hashed with SHA-256 as it comes, appended to a file, fdatasync, then 200
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

const [sinkPath = '', sourcePath = ''] = process.argv.slice(2);
// Appending, so that concurrent requests each land whole.
const sink = await open(sinkPath, 'a');
const source = sourcePath === '' ? null : await open(sourcePath, 'r');
const sourceBytes = source === null ? 0 : (await source.stat()).size;
let sourceAt = 0;
let memory = Buffer.alloc(0);

async function sendMemory(res: ServerResponse, bytes: number, piece: number): Promise<void> {
  if (memory.length !== Math.min(piece, bytes)) memory = Buffer.alloc(Math.min(piece, bytes), 7);
  const block = memory;
  res.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': bytes });
  for (let left = bytes; left > 0; left -= block.length) {
    if (!res.write(left < block.length ? block.subarray(0, left) : block)) await once(res, 'drain');
  }
  res.end();
}

async function sendFile(res: ServerResponse, bytes: number): Promise<void> {
  if (source === null || sourceBytes < bytes) throw new Error('no source file of that length');
  if (sourceAt + bytes > sourceBytes) sourceAt = 0;
  const position = sourceAt;
  sourceAt += bytes;
  const { buffer } = await source.read(Buffer.allocUnsafe(bytes), 0, bytes, position);
  res.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': bytes });
  res.end(buffer);
}

async function takeIn(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const sha256 = createHash('sha256');
  const pieces: Buffer[] = [];
  for await (const piece of req as AsyncIterable<Buffer>) {
    sha256.update(piece);
    pieces.push(piece);
  }
  await sink.writev(pieces);
  await sink.datasync();
  res.end(sha256.digest('hex'));
}

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const url = new URL(req.url ?? '/', 'http://localhost');
  const bytes = Number(url.searchParams.get('bytes'));
  if (req.method === 'POST') await takeIn(req, res);
  else if (url.pathname === '/memory') await sendMemory(res, bytes, Number(url.searchParams.get('piece') ?? bytes));
  else await sendFile(res, bytes);
}

const server = createServer((req, res) => {
  answer(req, res).catch((error: unknown) => res.destroy(error as Error));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) process.stdout.write(`http://127.0.0.1:${address.port}\n`);
});
