// FAULTS 1 to 16 for instances that come as metadata and bulk data. After each the next request is served and nobody is left
// reading; the number in a name is the fault's.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DicomwebRig, type Reply, untilClosed } from '../support/dicomweb-rig.js';
import { itemsOf, noise } from '../support/dicomweb-samples.js';
import { MemoryArchive } from '../support/memory-archive.js';
import {
  bulkPart,
  ctJson,
  METADATA_TYPE,
  metadataPart,
  noteJson,
  partsBody,
  type SentPart,
  stowParts,
} from '../support/stow-metadata.js';

const KiB = 1024;
/** Long pixels, cheap to make. */
const long = (length: number, seed: number) => Buffer.alloc(length, noise(997, seed));
const JSON_TYPE = 'application/dicom+json';
const XML_TYPE = 'application/dicom+xml';
const LIMITS = {
  bodyGraceMs: 300,
  lingerMs: 50,
  metadataBytesMax: 256 * KiB,
  storeHeldBytesMax: 512 * KiB,
  bulkHeldBytesMax: 64 * KiB,
};

let archive: MemoryArchive;
let rig: DicomwebRig;
beforeEach(async () => {
  archive = new MemoryArchive();
  rig = await DicomwebRig.start({ archive, limits: LIMITS });
});
afterEach(async () => {
  expect((await stowParts(rig, [metadataPart(noteJson(999))])).status).toBe(200);
  expect(archive.receiving).toBe(0);
  await rig.stop();
});

const post = (type: string, body: Buffer | string) =>
  rig.call('/dicomweb/studies', { method: 'POST', headers: { 'Content-Type': type }, body: Buffer.from(body) });
const uidsOf = (reply: Reply, tag: string) => itemsOf(reply, tag).map((item) => item['00081155']?.Value?.[0]);
const reasonsOf = (reply: Reply, tag: string) => itemsOf(reply, tag).map((item) => item['00081197']?.Value?.[0]);
const xmlPart = (body: string): SentPart => ({ type: XML_TYPE, body });
const model = (inside: string) => `<NativeDicomModel xml:space="preserve">${inside}</NativeDicomModel>`;

describe('bulk data that is not in the request', () => {
  let outside: Server;
  let asked = 0;
  beforeEach(async () => {
    asked = 0;
    outside = createServer((_, res) => {
      asked++;
      res.end('200 bytes of somebody else');
    });
    await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise((resolve) => outside.close(resolve)));

  it('9: is never fetched: that instance fails with a reason, the others are stored', async () => {
    const uris = [
      `http://127.0.0.1:${(outside.address() as AddressInfo).port}/pixels`,
      'file:///etc/passwd',
      'data:application/octet-stream;base64,AAAA',
      '/dicomweb/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.100/bulkdata/7FE00010',
      '../../x',
    ];
    const outsiders = uris.map((uri, at) => ctJson(at + 1, { '7FE00010': { vr: 'OW', BulkDataURI: uri } }));
    const reply = await stowParts(rig, [metadataPart(ctJson(100), ...outsiders), bulkPart('bulk/100', noise(200, 1))]);
    expect(reply.status).toBe(202);
    expect(uidsOf(reply, '00081199')).toEqual(['1.2.3.1.100']);
    expect(uidsOf(reply, '00081198')).toEqual(uris.map((_, at) => `1.2.3.1.${at + 1}`));
    expect(new Set(reasonsOf(reply, '00081198'))).toEqual(new Set([0xc000]));
    expect(asked).toBe(0);
    expect(archive.size).toBe(1);
  });

  it('9: is 409 when it is all there was, in JSON and in XML', async () => {
    expect((await stowParts(rig, [metadataPart(ctJson(1))])).status).toBe(409);
    const text = `<DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="http://127.0.0.1:${(outside.address() as AddressInfo).port}/x"/></DicomAttribute>`;
    expect((await stowParts(rig, [xmlPart(model(text))])).status).toBe(409);
    expect(asked).toBe(0);
  });

  it('8: is taken by its name alone when a part has it, whatever the name', async () => {
    const uri = `http://127.0.0.1:${(outside.address() as AddressInfo).port}/pixels`;
    const metadata = metadataPart(ctJson(1, { '7FE00010': { vr: 'OW', BulkDataURI: uri } }));
    expect((await stowParts(rig, [metadata, bulkPart(uri, noise(200, 1))])).status).toBe(200);
    expect(asked).toBe(0);
  });
});

describe('JSON that is none', () => {
  const broken = (member: string) => `[{"00080018":{"vr":"UI","Value":["1.2.3.1.1"]},${member}}]`;

  it.each([
    ['nothing', '', 400],
    ['no array', '"text"', 400],
    ['an empty array', '[]', 400],
    ['an end that is missing', '[{"00080018":{"vr":"UI"}', 400],
    ['a comma too many', `[${JSON.stringify(noteJson(1))},]`, 202],
    ['words between', '[{} x {}]', 400],
    ['a name that is no tag', broken('"PatientName":{"vr":"PN"}'), 409],
    ['a prototype name', broken('"__proto__":{"vr":"PN"}'), 409],
    ['a tag named twice', broken('"00080018":{"vr":"UI","Value":["1.2.3.1.2"]}'), 409],
    ['a member named twice', broken('"00100020":{"vr":"LO","vr":"LO"}'), 409],
    ['an attribute that is a text', broken('"00100020":"PID"'), 409],
    ['a Value that is no array', broken('"00100020":{"vr":"LO","Value":"PID"}'), 409],
    ['a value that is true', broken('"00100020":{"vr":"LO","Value":[true]}'), 409],
    ['a number for a text', broken('"00100020":{"vr":"LO","Value":[1]}'), 409],
    ['a text for an item', broken('"00081140":{"vr":"SQ","Value":["x"]}'), 409],
    ['an item for a text', broken('"00100020":{"vr":"LO","Value":[{"00100020":{"vr":"LO"}}]}'), 409],
    ['a vr that is none', broken('"00100020":{"vr":"XX"}'), 409],
    ['a number that the vr does not hold', broken('"00280010":{"vr":"US","Value":[65536]}'), 409],
    ['a fraction for an integer', broken('"00280010":{"vr":"US","Value":[1.5]}'), 409],
    ['base64 that is none', broken('"7FE00010":{"vr":"OB","InlineBinary":"a=b"}'), 409],
    ['two values', broken('"7FE00010":{"vr":"OB","InlineBinary":"AAAA","BulkDataURI":"x"}'), 409],
    ['bulk data for a sequence', broken('"00081140":{"vr":"SQ","BulkDataURI":"x"}'), 409],
    ['an escape that is none', broken('"00100020":{"vr":"LO","Value":["\\x"]}'), 409],
    ['no vr for a private attribute', broken('"00091001":{"Value":["x"]}'), 409],
    ['only numbers', '[1,2,3]', 400],
    ['UTF-16', Buffer.from('[{}]', 'utf16le').toString('latin1'), 400],
  ])('%s is refused', async (_, text, status) => {
    expect((await post(JSON_TYPE, text)).status).toBe(status);
    expect(archive.size).toBe(status === 202 ? 1 : 0);
  });

  it('names the instance where it could be read, and stores the good ones beside it', async () => {
    const bad = noteJson(2, { '00280010': { vr: 'US', Value: [-1] } });
    const reply = await stowParts(rig, [metadataPart(noteJson(1), bad, noteJson(3))]);
    expect([reply.status, uidsOf(reply, '00081199'), uidsOf(reply, '00081198')]).toEqual([
      202,
      ['1.2.3.1.1', '1.2.3.1.3'],
      ['1.2.3.1.2'],
    ]);
  });

  it('bytes that are not UTF-8 are refused', async () => {
    const body = Buffer.from(JSON.stringify([noteJson(1, { '00081030': { vr: 'LO', Value: ['ÄÄ'] } })]), 'latin1');
    const headers = { 'Content-Type': JSON_TYPE };
    expect((await rig.call('/dicomweb/studies', { method: 'POST', headers, body })).status).toBe(409);
  });

  it.each([50, 4_000, 8_000])(
    '%d sequences inside of each other are refused or stored, and nothing overflows',
    async (depth) => {
      const nested = `${'{"00081140":{"vr":"SQ","Value":['.repeat(depth)}{}${']}}'.repeat(depth)}`;
      const text = JSON.stringify([noteJson(1)]).replace(
        '"00100020"',
        `"00081140":{"vr":"SQ","Value":[${nested}]},"00100020"`,
      );
      const limited = await DicomwebRig.start({ archive });
      const headers = { 'Content-Type': JSON_TYPE };
      const reply = await limited.call('/dicomweb/studies', { method: 'POST', headers, body: Buffer.from(text) });
      expect([depth, reply.status]).toEqual([depth, depth < 4_096 ? 200 : 409]);
      await limited.stop();
    },
  );
});

describe('XML that is none', () => {
  it.each([
    ['nothing', ''],
    ['no XML', 'not XML'],
    ['a tag that is not closed', '<NativeDicomModel><DicomAttribute'],
    ['another document', '<html/>'],
    ['an entity that eats the disk', `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${model('&e;')}`],
    [
      'a billion laughs',
      `<!DOCTYPE x [<!ENTITY a "ha">${Array.from({ length: 30 }, (_, n) => `<!ENTITY a${n} "${`&a${n === 0 ? '' : n - 1};`.repeat(10)}">`).join('')}]>${model('&a29;')}`,
    ],
    ['a DTD elsewhere', `<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">${model('')}`],
    [
      'an entity that nobody defined',
      model('<DicomAttribute tag="00100020" vr="LO"><Value number="1">&e;</Value></DicomAttribute>'),
    ],
    ['text outside of values', model('text')],
    ['a value outside of an attribute', model('<Value number="1">x</Value>')],
    ['a tag that is none', model('<DicomAttribute tag="x" vr="LO"/>')],
    ['a tag twice', model('<DicomAttribute tag="00100020" vr="LO"/>'.repeat(2))],
    [
      'a billion empty values',
      model('<DicomAttribute tag="00100020" vr="LO"><Value number="9999999">x</Value></DicomAttribute>'),
    ],
    [
      'numbers that go back',
      model(
        '<DicomAttribute tag="00100020" vr="LO"><Value number="1">x</Value><Value number="1">y</Value></DicomAttribute>',
      ),
    ],
    ['another encoding', `<?xml version="1.0" encoding="UTF-16"?>${model('')}`],
    ['bulk data without a name', model('<DicomAttribute tag="7FE00010" vr="OW"><BulkData/></DicomAttribute>')],
    ['a prototype name', model('<__proto__/>')],
  ])('%s is refused', async (_, text) => {
    const reply = await stowParts(rig, [xmlPart(text), xmlPart(model(''))]);
    expect(reply.status).toBe(409);
    expect(reply.body.toString()).not.toContain('passwd');
    expect(archive.size).toBe(0);
  });

  it('a document as deep as its limit allows is refused without an overflow', async () => {
    const open = '<DicomAttribute tag="00081140" vr="SQ"><Item number="1">';
    const close = '</Item></DicomAttribute>';
    expect((await stowParts(rig, [xmlPart(model(open.repeat(3_000) + close.repeat(3_000)))])).status).toBe(409);
  });
});

describe('parts', () => {
  it('bulk data that nobody asked for is skipped and told of; what was asked for is stored', async () => {
    const reply = await stowParts(rig, [
      metadataPart(ctJson(1)),
      bulkPart('other', noise(9, 1)),
      bulkPart('bulk/1', noise(200, 1)),
    ]);
    expect([reply.status, uidsOf(reply, '00081199'), reasonsOf(reply, '0008119A')]).toEqual([
      202,
      ['1.2.3.1.1'],
      [0xc000],
    ]);
  });

  it('bulk data a second time is told of, and the first is kept', async () => {
    const parts = [metadataPart(ctJson(1)), bulkPart('bulk/1', noise(200, 1)), bulkPart('bulk/1', noise(200, 2))];
    const reply = await stowParts(rig, parts);
    expect([reply.status, archive.size, reasonsOf(reply, '0008119A')]).toEqual([202, 1, [0xc000]]);
  });

  it('bulk data without metadata, or before it, is 400', async () => {
    const headers = { 'Content-Type': METADATA_TYPE(JSON_TYPE) };
    const body = partsBody([bulkPart('bulk/1', noise(200, 1)), metadataPart(ctJson(1))]);
    expect((await rig.call('/dicomweb/studies', { method: 'POST', headers, body })).status).toBe(400);
  });

  it('two values of one name are refused, in one instance and in two', async () => {
    const twice = ctJson(1, { '00420011': { vr: 'OB', BulkDataURI: 'bulk/1' } });
    expect((await stowParts(rig, [metadataPart(twice), bulkPart('bulk/1', noise(200, 1))])).status).toBe(409);
    const other = ctJson(3, { '7FE00010': { vr: 'OW', BulkDataURI: 'bulk/2' } });
    const reply = await stowParts(rig, [metadataPart(ctJson(2), other), bulkPart('bulk/2', noise(200, 1))]);
    expect([reply.status, uidsOf(reply, '00081199')]).toEqual([202, ['1.2.3.1.2']]);
  });

  it('what else comes for a refused instance is skipped without a word', async () => {
    const three = ctJson(1, { '00280008': { vr: 'IS', Value: [3] } });
    const frames = [1, 2, 3].map((n) => bulkPart('bulk/1', noise(90, n), 'image/png'));
    const reply = await stowParts(rig, [metadataPart(three, noteJson(2)), ...frames]);
    expect([reply.status, reasonsOf(reply, '00081198'), reasonsOf(reply, '0008119A')]).toEqual([202, [0xc122], []]);
  });

  it('pixel data that is too short, or frames that are too few, are refused', async () => {
    const short = await stowParts(rig, [metadataPart(ctJson(1)), bulkPart('bulk/1', noise(198, 1))]);
    expect([short.status, reasonsOf(short, '00081198')]).toEqual([409, [0xc000]]);
    const three = ctJson(2, { '00280008': { vr: 'IS', Value: [3] } });
    const type = 'image/dicom-rle';
    const few = await stowParts(rig, [
      metadataPart(three),
      bulkPart('bulk/2', noise(64, 1), type),
      bulkPart('bulk/2', noise(64, 1), type),
    ]);
    expect([few.status, archive.size]).toEqual([409, 0]);
  });

  it('3: a Content-Encoding is refused with 415, and so is a type that is not stored', async () => {
    const headers = { 'Content-Type': JSON_TYPE, 'Content-Encoding': 'gzip' };
    expect((await rig.call('/dicomweb/studies', { method: 'POST', headers, body: Buffer.from('x') })).status).toBe(415);
    const reply = await post('multipart/related; type="text/html"; boundary=x', 'x');
    expect([reply.status, reply.headers['accept']]).toEqual([415, expect.stringContaining(XML_TYPE)]);
  });

  it('6: a flood of metadata ends with 413 at the limit of parts', async () => {
    const limited = await DicomwebRig.start({ archive, limits: { ...LIMITS, partsMax: 100 } });
    const reply = await stowParts(
      limited,
      Array.from({ length: 200 }, () => metadataPart(ctJson(1))),
    );
    expect(reply.status).toBe(413);
    expect(archive.size).toBe(0);
    await limited.stop();
  });

  it('16: 20 clients that store the same metadata at once leave each instance once', async () => {
    const parts = [metadataPart(...Array.from({ length: 10 }, (_, n) => noteJson(n)))];
    const replies = await Promise.all(Array.from({ length: 20 }, () => stowParts(rig, parts)));
    expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([200]));
    expect(archive.size).toBe(10);
  });
});

describe('bodies that break off, and storage that takes nothing', () => {
  const request = (body: Buffer) =>
    Buffer.from(
      `POST /dicomweb/studies HTTP/1.1\r\nHost: x\r\nContent-Type: ${METADATA_TYPE(JSON_TYPE)}\r\nContent-Length: ${body.length}\r\n\r\n`,
    );

  it.each([
    ['the metadata', 300],
    ['a held value', 2_000],
    ['a long value that is being stored', 400 * KiB],
  ])('5: a client that hangs up in %s leaves nothing behind', async (_, at) => {
    const large = ctJson(1, { '00280010': { vr: 'US', Value: [500] }, '00280011': { vr: 'US', Value: [500] } });
    const body = partsBody([metadataPart(large), bulkPart('bulk/1', long(500_000, 1))]);
    const socket = await rig.socket();
    socket.write(Buffer.concat([request(body), body.subarray(0, at)]));
    setTimeout(() => socket.destroy(), 50);
    await untilClosed(socket);
    for (let tries = 0; tries < 200 && archive.receiving > 0; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect([archive.size, archive.receiving]).toEqual([0, 0]);
  });

  it('5: parts that end without their boundary keep what is whole', async () => {
    const body = partsBody([metadataPart(noteJson(1), ctJson(2)), bulkPart('bulk/2', noise(200, 1))]).subarray(0, -100);
    const reply = await post(METADATA_TYPE(JSON_TYPE), body);
    expect([reply.status, uidsOf(reply, '00081199'), uidsOf(reply, '00081198')]).toEqual([
      202,
      ['1.2.3.1.1'],
      ['1.2.3.1.2'],
    ]);
  });

  it('7: a body of a byte now and then is ended with 408', async () => {
    const body = partsBody([metadataPart(ctJson(1))]);
    const socket = await rig.socket();
    const answer = untilClosed(socket);
    socket.write(Buffer.concat([request(body), body.subarray(0, 200)]));
    expect(await answer).toMatch(/^HTTP\/1\.1 408/);
  });

  it.each(['FULL', 'UNAVAILABLE'] as const)(
    'storage that answers %s is 503, for held and for long values',
    async (code) => {
      archive.faults.ingest = code;
      expect((await stowParts(rig, [metadataPart(ctJson(1)), bulkPart('bulk/1', noise(200, 1))])).status).toBe(503);
      const large = ctJson(1, { '00280010': { vr: 'US', Value: [500] }, '00280011': { vr: 'US', Value: [500] } });
      expect((await stowParts(rig, [metadataPart(large), bulkPart('bulk/1', long(500_000, 1))])).status).toBe(503);
      archive.faults.ingest = null;
    },
  );
});
