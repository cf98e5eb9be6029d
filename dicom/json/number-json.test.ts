import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { vrNamed } from '../vr.js';
import { decimalJson, integerOf, isJsonNumber, numbersJson } from './number-json.js';

describe('numbers written as text', () => {
  it.each([
    ['1.50', '1.50'],
    ['-0.5', '-0.5'],
    ['+1.5', '1.5'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['007', '7'],
    ['1E3', '1E3'],
    ['1e400', '"1e400"'],
    ['1A', '"1A"'],
    ['0x10', '"0x10"'],
    ['NaN', '"NaN"'],
    ['Infinity', '"Infinity"'],
    ['1,5', '"1,5"'],
    ['', 'null'],
  ])('DS %j is %s', (text, json) => {
    expect(decimalJson(text, false)).toBe(json);
  });

  it.each([
    ['12', '12'],
    ['+12', '12'],
    ['-007', '-7'],
    ['-0', '0'],
    ['1.0', '"1.0"'],
    ['99999999999999999', '"99999999999999999"'],
    ['1A', '"1A"'],
  ])('IS %j is %s', (text, json) => {
    expect(decimalJson(text, true)).toBe(json);
  });

  it('copies only what JSON reads as the same number', () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(...Array.from('0123456789+-.eE ')), maxLength: 18 }),
      fc.double().map(String),
    );
    fc.assert(
      fc.property(text, fc.boolean(), (value, integer) => {
        const bytes = Buffer.from(value, 'latin1');
        if (!isJsonNumber(bytes, 0, bytes.length, integer)) return;
        expect(JSON.parse(value)).toBe(Number(value));
        if (integer) expect(Number.isSafeInteger(Number(value))).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  it('writes any DS or IS as well-formed JSON', () => {
    fc.assert(
      fc.property(fc.string(), fc.boolean(), (value, integer) => {
        expect(() => JSON.parse(decimalJson(value, integer)) as unknown).not.toThrow();
      }),
    );
  });

  it.each([
    ['12 ', 12],
    [' -3', -3],
    ['1.5', null],
    ['', null],
    ['x', null],
  ])('%j as an integer is %s', (text, value) => {
    expect(integerOf(text)).toBe(value);
  });
});

describe('binary numbers', () => {
  const json = (name: string, bytes: Buffer, bigEndian = false): unknown => {
    const vr = vrNamed(name);
    if (vr === undefined) throw new Error(name);
    return JSON.parse(`[${numbersJson(vr, bytes, 0, bytes.length, bigEndian)}]`);
  };

  it('writes 64-bit numbers as numbers only where a double holds them', () => {
    const bytes = Buffer.alloc(24);
    bytes.writeBigInt64LE(-(2n ** 63n), 0);
    bytes.writeBigInt64LE(2n ** 53n - 1n, 8);
    bytes.writeBigInt64LE(2n ** 53n, 16);
    expect(json('SV', bytes)).toEqual(['-9223372036854775808', 9007199254740991, '9007199254740992']);
    expect(json('UV', bytes.subarray(0, 8))).toEqual(['9223372036854775808']);
  });

  it('writes what JSON has no number for as a string', () => {
    const bytes = Buffer.alloc(24);
    bytes.writeDoubleLE(Number.NaN, 0);
    bytes.writeDoubleLE(Number.POSITIVE_INFINITY, 8);
    bytes.writeDoubleLE(Number.NEGATIVE_INFINITY, 16);
    expect(json('FD', bytes)).toEqual(['NaN', 'Infinity', '-Infinity']);
  });

  it('writes AT as eight hex digits', () => {
    expect(json('AT', Buffer.from('e07f1000fcfffcff', 'hex'))).toEqual(['7FE00010', 'FFFCFFFC']);
    expect(json('AT', Buffer.from('7fe00010', 'hex'), true)).toEqual(['7FE00010']);
  });

  it('reads both byte orders', () => {
    expect(json('US', Buffer.from('0102ffff', 'hex'))).toEqual([0x0201, 65535]);
    expect(json('US', Buffer.from('0102ffff', 'hex'), true)).toEqual([0x0102, 65535]);
    expect(json('SS', Buffer.from('ffff', 'hex'))).toEqual([-1]);
  });
});
