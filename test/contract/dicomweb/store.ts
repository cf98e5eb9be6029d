// STOW-RS and the protocol itself, as part of the DICOMweb suite.
import { describe, expect, it } from 'vitest';
import type { DicomwebRig } from '../../support/dicomweb-rig.js';
import { ct, instancePath, itemsOf } from '../../support/dicomweb-samples.js';
import { CT_IMAGE } from '../../support/part10-builder.js';

export function describeStore(rig: () => DicomwebRig): void {
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

export function describeProtocol(rig: () => DicomwebRig): void {
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
      const later = '/dicomweb/studies/1.2/series/1.3/reject/113001%5EDCM';
      expect((await rig().call(later)).status).toBe(501);
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
