// FAULTS 1 to 16: hostile and broken HTTP over real sockets. After each, nothing of it stays behind and the next request is
// served; the number in a name is the fault's.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BOUNDARY, DicomwebRig, multipartBody, STOW_TYPE, untilClosed } from '../support/dicomweb-rig.js';
import { MemoryArchive } from '../support/memory-archive.js';
import { buildPart10, nativeImage } from '../support/part10-builder.js';

const GRACE_MS = 300;
const STUDY = '1.2.3';
const ct = (number: number, note = '') =>
  buildPart10({
    study: STUDY,
    series: '1.2.3.1',
    sop: `1.2.3.1.${number}`,
    elements: [
      ['00081030', 'LO', note],
      ...nativeImage({ rows: 10, columns: 10, bits: 16, frames: 2, pixels: Buffer.alloc(400, number) }),
    ],
  });
const INSTANCE = '/dicomweb/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1';

let archive: MemoryArchive;
let rig: DicomwebRig;
beforeEach(async () => {
  archive = new MemoryArchive();
  rig = await DicomwebRig.start({ archive, limits: { bodyGraceMs: GRACE_MS, lingerMs: 50 } });
});
afterEach(async () => {
  // The next request is served, and nobody is left reading a body that will not come.
  expect([200, 204]).toContain((await rig.call('/dicomweb/studies')).status);
  expect(archive.receiving).toBe(0);
  await rig.stop();
});

const head = (lines: readonly string[]) =>
  `${['POST /dicomweb/studies HTTP/1.1', 'Host: x', ...lines].join('\r\n')}\r\n\r\n`;
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);

async function send(text: string | Buffer, then?: 'end' | 'destroy'): Promise<string> {
  const socket = await rig.socket();
  const answer = untilClosed(socket);
  socket.write(text);
  if (then === 'end') socket.end();
  if (then === 'destroy') setTimeout(() => socket.destroy(), 50);
  return answer;
}

async function eventually(check: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !check(); tries++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(check()).toBe(true);
}

describe('lengths that lie', () => {
  it('1: Content-Length of 4 GiB over 10 bytes is ended with 408, and no memory is taken for it', async () => {
    const before = process.memoryUsage().rss;
    const answer = await send(`${head([`Content-Type: ${STOW_TYPE}`, 'Content-Length: 4294967296'])}0123456789`);
    expect(statusOf(answer)).toBe(408);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });

  it('2: a Content-Length shorter than the body stores what is whole and drops the connection at the rest', async () => {
    const body = multipartBody([ct(1)]);
    const request = head([`Content-Type: ${STOW_TYPE}`, `Content-Length: ${body.length - 60}`]);
    const answer = await send(Buffer.concat([Buffer.from(request), body]));
    expect(statusOf(answer)).toBe(400);
    expect(archive.size).toBe(0);
  });

  it('2: a Content-Length longer than the body is ended with 408; the whole parts stay stored', async () => {
    const body = multipartBody([ct(1), ct(2)]).subarray(0, -100);
    const request = head([`Content-Type: ${STOW_TYPE}`, `Content-Length: ${body.length + 100}`]);
    expect(statusOf(await send(Buffer.concat([Buffer.from(request), body])))).toBe(408);
    expect(archive.size).toBe(1);
  });

  it('2: both Content-Length and Transfer-Encoding are refused with 400 and the connection is closed', async () => {
    const request = head([`Content-Type: ${STOW_TYPE}`, 'Content-Length: 5', 'Transfer-Encoding: chunked']);
    expect(statusOf(await send(`${request}0\r\n\r\n`))).toBe(400);
  });
});

describe('bodies', () => {
  it.each(['gzip', 'deflate', 'br', 'x-bomb'])(
    '3: Content-Encoding %s is refused with 415 before the body is read',
    async (encoding) => {
      const reply = await rig.stow([ct(1)], '/dicomweb/studies', { 'Content-Encoding': encoding });
      expect(reply.status).toBe(415);
      expect(archive.size).toBe(0);
    },
  );

  it.each([
    ['no boundary', 'multipart/related; type="application/dicom"'],
    ['71 characters', `multipart/related; boundary=${'a'.repeat(71)}`],
    ['an empty one', 'multipart/related; boundary=""'],
    ['characters outside of the grammar', 'multipart/related; boundary="a<b>"'],
    ['a space at the end', 'multipart/related; boundary="ab "'],
    ['one that is not in the body', 'multipart/related; boundary=other'],
  ])('4: a boundary of %s is refused with 400', async (_, type) => {
    const reply = await rig.stow([ct(1)], '/dicomweb/studies', { 'Content-Type': type });
    expect(reply.status).toBe(400);
    expect(archive.size).toBe(0);
  });

  it('4: the boundary -- is as good as any other', async () => {
    const headers = { 'Content-Type': 'multipart/related; boundary="--"' };
    const reply = await rig.call('/dicomweb/studies', { method: 'POST', headers, body: multipartBody([ct(1)], '--') });
    expect(reply.status).toBe(200);
  });

  it('5: a client that hangs up in a part leaves nothing of that part, and all of the parts before it', async () => {
    const body = multipartBody([ct(1), ct(2), ct(3)]);
    const request = head([`Content-Type: ${STOW_TYPE}`, `Content-Length: ${body.length}`]);
    await send(Buffer.concat([Buffer.from(request), body.subarray(0, body.length - 300)]), 'destroy');
    await eventually(() => archive.receiving === 0);
    expect(archive.size).toBe(2);
  });

  it('6: a flood of empty parts ends with 413 at the limit', async () => {
    const limited = await DicomwebRig.start({ archive, limits: { partsMax: 1000 } });
    const body = Buffer.from(`${`--${BOUNDARY}\r\n\r\n\r\n`.repeat(100_000)}--${BOUNDARY}--`);
    const reply = await limited.call('/dicomweb/studies', {
      method: 'POST',
      headers: { 'Content-Type': STOW_TYPE },
      body,
    });
    expect(reply.status).toBe(413);
    expect(reply.body.toString()).toContain('more than 1000 parts');
    await limited.stop();
  });

  it.each([
    ['1 MiB of part headers', `X: ${'y'.repeat(1024 * 1024)}\r\n`],
    ['10,000 headers in a part', 'X: y\r\n'.repeat(10_000)],
  ])('6: %s are refused with 413', async (_, headers) => {
    const body = Buffer.from(`--${BOUNDARY}\r\n${headers}\r\n\r\n--${BOUNDARY}--`);
    const reply = await rig.call('/dicomweb/studies', { method: 'POST', headers: { 'Content-Type': STOW_TYPE }, body });
    expect(reply.status).toBe(413);
  });

  it('7: a body of a byte now and then is ended with 408 at the least rate', async () => {
    const socket = await rig.socket();
    const answer = untilClosed(socket);
    socket.write(head([`Content-Type: ${STOW_TYPE}`, 'Content-Length: 100000']));
    const trickle = setInterval(() => socket.write('-'), 20);
    const began = performance.now();
    expect(statusOf(await answer)).toBe(408);
    clearInterval(trickle);
    expect(performance.now() - began).toBeLessThan(GRACE_MS * 6);
  });

  it('7: a body that is only slow, above the least rate, is stored', async () => {
    const body = multipartBody([ct(1)]);
    const socket = await rig.socket();
    const answer = untilClosed(socket);
    socket.write(head([`Content-Type: ${STOW_TYPE}`, `Content-Length: ${body.length}`, 'Connection: close']));
    const step = Math.ceil(body.length / 12);
    for (let at = 0; at < body.length; at += step) {
      socket.write(body.subarray(at, at + step));
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    expect(statusOf(await answer)).toBe(200);
  });

  it.each(['file:///etc/passwd', 'http://169.254.169.254/latest/meta-data', '../../x'])(
    '8: Content-Location %s of a part is ignored',
    async (location) => {
      const body = Buffer.concat([
        Buffer.from(`--${BOUNDARY}\r\nContent-Type: application/dicom\r\nContent-Location: ${location}\r\n\r\n`),
        ct(1),
        Buffer.from(`\r\n--${BOUNDARY}--`),
      ]);
      const reply = await rig.call('/dicomweb/studies', {
        method: 'POST',
        headers: { 'Content-Type': STOW_TYPE },
        body,
      });
      expect(reply.status).toBe(200);
      expect(reply.body.toString()).not.toContain(location);
    },
  );

  it('10: of 2,000 parts with one bad, 202 names only the bad one and the others are stored', async () => {
    const parts = Array.from({ length: 2000 }, (_, n) => (n === 1000 ? ct(n).subarray(0, 300) : ct(n)));
    const reply = await rig.stow(parts);
    expect(reply.status).toBe(202);
    const answer = JSON.parse(reply.body.toString()) as Record<string, { Value?: unknown[] }>;
    const failures = [...(answer['00081198']?.Value ?? []), ...(answer['0008119A']?.Value ?? [])];
    expect(failures).toHaveLength(1);
    expect(archive.size).toBe(1999);
  });

  it('an empty multipart is 400, never 200 with nothing stored', async () => {
    expect((await rig.stow([])).status).toBe(400);
    const headers = { 'Content-Type': 'application/dicom' };
    expect((await rig.call('/dicomweb/studies', { method: 'POST', headers, body: Buffer.alloc(0) })).status).toBe(409);
  });

  it.each(['FULL', 'UNAVAILABLE'] as const)('storage that answers %s is 503 with Retry-After', async (code) => {
    archive.faults.ingest = code;
    const reply = await rig.stow([ct(1), ct(2)]);
    expect([reply.status, reply.headers['retry-after']]).toEqual([503, '5']);
    archive.faults.ingest = null;
  });
});

describe('headers, queries and paths', () => {
  it.each([
    ['10 kB of media ranges', 'application/x-unknown; q=0.5, '.repeat(340)],
    ['q-bombs', `application/x;q=${'0'.repeat(8000)}`],
    ['an unknown transfer syntax', 'multipart/related; type="application/dicom"; transfer-syntax=1.2.3.4'],
    ['quotes that never close', `multipart/related; type="${'"'.repeat(5001)}`],
  ])('11: Accept of %s is 406 in bounded time', async (_, accept) => {
    await rig.stow([ct(1)]);
    const began = performance.now();
    expect((await rig.call(INSTANCE, { headers: { Accept: accept } })).status).toBe(406);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it.each([
    ['10,000 overlapping ranges', `bytes=${'0-1,'.repeat(2500)}0-1`],
    ['a negative first byte', 'bytes=--5'],
    ['one beyond the end', 'bytes=200-300'],
    ['one beyond 2^53', 'bytes=9007199254740993-9007199254740999'],
    ['more digits than a number has', `bytes=0-${'9'.repeat(400)}`],
    ['one that ends before it begins', 'bytes=5-4'],
    ['an empty suffix', 'bytes=-0'],
  ])('12: Range of %s on a frame is 416', async (_, range) => {
    await rig.stow([ct(1)]);
    const headers = { Accept: 'application/octet-stream', Range: range };
    const reply = await rig.call(`${INSTANCE}/frames/1`, { headers });
    expect([reply.status, reply.headers['content-range']]).toEqual([416, 'bytes */200']);
  });

  it('12: a unit that is not bytes is ignored, and a multipart answer comes whole', async () => {
    await rig.stow([ct(1)]);
    const lines = { Accept: 'application/octet-stream', Range: 'lines=1-2' };
    expect((await rig.call(`${INSTANCE}/frames/1`, { headers: lines })).status).toBe(200);
    expect((await rig.call(`${INSTANCE}/frames/1`, { headers: { Range: 'bytes=0-9' } })).status).toBe(200);
  });

  it.each([
    ['limit=1e9', 400],
    ['offset=-1', 400],
    ['offset=1e3', 400],
    ['NoSuchTag=1', 'warned'],
    ['00zz0010=1', 'warned'],
    ['StudyDate=2026-02-30', 400],
    ["StudyInstanceUID=1' OR '1'='1", 400],
    [`includefield=${Array.from({ length: 400 }, (_, n) => `0010${(0x1000 + n).toString(16)}`).join(',')}`, 400],
    [`PatientName=${'*'.repeat(900)}`, 200],
    ["PatientName='; DROP TABLE studies; --", 204],
    ['limit=1000000000', 200],
    ['__proto__=1', 'warned'],
    [Array.from({ length: 500 }, () => 'a=1').join('&'), 400],
    [`PatientName=${'x'.repeat(13_000)}`, 400],
  ] as const)(
    '13: query %# is refused, or answered with a header that says what was left out',
    async (query, expected) => {
      await rig.stow([ct(1)]);
      const reply = await rig.call(`/dicomweb/studies?${query.replaceAll(' ', '%20')}`);
      expect(reply.status).toBe(expected === 'warned' ? 200 : expected);
      if (expected === 400) expect(reply.headers['content-type']).toBe('application/problem+json');
      if (expected === 'warned') expect(reply.headers['warning']).toMatch(/^299 filmroom "/);
    },
  );

  it("13: a result that is cut at the server's own limit says so in a Warning", async () => {
    const small = await DicomwebRig.start({ archive, limits: { queryRowsDefault: 2, queryRowsMax: 3 } });
    await rig.stow([ct(1), ct(2), ct(3), ct(4)]);
    const warning = async (query: string) => (await small.call(`/dicomweb/instances${query}`)).headers['warning'];
    expect(await warning('')).toMatch(/^299 filmroom "/);
    expect(await warning('?limit=100')).toMatch(/^299 filmroom "/);
    expect(await warning('?limit=1')).toBeUndefined();
    await small.stop();
  });

  it.each([
    '/dicomweb/studies/%2e%2e%2fetc',
    '/dicomweb/studies/%2E%2e%2Fetc%2Fpasswd/metadata',
    '/dicomweb/studies/../../etc/passwd',
    '/dicomweb/studies/1.2%00',
    '/dicomweb/studies/1.2.3%2',
    '/dicomweb/studies/abc',
    '/dicomweb/studies/1..2',
    '/dicomweb/studies/.1.2',
    `/dicomweb/studies/${'1.'.repeat(33)}1`,
    `/dicomweb/studies/1.2/series/1.2/instances/1.2/frames/${'1,'.repeat(9000)}1`.slice(0, 12_000),
    '/dicomweb/studies/1.2/series/x/metadata',
    '/dicomweb/studies/1.2/series/1.3/instances/%27',
  ])('14: %.60s is 400 and the archive is not asked', async (path) => {
    const before = archive.asked;
    expect((await rig.call(path)).status).toBe(400);
    expect(archive.asked).toBe(before);
  });

  it('16: 50 clients that store one study at once leave each instance once; other bytes of the same UIDs are refused', async () => {
    const study = Array.from({ length: 10 }, (_, n) => ct(n));
    const changed = study.map((_, n) => ct(n, 'changed'));
    const replies = await Promise.all(Array.from({ length: 50 }, () => rig.stow(study)));
    expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([200]));
    expect(archive.size).toBe(10);
    const refused = await rig.stow(changed);
    expect(refused.status).toBe(409);
    expect(JSON.parse(refused.body.toString())['00081198'].Value).toHaveLength(10);
    const kept = await rig.call(INSTANCE, { headers: { Accept: 'application/dicom' } });
    expect(kept.body.equals(ct(1))).toBe(true);
  });
});
