// Forms of metadata beyond the plain array: chosen attributes, XML, transfer syntaxes, entity tags; and that no pixel byte is read for it.
// Part of the DICOMweb suite.
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { EXPLICIT_LITTLE } from '../../../dicom/transfer-syntax.js';
import { type DicomwebRig, readMultipart } from '../../support/dicomweb-rig.js';
import { ct, image, instancePath, JPEG_LS, json, noise } from '../../support/dicomweb-samples.js';
import { nativeImage } from '../../support/part10-builder.js';

const PATH = '/dicomweb/studies/1.2.3/metadata';

export function describeMetadataForms(rig: () => DicomwebRig): void {
  describe('forms of metadata', () => {
    it('names the transfer syntax of each instance, in its place among the tags', async () => {
      await rig().stow([ct(1), ct(2, { transferSyntax: JPEG_LS, elements: image([noise(100, 1)]) }), ct(3)]);
      const all = json(await rig().call(PATH));
      expect(all.map((each) => each['00083002'])).toEqual(
        [EXPLICIT_LITTLE, JPEG_LS, EXPLICIT_LITTLE].map((uid) => ({ vr: 'UI', Value: [uid] })),
      );
      for (const each of all) expect(Object.keys(each)).toEqual(Object.keys(each).sort());
      const [one] = json(await rig().call(`${instancePath('1.2.3.1.2')}/metadata`));
      expect(one?.['00083002']?.Value).toEqual([JPEG_LS]);
    });

    it('holds the attributes that includefield names and whose they are, by keyword and by tag', async () => {
      await rig().stow([ct(1), ct(2)]);
      const reply = await rig().call(`${PATH}?includefield=PatientName,00200013&includefield=SeriesDescription`);
      for (const each of json(reply)) {
        expect(Object.keys(each)).toEqual([
          '00080016',
          '00080018',
          '0008103E',
          '00100010',
          '0020000D',
          '0020000E',
          '00200013',
        ]);
      }
      const whole = await rig().call(PATH);
      expect((await rig().call(`${PATH}?includefield=all`)).body.equals(whole.body)).toBe(true);
      expect(reply.headers.etag).not.toBe(whole.headers.etag);
      expect((await rig().call(`${PATH}?includefield=NoSuchThing`)).status).toBe(400);
    });

    it('is one XML document an instance, in parts, plain and compressed, and not sent again', async () => {
      await rig().stow([ct(1), ct(2)]);
      const headers = { Accept: 'multipart/related; type="application/dicom+xml"' };
      const reply = await rig().call(PATH, { headers });
      const parts = readMultipart(reply);
      expect(parts).toHaveLength(2);
      for (const [at, part] of parts.entries()) {
        expect(part.headers.get('content-type')).toBe('application/dicom+xml');
        expect(part.body.toString()).toMatch(/^<\?xml /);
        expect(part.body.toString()).toContain(`<Value number="1">1.2.3.1.${at + 1}</Value>`);
      }
      const packed = await rig().call(PATH, { headers: { ...headers, 'Accept-Encoding': 'gzip' } });
      const inflated = { headers: packed.headers, body: gunzipSync(packed.body) };
      expect(readMultipart(inflated).map((part) => part.body)).toEqual(parts.map((part) => part.body));
      const again = { ...headers, 'If-None-Match': String(reply.headers.etag) };
      const unchanged = await rig().call(PATH, { headers: again });
      expect([unchanged.status, unchanged.headers['content-type']]).toEqual([304, undefined]);
    });

    it('takes JSON where a viewer appends what else it would take', async () => {
      await rig().stow([ct(1)]);
      const Accept = 'application/dicom+json, multipart/related; type="application/octet-stream"; transfer-syntax=*';
      expect((await rig().call(PATH, { headers: { Accept } })).headers['content-type']).toBe('application/dicom+json');
    });
  });

  describe('bulk data of a whole resource', () => {
    const pixels = noise(2 * 200, 60);
    const elements = nativeImage({ rows: 10, columns: 10, bits: 16, frames: 2, pixels });
    const secret = noise(5000, 61);

    it('has every value of every instance under its own URI, or the pixel data alone', async () => {
      await rig().stow([ct(1, { elements: [...elements, ['00420011', 'OB', secret]] }), ct(2, { elements })]);
      const headers = { Accept: 'multipart/related; type="application/octet-stream"' };
      const all = readMultipart(await rig().call('/dicomweb/studies/1.2.3/bulkdata', { headers }));
      const base = (number: number) => `${instancePath(`1.2.3.1.${number}`)}/bulkdata`;
      expect(all.map((part) => part.headers.get('content-location'))).toEqual([
        `${base(1)}/00420011`,
        `${base(1)}/7FE00010`,
        `${base(2)}/7FE00010`,
      ]);
      expect(all.map((part) => part.body)).toEqual([secret, pixels, pixels]);
      const images = readMultipart(await rig().call(`${instancePath('1.2.3.1.1')}/pixeldata`, { headers }));
      expect(images.map((part) => part.body)).toEqual([pixels]);
      const asked = readMultipart(await rig().call('/dicomweb/studies/1.2.3', { headers }));
      expect(asked.map((part) => part.body)).toEqual(all.map((part) => part.body));
    });

    it('is 404 where there is none, and 206 where some of it cannot be given', async () => {
      await rig().stow([
        ct(1, { elements }),
        ct(2, { transferSyntax: JPEG_LS, elements: image([noise(100, 62)]) }),
        ct(3, { series: '1.2.3.2', sopClass: '1.2.840.10008.5.1.4.1.1.88.11' }),
      ]);
      const headers = { Accept: 'multipart/related; type="application/octet-stream"' };
      expect((await rig().call('/dicomweb/studies/1.2.3/series/1.2.3.2/bulkdata', { headers })).status).toBe(404);
      const some = await rig().call('/dicomweb/studies/1.2.3/pixeldata', { headers });
      expect([some.status, readMultipart(some).length]).toEqual([206, 1]);
      const whole = { Accept: 'multipart/related; type="application/octet-stream"; transfer-syntax=*' };
      const stored = await rig().call('/dicomweb/studies/1.2.3/pixeldata', { headers: whole });
      expect([stored.status, readMultipart(stored).length]).toEqual([200, 2]);
    });

    it('gives a document as what it is, without its pad byte', async () => {
      const odd = noise(4001, 63);
      await rig().stow([
        ct(1, {
          elements: [
            ['00420011', 'OB', odd],
            ['00420012', 'LO', 'application/pdf'],
            ['00420015', 'UL', Buffer.from(Uint32Array.of(4001).buffer)],
          ],
        }),
      ]);
      const reply = await rig().call(`${instancePath('1.2.3.1.1')}/bulkdata/00420011?accept=application/pdf`);
      expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/pdf']);
      expect(reply.body.equals(odd)).toBe(true);
    });
  });

  describe('frames and bulk data that a client has already', () => {
    it('are answered 304, in parts and alone', async () => {
      const elements = nativeImage({ rows: 10, columns: 10, bits: 16, frames: 2, pixels: noise(400, 64) });
      await rig().stow([ct(1, { elements })]);
      for (const [path, accept] of [
        ['frames/1', 'multipart/related; type="application/octet-stream"'],
        ['frames/1', 'application/octet-stream'],
        ['bulkdata/7FE00010', 'multipart/related; type="application/octet-stream"'],
        ['bulkdata/7FE00010', '*/*'],
        ['', 'application/dicom'],
      ]) {
        const url = `${instancePath('1.2.3.1.1')}/${path}`;
        const first = await rig().call(url, { headers: { Accept: accept } });
        const headers = { Accept: accept, 'If-None-Match': String(first.headers.etag) };
        const again = await rig().call(url, { headers });
        expect([path, first.status, again.status, again.body.length]).toEqual([path, 200, 304, 0]);
      }
    });
  });
}
