// The S3 store against servers that answer wrongly: a real HTTP server on loopback that follows a script, because
// no real S3 server can be made to. What a right server does is tested on Ceph (test/e2e/object-store.rgw.test.ts).
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { bytesOf } from '../../../test/support/bytes.js';
import { systemClock, systemRandom } from '../../core/clock.js';
import { parseObjectKey, parseSha256 } from '../../core/ids.js';
import type { ObjectStore } from '../object-store.js';
import type { S3StoreOptions } from './s3-connection.js';
import { createS3Store } from './s3-object-store.js';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const key = parseObjectKey('c/ab/x');
const body = Buffer.from(bytesOf(1000, 5));
const servers: Server[] = [];
const stores: ObjectStore[] = [];

/** A store whose server gives these answers in turn, the last one for ever. */
async function scripted(
  answers: readonly Answer[],
  options: Partial<S3StoreOptions> = {},
): Promise<{ store: ObjectStore; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      const answer = answers[Math.min(requests.length, answers.length - 1)];
      requests.push(request);
      answer?.(request, response);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { accessKeyId: 'k', secretAccessKey: 's', forcePathStyle: true, provider: 'ceph' } as const;
  const store = createS3Store({
    ...{ bucket: 'bucket', endpoint, ...credentials, clock: systemClock, random: systemRandom },
    ...options,
  });
  stores.push(store);
  return { store, requests };
}

const answer =
  (status: number, headers: Record<string, string | number>, bytes: Uint8Array | string = ''): Answer =>
  (_, response) => {
    response.writeHead(status, { 'Content-Length': bytes.length, ...headers });
    response.end(bytes);
  };
const refuse = (status: number, code: string): Answer =>
  answer(status, { 'Content-Type': 'application/xml' }, `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
/** Promises the length, sends some of it, cuts the line. */
const cut =
  (status: number, headers: Record<string, string | number>, bytes: Uint8Array): Answer =>
  (_, response) => {
    response.writeHead(status, headers);
    response.write(bytes, () => response.destroy());
  };
const part = (start: number, end: number, headers: Record<string, string> = {}): Answer =>
  answer(
    206,
    { ETag: '"1"', 'Content-Range': `bytes ${start}-${end - 1}/1000`, ...headers },
    body.subarray(start, end),
  );
const page = (keys: readonly string[], token?: string): Answer =>
  answer(
    200,
    { 'Content-Type': 'application/xml' },
    `<?xml version="1.0"?><ListBucketResult><IsTruncated>${token !== undefined}</IsTruncated>${keys
      .map((name) => `<Contents><Key>${name}</Key><Size>1</Size></Contents>`)
      .join(
        '',
      )}${token === undefined ? '' : `<NextContinuationToken>${token}</NextContinuationToken>`}</ListBucketResult>`,
  );
async function listed(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const entry of store.list('')) keys.push(entry.key);
  return keys;
}

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

describe('answers that are not what was asked for (FAULTS 46)', () => {
  const range = { start: 100, end: 200 };
  const bytes = body.subarray(100, 200);
  it.each<[string, Answer]>([
    ['200 with the whole object', answer(200, {}, body)],
    ['200 with just the bytes', answer(200, {}, bytes)],
    ['no Content-Range', answer(206, {}, bytes)],
    ['another place', answer(206, { 'Content-Range': 'bytes 101-200/1000' }, bytes)],
    [
      'a range cut at the end of the object',
      answer(206, { 'Content-Range': 'bytes 100-149/150' }, body.subarray(0, 50)),
    ],
    [
      'the right Content-Range and a short body',
      answer(206, { 'Content-Range': 'bytes 100-199/1000' }, bytes.subarray(1)),
    ],
    ['416', refuse(416, 'InvalidRange')],
    ['an empty body', answer(206, { 'Content-Range': 'bytes 100-199/1000' }, '')],
  ])('a range answered with %s is CORRUPT, after one request', async (_, wrong) => {
    const { store, requests } = await scripted([wrong]);
    await expect(store.get(key, range)).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(requests).toHaveLength(1);
  });

  it('a length beyond any object is CORRUPT before memory is taken for it', async () => {
    const { store } = await scripted([cut(200, { 'Content-Length': 1024 ** 4 }, body)]);
    const before = process.memoryUsage().arrayBuffers;
    await expect(store.get(key)).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });

  it('no length at all is CORRUPT', async () => {
    const { store } = await scripted([(_, response) => void response.writeHead(200).end(body)]);
    await expect(store.get(key)).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  it('a socket is used again after a wrong answer that was not read to its end', async () => {
    const { store, requests } = await scripted([answer(200, {}, Buffer.alloc(5_000_000)), part(100, 200)]);
    await expect(store.get(key, range)).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(Buffer.from(await store.get(key, range)).equals(bytes)).toBe(true);
    expect(requests).toHaveLength(2);
  });
});

describe('connections that are cut (FAULTS 45, 53)', () => {
  it('goes on with a range where it stopped, and not from zero', async () => {
    const first = cut(200, { 'Content-Length': 1000, ETag: '"1"' }, body.subarray(0, 400));
    const { store, requests } = await scripted([first, part(400, 1000)]);
    expect(Buffer.from(await store.get(key)).equals(body)).toBe(true);
    expect(requests.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=400-999']);
  });

  it('begins again when the object has changed in between, and never joins two', async () => {
    const first = cut(200, { 'Content-Length': 1000, ETag: '"0"' }, Buffer.alloc(400));
    const { store } = await scripted([first, part(400, 1000), answer(200, { ETag: '"1"' }, body)]);
    expect(Buffer.from(await store.get(key)).equals(body)).toBe(true);
  });

  it('is UNAVAILABLE after three attempts', async () => {
    const { store, requests } = await scripted([cut(200, { 'Content-Length': 1000 }, new Uint8Array())]);
    await expect(store.get(key)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(requests).toHaveLength(3);
  });

  it('a put that was applied and not answered succeeds by its retry', async () => {
    const drop: Answer = (_, response) => void response.destroy();
    const { store, requests } = await scripted([drop, answer(200, {})]);
    await store.put(key, body);
    expect(requests.map(({ method }) => method)).toEqual(['PUT', 'PUT']);
  });

  it('an ifAbsent put that finds itself after a cut line succeeds; one that finds another is CONFLICT', async () => {
    const drop: Answer = (_, response) => void response.destroy();
    const exists = refuse(412, 'PreconditionFailed');
    const own = await scripted([drop, exists, answer(200, {}, body)]);
    await own.store.put(key, body, { ifAbsent: true });
    const other = await scripted([drop, exists, answer(200, {}, bytesOf(1000, 6))]);
    await expect(other.store.put(key, body, { ifAbsent: true })).rejects.toMatchObject({ code: 'CONFLICT' });
    const first = await scripted([exists]);
    await expect(first.store.put(key, body, { ifAbsent: true })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(first.requests).toHaveLength(1);
  });

  it('a body that trickles is UNAVAILABLE by the deadline of the attempt', async () => {
    const trickle: Answer = (_, response) => {
      response.writeHead(206, { 'Content-Length': 1000, 'Content-Range': 'bytes 0-999/1000' });
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    };
    const { store } = await scripted([trickle], { attemptMs: 200 });
    const began = performance.now();
    await expect(store.get(key, { start: 0, end: 1000 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(performance.now() - began).toBeLessThan(3_000);
  });
});

describe('refusals', () => {
  it('503 SlowDown is tried again, a little later, and at most three times (FAULTS 47)', async () => {
    const slow = refuse(503, 'SlowDown');
    const patient = await scripted([slow, slow, answer(200, {}, body)]);
    expect((await patient.store.get(key)).byteLength).toBe(1000);
    const storm = await scripted([slow]);
    await expect(storm.store.get(key)).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    expect(storm.requests).toHaveLength(3);
  });

  it.each<[string, Answer, string, RegExp]>([
    ['404 NoSuchKey', refuse(404, 'NoSuchKey'), 'ABSENT', /no such object/],
    ['404 NoSuchBucket', refuse(404, 'NoSuchBucket'), 'UNAVAILABLE', /NoSuchBucket/],
    ['404 of a proxy', answer(404, { 'Content-Type': 'text/html' }, '<html><h1>404</h1></html>'), 'UNAVAILABLE', /404/],
    ['403 AccessDenied', refuse(403, 'AccessDenied'), 'UNAVAILABLE', /AccessDenied/],
    ['403 ExpiredToken', refuse(403, 'ExpiredToken'), 'UNAVAILABLE', /ExpiredToken/],
    [
      '403 RequestTimeTooSkewed',
      refuse(403, 'RequestTimeTooSkewed'),
      'UNAVAILABLE',
      /RequestTimeTooSkewed.*set the time/,
    ],
    ['400 XAmzContentSHA256Mismatch', refuse(400, 'XAmzContentSHA256Mismatch'), 'CORRUPT', /SHA-256/],
    ['403 QuotaExceeded', refuse(403, 'QuotaExceeded'), 'FULL', /quota/],
    ['507', refuse(507, 'XMinioStorageFull'), 'FULL', /full/],
    ['507 of nobody in particular', answer(507, {}), 'FULL', /full/],
    ['501 NotImplemented', refuse(501, 'NotImplemented'), 'NOT_SUPPORTED', /generic/],
    ['301 PermanentRedirect', refuse(301, 'PermanentRedirect'), 'UNAVAILABLE', /region/],
    ['400 with nothing', answer(400, {}), 'UNAVAILABLE', /400/],
  ])('%s', async (_, refusal, code, text) => {
    const { store, requests } = await scripted([refusal]);
    const thrown = await store.get(key).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code, message: expect.stringMatching(text) });
    expect(requests).toHaveLength(1);
  });

  it("a HEAD's 404 is ABSENT only when a GET says which is missing", async () => {
    const bare = answer(404, {});
    const gone = await scripted([bare, refuse(404, 'NoSuchKey')]);
    await expect(gone.store.head(key)).rejects.toMatchObject({ code: 'ABSENT' });
    const bucket = await scripted([bare, refuse(404, 'NoSuchBucket')]);
    await expect(bucket.store.head(key)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const proxy = await scripted([bare, bare]);
    await expect(proxy.store.head(key)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('nothing that listens, and a host without a name, are UNAVAILABLE at once', async () => {
    const { store } = await scripted([answer(200, {})], { endpoint: 'http://127.0.0.1:1' });
    await expect(store.get(key)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/ECONNREFUSED/),
    });
    const nowhere = await scripted([answer(200, {})], { endpoint: 'http://no-such-host.invalid' });
    await expect(nowhere.store.get(key)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('listings (FAULTS 50)', () => {
  it('skips keys that come twice, and joins pages', async () => {
    const { store } = await scripted([page(['a', 'b'], 't1'), page(['b', 'c'], 't2'), page([], 't3'), page(['d'])]);
    expect(await listed(store)).toEqual(['a', 'b', 'c', 'd']);
  });
  it('calls keys out of order CORRUPT', async () => {
    const { store } = await scripted([page(['a', 'c', 'b'])]);
    await expect(listed(store)).rejects.toMatchObject({ code: 'CORRUPT' });
  });
  it('ends a circle of pages, also one of foreign keys alone', async () => {
    const circle = [page(['%C3%A4'], 't1'), page(['%C3%A4'], 't2'), page(['%C3%A4'], 't3')];
    const { store } = await scripted(Array.from({ length: 60 }, (_, at) => circle[at % 3] ?? page([])));
    await expect(listed(store)).rejects.toMatchObject({ code: 'CORRUPT' });
    const stuck = await scripted([page(['a'], 't')]);
    await expect(listed(stuck.store)).rejects.toMatchObject({ code: 'CORRUPT' });
  });
  it('does not take a web page for an empty bucket', async () => {
    const { store } = await scripted([answer(200, { 'Content-Type': 'text/html' }, '<html>Please log in<br></html>')]);
    await expect(listed(store)).rejects.toMatchObject({ code: 'CORRUPT' });
    const empty = await scripted([answer(200, {})]);
    await expect(listed(empty.store)).rejects.toMatchObject({ code: 'CORRUPT' });
  });
});

describe('what is sent', () => {
  it('a SHA-256 that is known goes out as it is, with no checksum trailer and no waiting for 100', async () => {
    const { store, requests } = await scripted([answer(200, {})]);
    const sha256 = parseSha256('ab'.repeat(32));
    await store.put(key, body, { sha256, ifAbsent: true });
    const headers = requests[0]?.headers ?? {};
    expect(headers['x-amz-content-sha256']).toBe(sha256);
    expect(headers['if-none-match']).toBe('*');
    expect(headers['content-length']).toBe('1000');
    expect(Object.keys(headers).filter((name) => /crc|checksum|expect|trailer/.test(name))).toEqual([]);
    expect(requests[0]?.url).toMatch(/^\/bucket\/c\/ab\/x(\?|$)/);
  });

  it('options that cannot be meant are refused before anything is sent', async () => {
    const base = { clock: systemClock, random: systemRandom };
    for (const bad of [
      { bucket: 'No_Bucket' },
      { bucket: 'bucket', endpoint: 'ftp://x' },
      { bucket: 'bucket', endpoint: 'http://host/path' },
      { bucket: 'bucket', prefix: '../x' },
      { bucket: 'bucket', accessKeyId: 'only' },
    ]) {
      expect(() => createS3Store({ ...base, ...bad })).toThrow(expect.objectContaining({ code: 'INVALID' }));
    }
  });
});
