// Every route, method and media type of PS3.18 against what the server does: a table of what the standard has, and the server's own
// description of itself, each line of which is tried.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXPLICIT_LITTLE } from '../dicom/transfer-syntax.js';
import { DicomwebRig, type Reply, readMultipart } from '../test/support/dicomweb-rig.js';
import { ct, instancePath, noise } from '../test/support/dicomweb-samples.js';
import { MemoryArchive } from '../test/support/memory-archive.js';
import { nativeImage } from '../test/support/part10-builder.js';
import { createPixelPool, type PixelPool } from '../workers/pixel-pool.js';

const JPEG_LS = '1.2.840.10008.1.2.4.80';
const STUDY = '/studies/1.2.3';
const SERIES = `${STUDY}/series/1.2.3.1`;
const INSTANCE = instancePath('1.2.3.1.1').slice('/dicomweb'.length);
const multipart = (type: string, syntax?: string) =>
  `multipart/related; type="${type}"${syntax === undefined ? '' : `; transfer-syntax=${syntax}`}`;
const DICOM = multipart('application/dicom');
const OCTETS = multipart('application/octet-stream');
const XML = multipart('application/dicom+xml');
const MANY = /^multipart\/related; type="/;

let pixels: PixelPool;
let rig: DicomwebRig;
beforeAll(async () => {
  pixels = createPixelPool({ threads: 1 });
  rig = await DicomwebRig.start({ archive: new MemoryArchive(), pixels });
  const elements = nativeImage({ rows: 64, columns: 64, bits: 16, frames: 2, pixels: noise(2 * 8192, 40) });
  const document = [['00420011', 'OB', noise(3000, 41)] as const, ['00420012', 'LO', 'application/pdf'] as const];
  await rig.stow([ct(1, { elements: [...elements, ...document] }), ct(2, { elements })]);
});
afterAll(async () => {
  await rig.stop();
  await pixels.close();
});

const get = (path: string, accept: string, method = 'GET') =>
  rig.call(`/dicomweb${path}`, { method, headers: { Accept: accept } });

/** Table 10.4.4-1 and the tables of 8.7.3: resource, Accept, status, media type of the answer, and of its parts. */
const STANDARD: readonly (readonly [
  path: string,
  accept: string,
  status: number,
  type: string | RegExp,
  part?: string,
])[] = [
  ['/studies', 'application/dicom+json', 200, 'application/dicom+json'],
  [`${STUDY}/series`, 'application/dicom+json', 200, 'application/dicom+json'],
  [`${STUDY}/instances`, '*/*', 200, 'application/dicom+json'],
  [`${SERIES}/instances`, 'application/json', 200, 'application/json'],
  ['/series', 'application/dicom+json', 200, 'application/dicom+json'],
  ['/instances', 'application/dicom+json', 200, 'application/dicom+json'],
  ...[STUDY, SERIES, INSTANCE].flatMap(
    (path) =>
      [
        [path, DICOM, 200, MANY, `application/dicom;transfer-syntax=${EXPLICIT_LITTLE}`],
        [path, '*/*', 200, MANY, `application/dicom;transfer-syntax=${EXPLICIT_LITTLE}`],
        [path, 'multipart/related', 200, MANY, `application/dicom;transfer-syntax=${EXPLICIT_LITTLE}`],
        [path, multipart('application/dicom', JPEG_LS), 200, MANY, `application/dicom;transfer-syntax=${JPEG_LS}`],
        [path, multipart('application/dicom', '*'), 200, MANY, `application/dicom;transfer-syntax=${EXPLICIT_LITTLE}`],
        [path, OCTETS, 200, MANY],
        [path, 'application/zip', 200, 'application/zip'],
        [path, 'image/jpeg', 406, 'application/problem+json'],
        [path, 'application/dicom+json', 406, 'application/problem+json'],
        [`${path}/metadata`, 'application/dicom+json', 200, 'application/dicom+json'],
        [`${path}/metadata`, 'application/json', 200, 'application/json'],
        [`${path}/metadata`, '*/*', 200, 'application/dicom+json'],
        [`${path}/metadata`, XML, 200, MANY, 'application/dicom+xml'],
        [`${path}/metadata`, 'text/html', 406, 'application/problem+json'],
        [`${path}/bulkdata`, OCTETS, 200, MANY],
        [`${path}/bulkdata`, 'application/octet-stream', 406, 'application/problem+json'],
        [`${path}/pixeldata`, OCTETS, 200, MANY, `application/octet-stream;transfer-syntax=${EXPLICIT_LITTLE}`],
        [`${path}/pixeldata`, multipart('image/jls'), 200, MANY, `image/jls;transfer-syntax=${JPEG_LS}`],
      ] as const,
  ),
  [STUDY, 'application/dicom', 406, 'application/problem+json'],
  [SERIES, 'application/dicom', 406, 'application/problem+json'],
  [INSTANCE, 'application/dicom', 200, `application/dicom;transfer-syntax=${EXPLICIT_LITTLE}`],
  ...(
    [
      ['application/octet-stream', EXPLICIT_LITTLE],
      ['image/jls', JPEG_LS],
      ['image/jp2', '1.2.840.10008.1.2.4.90'],
      ['image/jphc', '1.2.840.10008.1.2.4.201'],
      ['image/dicom-rle', '1.2.840.10008.1.2.5'],
      ['image/jpeg', '1.2.840.10008.1.2.4.70'],
    ] as const
  ).flatMap(
    ([type, syntax]) =>
      [
        [`${INSTANCE}/frames/1,2`, multipart(type), 200, MANY, `${type};transfer-syntax=${syntax}`],
        [`${INSTANCE}/frames/1,2`, type, 406, 'application/problem+json'],
        [`${INSTANCE}/frames/2`, type, 200, `${type};transfer-syntax=${syntax}`],
        [`${INSTANCE}/bulkdata/7FE00010`, multipart(type), 200, MANY, `${type};transfer-syntax=${syntax}`],
      ] as const,
  ),
  [`${INSTANCE}/frames/1`, '*/*', 200, MANY, `application/octet-stream;transfer-syntax=${EXPLICIT_LITTLE}`],
  [`${INSTANCE}/frames/1`, 'video/mp4', 406, 'application/problem+json'],
  [`${INSTANCE}/bulkdata/00420011`, '*/*', 200, 'application/pdf'],
  [`${INSTANCE}/bulkdata/00420011`, 'application/pdf', 200, 'application/pdf'],
  [`${INSTANCE}/bulkdata/00420011`, 'application/octet-stream', 200, 'application/octet-stream'],
  [`${INSTANCE}/bulkdata/00420011`, multipart('application/pdf'), 200, MANY, 'application/pdf'],
  [`${INSTANCE}/bulkdata/00420011`, 'video/mp4', 406, 'application/problem+json'],
];

const ROWS = STANDARD.map(([path, accept, status, type, part]) => ({ path, accept, status, type, part }));

describe('what PS3.18 has for each resource', () => {
  it.each(ROWS)('GET $path with $accept is $status', async ({ path, accept, status, type, part }) => {
    const reply = await get(path, accept);
    expect(reply.status).toBe(status);
    expect(reply.headers['content-type']).toMatch(type);
    if (part === undefined) return;
    for (const { headers } of readMultipart(reply)) expect(headers.get('content-type')).toBe(part);
  });

  it.each(ROWS)('HEAD $path with $accept is the same without a body', async ({ path, accept, status, type }) => {
    const reply = await get(path, accept, 'HEAD');
    expect([reply.status, reply.body.length]).toEqual([status, 0]);
    if (status === 200) expect(reply.headers['content-type']).toMatch(type);
  });

  it('lists in each 406 what is answered then', async () => {
    for (const [path, accept, status] of STANDARD) {
      if (status !== 406) continue;
      const { available } = JSON.parse((await get(path, accept)).body.toString()) as { available?: string[] };
      expect([path, accept, available?.length ?? 0]).not.toEqual([path, accept, 0]);
      for (const each of available ?? [])
        expect([path, each, (await get(path, each)).status]).toEqual([path, each, 200]);
    }
  });
});

interface Entry {
  readonly path: string;
  readonly methods: readonly { readonly method: string; readonly gives: readonly string[] }[];
}

const filled = (path: string) =>
  `/${path
    .replace('{study}', '1.2.3')
    .replace('{series}', '1.2.3.1')
    .replace('{instance}', '1.2.3.1.1')
    .replace('{frames}', '1')
    .replace('{bulkdata}', '7FE00010')}`;

async function capabilities(path: string): Promise<readonly Entry[]> {
  const reply = await get(path, 'application/json', 'OPTIONS');
  expect(reply.status).toBe(200);
  return (JSON.parse(reply.body.toString()) as { resources: Entry[] }).resources;
}

/** Whether the answer has the type that was asked for, in parts or alone. */
function isOf(reply: Reply, asked: string): boolean {
  const wanted = /^multipart\/related; type="(.*)"$/.exec(asked);
  const type = reply.headers['content-type'] ?? '';
  return wanted === null ? type.startsWith(asked) : type.startsWith(`multipart/related; type="${wanted[1]}"`);
}

describe('what the server says of itself', () => {
  it('is true of every resource, method and media type', async () => {
    const entries = await capabilities('/');
    expect(entries.map(({ path }) => path)).toContain(
      'studies/{study}/series/{series}/instances/{instance}/frames/{frames}',
    );
    for (const { path, methods } of entries) {
      const allow = (await get(filled(path), '*/*', 'OPTIONS')).headers.allow?.split(', ');
      for (const { method, gives } of methods) {
        expect(allow).toContain(method);
        if (method !== 'GET') continue;
        for (const [at, type] of gives.entries()) {
          const reply = await get(filled(path), type);
          // What the sample is no example of (video, documents) may be refused or left out, the default never.
          if (at > 0 && reply.status === 406) continue;
          const full = at === 0 || reply.status !== 206;
          expect([path, type, reply.status]).toEqual([path, type, full ? 200 : 206]);
          expect([path, type, isOf(reply, type)]).toEqual([path, type, true]);
        }
      }
    }
  });

  it('covers one resource and what is below it, in WADL too', async () => {
    const below = await capabilities('/studies/1.2.3/series/1.2.3.1');
    expect(below.every(({ path }) => path.startsWith('studies/{study}/series/{series}'))).toBe(true);
    const wadl = await get('/', 'application/vnd.sun.wadl+xml', 'OPTIONS');
    expect(wadl.headers['content-type']).toBe('application/vnd.sun.wadl+xml');
    expect(wadl.body.toString()).toMatch(
      /<resources base="http:\/\/127\.0\.0\.1:\d+\/dicomweb\/"><resource path="studies">/,
    );
    expect(wadl.body.toString()).toContain('<method name="POST" id="StoreInstances">');
    expect((await get('/', 'image/png', 'OPTIONS')).status).toBe(406);
  });

  it('meets whoever opens the base URI', async () => {
    for (const path of ['', '/']) {
      const reply = await get(path, 'text/html,*/*');
      expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/json']);
      expect(reply.body.toString()).toContain('studies/{study}');
    }
  });
});

describe('pages of other origins', () => {
  const asked = (headers: Record<string, string>) => rig.call('/dicomweb/studies', { headers });

  it('may embed and read when they are let in, and see the headers that viewers need', async () => {
    const reply = await asked({ Origin: 'http://localhost:3000' });
    expect(reply.headers['cross-origin-resource-policy']).toBe('cross-origin');
    for (const name of ['Content-Range', 'Content-Length', 'Content-Location', 'ETag', 'Warning', 'X-Total-Count']) {
      expect(reply.headers['access-control-expose-headers']).toContain(name);
    }
    const image = await asked({ Referer: 'http://localhost:3000/viewer?x=1' });
    expect(image.headers['cross-origin-resource-policy']).toBe('cross-origin');
  });

  it('may not embed when they are not', async () => {
    for (const headers of [
      {},
      { Origin: 'https://evil.example' },
      { Referer: 'https://evil.example/http://localhost' },
    ]) {
      expect((await asked(headers)).headers['cross-origin-resource-policy']).toBe('same-origin');
    }
  });

  it('keep what depends on them apart in caches', async () => {
    const headers = { Origin: 'http://localhost:3000', Accept: 'application/dicom' };
    const reply = await rig.call(instancePath('1.2.3.1.1'), { headers });
    expect(reply.headers.vary).toBe('Origin, Accept');
  });
});
