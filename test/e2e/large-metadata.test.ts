// Long pixel data behind JSON metadata, through the real archive: it spills into a pack of its own while it comes, and nothing
// stays of one that is cut short.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ArchiveRig } from '../support/archive-rig.js';
import { DicomwebRig } from '../support/dicomweb-rig.js';
import { instancePath, itemsOf, noise } from '../support/dicomweb-samples.js';
import { bulkPart, ctJson, metadataPart, noteJson, stowParts } from '../support/stow-metadata.js';

const FRAMES = 40;
const image = (number: number) =>
  ctJson(number, {
    '00280008': { vr: 'IS', Value: [FRAMES] },
    '00280010': { vr: 'US', Value: [1024] },
    '00280011': { vr: 'US', Value: [1024] },
  });
const PIXELS = Buffer.alloc(FRAMES * 1024 * 1024 * 2, noise(997, 1));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('80 MiB of pixel data behind JSON', () => {
  let subject: ArchiveRig;
  let rig: DicomwebRig;
  beforeAll(async () => {
    subject = await ArchiveRig.create();
    rig = await DicomwebRig.start({ archive: await subject.open() });
  });
  afterAll(async () => {
    await rig.stop();
    await subject.destroy();
  });

  it('are stored bit by bit', async () => {
    const reply = await stowParts(rig, [metadataPart(image(1), noteJson(2)), bulkPart('bulk/1', PIXELS)]);
    expect([reply.status, itemsOf(reply, '00081199').length]).toEqual([200, 2]);
    const headers = { Accept: 'application/octet-stream' };
    const back = await rig.call(`${instancePath('1.2.3.1.1')}/bulkdata/7FE00010`, { headers });
    expect(sha256(back.body)).toBe(sha256(PIXELS));
  });

  it('leave nothing when they are less than was announced', async () => {
    const part = { ...bulkPart('bulk/3', PIXELS), headers: [`Content-Length: ${PIXELS.length + 2}`] };
    const reply = await stowParts(rig, [metadataPart(image(3)), part]);
    expect([reply.status, itemsOf(reply, '00081198').length]).toEqual([409, 1]);
    expect((await rig.call(`${instancePath('1.2.3.1.3')}/metadata`)).status).toBe(404);
  });
});
