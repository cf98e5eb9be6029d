// WADO-RS of instances, frames and bulk data, as part of the DICOMweb suite.
import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { EXPLICIT_BIG as BIG, EXPLICIT_LITTLE as EXPLICIT } from '../../../dicom/transfer-syntax.js';
import { type DicomwebRig, readMultipart } from '../../support/dicomweb-rig.js';
import {
  AS_STORED,
  ct,
  image,
  instancePath,
  JPEG_LS,
  noise,
  FRAME_AS_STORED as OHIF,
  swapped,
} from '../../support/dicomweb-samples.js';
import { nativeImage } from '../../support/part10-builder.js';

export function describeRetrieve(rig: () => DicomwebRig): void {
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

export function describeFrames(rig: () => DicomwebRig): void {
  describe('frames', () => {
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

export function describeBulkData(rig: () => DicomwebRig): void {
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

    it('gives compressed pixel data as one part a frame, and not as a single part of many', async () => {
      const frames = [noise(100, 11), noise(60, 12)];
      await rig().stow([ct(1, { transferSyntax: JPEG_LS, elements: image(frames) })]);
      const path = `${instancePath('1.2.3.1.1')}/bulkdata/7FE00010`;
      const parts = readMultipart(await rig().call(path, { headers: { Accept: '*/*; transfer-syntax=*' } }));
      expect(parts.map((part) => part.body)).toEqual(frames);
      expect(parts[1]?.headers.get('content-type')).toBe(`image/jls;transfer-syntax=${JPEG_LS}`);
      expect((await rig().call(path, { headers: { Accept: 'application/octet-stream' } })).status).toBe(406);
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
