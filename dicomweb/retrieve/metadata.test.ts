import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DicomwebRig } from '../../test/support/dicomweb-rig.js';
import { ct, json, noise } from '../../test/support/dicomweb-samples.js';
import { MemoryArchive } from '../../test/support/memory-archive.js';
import { nativeImage } from '../../test/support/part10-builder.js';

describe('metadata of a study of 1,000 instances', () => {
  const archive = new MemoryArchive();
  let reads = 0;
  let rig: DicomwebRig;
  beforeEach(async () => {
    rig = await DicomwebRig.start({ archive });
    const elements = nativeImage({ rows: 32, columns: 32, bits: 16, frames: 1, pixels: noise(2048, 70) });
    for (let from = 1; from <= 1000; from += 250) {
      const batch = Array.from({ length: 250 }, (_, at) => ct(from + at, { series: `1.2.3.${at % 10}`, elements }));
      expect((await rig.stow(batch)).status).toBe(200);
    }
    archive.faults.beforePiece = () => {
      reads++;
    };
  });
  afterEach(() => rig.stop());

  it('comes in one request, compressed, whole, and without reading a stored byte', async () => {
    const reply = await rig.call('/dicomweb/studies/1.2.3/metadata', { headers: { 'Accept-Encoding': 'gzip' } });
    expect([reply.status, reply.headers['content-encoding']]).toEqual([200, 'gzip']);
    const all = json({ ...reply, body: gunzipSync(reply.body) });
    expect(new Set(all.map((each) => each['00080018']?.Value?.[0])).size).toBe(1000);
    expect(all.every((each) => each['00083002'] !== undefined)).toBe(true);
    expect(reads).toBe(0);
  });
});
