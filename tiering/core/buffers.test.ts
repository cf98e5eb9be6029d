import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { isSole, markSole, releaseBuffer, takeBuffer } from './buffers.js';

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

describe('takeBuffer', () => {
  const CHUNK = 8 * MiB;

  it('has room behind a chunk for what it is sealed to, and is alone in its memory', () => {
    const bytes = takeBuffer(CHUNK);
    expect(bytes.length).toBe(CHUNK);
    expect(bytes.buffer.byteLength).toBeGreaterThanOrEqual(CHUNK + 160 + 128 * 16);
    expect(isSole(bytes)).toBe(true);
    expect(isSole(bytes.subarray(0, 1000))).toBe(false);
    expect(isSole(bytes.subarray(1000))).toBe(false);
    releaseBuffer(bytes.subarray(0, MiB));
    expect(bytes.length).toBe(CHUNK);
    releaseBuffer(bytes);
  });

  it('is exact for what is no chunk', () => {
    for (const length of [0, 1, MiB, 4 * MiB, 16 * MiB]) {
      const bytes = takeBuffer(length);
      expect(bytes.length).toBe(length);
      expect(bytes.buffer.byteLength).toBe(length);
    }
  });

  it('gives out again what was given back, of which no older view sees anything', () => {
    const first = takeBuffer(CHUNK).fill(7);
    const view = first.subarray(5, 10);
    releaseBuffer(first);
    expect([first.length, view.length]).toEqual([0, 0]);
    const second = takeBuffer(CHUNK + 2_208);
    expect(second[0]).toBe(7);
    second.fill(9);
    expect(view.length).toBe(0);
    expect(isSole(second)).toBe(true);
    releaseBuffer(second);
  });

  it('keeps a few, and none for long', async () => {
    const taken = Array.from({ length: 20 }, () => takeBuffer(CHUNK));
    const before = process.memoryUsage().arrayBuffers;
    for (const one of taken) releaseBuffer(one);
    const kept = process.memoryUsage().arrayBuffers;
    expect(before - kept).toBeGreaterThanOrEqual(12 * CHUNK);
    const deadline = Date.now() + 20_000;
    while (process.memoryUsage().arrayBuffers > before - 20 * CHUNK && Date.now() < deadline) await sleep(100);
    expect(before - process.memoryUsage().arrayBuffers).toBeGreaterThanOrEqual(20 * CHUNK);
  });

  it('is told of memory that came from another thread', () => {
    const moved = new Uint8Array(new ArrayBuffer(CHUNK + 4096), 0, CHUNK);
    expect(isSole(moved)).toBe(false);
    markSole(moved);
    expect(isSole(moved)).toBe(true);
    expect(isSole(moved.subarray(0, CHUNK - 1))).toBe(false);
  });
});
