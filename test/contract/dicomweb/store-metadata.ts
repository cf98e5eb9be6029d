// STOW-RS of metadata and bulk data, as part of the DICOMweb suite.
import { describe, expect, it } from 'vitest';
import { xmlDocument } from '../../../dicomweb/answer/xml.js';
import { type DicomwebRig, type Reply, readMultipart } from '../../support/dicomweb-rig.js';
import { FRAME_AS_STORED, instancePath, itemsOf, JPEG_LS, json, noise } from '../../support/dicomweb-samples.js';
import {
  bulkPart,
  ctJson,
  METADATA_TYPE,
  metadataPart,
  noteJson,
  partsBody,
  stowParts,
} from '../../support/stow-metadata.js';

const PIXELS = noise(200, 1);
const STUDIES = '/dicomweb/studies';
const storedUids = (reply: Reply) => itemsOf(reply, '00081199').map((item) => item['00081155']?.Value?.[0]);
const reasons = (reply: Reply) =>
  [...itemsOf(reply, '00081198'), ...itemsOf(reply, '0008119A')].map((item) => item['00081197']?.Value?.[0]);

async function frame(rig: DicomwebRig, sop: string, number = 1): Promise<{ type: string; body: Buffer }> {
  const reply = await rig.call(`${instancePath(sop)}/frames/${number}`, { headers: { Accept: FRAME_AS_STORED } });
  const [part] = readMultipart(reply);
  return { type: part?.headers.get('content-type') ?? '', body: part?.body ?? Buffer.alloc(0) };
}

export function describeStoreMetadata(rig: () => DicomwebRig): void {
  describe('STOW-RS of metadata and bulk data', () => {
    it('stores instances of JSON whose bulk data comes in any order, in UTF-8, with their pixels', async () => {
      const reply = await stowParts(rig(), [
        metadataPart(ctJson(1), ctJson(2)),
        bulkPart('bulk/2', noise(200, 2)),
        bulkPart('bulk/1', PIXELS),
      ]);
      expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/dicom+json']);
      expect(new Set(storedUids(reply))).toEqual(new Set(['1.2.3.1.1', '1.2.3.1.2']));
      expect((await frame(rig(), '1.2.3.1.1')).body.equals(PIXELS)).toBe(true);
      const [metadata] = json(await rig().call(`${instancePath('1.2.3.1.1')}/metadata`));
      expect(metadata?.['00100010']?.Value).toEqual([{ Alphabetic: 'Doe^Jane', Ideographic: '多^珍' }]);
      expect(metadata?.['00080005']?.Value).toEqual(['ISO_IR 192']);
    });

    it('stores XML, one instance a part, each followed by its bulk data, and answers in XML', async () => {
      const parts = [];
      for (const number of [1, 2]) {
        const body = await xmlDocument(JSON.stringify(ctJson(number)));
        parts.push({ type: 'application/dicom+xml', body }, bulkPart(`bulk/${number}`, noise(200, number)));
      }
      const reply = await stowParts(rig(), parts, STUDIES, 'application/dicom+xml');
      expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/dicom+xml']);
      expect((await frame(rig(), '1.2.3.1.2')).body.equals(noise(200, 2))).toBe(true);
    });

    it.each(['application/dicom+json', 'application/json'])(
      'takes %s alone, when there is no bulk data',
      async (type) => {
        const headers = { 'Content-Type': type };
        const body = Buffer.from(JSON.stringify([noteJson(1), noteJson(2)]));
        expect((await rig().call(STUDIES, { method: 'POST', headers, body })).status).toBe(200);
        const one = Buffer.from(JSON.stringify(noteJson(3)));
        expect((await rig().call(STUDIES, { method: 'POST', headers, body: one })).status).toBe(200);
        const alone = Buffer.from(JSON.stringify([ctJson(4)]));
        expect((await rig().call(STUDIES, { method: 'POST', headers, body: alone })).status).toBe(409);
      },
    );

    it('takes a chunked body in small chunks, with spaces and a byte order mark', async () => {
      const text = `\ufeff ${JSON.stringify([ctJson(1), ctJson(2)], null, 2)}\n`;
      const parts = [
        { type: 'application/dicom+json', body: text },
        ...[1, 2].map((n) => bulkPart(`bulk/${n}`, noise(200, n))),
      ];
      const whole = partsBody(parts);
      const body = Array.from({ length: Math.ceil(whole.length / 7) }, (_, n) => whole.subarray(n * 7, n * 7 + 7));
      const headers = { 'Content-Type': METADATA_TYPE('application/dicom+json'), 'Transfer-Encoding': 'chunked' };
      expect((await rig().call(STUDIES, { method: 'POST', headers, body })).status).toBe(200);
      expect((await frame(rig(), '1.2.3.1.2')).body.equals(noise(200, 2))).toBe(true);
    });

    it('stores compressed frames in their transfer syntax, one part a frame', async () => {
      const frames = [noise(90, 1), noise(120, 2), noise(75, 3)];
      const metadata = metadataPart(ctJson(1, { '00280008': { vr: 'IS', Value: [3] } }));
      const type = `image/jls; transfer-syntax=${JPEG_LS}`;
      const reply = await stowParts(rig(), [metadata, ...frames.map((each) => bulkPart('bulk/1', each, type))]);
      expect(reply.status).toBe(200);
      for (const [at, each] of frames.entries()) {
        const got = await frame(rig(), '1.2.3.1.1', at + 1);
        expect(got.type).toContain(JPEG_LS);
        expect(got.body.subarray(0, each.length).equals(each)).toBe(true);
      }
    });

    it.each([
      ['image/jpeg', 'ffd8ffc0000b080010001001011100', '1.2.840.10008.1.2.4.50'],
      ['image/jpeg', 'ffd8ffe000040000ffc3000b10000a000a01011100ffda0008010100010000', '1.2.840.10008.1.2.4.70'],
      ['image/jpeg', 'ffd8ffc3000b10000a000a01011100ffda0008010100040000', '1.2.840.10008.1.2.4.57'],
      ['image/jls', 'ffd8fff7000b10000a000a01011100ffda0008010100000000', '1.2.840.10008.1.2.4.80'],
      ['image/jls', 'ffd8fff7000b10000a000a01011100ffda0008010100020000', '1.2.840.10008.1.2.4.81'],
      ['image/jp2', 'ff4fff5100040000ff52000c00000001000104040001', '1.2.840.10008.1.2.4.90'],
      ['image/jp2', 'ff4fff5100040000ff52000c00000001000104040000', '1.2.840.10008.1.2.4.91'],
      ['image/dicom-rle', '0000', '1.2.840.10008.1.2.5'],
    ])('tells the transfer syntax of %s that is not labelled (%s) as %s', async (type, hex, syntax) => {
      const reply = await stowParts(rig(), [
        metadataPart(ctJson(1)),
        bulkPart('bulk/1', Buffer.from(hex, 'hex'), type),
      ]);
      expect(storedUids(reply)).toEqual(['1.2.3.1.1']);
      expect((await frame(rig(), '1.2.3.1.1')).type).toContain(`transfer-syntax=${syntax}`);
    });

    it('refuses pixel data whose transfer syntax cannot be told, or is not known, with C122', async () => {
      for (const type of ['image/jpeg', 'image/png', 'image/jls; transfer-syntax=1.2.3.4']) {
        const reply = await stowParts(rig(), [metadataPart(ctJson(1)), bulkPart('bulk/1', noise(90, 1), type)]);
        expect([type, reply.status, reasons(reply)]).toEqual([type, 409, [0xc122]]);
      }
    });

    it('takes a document as it comes, whatever its media type', async () => {
      const document = Buffer.from('%PDF-1.7 of an odd length');
      const metadata = metadataPart(noteJson(1, { '00420011': { vr: 'OB', BulkDataURI: 'doc' } }));
      expect((await stowParts(rig(), [metadata, bulkPart('doc', document, 'application/pdf')])).status).toBe(200);
      const [stored] = json(await rig().call(`${instancePath('1.2.3.1.1')}/metadata`));
      const InlineBinary = Buffer.from(`${document.toString()}\0`).toString('base64');
      expect(stored?.['00420011']).toEqual({ vr: 'OB', InlineBinary });
    });

    it('warns of what it coerced with B000, of what it left out with B006, and answers 202', async () => {
      const overlong = noteJson(1, { '00180050': { vr: 'DS', Value: [0.1234567890123456] } });
      const command = noteJson(2, { '00000100': { vr: 'US', Value: [1] } });
      const reply = await stowParts(rig(), [metadataPart(overlong, command, noteJson(3))]);
      expect(reply.status).toBe(202);
      const warnings = itemsOf(reply, '00081199').map((item) => item['00081196']?.Value?.[0]);
      expect(warnings).toEqual([0xb000, 0xb006, undefined]);
      const [stored] = json(await rig().call(`${instancePath('1.2.3.1.1')}/metadata`));
      expect(stored?.['00180050']?.Value).toEqual([0.12345678901235]);
    });

    it.each([
      [undefined, 'application/dicom+json'],
      ['*/*', 'application/dicom+json'],
      ['application/dicom+json, application/json', 'application/dicom+json'],
      ['application/json', 'application/dicom+json'],
      ['application/dicom+json, multipart/related; type=application/octet-stream', 'application/dicom+json'],
      ['application/dicom+xml', 'application/dicom+xml'],
      ['application/dicom+xml;null', 'application/dicom+xml'],
      ['application/dicom+json;q=0.1,application/dicom+xml;q=0.9', 'application/dicom+xml'],
      ['text/html', 'application/dicom+json'],
    ])('answers Accept %s in bare %s', async (accept, type) => {
      const headers = { 'Content-Type': 'application/dicom+json', ...(accept === undefined ? {} : { Accept: accept }) };
      const body = Buffer.from(JSON.stringify([noteJson(1)]));
      const reply = await rig().call(STUDIES, { method: 'POST', headers, body });
      expect([reply.status, reply.headers['content-type']]).toEqual([200, type]);
    });

    it('leaves out what only an answer says, without a word', async () => {
      const answered = noteJson(1, {
        '00080056': { vr: 'CS', Value: ['NEARLINE'] },
        '00081190': { vr: 'UR', Value: ['http://elsewhere/'] },
        '00083002': { vr: 'UI', Value: [JPEG_LS] },
      });
      const reply = await stowParts(rig(), [metadataPart(answered)]);
      expect(reply.status).toBe(200);
      const [stored] = json(await rig().call(`${instancePath('1.2.3.1.1')}/metadata`));
      expect(stored?.['00081190']).toBeUndefined();
    });

    it('refuses instances of another study than the path names with A900', async () => {
      const parts = [metadataPart(noteJson(1), ctJson(2, {}, '9.9')), bulkPart('bulk/2', PIXELS)];
      const reply = await stowParts(rig(), parts, '/dicomweb/studies/9.9');
      expect([reply.status, storedUids(reply), reasons(reply)]).toEqual([202, ['1.2.3.1.2'], [0xa900]]);
    });
  });
}
