// QIDO-RS and metadata, as part of the DICOMweb suite.
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type DicomwebRig, type Reply, readMultipart } from '../../support/dicomweb-rig.js';
import { ct, instancePath, json, noise } from '../../support/dicomweb-samples.js';
import { buildPart10, type Element, nativeImage } from '../../support/part10-builder.js';

export function describeSearch(rig: () => DicomwebRig): void {
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
            .map((row) => String(row[tag]?.Value?.[0]))
            .sort((a, b) => a.localeCompare(b));
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

    it.each(['multipart/related; type="application/dicom+xml"', 'multipart/related;type=application/dicom+xml'])(
      'gives one XML document for each result to %s',
      async (accept) => {
        await fill();
        const reply = await rig().call('/dicomweb/studies?StudyInstanceUID=1.2.4,1.2.3', {
          headers: { Accept: accept },
        });
        expect(reply.status).toBe(200);
        expect(reply.headers['content-type']).toMatch(/^multipart\/related; type="application\/dicom\+xml"; boundary=/);
        const parts = readMultipart(reply);
        expect(parts.map((part) => part.headers.get('content-type'))).toEqual([
          'application/dicom+xml',
          'application/dicom+xml',
        ]);
        const text = parts.map((part) => part.body.toString()).find((each) => each.includes('1.2.4'));
        expect(text).toContain('<DicomAttribute tag="0020000D" vr="UI" keyword="StudyInstanceUID">');
        expect(text).toMatch(/tag="00081190" vr="UR"[^>]*><Value number="1">http:[^<]*\/studies\/1\.2\.4</);
        expect(text).toContain('小东');
      },
    );

    it('refuses with 406 what it cannot give, and says what it can', async () => {
      const reply = await rig().call('/dicomweb/studies', { headers: { Accept: 'text/csv' } });
      expect(reply.status).toBe(406);
      expect(reply.body.toString()).toContain('application/dicom+json');
    });

    it('counts all that match on every page, and on a page of none', async () => {
      await fill();
      for (const [path, status, total] of [
        ['studies?limit=1', 200, '2'],
        ['studies?limit=1&offset=1', 200, '2'],
        ['studies?limit=0', 204, '2'],
        ['series?limit=2', 200, '3'],
        ['instances?limit=1', 200, '4'],
        ['studies?PatientName=*doe*', 200, '1'],
        ['studies?PatientName=nobody', 204, '0'],
        ['studies/1.2.3/instances?limit=1', 200, '3'],
      ] as const) {
        const reply = await rig().call(`/dicomweb/${path}`);
        expect([path, reply.status, reply.headers['x-total-count']]).toEqual([path, status, total]);
      }
    });

    it('matches keys of the levels below: what has such a series or instance', async () => {
      await fill();
      expect(await uids('studies?Modality=MR', '0020000D')).toEqual(['1.2.4']);
      expect(await uids('studies?SeriesInstanceUID=1.2.3.2', '0020000D')).toEqual(['1.2.3']);
      expect(await uids('studies?SOPInstanceUID=1.2.4.1.1', '0020000D')).toEqual(['1.2.4']);
      expect(await uids('series?00080018=1.2.3.2.3', '0020000E')).toEqual(['1.2.3.2']);
      expect(await uids('series?PatientID=PID2', '0020000E')).toEqual(['1.2.4.1']);
      expect(await uids('instances?Modality=MR&PatientID=PID2', '00080018')).toEqual(['1.2.4.1.1']);
    });

    it('warns of what names no attribute, and matches by the rest', async () => {
      await fill();
      const reply = await rig().call(
        '/dicomweb/studies?PatientID=PID2&NoSuchKeyword=1&includefield=Nor%0d%0aThis:%20x,AlsoNot&limit=101',
      );
      expect(json(reply).map((row) => row['0020000D']?.Value)).toEqual([['1.2.4']]);
      expect(reply.headers['warning']).toBe(
        '299 filmroom "3 parameters or fields name no attribute and were left out: NoSuchKeyword, AlsoNot"',
      );
      expect((await rig().call('/dicomweb/studies?PatientID=PID2')).headers['warning']).toBeUndefined();
    });
  });
}

export function describeMetadata(rig: () => DicomwebRig): void {
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
