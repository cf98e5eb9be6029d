import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BitPacker } from './bit-packer.js';

const SEED = Number(process.env['SEED'] ?? 20_261_122);

/** `bits` from bit 0 of byte 0 on. */
function packed(bits: readonly boolean[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  for (const [at, bit] of bits.entries()) if (bit) bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (1 << (at & 7));
  return bytes;
}

describe('frames packed bit by bit', () => {
  it('are the bits of one after those of the other', () => {
    const frames = fc
      .integer({ min: 1, max: 40 })
      .chain((bits) => fc.array(fc.array(fc.boolean(), { minLength: bits, maxLength: bits }), { maxLength: 12 }));
    const property = fc.property(frames, (each) => {
      const packer = new BitPacker();
      const pieces = each.map((bits) => packer.push(packed(bits), bits.length));
      expect(Buffer.concat([...pieces, packer.end()]).toString('hex')).toBe(
        Buffer.from(packed(each.flat())).toString('hex'),
      );
    });
    fc.assert(property, { seed: SEED, numRuns: 500 });
  });

  it('leave out what lies in the last byte of a frame beside its bits', () => {
    const packer = new BitPacker();
    expect([...packer.push(Uint8Array.of(0xff), 3), ...packer.push(Uint8Array.of(0x00), 3), ...packer.end()]).toEqual([
      7,
    ]);
  });
});
