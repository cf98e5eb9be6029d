// Thumbnails at every level and WADO-URI, as part of the DICOMweb suite.
import { describe, expect, it } from 'vitest';
import type { DicomwebRig } from '../../support/dicomweb-rig.js';
import { ct, image, instancePath, JPEG_LS, noise } from '../../support/dicomweb-samples.js';
import { gradient, gray, size } from '../../support/images.js';

const MPEG4 = '1.2.840.10008.1.2.4.102';
const PDF = '1.2.840.10008.5.1.4.1.1.104.1';
const REPORT = '1.2.840.10008.5.1.4.1.1.88.11';
const PRESENTATION = '1.2.840.10008.5.1.4.1.1.11.1';
const STUDY = '/dicomweb/studies/1.2.3';
const SERIES = `${STUDY}/series/1.2.3.1`;

export function describeThumbnails(rig: () => DicomwebRig): void {
  const get = (path: string, headers: Record<string, string> = {}) => rig().call(path, { headers });

  describe('Retrieve Thumbnail', () => {
    it('gives a small JPEG at every level: of the middle, and of the first series that has images', async () => {
      await rig().stow([
        ct(1, { series: '1.2.3.1', sopClass: PRESENTATION, elements: [['00200011', 'IS', '1']] }),
        ...[2, 3, 4].map((number) =>
          ct(number, { series: '1.2.3.2', elements: [...gradient(64, 32), ['00200011', 'IS', '2']] }),
        ),
      ]);
      for (const path of [STUDY, `${STUDY}/series/1.2.3.2`]) {
        const reply = await get(`${path}/thumbnail`);
        expect(await size(reply)).toEqual({ type: 'image/jpeg', format: 'jpeg', width: 128, height: 64 });
        expect(reply.headers['content-location']).toBe(`${instancePath('1.2.3.1.3', '1.2.3.2')}/thumbnail`);
      }
      const own = instancePath('1.2.3.1.2', '1.2.3.2');
      for (const path of [`${own}/thumbnail`, `${own}/frames/1/thumbnail`, `${own}/thumbnail/1`]) {
        expect(await size(await get(path))).toMatchObject({ format: 'jpeg', width: 128 });
      }
      expect(await size(await get(`${STUDY}/thumbnail?viewport=256%2C256`, { Accept: 'image/jpeg' }))).toMatchObject({
        width: 256,
        height: 128,
      });
      const ohif = await get(`${STUDY}/thumbnail?accept=image%2Fpng`, {
        Accept: 'multipart/related; type="application/octet-stream"',
      });
      expect(await size(ohif)).toMatchObject({ format: 'png' });
      expect((await get('/dicomweb/studies/9/thumbnail')).status).toBe(404);
      expect((await get(`${own}/frames/2/thumbnail`)).status).toBe(404);
    });

    it('draws something for whatever has no picture, or none that can be decoded', async () => {
      await rig().stow([
        ct(1, { sopClass: PRESENTATION }),
        ct(2, { sopClass: PDF, elements: [['00420011', 'OB', Buffer.from('%PDF')]] }),
        ct(3, { sopClass: REPORT }),
        ct(4, { transferSyntax: MPEG4, elements: image([noise(500, 3)]) }),
        ct(5, { transferSyntax: JPEG_LS, elements: image([noise(100, 1)]) }),
      ]);
      for (const number of [1, 2, 3, 4, 5]) {
        const reply = await get(`${instancePath(`1.2.3.1.${number}`)}/thumbnail`);
        expect([number, reply.status, await size(reply)]).toMatchObject([number, 200, { format: 'jpeg', width: 128 }]);
      }
      expect((await get(`${SERIES}/thumbnail`)).status).toBe(200);
    });
  });

  describe('WADO-URI', () => {
    const wado = (more: string, sop = '1.2.3.1.1') =>
      `/wado?requestType=WADO&studyUID=1.2.3&seriesUID=1.2.3.1&objectUID=${sop}${more}`;

    it('gives an image as JPEG, sized, windowed, cut out and annotated', async () => {
      await rig().stow([ct(1, { elements: gradient(64, 32) })]);
      expect(await size(await get(wado('')))).toEqual({ type: 'image/jpeg', format: 'jpeg', width: 64, height: 32 });
      expect(await size(await get(wado('&contentType=image/png&columns=32')))).toMatchObject({
        format: 'png',
        width: 32,
        height: 16,
      });
      expect(await size(await get(wado('&rows=64')))).toMatchObject({ width: 128, height: 64 });
      const window = await gray(await get(wado('&contentType=image%2Fpng&windowCenter=100&windowWidth=100')));
      expect(window.at(32, 0)).toBe(134);
      const region = await gray(await get(wado('&contentType=image/png&region=0.5,0,1,1')));
      expect([region.width, region.height, region.at(0, 0)]).toEqual([32, 32, 102]);
      expect((await get(wado('&imageQuality=50&annotation=patient,technique'))).status).toBe(200);
      // A list: the first that can be had.
      expect(await size(await get(wado('&contentType=image/jp2,image/png')))).toMatchObject({ format: 'png' });
    });

    it('gives frames by number, and the instance itself by the way of WADO-RS', async () => {
      const stored = ct(1, { elements: gradient(64, 32, 3) });
      await rig().stow([stored]);
      const second = await gray(await get(wado('&frameNumber=2&contentType=image/png')));
      expect(second.at(0, 0)).toBe(10);
      // Several frames without a word of what is wanted: the instance (9.1.2.1.2).
      for (const more of [
        '',
        '&contentType=application/dicom',
        '&contentType=application%2Fdicom&transferSyntax=1.2.840.10008.1.2.1',
      ]) {
        const reply = await get(wado(more));
        expect([reply.status, reply.body.equals(stored)]).toEqual([200, true]);
      }
      expect((await get(wado('&frameNumber=4&contentType=image/png'))).status).toBe(404);
    });

    it.each([
      ['/wado', 400, /requestType/],
      ['/wado?requestType=WADO&studyUID=1.2.3', 400, /seriesUID/],
      ['/wado?requestType=OTHER&studyUID=1.2.3&seriesUID=1&objectUID=1', 400, /requestType/],
      [wado('&windowCenter=1'), 400, /together/],
      [wado('&windowCenter=NaN&windowWidth=1'), 400, /windowCenter/],
      [wado('&rows=0'), 400, /rows/],
      [wado('&columns=1000000000'), 400, /columns/],
      [wado('&region=0,0,2,2'), 400, /region/],
      [wado('&region=1,0,0,1'), 400, /region/],
      [wado('&imageQuality=101'), 400, /imageQuality/],
      [wado('&frameNumber=-1'), 400, /frameNumber/],
      [wado('&contentType=application/dicom&frameNumber=1'), 400, /frameNumber/],
      [wado('&contentType=application/dicom&transferSyntax=nonsense'), 400, /transferSyntax/],
      [wado('&anonymize=yes'), 406, /anonymize/],
      [wado('&presentationUID=1.2'), 406, /presentationUID/],
      [wado('&charset=GB18030'), 406, /charset/],
      [wado('&contentType=audio/basic'), 406, /image\/jpeg/],
      [wado('', '9.9'), 404, /Not found/],
    ])('%s is %i', async (path, status, detail) => {
      await rig().stow([ct(1, { elements: gradient(64, 32) })]);
      const reply = await get(path);
      expect([reply.status, reply.body.toString()]).toEqual([status, expect.stringMatching(detail)]);
      expect(reply.headers['content-type']).toBe('application/problem+json');
    });

    it('has GET alone', async () => {
      expect((await rig().call('/wado', { method: 'POST' })).status).toBe(405);
      expect((await rig().call('/wado', { method: 'OPTIONS' })).headers['allow']).toBe('GET, HEAD, OPTIONS');
    });
  });
}
