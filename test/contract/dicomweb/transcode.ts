// What is asked for in another transfer syntax than it is stored in, with the real codecs: frames, bulk data, instances, studies of
// mixed syntaxes, zip files. Part of a suite that gives each test two empty servers with codecs.
import { describe, expect, it } from 'vitest';
import { EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE } from '../../../dicom/transfer-syntax.js';
import { type DicomwebRig, type Reply, readMultipart } from '../../support/dicomweb-rig.js';
import { ct, image, instancePath, JPEG_LS, noise, swapped } from '../../support/dicomweb-samples.js';
import { type Element, nativeImage } from '../../support/part10-builder.js';

const J2K = '1.2.840.10008.1.2.4.90';
const HTJ2K = '1.2.840.10008.1.2.4.201';
const RLE = '1.2.840.10008.1.2.5';
const JPEG = '1.2.840.10008.1.2.4.70';
const H264 = '1.2.840.10008.1.2.4.102';
const FRAME_BYTES = 2 * 40 * 30;
const PIXELS = noise(3 * FRAME_BYTES, 21);

const elements = (): readonly Element[] => nativeImage({ rows: 40, columns: 30, bits: 16, frames: 3, pixels: PIXELS });
const asks = (type: string, syntax?: string) => ({
  headers: { Accept: `multipart/related; type="${type}"${syntax === undefined ? '' : `; transfer-syntax=${syntax}`}` },
});
const problem = (reply: Reply) => JSON.parse(reply.body.toString()) as { available?: string[]; detail: string };

/** The instance as the first server gives it in `syntax`, taken in by the second. */
async function moved(from: DicomwebRig, to: DicomwebRig, syntax: string): Promise<Buffer> {
  const [part] = readMultipart(await from.call(instancePath('1.2.3.1.1'), asks('application/dicom', syntax)));
  expect(part?.headers.get('content-type')).toBe(`application/dicom;transfer-syntax=${syntax}`);
  const bytes = part?.body ?? Buffer.alloc(0);
  expect((await to.stow([bytes])).status).toBe(200);
  return bytes;
}

export function describeTranscoding(rigs: () => { readonly first: DicomwebRig; readonly second: DicomwebRig }): void {
  const first = () => rigs().first;
  const second = () => rigs().second;

  describe('transcoded frames', () => {
    it.each([
      ['image/jls', JPEG_LS],
      ['image/jp2', J2K],
      ['image/jphc', HTJ2K],
      ['image/dicom-rle', RLE],
      ['image/jpeg', JPEG],
      ['image/dicom+jpeg', JPEG],
    ])('%s without a transfer syntax is its default, %s', async (type, syntax) => {
      await first().stow([ct(1, { elements: elements() })]);
      const parts = readMultipart(await first().call(`${instancePath('1.2.3.1.1')}/frames/3,1`, asks(type)));
      const canonical = type === 'image/dicom+jpeg' ? 'image/jpeg' : type;
      expect(parts.map((part) => part.headers.get('content-type'))).toEqual(
        [3, 1].map(() => `${canonical};transfer-syntax=${syntax}`),
      );
      await moved(first(), second(), syntax);
      const back = await second().call(`${instancePath('1.2.3.1.1')}/frames/3,1`, asks('application/octet-stream'));
      const decoded = readMultipart(back);
      expect(decoded.map((part) => part.headers.get('content-type'))).toEqual(
        [3, 1].map(() => `application/octet-stream;transfer-syntax=${EXPLICIT_LITTLE}`),
      );
      expect(decoded[0]?.body.equals(PIXELS.subarray(2 * FRAME_BYTES))).toBe(true);
      expect(decoded[1]?.body.equals(PIXELS.subarray(0, FRAME_BYTES))).toBe(true);
      const asIs = await second().call(`${instancePath('1.2.3.1.1')}/frames/3,1`, asks(type));
      // Stored in fragments, which are padded to even lengths.
      expect(readMultipart(asIs).map((part) => part.body.length)).toEqual(
        parts.map((part) => part.body.length + (part.body.length % 2)),
      );
    });

    it('takes the first transfer syntax of a range that can be given', async () => {
      await first().stow([ct(1, { elements: elements() })]);
      const headers = {
        Accept: `multipart/related; type="application/octet-stream"; transfer-syntax=1.2.3; transfer-syntax=${H264}; transfer-syntax="${JPEG_LS}"; transfer-syntax=*`,
      };
      const [part] = readMultipart(await first().call(`${instancePath('1.2.3.1.1')}/frames/1`, { headers }));
      expect(part?.headers.get('content-type')).toBe(`application/octet-stream;transfer-syntax=${JPEG_LS}`);
    });

    it('gives one as a single part with its length, a range of it, and 304 for the same again', async () => {
      await first().stow([ct(1, { elements: elements() })]);
      await moved(first(), second(), JPEG_LS);
      const path = `${instancePath('1.2.3.1.1')}/frames/2`;
      const Accept = 'application/octet-stream';
      const whole = await second().call(path, { headers: { Accept } });
      expect(whole.headers['content-length']).toBe(String(FRAME_BYTES));
      expect(whole.body.equals(PIXELS.subarray(FRAME_BYTES, 2 * FRAME_BYTES))).toBe(true);
      const range = await second().call(path, { headers: { Accept, Range: 'bytes=10-19' } });
      expect([range.status, range.body]).toEqual([206, whole.body.subarray(10, 20)]);
      const again = { Accept, 'If-None-Match': String(whole.headers.etag) };
      expect((await second().call(path, { headers: again })).status).toBe(304);
    });

    it('turns big endian samples, and keeps big endian to those who ask for it', async () => {
      const big = ct(1, { transferSyntax: EXPLICIT_BIG, elements: elements() });
      await first().stow([swapped(big)]);
      const path = `${instancePath('1.2.3.1.1')}/frames/1`;
      const [little] = readMultipart(await first().call(path, asks('application/octet-stream')));
      expect(little?.body.equals(PIXELS.subarray(0, FRAME_BYTES))).toBe(true);
      const [asIs] = readMultipart(await first().call(path, asks('application/octet-stream', EXPLICIT_BIG)));
      expect(asIs?.body.equals(Buffer.from(PIXELS.subarray(0, FRAME_BYTES)).swap16())).toBe(true);
    });

    it('answers 406 with what could be had, for what no codec makes and for what the samples do not allow', async () => {
      const bits = nativeImage({ rows: 8, columns: 8, bits: 1, frames: 1, pixels: noise(8, 3) });
      await first().stow([ct(1, { elements: elements() }), ct(2, { elements: bits })]);
      for (const syntax of [IMPLICIT_LITTLE, EXPLICIT_BIG, H264, '1.2.840.10008.1.2.4.81', '1.2.3']) {
        const reply = await first().call(
          `${instancePath('1.2.3.1.1')}/frames/1`,
          asks('application/octet-stream', syntax),
        );
        expect([syntax, reply.status]).toEqual([syntax, 406]);
        expect(problem(reply).available).toContain(`multipart/related; type="image/jls"; transfer-syntax=${JPEG_LS}`);
      }
      const small = await first().call(`${instancePath('1.2.3.1.2')}/frames/1`, asks('image/jls'));
      expect(small.status).toBe(406);
    });

    it('says that a frame is damaged, and never sends pixels of it', async () => {
      await first().stow([ct(1, { transferSyntax: JPEG_LS, elements: image([noise(300, 4)]) })]);
      const path = `${instancePath('1.2.3.1.1')}/frames/1`;
      expect((await first().call(path, asks('application/octet-stream'))).status).toBe(500);
      expect((await first().call(path, asks('application/octet-stream', '*'))).status).toBe(200);
    });
  });

  describe('transcoded bulk data', () => {
    it('is one value when it is uncompressed, and a part a frame when it is not', async () => {
      await first().stow([ct(1, { elements: elements() })]);
      await moved(first(), second(), J2K);
      const path = `${instancePath('1.2.3.1.1')}/bulkdata/7FE00010`;
      const value = await second().call(path);
      expect(value.headers['content-type']).toBe(`application/octet-stream;transfer-syntax=${EXPLICIT_LITTLE}`);
      expect(value.body.equals(PIXELS)).toBe(true);
      expect(readMultipart(await second().call(path, asks('application/octet-stream')))[0]?.body.equals(PIXELS)).toBe(
        true,
      );
      const frames = readMultipart(await first().call(path, asks('image/jls')));
      expect(frames.map((part) => part.headers.get('content-type'))).toEqual(
        [1, 2, 3].map(() => `image/jls;transfer-syntax=${JPEG_LS}`),
      );
    });
  });

  describe('transcoded instances', () => {
    it('are Explicit VR Little Endian when nothing is said, whatever they are stored in', async () => {
      await first().stow([ct(1, { elements: elements() })]);
      await moved(first(), second(), HTJ2K);
      for (const Accept of ['application/dicom', 'multipart/related; type="application/dicom"', '*/*']) {
        const reply = await second().call(instancePath('1.2.3.1.1'), { headers: { Accept } });
        const [part] = Accept === 'application/dicom' ? [] : readMultipart(reply);
        const type = part?.headers.get('content-type') ?? reply.headers['content-type'];
        expect(type).toBe(`application/dicom;transfer-syntax=${EXPLICIT_LITTLE}`);
        expect((part?.body ?? reply.body).includes(PIXELS)).toBe(true);
      }
    });

    it('come as asked from a study of mixed syntaxes; what cannot is left out, with 206 and a Warning', async () => {
      const report = ct(3, { sopClass: '1.2.840.10008.5.1.4.1.1.88.11' });
      const bits = nativeImage({ rows: 8, columns: 8, bits: 1, frames: 1, pixels: noise(8, 3) });
      await first().stow([ct(1, { elements: elements() })]);
      await moved(first(), second(), RLE);
      const stream = ct(5, { transferSyntax: H264, elements: image([noise(500, 6)]) });
      await second().stow([ct(2, { elements: elements() }), report, ct(4, { elements: bits }), stream]);
      const numbers = (reply: Reply) =>
        readMultipart(reply).map((part) => part.headers.get('content-location')?.split('.').at(-1));
      const study = '/dicomweb/studies/1.2.3';
      const little = await second().call(study, asks('application/dicom'));
      expect([little.status, numbers(little)]).toEqual([206, ['1', '2', '3', '4']]);
      expect(little.headers.warning).toMatch(/^299 filmroom "1 instances/);
      const jls = await second().call(study, asks('application/dicom', JPEG_LS));
      expect([jls.status, numbers(jls)]).toEqual([206, ['1', '2', '3']]);
      const either = await second().call(study, {
        headers: {
          Accept:
            'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.80; transfer-syntax=*',
        },
      });
      expect([either.status, numbers(either)]).toEqual([200, ['1', '2', '3', '4', '5']]);
      const refused = await second().call(instancePath('1.2.3.1.5'), asks('application/dicom'));
      expect(refused.status).toBe(406);
      expect(problem(refused).available).toContain('multipart/related; type="application/dicom"; transfer-syntax=*');
    });

    it('are whole where their frames are large enough to be freed as soon as they are sent', async () => {
      // Twelve bits: an encoder may refuse what only grows.
      const large = noise(6 * 2 * 200 * 201, 22).map((byte, at) => (at % 2 === 0 ? byte : byte & 0x0f));
      const many = nativeImage({ rows: 200, columns: 201, bits: 16, frames: 6, pixels: large });
      await first().stow([ct(1, { elements: many })]);
      await moved(first(), second(), JPEG_LS);
      const headers = { Accept: 'application/octet-stream' };
      const back = await second().call(`${instancePath('1.2.3.1.1')}/bulkdata/7FE00010`, { headers });
      expect(back.body.equals(large)).toBe(true);
    });

    it('fill a zip file, whose length nobody knows then', async () => {
      await first().stow([ct(1, { elements: elements() })]);
      const Accept = `application/zip; transfer-syntax=${JPEG_LS}`;
      const reply = await first().call('/dicomweb/studies/1.2.3', { headers: { Accept } });
      expect([reply.status, reply.headers['content-length']]).toEqual([200, undefined]);
      const [part] = readMultipart(await first().call(instancePath('1.2.3.1.1'), asks('application/dicom', JPEG_LS)));
      expect(reply.body.includes(part?.body ?? 'nothing')).toBe(true);
    });

    it('are never made in implicit VR or big endian, nor with a loss', async () => {
      await first().stow([ct(1, { elements: elements() })]);
      for (const syntax of [IMPLICIT_LITTLE, EXPLICIT_BIG, '1.2.840.10008.1.2.4.50']) {
        const reply = await first().call(instancePath('1.2.3.1.1'), asks('application/dicom', syntax));
        expect([syntax, reply.status]).toEqual([syntax, 406]);
      }
    });
  });
}
