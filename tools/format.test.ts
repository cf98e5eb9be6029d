import { describe, expect, it } from 'vitest';
import { formatBytes, formatSeconds, formatTable, plural } from './format.js';

describe('formats', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [8 << 20, '8.0 MiB'],
    [2 ** 50 * 3, '3.0 PiB'],
    [2 ** 62, '4096.0 PiB'],
  ])('shows %d bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [0, '0 s'],
    [59.6, '1 min'],
    [61, '1 min 1 s'],
    [4000, '1 h 6 min'],
    [86_400 * 40 + 60, '40 d'],
  ])('shows %d seconds as %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });

  it('counts', () => {
    expect([plural(1, 'pack'), plural(0, 'pack'), plural(2, 'study', 'studies')]).toEqual([
      '1 pack',
      '0 packs',
      '2 studies',
    ]);
  });

  it('aligns columns', () => {
    expect(
      formatTable([
        ['name', 'state'],
        ['a', 'healthy'],
        ['long-name', ''],
      ]),
    ).toBe('name       state\na          healthy\nlong-name');
  });
});
