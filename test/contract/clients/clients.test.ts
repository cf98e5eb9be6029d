// The header table against a gateway as it is started: what viewers and programs send, to the letter, and what they need back. The clients
// themselves are in test/e2e/clients; this is what each of them relies on, where nothing but Node is at hand.
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayProcess } from '../../support/gateway-process.js';
import { stow } from '../../support/stow.js';
import { type Answer, type Ask, ask, partsOf, rowsOf } from './ask.js';
import {
  ct,
  files,
  loop,
  MP4,
  mammogram,
  mr,
  NESTED,
  nested,
  PDF,
  path,
  pdf,
  rle,
  seriesPath,
  stored,
  studyPath,
  video,
} from './study.js';
import { type Line, TABLE } from './table.js';

let gateway: GatewayProcess;
beforeAll(async () => {
  gateway = await GatewayProcess.prepare();
  await gateway.start();
  const answer = await stow(gateway.url, files);
  expect(answer.stored).toHaveLength(files.length);
});
afterAll(() => gateway?.destroy());

const send = (request: Ask) => ask(gateway.url, request);
const get = (where: string, headers: Readonly<Record<string, string>> = {}) => send({ path: where, headers });

async function answerTo({ path: where, accept, headers }: Line): Promise<Answer> {
  return get(where, { ...headers, ...(accept === undefined ? {} : { Accept: accept }) });
}

describe('the header table', () => {
  it.each(TABLE.map((line) => [`${line.client}: ${line.what}`, line] as const))('%s', async (_, line) => {
    const answer = await answerTo(line);
    expect(answer.status, answer.body.toString('latin1', 0, 300)).toBe(line.status ?? 200);
    if (line.status === 204) expect(answer.body).toHaveLength(0);
    if (line.type === undefined) return;
    if (line.part === undefined) {
      expect(answer.header('content-type')).toBe(line.type);
      return;
    }
    const parts = partsOf(answer);
    expect(answer.header('content-type').slice(0, line.type.length)).toBe(line.type);
    // The type first and in this case; clients read it from the first part, for all of them.
    expect(parts.map(({ lines }) => lines[0])).toEqual(
      Array.from({ length: line.parts ?? 1 }, () => `Content-Type: ${line.part}`),
    );
    for (const { lines } of parts)
      expect(lines[1]).toMatch(/^Content-Location: (http:\/\/[^/]+)?\/dicomweb\/studies\//);
  });
});

describe('OHIF', () => {
  const values = async (where: string, tag: string) => rowsOf(await get(where)).map((row) => row[tag]?.Value?.[0]);
  const LISTED = [
    '0020000D',
    '00080020',
    '00080030',
    '00080050',
    '00100010',
    '00100020',
    '00100030',
    '00201208',
    '00081030',
    '00080061',
    '00080090',
  ];

  it('reads from the work list what it shows', async () => {
    const list = TABLE.find(({ what }) => what === 'work list')?.path ?? '';
    const rows = rowsOf(await get(list));
    const row = rows.find((each) => each['0020000D']?.Value?.[0] === ct.study);
    expect(LISTED.filter((tag) => row?.[tag]?.Value === undefined)).toEqual([]);
    expect(row?.['00201208']?.Value?.map(Number)).toEqual([stored({ study: ct.study }).length]);
    expect(new Set(row?.['00080061']?.Value)).toEqual(new Set(['CT', 'SR']));
  });

  it.each([
    [`StudyInstanceUID=${ct.study}%5C${mr.study}`, [ct.study, mr.study]],
    [`StudyInstanceUID=${ct.study},${mr.study}`, [ct.study, mr.study]],
    ['ModalitiesInStudy=MR,US', [loop.study, mr.study]],
    ['ModalitiesInStudy=MR%5CUS', [loop.study, mr.study]],
    ['PatientName=*%E5%B0%8F%E4%B8%9C*&fuzzymatching=true', [mammogram.study, rle.study]],
    ['StudyDescription=*mammo*', [mammogram.study]],
  ])('finds the studies of %s', async (query, studies) => {
    const found = await values(`/dicomweb/studies?${query}`, '0020000D');
    expect(found).toHaveLength(studies.length);
    expect(new Set(found)).toEqual(new Set(studies));
  });

  it('gets the metadata of all series at the same time', async () => {
    const series = [...new Set(stored({}).map(seriesPath))];
    const answers = await Promise.all(
      series.map((each) => get(`${each}/metadata`, { Accept: 'application/dicom+json' })),
    );
    expect(answers.map((answer) => rowsOf(answer).length)).toEqual(
      series.map((each) => stored({}).filter((one) => seriesPath(one) === each).length),
    );
    expect(await values(`${path(rle)}/metadata`, '00083002')).toEqual(['1.2.840.10008.1.2.5']);
  });

  it('is told where bulk data is by an address without a dot in it, also inside of sequences', async () => {
    const [row] = rowsOf(await get(`${path(nested)}/metadata`));
    const deep = (row?.['00291001']?.Value?.[0] as typeof row)?.['00291002']?.Value?.[0] as typeof row;
    const uri = deep?.['00291003']?.BulkDataURI ?? '';
    expect(uri).toMatch(/^(http:\/\/127\.0\.0\.1:\d+)?\/dicomweb\/studies\//);
    const { pathname } = new URL(uri, gateway.url);
    expect((await get(pathname)).body.equals(NESTED)).toBe(true);
    const [part] = partsOf(await get(pathname, { Accept: 'multipart/related; type="application/octet-stream"' }));
    expect(part?.body.equals(NESTED)).toBe(true);
  });

  it('behind a proxy is told the addresses that the proxy is called by', async () => {
    const headers = { Forwarded: 'for=192.0.2.1;proto=https;host="pacs.example:8443"', 'X-Forwarded-Prefix': '/film' };
    const root = 'https://pacs.example:8443/film/dicomweb/studies/';
    const [row] = rowsOf(await get(`${path(pdf)}/metadata`, headers));
    expect(row?.['00420011']?.BulkDataURI).toMatch(new RegExp(`^${root}`));
    const [found] = rowsOf(await get('/dicomweb/instances?limit=1', headers));
    expect(found?.['00081190']?.Value?.[0]).toMatch(new RegExp(`^${root}`));
  });

  it('gets a video and a PDF as they are', async () => {
    expect((await get(`${path(video)}/rendered`)).body.equals(MP4)).toBe(true);
    const sent = (await get(`${path(pdf)}/rendered`, { Accept: '*/*' })).body;
    expect(sent.subarray(0, PDF.length).equals(PDF) && sent.length <= PDF.length + 1).toBe(true);
  });

  it('gets thumbnails that fit into the viewport', async () => {
    for (const where of [path(mammogram), seriesPath(mammogram), studyPath(mammogram)]) {
      const { body } = await get(`${where}/thumbnail?viewport=100%2C100`, { Accept: 'image/jpeg' });
      const { width, height } = await sharp(body).metadata();
      // 208 columns, 256 rows.
      expect([width, height]).toEqual([81, 100]);
    }
  });

  it('gets a thumbnail by <img>, in what the browser likes best of what there is', async () => {
    const Accept = 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8';
    const answer = await get(`${path(ct)}/thumbnail`, { Accept });
    expect(answer.header('content-type')).toBe(`image/${(await sharp(answer.body).metadata()).format}`);
  });

  it('stores with an empty line before the first boundary and no line end after the last', async () => {
    const boundary = 'f2b1c9d0-3a4e-11ee-be56-0242ac120002';
    const body = Buffer.concat([
      Buffer.from(`\r\n--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`),
      ct.bytes,
      Buffer.from(`\r\n--${boundary}--`),
    ]);
    const headers = { 'Content-Type': `multipart/related; type="application/dicom"; boundary="${boundary}"` };
    const answer = await send({ method: 'POST', path: '/dicomweb/studies', headers, body });
    expect([answer.status, answer.header('content-type')]).toEqual([200, 'application/dicom+json']);
  });

  it('rejects a series by a code, or is told that this is not had', async () => {
    const answer = await send({ method: 'POST', path: `/dicomweb/studies/2.25.1/series/2.25.1.1/reject/113001%5EDCM` });
    expect([404, 501]).toContain(answer.status);
  });

  it.each([
    '/dicomweb/studies',
    studyPath(ct),
    `${path(ct)}/frames/1`,
    `${path(ct)}/rendered`,
    `${seriesPath(ct)}/thumbnail`,
    `${path(pdf)}/bulkdata/00420011`,
  ])('may use %s from a page of another origin', async (where) => {
    const Origin = 'http://localhost:3000';
    const wanted = 'authorization, accept, content-type, range';
    const asked = { Origin, 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': wanted };
    const preflight = await send({ method: 'OPTIONS', path: where, headers: asked });
    expect([200, 204]).toContain(preflight.status);
    const allowed = preflight.header('access-control-allow-headers').toLowerCase().split(/,\s*/);
    expect(wanted.split(', ').filter((name) => !allowed.includes(name))).toEqual([]);
    expect(preflight.header('access-control-allow-methods')).toContain('GET');
    for (const answer of [preflight, await get(where, { Origin })]) {
      expect(answer.header('access-control-allow-origin')).toBe(Origin);
      expect(answer.header('vary').toLowerCase()).toContain('origin');
    }
    const exposed = (await get(where, { Origin })).header('access-control-expose-headers').toLowerCase().split(/,\s*/);
    const needed = ['content-range', 'content-length', 'content-location', 'etag', 'warning'];
    expect(needed.filter((name) => !exposed.includes(name))).toEqual([]);
    expect((await get(where, { Origin: 'https://elsewhere.example' })).header('access-control-allow-origin')).toBe('');
  });
});

describe('Cornerstone3D', () => {
  const FRAME = { Accept: 'multipart/related; type=application/octet-stream; transfer-syntax=*' };

  it('finds another boundary in every answer', async () => {
    const drawn = new Set<string>();
    for (let at = 0; at < 8; at += 1) {
      const answer = await get(`${path(ct)}/frames/1`, FRAME);
      expect(partsOf(answer)).toHaveLength(1);
      expect(answer.header('content-length')).toBe(String(answer.body.length));
      drawn.add(answer.body.toString('latin1', 0, answer.body.indexOf('\r\n')));
    }
    expect(drawn.size).toBe(8);
  });

  it('reads a frame range by range, or all of it at once', async () => {
    const where = `${path(mammogram)}/frames/1`;
    const single = { Accept: 'application/octet-stream; transfer-syntax=*' };
    const whole = await get(where, single);
    expect([whole.status, whole.header('content-length')]).toEqual([200, String(256 * 208 * 2)]);
    const first = await get(where, { ...single, Range: 'bytes=0-65535' });
    const rest = await get(where, { ...single, Range: 'bytes=65536-' });
    expect([first.status, first.header('content-range')]).toEqual([206, `bytes 0-65535/${whole.body.length}`]);
    expect([rest.status, rest.header('content-range')]).toEqual([
      206,
      `bytes 65536-${whole.body.length - 1}/${whole.body.length}`,
    ]);
    expect(Buffer.concat([first.body, rest.body]).equals(whole.body)).toBe(true);
    // Its streaming mode asks so, and wants all of it with status 200.
    const parts = await get(where, { ...FRAME, Range: 'bytes=0-65535' });
    expect([200, 206]).toContain(parts.status);
    if (parts.status === 200) expect(partsOf(parts)[0]?.body.equals(whole.body)).toBe(true);
  });

  it('takes up to 200 answers at once', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => get(`${path(ct)}/frames/1`, FRAME)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  });
});

describe('Python', () => {
  const BOUNDARY = '0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1';
  const bodyOf = (list: readonly Uint8Array[]) =>
    Buffer.concat([
      ...list.flatMap((bytes) => [Buffer.from(`\r\n--${BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n`), bytes]),
      Buffer.from(`\r\n--${BOUNDARY}--`),
    ]);
  const headers = { 'Content-Type': `multipart/related; type="application/dicom"; boundary="${BOUNDARY}"` };

  it('dicomweb-client stores in chunks, and reads an answer whose type is exactly DICOM JSON', async () => {
    const body = bodyOf(files);
    const pieces = Array.from({ length: Math.ceil(body.length / 10_000) }, (_, at) =>
      body.subarray(at * 10_000, (at + 1) * 10_000),
    );
    const answer = await send({ method: 'POST', path: '/dicomweb/studies', headers, body: pieces });
    expect([answer.status, answer.header('content-type')]).toEqual([200, 'application/dicom+json']);
    const [told] = rowsOf({ ...answer, body: Buffer.from(`[${answer.body.toString()}]`) });
    // Never a 200 that stored nothing: it has no other way to tell. MONAI looks for the series in each address.
    const items = told?.['00081199']?.Value as readonly Record<string, { readonly Value?: readonly string[] }>[];
    expect(items).toHaveLength(files.length);
    for (const item of items) expect(item['00081190']?.Value?.[0]).toContain('/series/');
  });

  it('dicomweb-client pages until a page is empty', async () => {
    const seen = new Set<unknown>();
    for (let page = rowsOf(await get('/dicomweb/instances?limit=3')); page.length > 0; ) {
      for (const row of page) seen.add(row['00080018']?.Value?.[0]);
      page = rowsOf(await get(`/dicomweb/instances?limit=3&offset=${seen.size}`));
    }
    expect(seen.size).toBe(files.length);
  });

  it('MONAI Label finds a series by its UID alone, with what is above it', async () => {
    const rows = rowsOf(await get(`/dicomweb/series?SeriesInstanceUID=${rle.series}`));
    expect(rows).toHaveLength(1);
    const tags = ['0020000D', '00100020', '00080020', '00081190'];
    expect(tags.filter((tag) => rows[0]?.[tag]?.Value === undefined)).toEqual([]);
    expect(rows[0]?.['00081190']?.Value).toEqual([`${gateway.url}${seriesPath(rle)}`]);
  });

  it('3D Slicer stores one file per request, counts by the metadata, and takes a series whole', async () => {
    const answer = await send({ method: 'POST', path: '/dicomweb/studies', headers, body: bodyOf([mr.bytes]) });
    expect(answer.status).toBe(200);
    const count = rowsOf(await get(`${seriesPath(mr)}/metadata`)).length;
    const parts = partsOf(await get(seriesPath(mr), { Accept: 'multipart/related; type="application/dicom"' }));
    expect([count, parts.length]).toEqual([stored(mr).length, stored(mr).length]);
  });
});

describe('Weasis', () => {
  it('follows the address of a series', async () => {
    const [row] = rowsOf(await get(`${studyPath(ct)}/series?limit=1`));
    const address = String(row?.['00081190']?.Value?.[0]);
    expect(address.startsWith(gateway.url)).toBe(true);
    const answer = await get(new URL(address).pathname, { Accept: 'multipart/related;type="application/dicom";null' });
    expect(partsOf(answer).length).toBeGreaterThan(0);
  });

  it('does not lose its thumbnails to an object that has none', async () => {
    // 404, 405 and 501 switch them off until it is started again.
    const answer = await get(`${path(nested)}/thumbnail?viewport=128%2C128`, { Accept: 'image/jpeg' });
    expect([404, 405, 501]).not.toContain(answer.status);
  });

  it('stores, and reads the answer in XML', async () => {
    const body = Buffer.concat([
      Buffer.from('--weasis-1234567890\r\nContent-Type: application/dicom\r\n\r\n'),
      ct.bytes,
      Buffer.from('\r\n--weasis-1234567890--\r\n'),
    ]);
    const headers = {
      'Content-Type': 'multipart/related;type="application/dicom";boundary=weasis-1234567890',
      Accept: 'application/dicom+xml',
    };
    const answer = await send({ method: 'POST', path: '/dicomweb/studies', headers, body });
    expect([answer.status, answer.header('content-type')]).toEqual([200, 'application/dicom+xml']);
    expect(answer.body.toString()).toMatch(/^<\?xml .*<NativeDicomModel.*ReferencedSOPSequence/s);
  });
});
