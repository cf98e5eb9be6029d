// What a rendering may cost: a small request for a large picture stays within bounds of memory, and many at a time wait for each other.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPixelPool, type PixelPool } from '../../workers/pixel-pool.js';
import { DicomwebRig } from '../support/dicomweb-rig.js';
import { ct, instancePath } from '../support/dicomweb-samples.js';
import { gradient } from '../support/images.js';
import { MemoryArchive } from '../support/memory-archive.js';
import { nativeImage } from '../support/part10-builder.js';

const MiB = 1024 * 1024;

describe('hostile renderings', () => {
  let pool: PixelPool;
  let rig: DicomwebRig;
  beforeAll(async () => {
    pool = createPixelPool({ threads: 2 });
    rig = await DicomwebRig.start({ archive: new MemoryArchive(), pixels: pool });
    await rig.stow([
      ct(1, { elements: gradient(64, 64) }),
      // 65,535 x 65,535 pixels are said, 4 KiB are there.
      ct(2, {
        elements: nativeImage({ rows: 65_535, columns: 65_535, bits: 16, frames: 1, pixels: Buffer.alloc(4096) }),
      }),
    ]);
  });
  afterAll(async () => {
    await rig.stop();
    await pool.close();
  });

  it('the largest viewports, many at once, stay below 600 MiB', async () => {
    const view = (at: number) => rig.call(`${instancePath('1.2.3.1.1')}/rendered?viewport=8192,8192&quality=${at + 1}`);
    const before = process.memoryUsage().rss;
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().rss - before);
    }, 10);
    const replies = await Promise.all([1, 2, 3].map(view));
    clearInterval(watch);
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(most).toBeLessThan(600 * MiB);
  });

  it('a frame that is not there is no picture, whatever size it claims', async () => {
    const path = instancePath('1.2.3.1.2');
    const before = process.memoryUsage().rss;
    const rendered = await rig.call(`${path}/rendered`);
    const thumbnail = await rig.call(`${path}/thumbnail`);
    expect([rendered.status, thumbnail.status]).toEqual([406, 200]);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * MiB);
  });
});
