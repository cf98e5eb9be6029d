// Lengths of metadata and bulk data: what is too much is refused, and what is long goes through as it comes.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DicomwebRig, type Reply } from '../support/dicomweb-rig.js';
import { itemsOf, noise } from '../support/dicomweb-samples.js';
import { MemoryArchive } from '../support/memory-archive.js';
import { bulkPart, ctJson, metadataPart, noteJson, type SentPart, stowParts } from '../support/stow-metadata.js';

const KiB = 1024;
/** Long pixels, cheap to make. */
const long = (length: number, seed: number) => Buffer.alloc(length, noise(997, seed));
const LIMITS = { metadataBytesMax: 256 * KiB, storeHeldBytesMax: 512 * KiB, bulkHeldBytesMax: 64 * KiB };

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

const uidsOf = (reply: Reply, tag: string) => itemsOf(reply, tag).map((item) => item['00081155']?.Value?.[0]);
const xmlPart = (body: string): SentPart => ({ type: 'application/dicom+xml', body });
const model = (inside: string) => `<NativeDicomModel xml:space="preserve">${inside}</NativeDicomModel>`;

describe('lengths', () => {
  it('metadata beyond the limit of one instance is 413, and what came before it is stored', async () => {
    const huge = noteJson(2, { '00104000': { vr: 'LT', Value: ['x'.repeat(300 * KiB)] } });
    expect((await stowParts(rig, [metadataPart(huge)])).status).toBe(413);
    expect((await stowParts(rig, [metadataPart(noteJson(1), huge)])).status).toBe(202);
    expect(archive.size).toBe(1);
    expect((await stowParts(rig, [xmlPart(model(' '.repeat(300 * KiB)))])).status).toBe(413);
  });

  it('instances that wait with more than may be held are 413', async () => {
    const wide = Array.from({ length: 10 }, (_, n) =>
      ctJson(n, { '00104000': { vr: 'LT', Value: ['x'.repeat(100 * KiB)] } }),
    );
    expect((await stowParts(rig, [metadataPart(...wide)])).status).toBe(413);
    expect(archive.size).toBe(0);
  });

  const wide = (number: number, frames = 1) =>
    ctJson(number, {
      '00280008': { vr: 'IS', Value: [frames] },
      '00280010': { vr: 'US', Value: [1000] },
      '00280011': { vr: 'US', Value: [1000] },
    });
  const PIXELS = long(2_000_000, 1);

  it.each([
    ['as long as the image', [], PIXELS.length],
    ['of the length in its header', ['Content-Length: 2000100'], PIXELS.length + 100],
  ])('a native value beyond what is held is stored as it comes, %s', async (_, headers, length) => {
    const part = { ...bulkPart('bulk/1', long(length, 1)), headers };
    expect([200, 202]).toContain((await stowParts(rig, [metadataPart(wide(1)), part])).status);
    const reply = await rig.call('/dicomweb/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1', {
      headers: { Accept: 'application/dicom; transfer-syntax=*' },
    });
    expect(reply.body.subarray(-length).equals(long(length, 1))).toBe(true);
  });

  it.each([
    ['less', ['Content-Length: 2100000']],
    ['more', ['Content-Length: 2000000']],
    ['fewer bytes than the image', ['Content-Length: 1900000']],
  ])('a native value of another length than was announced is refused: %s', async (_, headers) => {
    const part = { ...bulkPart('bulk/1', long(2_050_000, 1)), headers };
    const reply = await stowParts(rig, [metadataPart(wide(1), noteJson(2)), part]);
    expect([reply.status, uidsOf(reply, '00081198')]).toEqual([202, ['1.2.3.1.1']]);
    expect(archive.size).toBe(1);
  });

  it('compressed frames that are more than may be held are stored as they come', async () => {
    const frames = Array.from({ length: 20 }, (_, n) => long(100_000, n));
    const type = 'image/dicom-rle';
    const reply = await stowParts(rig, [
      metadataPart(wide(1, 20)),
      ...frames.map((frame) => bulkPart('bulk/1', frame, type)),
    ]);
    expect([reply.status, archive.size]).toEqual([200, 1]);
    const all = await rig.call('/dicomweb/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/frames/20', {
      headers: { Accept: 'image/dicom-rle; transfer-syntax=*' },
    });
    expect(all.body.equals(frames[19] as Buffer)).toBe(true);
  });

  it('one long compressed frame is stored in fragments', async () => {
    const frame = long(3_000_000, 4);
    const reply = await stowParts(rig, [metadataPart(wide(1)), bulkPart('bulk/1', frame, 'image/dicom-rle')]);
    expect(reply.status).toBe(200);
    const got = await rig.call('/dicomweb/studies/1.2.3/series/1.2.3.1/instances/1.2.3.1.1/frames/1', {
      headers: { Accept: 'image/dicom-rle; transfer-syntax=*' },
    });
    expect(got.body.equals(frame)).toBe(true);
  });

  it('frames that another instance interrupts once they are being stored are refused; the other is stored', async () => {
    const type = 'image/dicom-rle';
    const reply = await stowParts(rig, [
      metadataPart(wide(1, 2), ctJson(2)),
      bulkPart('bulk/1', long(100_000, 1), type),
      bulkPart('bulk/2', noise(200, 1)),
      bulkPart('bulk/1', long(100_000, 2), type),
    ]);
    expect([reply.status, uidsOf(reply, '00081199'), uidsOf(reply, '00081198')]).toEqual([
      202,
      ['1.2.3.1.2'],
      ['1.2.3.1.1'],
    ]);
    expect(archive.size).toBe(1);
  });
});
