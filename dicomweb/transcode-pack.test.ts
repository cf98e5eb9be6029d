// Every image of the DICOM pack through the server in another transfer syntax than it is stored in: frames and whole instances hold, to
// the last bit, the samples that independent decoders found.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alignBits, frameRanges } from '../dicom/layout.js';
import { parseInstance } from '../dicom/scan/parse-instance.js';
import { EXPLICIT_LITTLE } from '../dicom/transfer-syntax.js';
import { findDicomPack } from '../test/support/dicom-pack.js';
import { DicomwebRig } from '../test/support/dicomweb-rig.js';
import { MemoryArchive } from '../test/support/memory-archive.js';
import { createPixelPool, type PixelPool } from '../workers/pixel-pool.js';

const JPEG_LS = '1.2.840.10008.1.2.4.80';
/** The one decoder here rounds otherwise than the witness: dicom/codecs/dicom-pack.test.ts. */
const ROUNDED: readonly string[] = ['compressed/HTJ2K_08_RGB.dcm', 'compressed/htj2k_203_gray.dcm'];

const pack = findDicomPack();
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Frame 1 of a native little endian file. */
function firstFrame(file: Buffer): Uint8Array {
  const { layout, transferSyntaxUid } = parseInstance(file);
  expect(transferSyntaxUid).toBe(EXPLICIT_LITTLE);
  const { ranges, bitOffset, bits } = frameRanges(layout, 1);
  const whole = Buffer.concat(ranges.map(({ start, end }) => file.subarray(start, end)));
  return bits === null ? whole : alignBits(whole, bitOffset, bits);
}

describe.skipIf(pack === null)('the DICOM pack in other transfer syntaxes', () => {
  const images = (pack?.files ?? []).filter((file) => file.expected === 'store' && file.first_frame !== undefined);
  let pixels: PixelPool;
  beforeAll(() => {
    pixels = createPixelPool({ threads: 2 });
  });
  afterAll(() => pixels.close());

  it.each(images)('gives $file decoded, and encoded anew without a loss', async (file) => {
    const rig = await DicomwebRig.start({ archive: new MemoryArchive(), pixels });
    const second = await DicomwebRig.start({ archive: new MemoryArchive(), pixels });
    try {
      expect([200, 202]).toContain((await rig.stow([pack?.read(file) ?? Buffer.alloc(0)])).status);
      const path = `/dicomweb/studies/${file.StudyInstanceUID}/series/${file.SeriesInstanceUID}/instances/${file.SOPInstanceUID}`;
      const truth = ROUNDED.includes(file.file) ? null : file.first_frame?.sha256;
      const frame = await rig.call(`${path}/frames/1`, { headers: { Accept: 'application/octet-stream' } });
      expect(frame.status).toBe(200);
      expect(sha256(frame.body)).toBe(truth ?? sha256(frame.body));
      const instance = await rig.call(path, { headers: { Accept: 'application/dicom' } });
      expect([instance.status, sha256(firstFrame(instance.body))]).toEqual([200, sha256(frame.body)]);
      const encoded = await rig.call(path, {
        headers: { Accept: `application/dicom; transfer-syntax=${JPEG_LS}` },
      });
      // Bits that JPEG-LS does not hold are refused before anything is sent.
      if (encoded.status === 406) return;
      expect(encoded.status).toBe(200);
      expect([200, 202]).toContain((await second.stow([encoded.body])).status);
      const back = await second.call(`${path}/frames/1`, { headers: { Accept: 'application/octet-stream' } });
      expect(back.status).toBe(200);
      // Codecs take every sample of a pixel: halved chroma comes back doubled.
      if (file.PhotometricInterpretation?.endsWith('_422') === true) return;
      expect(back.body.length).toBe(frame.body.length);
      if (file.SamplesPerPixel === 1) expect(back.body.equals(frame.body)).toBe(true);
    } finally {
      await rig.stop();
      await second.stop();
    }
  });
});
