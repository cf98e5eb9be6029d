// The DICOMweb surface over any Archive: what clients send and what they need back (docs: CLIENTS rules as tests). An
// implementation of Archive calls `describeDicomweb` with a factory; each test gets a fresh, empty archive.
import { createHash } from 'node:crypto';
import { deflateRawSync, gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Archive } from '../../tiering/archive/archive.js';
import { DicomwebRig, type Reply, readMultipart } from '../support/dicomweb-rig.js';
import { buildPart10, CT_IMAGE, type Element, nativeImage, type Part10Options } from '../support/part10-builder.js';

export interface ArchiveUnderTest {
  readonly archive: Archive;
  readonly close: () => Promise<void>;
}

const STUDY = '1.2.3';
const SERIES = '1.2.3.1';
const JPEG_LS = '1.2.840.10008.1.2.4.80';
const EXPLICIT = '1.2.840.10008.1.2.1';
const BIG = '1.2.840.10008.1.2.2';
const AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*';

const instancePath = (sop: string, series = SERIES, study = STUDY) =>
  `/dicomweb/studies/${study}/series/${series}/instances/${sop}`;

function ct(number: number, options: Partial<Part10Options> = {}): Buffer {
  return buildPart10({
    study: STUDY,
    series: SERIES,
    sop: `1.2.3.1.${number}`,
    ...options,
    elements: [['00200013', 'IS', String(number)], ...(options.elements ?? [])],
  });
}

/** Bytes that differ everywhere. */
function noise(length: number, seed: number): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at * 32 < length; at++) blocks.push(createHash('sha256').update(`${seed}/${at}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

const json = (reply: Reply) =>
  JSON.parse(reply.body.toString('utf8')) as Record<string, { vr: string; Value?: unknown[] }>[];
type Item = Record<string, { vr: string; Value?: unknown[] }>;
const itemsOf = (reply: Reply, tag: string): Item[] =>
  ((JSON.parse(reply.body.toString('utf8')) as Item)[tag]?.Value ?? []) as Item[];

/** The suite. */
export function describeDicomweb(name: string, makeArchive: () => Promise<ArchiveUnderTest>): void {
  describe(`${name} over DICOMweb`, () => {
    let subject: ArchiveUnderTest;
    let rig: DicomwebRig;
    beforeEach(async () => {
      subject = await makeArchive();
      rig = await DicomwebRig.start({ archive: subject.archive });
    });
    afterEach(async () => {
      await rig.stop();
      await subject.close();
    });
    const rigOf = () => rig;
    describeStore(rigOf);
    describeSearch(rigOf);
    describeRetrieve(rigOf);
    describeMetadata(rigOf);
    describeFrames(rigOf);
    describeBulkData(rigOf);
    describeProtocol(rigOf);
  });
}

function describeStore(rig: () => DicomwebRig): void {
  describe('STOW-RS', () => {
    it('answers 200 in bare application/dicom+json, with class, instance and a RetrieveURL that holds /series/', async () => {
      const reply = await rig().stow([ct(1), ct(2)]);
      expect(reply.status).toBe(200);
      expect(reply.headers['content-type']).toBe('application/dicom+json');
      const stored = itemsOf(reply, '00081199');
      expect(stored.map((item) => item['00081155']?.Value)).toEqual([['1.2.3.1.1'], ['1.2.3.1.2']]);
      expect(stored[0]?.['00081150']?.Value).toEqual([CT_IMAGE]);
      expect(stored[0]?.['00081190']?.Value?.[0]).toMatch(
        /^http:\/\/127\.0\.0\.1:\d+\/dicomweb\/studies\/1\.2\.3\/series\//,
      );
      expect(itemsOf(reply, '00081198')).toEqual([]);
    });

    it('takes the same bytes again as a success and refuses other bytes of the same UID with 0111', async () => {
      expect((await rig().stow([ct(1)])).status).toBe(200);
      expect((await rig().stow([ct(1)])).status).toBe(200);
      const reply = await rig().stow([ct(1, { elements: [['00081030', 'LO', 'Other']] })]);
      expect(reply.status).toBe(409);
      expect(itemsOf(reply, '00081198')[0]?.['00081197']?.Value).toEqual([0x0111]);
      const kept = await rig().call(instancePath('1.2.3.1.1'), { headers: { Accept: 'application/dicom' } });
      expect(kept.body.equals(ct(1))).toBe(true);
    });

    it('names only the bad one of many parts, answers 202 and keeps the good ones', async () => {
      const reply = await rig().stow([ct(1), Buffer.from('not DICOM at all'), ct(2)]);
      expect(reply.status).toBe(202);
      expect(itemsOf(reply, '00081199')).toHaveLength(2);
      expect(itemsOf(reply, '0008119A')).toHaveLength(1);
      expect(itemsOf(reply, '0008119A')[0]?.['00081197']?.Value).toEqual([0xc000]);
    });

    it('refuses an instance of another study than the path names with A900', async () => {
      const reply = await rig().stow([ct(1)], '/dicomweb/studies/9.9');
      expect(reply.status).toBe(409);
      expect(itemsOf(reply, '00081198')[0]?.['00081197']?.Value).toEqual([0xa900]);
      expect((await rig().call('/dicomweb/studies')).status).toBe(204);
    });

    it('takes a single part of application/dicom', async () => {
      const headers = { 'Content-Type': 'application/dicom' };
      const reply = await rig().call('/dicomweb/studies', { method: 'POST', headers, body: ct(1) });
      expect(reply.status).toBe(200);
      expect(itemsOf(reply, '00081199')).toHaveLength(1);
    });

    it.each([
      ['upper case and no quotes', 'Multipart/Related;TYPE=Application/Dicom;BOUNDARY=guid'],
      ['no type at all', 'multipart/related; boundary="guid"'],
    ])('takes a Content-Type with %s, a leading CRLF and no CRLF at the end', async (_, type) => {
      const body = Buffer.concat([
        Buffer.from('\r\n--guid\r\nContent-Type: application/dicom\r\n\r\n'),
        ct(1),
        Buffer.from('\r\n--guid--'),
      ]);
      const reply = await rig().call('/dicomweb/studies', { method: 'POST', headers: { 'Content-Type': type }, body });
      expect(reply.status).toBe(200);
    });

    it('takes a chunked body in small chunks', async () => {
      const whole = Buffer.concat([Buffer.from('--b\r\n\r\n'), ct(1), Buffer.from('\r\n--b--')]);
      const chunks = Array.from({ length: Math.ceil(whole.length / 7) }, (_, n) => whole.subarray(n * 7, n * 7 + 7));
      const headers = { 'Content-Type': 'multipart/related; boundary=b', 'Transfer-Encoding': 'chunked' };
      expect((await rig().call('/dicomweb/studies', { method: 'POST', headers, body: chunks })).status).toBe(200);
    });

    it('answers in XML when that is what is accepted', async () => {
      const reply = await rig().stow([ct(1)], '/dicomweb/studies', { Accept: 'application/dicom+xml' });
      expect(reply.headers['content-type']).toBe('application/dicom+xml');
      expect(reply.body.toString()).toContain(
        '<DicomAttribute tag="00081155" vr="UI" keyword="ReferencedSOPInstanceUID"><Value number="1">1.2.3.1.1</Value>',
      );
    });

    it('keeps the good parts before a malformed tail, answers 202 and says that the tail was bad', async () => {
      const whole = Buffer.concat([
        Buffer.from('--b\r\n\r\n'),
        ct(1),
        Buffer.from('\r\n--b\r\n\r\n'),
        ct(2).subarray(0, 200),
      ]);
      const headers = { 'Content-Type': 'multipart/related; boundary=b' };
      const reply = await rig().call('/dicomweb/studies', { method: 'POST', headers, body: whole });
      expect(reply.status).toBe(202);
      expect(itemsOf(reply, '00081199').map((item) => item['00081155']?.Value)).toEqual([['1.2.3.1.1']]);
      expect(itemsOf(reply, '0008119A')).toHaveLength(1);
    });
  });
}

function describeSearch(rig: () => DicomwebRig): void {
  describe('QIDO-RS', () => {
    const fill = async () => {
      const other: readonly Element[] = [
        ['00080020', 'DA', '20250601'],
        ['00080060', 'CS', 'MR'],
        ['00100010', 'PN', 'Wang^XiaoDong=王^小东'],
        ['00100020', 'LO', 'PID2'],
      ];
      const mr = buildPart10({ study: '1.2.4', series: '1.2.4.1', sop: '1.2.4.1.1', elements: other });
      expect((await rig().stow([ct(1), ct(2), ct(3, { series: '1.2.3.2', sop: '1.2.3.2.3' }), mr])).status).toBe(200);
    };
    const uids = async (path: string, tag: string) => {
      const reply = await rig().call(`/dicomweb/${path}`);
      return reply.status === 204
        ? []
        : json(reply)
            .map((row) => row[tag]?.Value?.[0])
            .sort();
    };

    it('answers 204 without a body where nothing matches', async () => {
      const reply = await rig().call('/dicomweb/studies');
      expect(reply.status).toBe(204);
      expect(reply.body).toHaveLength(0);
    });

    it('finds on all six paths, each row with its RetrieveURL, availability and what is above it', async () => {
      await fill();
      expect(await uids('studies', '0020000D')).toEqual(['1.2.3', '1.2.4']);
      expect(await uids('series', '0020000E')).toEqual(['1.2.3.1', '1.2.3.2', '1.2.4.1']);
      expect(await uids('instances', '00080018')).toHaveLength(4);
      expect(await uids('studies/1.2.3/series', '0020000E')).toEqual(['1.2.3.1', '1.2.3.2']);
      expect(await uids('studies/1.2.3/instances', '00080018')).toHaveLength(3);
      expect(await uids('studies/1.2.3/series/1.2.3.1/instances', '00080018')).toEqual(['1.2.3.1.1', '1.2.3.1.2']);
      const [row] = json(await rig().call('/dicomweb/studies/1.2.3/series/1.2.3.1/instances?limit=1'));
      expect(row?.['0020000D']?.Value).toEqual(['1.2.3']);
      expect(row?.['00100020']?.Value).toEqual(['PID1']);
      expect(row?.['00080056']?.Value).toEqual(['ONLINE']);
      expect(row?.['00081190']?.Value?.[0]).toMatch(
        /\/studies\/1\.2\.3\/series\/1\.2\.3\.1\/instances\/1\.2\.3\.1\.\d$/,
      );
      expect(Object.keys(row ?? {})).toEqual(Object.keys(row ?? {}).sort());
    });

    it.each([
      ['PatientName=*doe*', ['1.2.3']],
      ['00100020=PID2', ['1.2.4']],
      ['ModalitiesInStudy=CT,MR', ['1.2.3', '1.2.4']],
      ['ModalitiesInStudy=MR', ['1.2.4']],
      ['StudyDate=20260101-', ['1.2.3']],
      ['StudyDate=-20251231', ['1.2.4']],
      ['StudyInstanceUID=1.2.3%5C1.2.4', ['1.2.3', '1.2.4']],
      ['0020000D=1.2.3,9.9', ['1.2.3']],
      ['PatientName=Nobody', []],
      ['PatientName=&accept=application/dicom+json', ['1.2.3', '1.2.4']],
    ])('matches studies by %s', async (query, expected) => {
      await fill();
      expect(await uids(`studies?${query}`, '0020000D')).toEqual(expected);
    });

    it('pages to an end: every study once, then nothing', async () => {
      await fill();
      const seen: string[] = [];
      for (let offset = 0; ; offset++) {
        const page = await uids(`studies?limit=1&offset=${offset}`, '0020000D');
        if (page.length === 0) break;
        seen.push(...page);
      }
      expect(seen.sort((a, b) => a.localeCompare(b))).toEqual(['1.2.3', '1.2.4']);
    });

    it('gives names in UTF-8 and included attributes', async () => {
      await fill();
      const [row] = json(await rig().call('/dicomweb/studies?PatientID=PID2&includefield=00200011,SeriesDescription'));
      expect(row?.['00100010']?.Value).toEqual([{ Alphabetic: 'Wang^XiaoDong', Ideographic: '王^小东' }]);
    });

    it.each([
      ['application/dicom+json, multipart/related; type="application/dicom+xml"', 'application/dicom+json'],
      ['application/json', 'application/json'],
      ['*/*', 'application/dicom+json'],
    ])('negotiates %s', async (accept, type) => {
      await fill();
      const reply = await rig().call('/dicomweb/studies', { headers: { Accept: accept } });
      expect(reply.headers['content-type']).toBe(type);
    });

    it('refuses XML with 406', async () => {
      const headers = { Accept: 'multipart/related; type="application/dicom+xml"' };
      expect((await rig().call('/dicomweb/studies', { headers })).status).toBe(406);
    });
  });
}

function describeRetrieve(rig: () => DicomwebRig): void {
  describe('WADO-RS of instances', () => {
    it('gives a study in parts of equal type, byte for byte, with their length announced', async () => {
      const sent = [ct(1), ct(2), ct(3)];
      await rig().stow(sent);
      const reply = await rig().call('/dicomweb/studies/1.2.3', { headers: { Accept: AS_STORED } });
      expect(reply.status).toBe(200);
      expect(reply.headers['content-length']).toBe(String(reply.body.length));
      expect(reply.headers['content-type']).toMatch(
        /^multipart\/related; type="application\/dicom"; boundary=[0-9a-f]{32,}$/,
      );
      const parts = readMultipart(reply);
      expect(parts.map((part) => part.body.equals(sent[parts.indexOf(part)] ?? Buffer.alloc(0)))).toEqual([
        true,
        true,
        true,
      ]);
      expect(parts[0]?.head).toMatch(
        new RegExp(`^Content-Type: application/dicom;transfer-syntax=${EXPLICIT}\r\nContent-Location: `),
      );
    });

    it('gives a series and an instance alike, and one instance as a single part with a range', async () => {
      await rig().stow([ct(1), ct(2, { series: '1.2.3.2' })]);
      const series = await rig().call('/dicomweb/studies/1.2.3/series/1.2.3.1', { headers: { Accept: AS_STORED } });
      expect(readMultipart(series)).toHaveLength(1);
      expect(readMultipart(await rig().call(instancePath('1.2.3.1.1')))[0]?.body.equals(ct(1))).toBe(true);
      const headers = { Accept: 'application/dicom', Range: 'bytes=128-131' };
      const reply = await rig().call(instancePath('1.2.3.1.1'), { headers });
      expect(reply.status).toBe(206);
      expect(reply.body.toString()).toBe('DICM');
      expect(reply.headers['content-range']).toBe(`bytes 128-131/${ct(1).length}`);
    });

    it('gives what is stored compressed only as stored, and says how to ask when it may not', async () => {
      const compressed = ct(1, { transferSyntax: JPEG_LS, elements: image([noise(100, 1)]) });
      await rig().stow([compressed]);
      const refused = await rig().call(instancePath('1.2.3.1.1'), { headers: { Accept: 'application/dicom' } });
      expect(refused.status).toBe(406);
      expect(refused.headers['content-type']).toBe('application/problem+json');
      expect(refused.body.toString()).toMatch(/1\.2\.840\.10008\.1\.2\.4\.80.*transfer-syntax=\*/);
      for (const syntax of ['*', JPEG_LS]) {
        const headers = { Accept: `multipart/related; type="application/dicom"; transfer-syntax=${syntax}` };
        const reply = await rig().call(instancePath('1.2.3.1.1'), { headers });
        expect(readMultipart(reply)[0]?.body.equals(compressed)).toBe(true);
      }
    });

    it('refuses a single part of many with 406 and what does not exist with 404', async () => {
      await rig().stow([ct(1), ct(2)]);
      expect((await rig().call('/dicomweb/studies/1.2.3', { headers: { Accept: 'application/dicom' } })).status).toBe(
        406,
      );
      for (const path of [
        '/dicomweb/studies/9',
        '/dicomweb/studies/1.2.3/series/9',
        instancePath('9'),
        '/dicomweb/studies/9/metadata',
      ]) {
        expect([path, (await rig().call(path)).status]).toEqual([path, 404]);
      }
    });
  });
}

/** Elements of an image of one fragment a frame. */
function image(fragments: readonly Buffer[]): readonly Element[] {
  const geometry = { rows: 10, columns: 10, bits: 8, frames: fragments.length, pixels: Buffer.alloc(0) };
  return [...nativeImage(geometry).slice(0, -1), ['7FE00010', 'OB', fragments]];
}

function describeMetadata(rig: () => DicomwebRig): void {
  describe('metadata', () => {
    it('is one array of data sets at each level, in reading order', async () => {
      await rig().stow([ct(2), ct(1), ct(3, { series: '1.2.3.2', elements: [['00200011', 'IS', '2']] })]);
      const numbers = async (path: string) =>
        json(await rig().call(`/dicomweb/studies/1.2.3${path}/metadata`)).map((each) => each['00200013']?.Value?.[0]);
      expect(await numbers('')).toEqual([1, 2, 3]);
      expect(await numbers('/series/1.2.3.1')).toEqual([1, 2]);
      expect(await numbers('/series/1.2.3.1/instances/1.2.3.1.2')).toEqual([2]);
    });

    it('is compressed when that is accepted, and not sent again while nothing changed', async () => {
      await rig().stow([ct(1), ct(2)]);
      const path = '/dicomweb/studies/1.2.3/metadata';
      const plain = await rig().call(path);
      const packed = await rig().call(path, { headers: { 'Accept-Encoding': 'gzip, br' } });
      expect(packed.headers['content-encoding']).toBe('gzip');
      expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
      const headers = { 'If-None-Match': String(plain.headers.etag) };
      expect((await rig().call(path, { headers })).status).toBe(304);
      await rig().stow([ct(3)]);
      expect((await rig().call(path, { headers })).status).toBe(200);
    });

    it('names bulk data by a root-relative URI, or as the proxy in front is called, that can be fetched', async () => {
      const pixels = noise(200_000, 1);
      const elements = nativeImage({ rows: 100, columns: 1000, bits: 16, frames: 1, pixels });
      await rig().stow([ct(1, { elements })]);
      const uri = (reply: Reply) => (json(reply)[0]?.['7FE00010'] as { BulkDataURI?: string } | undefined)?.BulkDataURI;
      const path = `${instancePath('1.2.3.1.1')}/metadata`;
      const relative = uri(await rig().call(path));
      expect(relative).toBe(`${instancePath('1.2.3.1.1')}/bulkdata/7FE00010`);
      expect((await rig().call(String(relative))).body.equals(pixels)).toBe(true);
      const headers = { Forwarded: 'for=10.0.0.1;proto=https;host=pacs.example', 'X-Forwarded-Prefix': '/film' };
      expect(uri(await rig().call(path, { headers }))).toBe(`https://pacs.example/film${relative}`);
    });
  });
}

function describeFrames(rig: () => DicomwebRig): void {
  describe('frames', () => {
    const OHIF = 'multipart/related; type=application/octet-stream; transfer-syntax=*';

    it('gives native frames one by one and several at once, labelled Explicit VR Little Endian', async () => {
      const pixels = noise(3 * 200, 2);
      await rig().stow([ct(1, { elements: nativeImage({ rows: 10, columns: 10, bits: 16, frames: 3, pixels }) })]);
      for (const accept of [OHIF, 'multipart/related; type="application/octet-stream"', '*/*']) {
        const reply = await rig().call(`${instancePath('1.2.3.1.1')}/frames/2`, { headers: { Accept: accept } });
        const [part, more] = readMultipart(reply);
        expect(more).toBeUndefined();
        expect(part?.head).toMatch(
          new RegExp(`^Content-Type: application/octet-stream;transfer-syntax=${EXPLICIT}\r\n`),
        );
        expect(part?.body.equals(pixels.subarray(200, 400))).toBe(true);
      }
      const several = readMultipart(
        await rig().call(`${instancePath('1.2.3.1.1')}/frames/3%2C1`, { headers: { Accept: OHIF } }),
      );
      expect(several.map((part) => part.headers.get('content-location')?.split('/').at(-1))).toEqual(['3', '1']);
      expect(several[0]?.body.equals(pixels.subarray(400))).toBe(true);
    });

    it('gives one frame as a single part, or a range of it', async () => {
      const pixels = noise(200, 3);
      await rig().stow([ct(1, { elements: nativeImage({ rows: 10, columns: 10, bits: 16, frames: 1, pixels }) })]);
      const path = `${instancePath('1.2.3.1.1')}/frames/1`;
      const whole = await rig().call(path, { headers: { Accept: 'application/octet-stream' } });
      expect(whole.body.equals(pixels)).toBe(true);
      const headers = { Accept: 'application/octet-stream', Range: 'bytes=10-' };
      const rest = await rig().call(path, { headers });
      expect([rest.status, rest.headers['content-range']]).toEqual([206, 'bytes 10-199/200']);
      expect(rest.body.equals(pixels.subarray(10))).toBe(true);
    });

    it('gives encapsulated frames as stored, by media type or as octets, and never pretends they are decoded', async () => {
      const frames = [noise(101, 4), noise(300, 5)];
      await rig().stow([ct(1, { transferSyntax: JPEG_LS, elements: image(frames) })]);
      const path = `${instancePath('1.2.3.1.1')}/frames/`;
      const padded = Buffer.concat([frames[0] ?? Buffer.alloc(0), Buffer.alloc(1)]);
      for (const [accept, type] of [
        [OHIF, 'application/octet-stream'],
        [`multipart/related; type="image/jls"; transfer-syntax="${JPEG_LS}"; transfer-syntax="*"`, 'image/jls'],
        ['multipart/related; type="image/jls"', 'image/jls'],
      ] as const) {
        const [part] = readMultipart(await rig().call(`${path}1`, { headers: { Accept: accept } }));
        expect(part?.headers.get('content-type')).toBe(`${type};transfer-syntax=${JPEG_LS}`);
        expect(part?.body.equals(padded)).toBe(true);
      }
      const single = await rig().call(`${path}2`, { headers: { Accept: 'image/jls' } });
      expect(single.headers['content-type']).toBe(`image/jls;transfer-syntax=${JPEG_LS}`);
      expect(single.body.equals(frames[1] ?? Buffer.alloc(0))).toBe(true);
      const octets = await rig().call(`${path}1`, {
        headers: { Accept: 'multipart/related; type=application/octet-stream' },
      });
      expect(octets.status).toBe(406);
      expect(octets.body.toString()).toContain('transfer-syntax=*');
      expect((await rig().call(`${path}1,2`, { headers: { Accept: 'image/jls' } })).status).toBe(406);
    });

    it('moves 1-bit frames that begin inside of a byte to a byte border', async () => {
      // 3 frames of 5 x 3 pixels: 15 bits each, the second begins at bit 7 of byte 1.
      const bits = Array.from({ length: 45 }, (_, n) => (createHash('sha1').update(`${n}`).digest()[0] ?? 0) & 1);
      const packed = Buffer.alloc(6);
      for (const [n, bit] of bits.entries()) packed[n >> 3] = (packed[n >> 3] ?? 0) | (bit << (n & 7));
      await rig().stow([ct(1, { elements: nativeImage({ rows: 3, columns: 5, bits: 1, frames: 3, pixels: packed }) })]);
      for (const frame of [1, 2, 3]) {
        const reply = await rig().call(`${instancePath('1.2.3.1.1')}/frames/${frame}`, {
          headers: { Accept: 'application/octet-stream' },
        });
        const got = Array.from({ length: 16 }, (_, n) => ((reply.body[n >> 3] ?? 0) >> (n & 7)) & 1);
        expect(reply.body).toHaveLength(2);
        expect(got).toEqual([...bits.slice((frame - 1) * 15, frame * 15), 0]);
      }
    });

    it('reaches the frames and bulk data of a deflated data set', async () => {
      const pixels = noise(3 * 20_000, 6);
      const instance = ct(1, {
        transferSyntax: '1.2.840.10008.1.2.1.99',
        elements: nativeImage({ rows: 100, columns: 100, bits: 16, frames: 3, pixels }),
        transform: (dataSet) => {
          const deflated = deflateRawSync(dataSet);
          return deflated.length % 2 === 0 ? deflated : Buffer.concat([deflated, Buffer.alloc(1)]);
        },
      });
      expect((await rig().stow([instance])).status).toBe(200);
      const base = instancePath('1.2.3.1.1');
      const frame = await rig().call(`${base}/frames/2`, { headers: { Accept: OHIF } });
      expect(readMultipart(frame)[0]?.body.equals(pixels.subarray(20_000, 40_000))).toBe(true);
      expect((await rig().call(`${base}/bulkdata/7FE00010`)).body.equals(pixels)).toBe(true);
    });

    it('answers 404 for a frame that is not there or an instance without any, 400 for a list that is none', async () => {
      const pixels = noise(200, 7);
      await rig().stow([
        ct(1, { elements: nativeImage({ rows: 10, columns: 10, bits: 16, frames: 1, pixels }) }),
        ct(2, { sopClass: '1.2.840.10008.5.1.4.1.1.88.11' }),
      ]);
      const status = async (path: string) => (await rig().call(path, { headers: { Accept: OHIF } })).status;
      expect(await status(`${instancePath('1.2.3.1.1')}/frames/2`)).toBe(404);
      expect(await status(`${instancePath('1.2.3.1.2')}/frames/1`)).toBe(404);
      for (const list of ['0', 'a', '1,', '-1', '1.5', '1;2', '99999999999']) {
        expect([list, await status(`${instancePath('1.2.3.1.1')}/frames/${list}`)]).toEqual([list, 400]);
      }
    });

    it('keeps big endian to those who ask for it', async () => {
      const big = ct(1, {
        transferSyntax: BIG,
        elements: nativeImage({ rows: 10, columns: 10, bits: 16, frames: 1, pixels: noise(200, 8) }),
      });
      const reply = await rig().stow([swapped(big)]);
      expect(reply.status).toBe(200);
      const path = `${instancePath('1.2.3.1.1')}/frames/1`;
      expect((await rig().call(path, { headers: { Accept: 'application/octet-stream' } })).status).toBe(406);
      const asked = await rig().call(path, { headers: { Accept: `application/octet-stream; transfer-syntax=${BIG}` } });
      expect(asked.headers['content-type']).toBe(`application/octet-stream;transfer-syntax=${BIG}`);
    });
  });
}

/** Turns the little endian data set that the builder wrote into a big endian one; the file meta stays as it is. */
function swapped(part10: Buffer): Buffer {
  const out = Buffer.from(part10);
  let at = 144 + part10.readUInt32LE(140);
  while (at < out.length) {
    const vr = out.toString('latin1', at + 4, at + 6);
    const long = ['OB', 'OW', 'UN', 'SQ', 'UT'].includes(vr);
    const length = long ? part10.readUInt32LE(at + 8) : part10.readUInt16LE(at + 6);
    out.subarray(at, at + 4).swap16();
    if (long) out.subarray(at + 8, at + 12).swap32();
    else out.subarray(at + 6, at + 8).swap16();
    const value = at + (long ? 12 : 8);
    if (vr === 'US' || vr === 'OW') out.subarray(value, value + length).swap16();
    at = value + length;
  }
  return out;
}

function describeBulkData(rig: () => DicomwebRig): void {
  describe('bulk data', () => {
    const document = noise(100_001, 9);
    const pdf = () => ct(1, { elements: [['00420011', 'OB', document]] });

    it('gives a value whole, a range of it, or wrapped in multipart', async () => {
      await rig().stow([pdf()]);
      const path = `${instancePath('1.2.3.1.1')}/bulkdata/00420011`;
      const whole = await rig().call(path);
      expect(whole.headers['content-type']).toBe('application/octet-stream');
      expect(whole.body.subarray(0, document.length).equals(document)).toBe(true);
      const range = await rig().call(path, { headers: { Range: 'bytes=-2' } });
      expect([range.status, range.body]).toEqual([206, whole.body.subarray(-2)]);
      const headers = { Accept: 'multipart/related; type="application/octet-stream"' };
      expect(readMultipart(await rig().call(path, { headers }))[0]?.body.equals(whole.body)).toBe(true);
    });

    it('answers 404 for a path that the instance does not have and 400 for one that is none', async () => {
      await rig().stow([pdf()]);
      const status = async (path: string) => (await rig().call(`${instancePath('1.2.3.1.1')}/bulkdata/${path}`)).status;
      expect(await status('00420012')).toBe(404);
      expect(await status('54000100/0/54001010')).toBe(404);
      for (const path of ['x', '0042001', '54000100/a/54001010', '54000100/0']) {
        expect([path, await status(path)]).toEqual([path, 400]);
      }
    });

    it('gives video as what it is, so that a player can seek in it', async () => {
      const stream = noise(5000, 10);
      const h264 = '1.2.840.10008.1.2.4.102';
      await rig().stow([ct(1, { transferSyntax: h264, elements: image([stream]) })]);
      const path = `${instancePath('1.2.3.1.1')}/bulkdata/7FE00010?accept=video/mp4`;
      const reply = await rig().call(path, { headers: { Range: 'bytes=0-99' } });
      expect([reply.status, reply.headers['content-type']]).toEqual([206, `video/mp4;transfer-syntax=${h264}`]);
      expect(reply.body.equals(stream.subarray(0, 100))).toBe(true);
    });
  });
}

function describeProtocol(rig: () => DicomwebRig): void {
  describe('the protocol', () => {
    it('answers HEAD as GET without the body', async () => {
      await rig().stow([ct(1)]);
      for (const path of [
        '/dicomweb/studies',
        '/dicomweb/studies/1.2.3',
        '/dicomweb/studies/1.2.3/metadata',
        instancePath('1.2.3.1.1'),
      ]) {
        const reply = await rig().call(path, { method: 'HEAD', headers: { Accept: '*/*' } });
        expect([path, reply.status, reply.body.length]).toEqual([path, 200, 0]);
      }
    });

    it('answers 405 with Allow, 404 for what it does not know and 501 for what it does not do yet', async () => {
      const put = await rig().call('/dicomweb/studies', { method: 'PUT' });
      expect([put.status, put.headers.allow]).toEqual([405, 'GET, HEAD, POST, OPTIONS']);
      expect((await rig().call('/dicomweb/nothing')).status).toBe(404);
      expect((await rig().call('/dicomweb/studies/1.2.3/frames/1')).status).toBe(404);
      for (const path of [
        '/dicomweb/studies/1.2/thumbnail',
        `${instancePath('1')}/rendered`,
        `${instancePath('1')}/frames/1/rendered`,
      ]) {
        expect([path, (await rig().call(path)).status]).toEqual([path, 501]);
      }
    });

    it('lets a viewer on this machine in by CORS, and no other page', async () => {
      const preflight = (origin: string) =>
        rig().call('/dicomweb/studies', {
          method: 'OPTIONS',
          headers: {
            Origin: origin,
            'Access-Control-Request-Method': 'GET',
            'Access-Control-Request-Headers': 'authorization,accept',
          },
        });
      const local = await preflight('http://localhost:3000');
      expect(local.status).toBe(204);
      expect(local.headers['access-control-allow-origin']).toBe('http://localhost:3000');
      expect(local.headers['access-control-allow-headers']).toContain('authorization');
      expect((await preflight('https://evil.example')).headers['access-control-allow-origin']).toBeUndefined();
      const reply = await rig().call('/dicomweb/studies', { headers: { Origin: 'http://localhost:3000' } });
      expect(reply.headers['access-control-expose-headers']).toContain('Content-Range');
    });

    it('sends nosniff on every answer', async () => {
      for (const path of ['/dicomweb/studies', '/dicomweb/nothing', '/dicomweb/studies/..%2f']) {
        expect((await rig().call(path)).headers['x-content-type-options']).toBe('nosniff');
      }
    });
  });
}
