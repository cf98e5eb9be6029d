import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEvents } from './server-events.js';

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string, size = 1_000_000) {
  const events = [];
  for await (const event of readEvents(pieces(new TextEncoder().encode(text), size))) events.push(event);
  return events;
}

describe('readEvents', () => {
  it('reads names, data and comments', async () => {
    expect(await read('event: progress\ndata: {"a":1}\n\n: still here\n\ndata: x\ndata: y\n\n')).toEqual([
      { event: 'progress', data: '{"a":1}' },
      { event: 'message', data: 'x\ny' },
    ]);
  });

  it('gives nothing of an event that was cut off', async () => {
    expect(await read('data: a\n\nevent: done\ndata: {"id"')).toEqual([{ event: 'message', data: 'a' }]);
  });

  it('does not depend on how the bytes are cut', async () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll(/[\r\n]/g, ''));
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 5 }), fc.integer({ min: 1, max: 20 }), async (data, size) => {
        const text = data.map((one) => `event: e\ndata: ${one}\n\n`).join('');
        expect(await read(text, size)).toEqual(data.map((one) => ({ event: 'e', data: one })));
      }),
      { numRuns: 50 },
    );
  });
});
