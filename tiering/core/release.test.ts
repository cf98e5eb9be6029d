import { describe, expect, it } from 'vitest';
import { releaseBuffer } from './release.js';

const MiB = 1024 * 1024;

describe('releaseBuffer', () => {
  it('gives the memory back at once', async () => {
    // Freed by the event loop's next turn at the latest; a collector would let hundreds of these pile up.
    for (let n = 0; n < 200; n += 1) {
      const bytes = Buffer.allocUnsafeSlow(8 * MiB);
      bytes.fill(n);
      releaseBuffer(bytes);
      expect(bytes.length).toBe(0);
      expect(process.memoryUsage().arrayBuffers).toBeLessThan(64 * MiB);
    }
  });

  it('leaves views of something larger, and small buffers, alone', () => {
    const large = Buffer.alloc(MiB, 7);
    releaseBuffer(large.subarray(0, 512 * 1024));
    expect(large[MiB - 1]).toBe(7);
    const small = Buffer.allocUnsafeSlow(1024).fill(7);
    releaseBuffer(small);
    expect(small[1023]).toBe(7);
  });

  it('leaves shared memory alone', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(MiB)).fill(7);
    releaseBuffer(shared);
    expect(shared[MiB - 1]).toBe(7);
  });
});
