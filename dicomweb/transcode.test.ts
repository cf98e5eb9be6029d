import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import { describeTranscoding } from '../test/contract/dicomweb/transcode.js';
import { DicomwebRig } from '../test/support/dicomweb-rig.js';
import { MemoryArchive } from '../test/support/memory-archive.js';
import { createPixelPool, type PixelPool } from '../workers/pixel-pool.js';

describe('DICOMweb with codecs', () => {
  let pixels: PixelPool;
  let first: DicomwebRig;
  let second: DicomwebRig;
  beforeAll(() => {
    pixels = createPixelPool({ threads: 2 });
  });
  afterAll(() => pixels.close());
  beforeEach(async () => {
    first = await DicomwebRig.start({ archive: new MemoryArchive(), pixels });
    second = await DicomwebRig.start({ archive: new MemoryArchive(), pixels });
  });
  afterEach(async () => {
    await first.stop();
    await second.stop();
  });
  describeTranscoding(() => ({ first, second }));
});
