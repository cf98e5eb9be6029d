// dicomweb-client, the package that OHIF and others speak DICOMweb with: every method that it has, against a running gateway, with the studies
// on disk and with the clouds alone holding them. It runs where browsers do not, so XMLHttpRequest is xhr2's.
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PhantomInstance, phantomStudies } from '../../../dicom/phantom/phantom.js';
import { noise } from '../../support/dicomweb-samples.js';
import { buildPart10, nativeImage } from '../../support/part10-builder.js';
import type { DicomJson } from '../gateway-clients.js';
import { nativePixelsOf, transferSyntaxIn } from './part10-view.js';
import { startTier, TIERS, type TieredGateway } from './tiers.js';
import { dicomwebClient } from './viewers.js';

const EXPLICIT = '1.2.840.10008.1.2.1';
const RLE = '1.2.840.10008.1.2.5';
const JPEG_LS = '1.2.840.10008.1.2.4.80';
const Client = dicomwebClient();

/** An item of an answer: an ArrayBuffer on which the client hangs what the part's header said. */
interface Part extends ArrayBuffer {
  readonly contentType: string | null;
  readonly transferSyntaxUID: string | null;
}

const phantoms = [...phantomStudies({ seed: 31, studies: 5, slices: 3, shrink: 8 })];
const one = (pick: (instance: PhantomInstance) => boolean) => phantoms.find(pick) ?? expect.fail('no such phantom');
const ct = one(({ modality }) => modality === 'CT');
const mr = one(({ modality }) => modality === 'MR');
const rleCt = one(({ modality, transferSyntax }) => modality === 'CT' && transferSyntax === RLE);
// The same loop twice: as it is, and RLE-compressed.
const loop = one(({ modality, transferSyntax }) => modality === 'US' && transferSyntax === EXPLICIT);
const rleLoop = one(({ modality, transferSyntax }) => modality === 'US' && transferSyntax === RLE);

const BULK = noise(70_000, 3);
const bulky = buildPart10({
  study: '2.25.31',
  series: '2.25.31.1',
  sop: '2.25.31.1.1',
  elements: [
    ['00100010', 'PN', 'Ouyang^XiaoMing=欧阳^晓明'],
    ['00290010', 'LO', 'BULKY'],
    ['00291001', 'OB', BULK],
    ...nativeImage({ rows: 20, columns: 20, bits: 16, frames: 2, pixels: noise(1600, 4) }),
  ],
});
const fresh = (number: number, study = '2.25.32') =>
  buildPart10({ study, series: `${study}.1`, sop: `${study}.1.${number}` });

const names = ({ study, series, sop }: Pick<PhantomInstance, 'study' | 'series' | 'sop'>) => ({
  studyInstanceUID: study,
  seriesInstanceUID: series,
  sopInstanceUID: sop,
});
const bytesOf = (part: unknown) => Buffer.from(part as ArrayBuffer);
const rowsOf = async (answer: Promise<unknown>) => (await answer) as readonly DicomJson[];
const partsOf = async (answer: Promise<unknown>) => (await answer) as readonly Part[];
const valuesOf = (rows: readonly DicomJson[], tag: string) => rows.map((row) => String(row[tag]?.Value?.[0])).sort();
const labelOf = (part: Part | undefined) => [part?.contentType, part?.transferSyntaxUID];
const arrayBuffer = (bytes: Uint8Array) => Uint8Array.from(bytes).buffer;

describe.skipIf(Client === null)('dicomweb-client (needs `npm ci --prefix test/viewers`)', () => {
  describe.each(TIERS)('with the studies %s', (tier) => {
    let gateway: TieredGateway;
    let call: ReturnType<typeof calling>;
    const driven = new Set<string>();

    /** Calls a method of a client, and keeps count of it. */
    function calling(options: Readonly<Record<string, unknown>> = {}) {
      const DicomwebClient = Client ?? expect.fail('not installed');
      const made = new DicomwebClient({ url: `${gateway.url}/dicomweb`, verbose: false, ...options });
      return (name: string, argument?: unknown): Promise<unknown> => {
        driven.add(name);
        // A method looks for its client in `this`.
        if (made[name] === undefined) expect.fail(`dicomweb-client has no ${name}`);
        return made[name](argument);
      };
    }

    beforeAll(async () => {
      gateway = await startTier(tier, [...phantoms.map(({ bytes }) => bytes), bulky]);
      call = calling();
    });
    afterAll(() => gateway?.close());

    it('can be told how much it says', async () => {
      for (const [set, get] of [
        ['setVerbose', 'getVerbose'],
        ['setDebug', 'getDebug'],
      ] as const) {
        await call(set, false);
        expect(await call(get)).toBe(false);
      }
    });

    it('searchForStudies: all, some, none, and page by page', async () => {
      const studies = [...new Set([...phantoms.map(({ study }) => String(study)), '2.25.31'])].sort();
      expect(valuesOf(await rowsOf(call('searchForStudies')), '0020000D')).toEqual(studies);
      const chinese = await rowsOf(call('searchForStudies', { queryParams: { PatientName: '*晓明*' } }));
      expect(chinese.map((row) => row['00100010']?.Value)).toEqual([
        [{ Alphabetic: 'Ouyang^XiaoMing', Ideographic: '欧阳^晓明' }],
      ]);
      expect(await call('searchForStudies', { queryParams: { PatientID: 'nobody' } })).toEqual([]);
      const seen: string[] = [];
      for (let offset = 0; ; offset += 2) {
        const page = await rowsOf(call('searchForStudies', { queryParams: { limit: 2, offset } }));
        if (page.length === 0) break;
        seen.push(...valuesOf(page, '0020000D'));
      }
      expect(seen.sort()).toEqual(studies);
    });

    it('searchForSeries and searchForInstances, of all, of a study, of a series', async () => {
      const ofStudy = phantoms.filter(({ study }) => study === ct.study);
      const ofSeries = ofStudy.filter(({ series }) => series === ct.series);
      const { studyInstanceUID, seriesInstanceUID } = names(ct);
      const uids = (list: readonly PhantomInstance[], key: 'series' | 'sop') =>
        [...new Set(list.map((each) => String(each[key])))].sort();
      expect(valuesOf(await rowsOf(call('searchForSeries', { studyInstanceUID })), '0020000E')).toEqual(
        uids(ofStudy, 'series'),
      );
      expect(await rowsOf(call('searchForSeries'))).toHaveLength(uids(phantoms, 'series').length + 1);
      const queryParams = { SeriesInstanceUID: ct.series, includefield: '00081030,00200011' };
      const [row, none] = await rowsOf(call('searchForSeries', { queryParams }));
      expect([row?.['0020000D']?.Value?.[0], row?.['00081030']?.Value?.[0], none]).toEqual([
        ct.study,
        'CT chest',
        undefined,
      ]);
      for (const [options, expected] of [
        [{ studyInstanceUID, seriesInstanceUID }, uids(ofSeries, 'sop')],
        [{ studyInstanceUID }, uids(ofStudy, 'sop')],
        [undefined, [...uids(phantoms, 'sop'), '2.25.31.1.1'].sort()],
      ] as const) {
        expect(valuesOf(await rowsOf(call('searchForInstances', options)), '00080018')).toEqual(expected);
      }
    });

    it('retrieves metadata of a study, a series, an instance', async () => {
      for (const [method, count] of [
        ['retrieveStudyMetadata', phantoms.filter(({ study }) => study === ct.study).length],
        ['retrieveSeriesMetadata', phantoms.filter(({ series }) => series === ct.series).length],
        ['retrieveInstanceMetadata', 1],
      ] as const) {
        const rows = await rowsOf(call(method, names(ct)));
        expect([method, rows.length]).toEqual([method, count]);
        expect(rows[0]?.['00100010']?.Value).toHaveLength(1);
        expect(rows[0]?.['7FE00010']).not.toHaveProperty('Value');
      }
    });

    it.each([
      ['Explicit VR Little Endian', ct],
      ['Implicit VR Little Endian', mr],
      ['RLE', rleCt],
    ] as const)('retrieveInstance of what is stored as %s gives Explicit VR Little Endian', async (_, instance) => {
      const part = (await call('retrieveInstance', names(instance))) as Part;
      expect(labelOf(part)).toEqual(['application/dicom', EXPLICIT]);
      expect(transferSyntaxIn(bytesOf(part))).toBe(EXPLICIT);
      if (instance === ct) expect(bytesOf(part).equals(instance.bytes)).toBe(true);
      else expect(nativePixelsOf(bytesOf(part)).length).toBe(64 * 64 * (instance === mr ? 2 / 4 : 2));
    });

    it('retrieveSeries and retrieveStudy give every instance', async () => {
      const sent = (list: readonly PhantomInstance[]) => list.map(({ sop }) => String(sop)).sort();
      const got = (parts: readonly Part[]) => parts.map((part) => transferSyntaxIn(bytesOf(part)));
      const ofLoops = phantoms.filter(({ study }) => study === loop.study);
      const study = await partsOf(call('retrieveStudy', names(loop)));
      expect(got(study)).toEqual(sent(ofLoops).map(() => EXPLICIT));
      const [a, b] = study.map((part) => nativePixelsOf(bytesOf(part)));
      expect(a?.length).toBe(8 * 80 * 60 * 3);
      expect(a?.equals(b ?? Buffer.alloc(0))).toBe(true);
      const series = await partsOf(call('retrieveSeries', names(ct)));
      const stored = phantoms.filter((each) => each.series === ct.series);
      expect(series).toHaveLength(stored.length);
      for (const { bytes } of stored) expect(series.some((part) => bytesOf(part).equals(bytes))).toBe(true);
    });

    it('retrieveInstanceFrames: native by default, whatever they are stored as', async () => {
      const native = await partsOf(call('retrieveInstanceFrames', { ...names(loop), frameNumbers: [1, 3, 8] }));
      const decoded = await partsOf(call('retrieveInstanceFrames', { ...names(rleLoop), frameNumbers: [1, 3, 8] }));
      expect(native.map(labelOf)).toEqual(native.map(() => ['application/octet-stream', EXPLICIT]));
      expect(decoded.map(labelOf)).toEqual(native.map(labelOf));
      const whole = nativePixelsOf(loop.bytes);
      const bytes = whole.length / 8;
      for (const [at, number] of [1, 3, 8].entries()) {
        const frame = whole.subarray((number - 1) * bytes, number * bytes);
        expect(bytesOf(native[at]).equals(frame), `native ${number}`).toBe(true);
        expect(bytesOf(decoded[at]).equals(frame), `decoded ${number}`).toBe(true);
      }
    });

    it.each([
      ['application/octet-stream', '*', 'application/octet-stream'],
      ['image/x-dicom-rle', RLE, 'image/dicom-rle'],
      ['image/*', '*', 'image/dicom-rle'],
    ])('retrieveInstanceFrames as stored, by %s and %s', async (mediaType, transferSyntaxUID, given) => {
      const options = { ...names(rleCt), frameNumbers: [1], mediaTypes: [{ mediaType, transferSyntaxUID }] };
      const [part, more] = await partsOf(call('retrieveInstanceFrames', options));
      expect(more).toBeUndefined();
      expect(labelOf(part)).toEqual([given, RLE]);
      expect(Buffer.from(rleCt.bytes).includes(bytesOf(part))).toBe(true);
      // An RLE frame begins with the number of its segments: two bytes a sample.
      expect(bytesOf(part).readUInt32LE(0)).toBe(2);
    });

    it('retrieveInstanceFrames in a compressed syntax that they are not stored in, and by a choice of types', async () => {
      const jls = { mediaType: 'image/jls', transferSyntaxUID: JPEG_LS };
      const options = { ...names(ct), frameNumbers: [1], mediaTypes: [jls] };
      const [part] = await partsOf(call('retrieveInstanceFrames', options));
      expect(labelOf(part)).toEqual(['image/jls', JPEG_LS]);
      // SOI, and SOF55 before the scan.
      expect(bytesOf(part).subarray(0, 2).toString('hex')).toBe('ffd8');
      expect(bytesOf(part).includes(Buffer.from('fff7', 'hex'))).toBe(true);
      const octets = { mediaType: 'application/octet-stream', transferSyntaxUID: EXPLICIT };
      const [either] = await partsOf(call('retrieveInstanceFrames', { ...options, mediaTypes: [octets, jls] }));
      expect(labelOf(either)).toEqual(['application/octet-stream', EXPLICIT]);
      expect(bytesOf(either).equals(nativePixelsOf(ct.bytes))).toBe(true);
    });

    describe.each([
      ['retrieveInstanceRendered', {}],
      ['retrieveInstanceThumbnail', {}],
      ['retrieveInstanceFramesRendered', { frameNumbers: [2] }],
      ['retrieveInstanceFramesThumbnail', { frameNumbers: [2] }],
    ] as const)('%s', (method, frames) => {
      const picture = async (options: Readonly<Record<string, unknown>>) => {
        const answer = await call(method, { ...names(rleLoop), ...frames, ...options });
        const [part] = answer as readonly Part[];
        return { type: part?.contentType, ...(await sharp(bytesOf(part)).metadata()) };
      };
      it('gives JPEG to whom nothing else suits better, and PNG to who asks', async () => {
        expect(await picture({ queryParams: { quality: 90 } })).toMatchObject({ type: 'image/jpeg', format: 'jpeg' });
        for (const format of ['jpeg', 'png']) {
          const mediaTypes = [{ mediaType: `image/${format}` }];
          expect(await picture({ mediaTypes })).toMatchObject({ type: `image/${format}`, format });
        }
      });
      it('fits the picture into a viewport', async () => {
        const mediaTypes = [{ mediaType: 'image/png' }];
        const { width, height } = await picture({ mediaTypes, queryParams: { viewport: '40,40' } });
        expect([width, height]).toEqual([40, 30]);
      });
    });

    it('retrieveInstanceFramesRendered gives several frames as parts', async () => {
      const options = { ...names(loop), frameNumbers: [1, 2], queryParams: { quality: 80 } };
      const parts = await partsOf(call('retrieveInstanceFramesRendered', options));
      expect(parts.map(({ contentType }) => contentType)).toEqual(['image/jpeg', 'image/jpeg']);
      for (const part of parts) expect((await sharp(bytesOf(part)).metadata()).width).toBe(80);
      // Colours as they are, to the bit, where nothing is lost on the way.
      const mediaTypes = [{ mediaType: 'image/png' }];
      for (const source of [loop, rleLoop]) {
        const asked = { ...names(source), frameNumbers: [2], mediaTypes };
        const [png] = await partsOf(call('retrieveInstanceFramesRendered', asked));
        const frame = nativePixelsOf(loop.bytes).subarray(80 * 60 * 3, 2 * 80 * 60 * 3);
        expect((await sharp(bytesOf(png)).removeAlpha().raw().toBuffer()).equals(frame)).toBe(true);
      }
    });

    it('retrieveInstanceRendered takes a window', async () => {
      const mean = async (window: string) => {
        const mediaTypes = [{ mediaType: 'image/png' }];
        const [part] = await partsOf(
          call('retrieveInstanceRendered', { ...names(ct), mediaTypes, queryParams: { window } }),
        );
        return (await sharp(bytesOf(part)).stats()).channels[0]?.mean ?? 0;
      };
      expect(await mean('3000,10,linear')).toBeLessThan(await mean('-2000,10,linear'));
    });

    it('retrieveBulkData, in parts and as it is', async () => {
      const instance = names({ study: '2.25.31', series: '2.25.31.1', sop: '2.25.31.1.1' } as PhantomInstance);
      const [row] = (await call('retrieveInstanceMetadata', instance)) as readonly Record<
        string,
        { readonly BulkDataURI?: string }
      >[];
      const uri = row?.['00291001']?.BulkDataURI ?? expect.fail('the metadata name no bulk data');
      const BulkDataURI = new URL(uri, gateway.url).href;
      const [part] = await partsOf(call('retrieveBulkData', { BulkDataURI }));
      expect(bytesOf(part).equals(BULK)).toBe(true);
      const mediaTypes = [{ mediaType: 'application/octet-stream' }];
      const [ranged] = await partsOf(call('retrieveBulkData', { BulkDataURI, mediaTypes, byteRange: [0, 99] }));
      // A server may answer a range of a multipart with the whole (RFC 9110 14.2).
      expect(BULK.subarray(0, bytesOf(ranged).length).equals(bytesOf(ranged))).toBe(true);
      const [plain] = await partsOf(calling({ singlepart: true })('retrieveBulkData', { BulkDataURI }));
      expect(bytesOf(plain).equals(BULK)).toBe(true);
    });

    it('buildInstanceWadoURIUrl builds what WADO-URI answers', async () => {
      const wado = calling({ url: gateway.url, wadoURLPrefix: 'wado' });
      const url = String(await wado('buildInstanceWadoURIUrl', names(rleCt)));
      const stored = await fetch(url);
      expect(stored.status).toBe(200);
      expect(stored.headers.get('content-type')).toMatch(/^application\/dicom(;|$)/);
      expect(Buffer.from(await stored.arrayBuffer()).equals(rleCt.bytes)).toBe(true);
      const jpeg = await fetch(
        String(await wado('buildInstanceWadoURIUrl', { ...names(rleCt), contentType: 'image/jpeg' })),
      );
      expect([jpeg.status, jpeg.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
      expect((await sharp(Buffer.from(await jpeg.arrayBuffer())).metadata()).width).toBe(64);
    });

    it('left the tier as it was', async () => {
      const rows = await rowsOf(call('searchForInstances'));
      const expected = tier === 'hot' ? 'ONLINE' : 'NEARLINE';
      expect([...new Set(valuesOf(rows, '00080056'))]).toEqual([expected]);
    });

    it('storeInstances: new ones, the same ones again, and of one study', async () => {
      const answerOf = async (options: Readonly<Record<string, unknown>>) =>
        JSON.parse(String(await call('storeInstances', options))) as DicomJson;
      const datasets = [fresh(1), fresh(2)].map(arrayBuffer);
      for (const _ of ['new', 'again']) {
        const answer = await answerOf({ datasets });
        expect(answer['00081199']?.Value).toHaveLength(2);
        expect(answer['00081198']).toBeUndefined();
      }
      const answer = await answerOf({ datasets: [arrayBuffer(fresh(3))], studyInstanceUID: '2.25.32' });
      expect(answer['00081199']?.Value).toHaveLength(1);
      const rows = await rowsOf(call('searchForInstances', { studyInstanceUID: '2.25.32' }));
      expect(rows).toHaveLength(3);
      const others = { datasets: [arrayBuffer(fresh(1, '2.25.33'))], studyInstanceUID: '2.25.32' };
      await expect(call('storeInstances', others)).rejects.toMatchObject({ status: 409 });
    });

    it('has no method that was not driven', () => {
      const all = Object.getOwnPropertyNames(Client?.prototype ?? {}).filter((name) => !/^(_|constructor$)/.test(name));
      expect(all.length).toBeGreaterThan(20);
      expect(all.filter((name) => !driven.has(name))).toEqual([]);
    });
  });
});
