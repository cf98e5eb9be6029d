import { expect, it } from 'vitest';
import { releaseBuffer } from '../../tiering/core/buffers.js';
import { ForwardReader } from './forward-reader.js';

it('reads on when the memory of what it passed on was given back', async () => {
  const size = 64 * 1024;
  const pieces = async function* () {
    for (const value of [1, 2, 3]) yield new Uint8Array(size).fill(value);
  };
  const reader = new ForwardReader({ open: pieces, seekable: false });
  const seen: (number | undefined)[] = [];
  for (let at = 0; at < 3; at += 1) {
    expect(await reader.fill(1)).toBe(1);
    const piece = reader.take(reader.buffered);
    seen.push(piece[0]);
    // As the sender does with what left by the socket.
    releaseBuffer(piece);
    expect(piece).toHaveLength(0);
  }
  expect(seen).toEqual([1, 2, 3]);
  expect(await reader.fill(1)).toBe(0);
});
