import { createServer, get, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { MemoryArchive } from '../test/support/memory-archive.js';
import { systemClock, systemRandom } from '../tiering/core/clock.js';
import { Semaphore } from '../tiering/core/queues.js';
import { Exchange } from './exchange.js';
import { DEFAULT_LIMITS } from './limits.js';

const TARGET = { resource: 'root', scope: null, rest: '' } as const;

/** What `look` sees of a real request. */
async function seen<T>(
  headers: OutgoingHttpHeaders,
  look: (exchange: Exchange) => T,
  publicUrl: string | null = null,
): Promise<T> {
  const services = {
    archive: new MemoryArchive(),
    pixels: null,
    deletes: true,
    pixelBudget: { memory: new Semaphore(1), slots: new Semaphore(1) },
    limits: DEFAULT_LIMITS,
    clock: systemClock,
    random: systemRandom,
    publicUrl,
    origins: [],
  };
  let found: T | undefined;
  const server = createServer((req, res) => {
    const search = (req.url ?? '').split('?')[1] ?? '';
    found = look(new Exchange(req, res, services, TARGET, search));
    res.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const path = '/dicomweb?accept=application/dicom+json';
  const reply = await new Promise<IncomingMessage>((resolve) =>
    get({ host: '127.0.0.1', port, path, headers, agent: false }, resolve),
  );
  reply.resume();
  await new Promise((resolve) => server.close(resolve));
  return found as T;
}

describe('the roots that links are made of', () => {
  it.each<[string, OutgoingHttpHeaders, string | null, string, string]>([
    ['nothing is known', { Host: 'pacs:8080' }, null, '/dicomweb', 'http://pacs:8080/dicomweb'],
    [
      'a public URL is configured',
      { Host: 'x', 'X-Forwarded-Host': 'y' },
      'https://p.example/f',
      'https://p.example/f/dicomweb',
      'https://p.example/f/dicomweb',
    ],
    [
      'a proxy says Forwarded',
      { Forwarded: 'for=1.2.3.4;proto=https;host="p.example:8443", for=5.6.7.8' },
      null,
      'https://p.example:8443/dicomweb',
      'https://p.example:8443/dicomweb',
    ],
    [
      'a proxy says X-Forwarded',
      { Host: 'p', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Prefix': '/a/b/' },
      null,
      'https://p/a/b/dicomweb',
      'https://p/a/b/dicomweb',
    ],
    [
      'a client claims nonsense',
      { Host: 'p', 'X-Forwarded-Host': 'evil"><script>', 'X-Forwarded-Prefix': '/../"' },
      null,
      '/dicomweb',
      'http://p/dicomweb',
    ],
  ])('when %s', async (_, headers, publicUrl, link, absolute) => {
    expect(await seen(headers, (exchange) => [exchange.linkRoot, exchange.absoluteRoot], publicUrl)).toEqual([
      link,
      absolute,
    ]);
  });
});

describe('what is accepted', () => {
  it('is what the query parameter says, its plus sign escaped or not, before the header', async () => {
    const accept = await seen({ Accept: 'image/jpeg' }, (exchange) => exchange.accept);
    expect(accept.map((range) => range.type)).toEqual(['application/dicom+json']);
  });
});
