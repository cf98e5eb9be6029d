import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration, parsePercent, parseRate } from './units.js';

describe('parseDuration', () => {
  it.each([
    ['500ms', 500],
    ['60s', 60_000],
    ['1.5s', 1500],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['30d', 2_592_000_000],
    ['10y', 10 * 366 * 86_400_000],
    ['100y', 100 * 366 * 86_400_000],
    ['0s', 0],
  ])('reads %s as %d milliseconds', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '60', 's', '60 s', '-1s', '1e3s', '60S', '1w', '60s ', '1.s', 'Infinityd', '999999999d', '101y'])(
    'refuses %j',
    (text) => {
      expect(() => parseDuration(text)).toThrow(/duration/);
    },
  );

  it('gives a whole number of milliseconds for every text that it takes', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1000, noNaN: true }),
        fc.constantFrom('ms', 's', 'm', 'h', 'd'),
        (n, unit) => {
          expect(Number.isSafeInteger(parseDuration(`${n.toFixed(3)}${unit}`))).toBe(true);
        },
      ),
      { verbose: 1 },
    );
  });
});

describe('parsePercent', () => {
  it('reads shares of one', () => {
    expect(parsePercent('85%')).toBe(0.85);
    expect(parsePercent('0%')).toBe(0);
    expect(parsePercent('100%')).toBe(1);
  });

  it.each(['85', '0.85', '101%', '-1%', '85 %', '%'])('refuses %j', (text) => {
    expect(() => parsePercent(text)).toThrow(/from 0% to 100%/);
  });
});

describe('parseRate', () => {
  it('reads a number with its unit as bytes a second', () => {
    expect(parseRate('20MB/s')).toBe(20_000_000);
    expect(parseRate('0.5kB/s')).toBe(500);
    expect(parseRate('1GB/s')).toBe(1e9);
  });
  it.each(['20', '20MB', '20MiB/s', '0MB/s', '-1MB/s', '1e9MB/s', 'fast', ''])('refuses %j', (text) => {
    expect(() => parseRate(text)).toThrow(expect.objectContaining({ code: 'INVALID' }));
  });
});
