// Rendered resources, as part of the DICOMweb suite: every level, parameter and media type, and what hostile parameters get.
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { DicomwebRig } from '../../support/dicomweb-rig.js';
import { readMultipart } from '../../support/dicomweb-rig.js';
import { ct, image, instancePath, JPEG_LS, noise } from '../../support/dicomweb-samples.js';
import { gradient, gray, picture, size } from '../../support/images.js';
import { type Element, nativeImage } from '../../support/part10-builder.js';

const MPEG4 = '1.2.840.10008.1.2.4.102';
const PDF = '1.2.840.10008.5.1.4.1.1.104.1';
const REPORT = '1.2.840.10008.5.1.4.1.1.88.11';
const PRESENTATION = '1.2.840.10008.5.1.4.1.1.11.1';
const STUDY = '/dicomweb/studies/1.2.3';
const SERIES = `${STUDY}/series/1.2.3.1`;
const ONE = instancePath('1.2.3.1.1');

export function describeRendered(rig: () => DicomwebRig): void {
  const get = (path: string, headers: Record<string, string> = {}) => rig().call(path, { headers });

  describe('Retrieve Rendered of instances and frames', () => {
    it('gives JPEG by default and every image type by name, by header or by query', async () => {
      await rig().stow([picture(1)]);
      const plain = await get(`${ONE}/rendered`);
      expect(plain.status).toBe(200);
      expect(await size(plain)).toEqual({ type: 'image/jpeg', format: 'jpeg', width: 64, height: 32 });
      expect(plain.headers['cache-control']).toMatch(/private/);
      for (const kind of ['jpeg', 'png', 'gif', 'webp']) {
        expect(await size(await get(`${ONE}/rendered`, { Accept: `image/${kind}` }))).toMatchObject({ format: kind });
        // The query beats the header (CLIENTS C1).
        const both = await get(`${ONE}/rendered?accept=image%2F${kind}`, {
          Accept: 'multipart/related; type="application/octet-stream"',
        });
        expect(await size(both)).toMatchObject({ format: kind, width: 64 });
      }
    });

    it('gives the pixels themselves: as PNG they are what was stored', async () => {
      await rig().stow([picture(1)]);
      const png = await gray(await get(`${ONE}/frames/1/rendered`, { Accept: 'image/png' }));
      expect([png.at(0, 0), png.at(32, 5), png.at(63, 31)]).toEqual([0, 102, 200]);
    });

    it('applies the window in every shape', async () => {
      await rig().stow([picture(1)]);
      const at32 = async (window: string) =>
        (await gray(await get(`${ONE}/rendered?accept=image/png&window=${window}`))).at(32, 0);
      // Stored value 102: LINEAR ((102 - 99.5) / 99 + 0.5) * 255, LINEAR_EXACT ((102 - 100) / 100 + 0.5) * 255, SIGMOID 255 / (1 + exp(-0.08)).
      expect(await at32('100,100,linear')).toBe(134);
      expect(await at32('100%2C100%2Clinear-exact')).toBe(133);
      expect(await at32('100,100,sigmoid')).toBe(133);
      expect(await at32('20,10')).toBe(255);
    });

    it('fits the viewport, crops to its region and flips', async () => {
      await rig().stow([picture(1)]);
      const view = async (viewport: string) =>
        await gray(await get(`${ONE}/rendered?accept=image/png&viewport=${viewport}`));
      expect(await view('32,32')).toMatchObject({ width: 32, height: 16 });
      expect(await view('128,128')).toMatchObject({ width: 128, height: 64 });
      expect(await view('20,20,0,0,10,10')).toMatchObject({ width: 20, height: 20 });
      expect(await view('64,32,,,,')).toMatchObject({ width: 64, height: 32 });
      const flipped = await view('64,32,,,-64,32');
      expect([flipped.at(0, 0), flipped.at(63, 0)]).toEqual([200, 0]);
      const right = await view('32,32,32,0,,');
      expect(right.at(0, 0)).toBe(102);
    });

    it('makes the quality of a JPEG what was asked', async () => {
      await rig().stow([
        ct(1, { elements: nativeImage({ rows: 64, columns: 64, bits: 8, frames: 1, pixels: noise(4096, 1) }) }),
      ]);
      const bytes = async (quality: number) => (await get(`${ONE}/rendered?quality=${quality}`)).body.length;
      expect(await bytes(10)).toBeLessThan(await bytes(90));
    });

    it('burns in what is asked, and tells of what it does not know', async () => {
      await rig().stow([ct(1, { elements: gradient(256, 256) })]);
      const plain = await get(`${ONE}/rendered?accept=image/png`);
      const named = await get(`${ONE}/rendered?accept=image/png&annotation=patient,technique`);
      expect(named.body.equals(plain.body)).toBe(false);
      expect(named.headers['warning']).toBeUndefined();
      const strange = await get(`${ONE}/rendered?annotation=scale`);
      expect(strange.status).toBe(200);
      expect(strange.headers['warning']).toMatch(/^299 .*annotations/);
    });

    it('gives frames one by one, many in parts, and by the alias of cornerstone', async () => {
      await rig().stow([ct(1, { elements: gradient(64, 32, 4) })]);
      const value = async (path: string) => (await gray(await get(`${ONE}/${path}?accept=image/png`))).at(0, 0);
      expect(await value('frames/1/rendered')).toBe(0);
      expect(await value('frames/3/rendered')).toBe(20);
      expect(await value('rendered/4')).toBe(30);
      expect(await value('rendered')).toBe(0);
      const many = await get(`${ONE}/frames/2,4/rendered`, { Accept: 'multipart/related; type="image/png"' });
      const parts = readMultipart(many);
      expect(parts.map((part) => part.headers.get('content-type'))).toEqual(['image/png', 'image/png']);
      expect(parts[1]?.headers.get('content-location')).toBe(`${ONE}/frames/4/rendered`);
      expect((await get(`${ONE}/frames/1,2/rendered`, { Accept: 'image/png' })).status).toBe(406);
      expect((await get(`${ONE}/frames/5/rendered`)).status).toBe(404);
      expect((await get(`${ONE}/frames/0/rendered`)).status).toBe(400);
    });

    it('gives all frames as an animation where GIF is asked for by name, within bounds', async () => {
      await rig().stow([ct(1, { elements: [...gradient(64, 32, 4), ['00181063', 'DS', '50']] })]);
      const gif = await get(`${ONE}/rendered`, { Accept: 'image/gif' });
      expect(await size(gif)).toMatchObject({ format: 'gif', width: 64, pages: 4 });
      expect((await sharp(gif.body).metadata()).delay).toEqual([50, 50, 50, 50]);
      await rig().stow([ct(2, { elements: gradient(8, 8, 600) })]);
      const refused = await get(`${instancePath('1.2.3.1.2')}/rendered`, { Accept: 'image/gif' });
      expect(refused.status).toBe(406);
      expect(JSON.parse(refused.body.toString())).toMatchObject({
        available: expect.arrayContaining(['image/png']) as unknown,
      });
      expect((await get(`${instancePath('1.2.3.1.2')}/frames/600/rendered`, { Accept: 'image/gif' })).status).toBe(200);
    });

    it('writes the profile of the image beside its colours, or turns them into another space', async () => {
      const { data: file } = await sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } })
        .withIccProfile('p3')
        .png()
        .toBuffer({ resolveWithObject: true });
      const { icc } = await sharp(file).metadata();
      const color: readonly Element[] = [
        ...nativeImage({
          rows: 8,
          columns: 8,
          bits: 8,
          frames: 1,
          pixels: Buffer.alloc(192, Buffer.from([200, 100, 50])),
        }),
        ['00280002', 'US', 3],
        ['00280004', 'CS', 'RGB'],
        ['00280006', 'US', 0],
      ];
      await rig().stow([
        ct(1, { elements: [...color, ['00282000', 'OB', icc ?? Buffer.alloc(0)]] }),
        ct(2, { elements: color }),
      ]);
      for (const type of ['image/jpeg', 'image/png']) {
        const own = await sharp((await get(`${ONE}/rendered?accept=${type}&iccprofile=yes`)).body).metadata();
        expect(own.icc?.equals(icc ?? Buffer.alloc(0))).toBe(true);
        expect((await sharp((await get(`${ONE}/rendered?accept=${type}`)).body).metadata()).icc).toBeUndefined();
      }
      const turned = await sharp((await get(`${ONE}/rendered?accept=image/png&iccprofile=srgb`)).body)
        .raw()
        .toBuffer();
      // The same colour in a narrower space: redder numbers.
      expect(turned[0]).toBeGreaterThan(205);
      expect((await get(`${ONE}/rendered?accept=image/gif&iccprofile=yes`)).status).toBe(400);
      expect((await get(`${instancePath('1.2.3.1.2')}/rendered?iccprofile=yes`)).status).toBe(400);
    });

    it('tells a client that its copy is still good', async () => {
      await rig().stow([picture(1)]);
      const first = await get(`${ONE}/rendered?quality=80`);
      const again = await get(`${ONE}/rendered?quality=80`, { 'If-None-Match': String(first.headers.etag) });
      expect(again.status).toBe(304);
      expect(again.body.length).toBe(0);
      expect((await get(`${ONE}/rendered?quality=70`, { 'If-None-Match': String(first.headers.etag) })).status).toBe(
        200,
      );
      const head = await rig().call(`${ONE}/rendered?quality=80`, { method: 'HEAD' });
      expect([head.status, head.headers['content-length'], head.body.length]).toEqual([
        200,
        String(first.body.length),
        0,
      ]);
    });

    it('answers 406 with what could be had: for other types, and for what cannot be decoded', async () => {
      await rig().stow([picture(1), ct(2, { transferSyntax: JPEG_LS, elements: image([noise(100, 1)]) })]);
      const type = await get(`${ONE}/rendered`, { Accept: 'application/dicom' });
      expect(type.status).toBe(406);
      expect(JSON.parse(type.body.toString())).toMatchObject({
        available: expect.arrayContaining(['image/jpeg']) as unknown,
      });
      const undecodable = await get(`${instancePath('1.2.3.1.2')}/rendered`);
      expect(undecodable.status).toBe(406);
      expect(undecodable.body.toString()).toContain(JPEG_LS);
    });
  });

  describe('Retrieve Rendered of series and studies', () => {
    it('gives every frame of every image in reading order, and leaves out what has none', async () => {
      await rig().stow([
        picture(2),
        ct(1, { elements: gradient(64, 32, 2) }),
        ct(3, { sopClass: PRESENTATION }),
        ct(4, { transferSyntax: JPEG_LS, elements: image([noise(100, 1)]) }),
      ]);
      for (const path of [SERIES, STUDY]) {
        const parts = readMultipart(await get(`${path}/rendered`));
        expect(parts.map((part) => part.headers.get('content-location'))).toEqual([
          `${ONE}/frames/1/rendered`,
          `${ONE}/frames/2/rendered`,
          `${instancePath('1.2.3.1.2')}/frames/1/rendered`,
        ]);
        expect((await sharp(parts[2]?.body).metadata()).format).toBe('jpeg');
      }
      expect((await get(`${STUDY}/rendered`, { Accept: 'image/jpeg' })).status).toBe(406);
      expect((await get('/dicomweb/studies/9/rendered')).status).toBe(404);
    });

    it('is 406 where nothing can be seen', async () => {
      await rig().stow([ct(1, { sopClass: PRESENTATION })]);
      expect((await get(`${STUDY}/rendered`)).status).toBe(406);
      expect((await get(`${ONE}/rendered`)).status).toBe(406);
    });
  });

  describe('native documents, reports and video', () => {
    const content = (text: string): Element => ['00420011', 'OB', Buffer.from(text)];
    const file = `%PDF-1.7 ${'x'.repeat(4000)}end`;

    it('gives a document byte for byte without its pad byte, whole and in ranges', async () => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(file.length);
      await rig().stow([
        ct(1, {
          sopClass: PDF,
          elements: [content(file), ['00420015', 'UL', length], ['00420012', 'LO', 'text/html']],
        }),
        ct(2, { sopClass: PDF, elements: [content('%PDF small')] }),
      ]);
      const reply = await get(`${ONE}/rendered`);
      expect([reply.status, reply.headers['content-type'], reply.body.toString()]).toEqual([
        200,
        'application/pdf',
        file,
      ]);
      const part = await get(`${ONE}/rendered`, { Range: 'bytes=0-7', Accept: 'application/pdf' });
      expect([part.status, part.body.toString(), part.headers['content-range']]).toEqual([
        206,
        '%PDF-1.7',
        `bytes 0-7/${file.length}`,
      ]);
      expect((await get(`${instancePath('1.2.3.1.2')}/rendered`)).body.toString()).toBe('%PDF small');
      expect((await get(`${ONE}/rendered`, { Accept: 'image/jpeg' })).status).toBe(406);
      expect((await get(`${ONE}/frames/1/rendered`)).status).toBe(404);
    });

    it('gives video as it is stored, in ranges, single or wrapped', async () => {
      const stream = noise(5000, 3);
      await rig().stow([
        ct(1, { transferSyntax: MPEG4, elements: image([stream.subarray(0, 3000), stream.subarray(3000)]) }),
      ]);
      const whole = await get(`${ONE}/rendered`);
      expect([whole.status, whole.headers['content-type'], whole.body.equals(stream)]).toEqual([
        200,
        'video/mp4',
        true,
      ]);
      const part = await get(`${ONE}/rendered?accept=video/mp4`, { Range: 'bytes=2990-3009' });
      expect([part.status, part.body.equals(stream.subarray(2990, 3010))]).toEqual([206, true]);
      const wrapped = await get(`${ONE}/rendered`, {
        Accept: 'multipart/related; type="video/mp4", multipart/related; type="application/octet-stream"',
      });
      expect(readMultipart(wrapped)[0]?.body.equals(stream)).toBe(true);
      const refused = await get(`${ONE}/rendered`, { Accept: 'image/jpeg' });
      expect([refused.status, JSON.parse(refused.body.toString())]).toMatchObject([
        406,
        { available: ['video/mp4', expect.anything()] },
      ]);
    });

    it('gives reports as a page that loads and runs nothing, or as text', async () => {
      await rig().stow([ct(1, { sopClass: REPORT, elements: [['0008103E', 'LO', 'A <b>report</b>']] })]);
      const page = await get(`${ONE}/rendered`);
      expect(page.headers['content-type']).toBe('text/html;charset=utf-8');
      expect(page.headers['content-security-policy']).toMatch(/default-src 'none'.*sandbox/);
      expect(page.body.toString()).toContain('A &lt;b&gt;report&lt;/b&gt;');
      const text = await get(`${ONE}/rendered`, { Accept: 'text/plain' });
      expect([text.headers['content-type'], text.body.toString().split('\n')[0]]).toEqual([
        'text/plain;charset=utf-8',
        'A <b>report</b>',
      ]);
    });
  });

  describe('hostile parameters of rendering', () => {
    it.each([
      'viewport=1000000000,1000000000',
      'viewport=0,10',
      'viewport=-5,10',
      'viewport=10',
      'viewport=10,10,1e30,0,10,10',
      'viewport=10,10,0,0,0,10',
      'viewport=10,10,64,0,1,1',
      'viewport=10,10,NaN,0,1,1',
      'viewport=1,2,3,4,5,6,7',
      'window=NaN,1,linear',
      'window=1,Infinity,linear',
      'window=1,0,linear',
      'window=1,0.5,linear',
      'window=1,-3,sigmoid',
      'window=1',
      'window=1,2,cubic',
      'window=1,2,linear,4',
      'quality=0',
      'quality=101',
      'quality=-1',
      'quality=ten',
      'iccprofile=rommrgb',
    ])('%s is 400, at the renderer and for thumbnails', async (query) => {
      await rig().stow([ct(1, { elements: gradient(64, 32) })]);
      const reply = await get(`${ONE}/rendered?${query}`);
      expect([reply.status, reply.headers['content-type']]).toEqual([400, 'application/problem+json']);
      if (!query.includes('64,0')) expect((await get(`${ONE}/thumbnail?${query}`)).status).toBe(400);
    });
  });
}
