import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers, parseAccept, parseMediaType } from './accept.js';

const one = (header: string) => parseAccept(header, 64)[0];

describe('parseAccept', () => {
  it.each([
    ['OHIF', 'multipart/related; type="application/octet-stream"; transfer-syntax="*"', ['*']],
    ['OHIF without quotes', 'multipart/related; type=application/octet-stream; transfer-syntax=*', ['*']],
    ['upper case', 'Multipart/Related;TYPE="Application/Octet-Stream";Transfer-Syntax=*', ['*']],
    ['Weasis without an extension', 'multipart/related;type="application/octet-stream";null', []],
    [
      'two syntaxes in one range',
      'multipart/related; type="application/octet-stream"; transfer-syntax="1.2.840.10008.1.2.4.80"; transfer-syntax="*"',
      ['1.2.840.10008.1.2.4.80', '*'],
    ],
  ])('reads what %s sends', (_, header, syntaxes) => {
    expect(one(header)).toEqual({ type: 'multipart/related', part: 'application/octet-stream', syntaxes, q: 1 });
  });

  it('orders by q and keeps the order of equals', () => {
    const types = parseAccept('text/html;q=0.5, application/dicom+xml;q=0.9, a/b, application/json;q=0.9', 64);
    expect(types.map((range) => range.type)).toEqual(['a/b', 'application/dicom+xml', 'application/json', 'text/html']);
  });

  it('leaves out what has q=0 and reads a nonsensical q as 1', () => {
    expect(parseAccept('a/b;q=0, c/d;q=bomb', 64).map((range) => [range.type, range.q])).toEqual([['c/d', 1]]);
  });

  it('takes no header, an empty one and a lone star as anything', () => {
    for (const header of [undefined, '', ' ', '*']) expect(parseAccept(header, 64)[0]?.type).toBe('*/*');
  });

  it('does not split at commas and semicolons inside quotes', () => {
    expect(parseAccept('multipart/related; type="a/b;c,d"; transfer-syntax=*', 64)).toHaveLength(1);
  });

  it('never throws and answers within the bound for any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 2000 }), (text) => parseAccept(text, 8).length <= 8),
      { verbose: true },
    );
  });

  it('reads 10 kB of media ranges in well under 50 ms', () => {
    const header = 'multipart/related; type="application/x";q=0.001,'.repeat(210);
    const before = performance.now();
    expect(parseAccept(header, 64)).toHaveLength(64);
    expect(performance.now() - before).toBeLessThan(50);
  });
});

describe('parseMediaType', () => {
  it('keeps the case of a boundary and takes quotes off', () => {
    const type = parseMediaType('Multipart/Related; type="application/dicom"; boundary="AbC; d"');
    expect(type.type).toBe('multipart/related');
    expect(type.parameters.get('boundary')).toBe('AbC; d');
    expect(type.parameters.get('type')).toBe('application/dicom');
  });

  it('is not fooled by names of the prototype', () => {
    expect(parseMediaType('a/b; __proto__=x').parameters.get('constructor')).toBeUndefined();
  });
});

describe('covers', () => {
  it.each([
    ['*/*', 'application/dicom', true],
    ['application/*', 'application/dicom', true],
    ['application/dicom', 'application/dicom', true],
    ['application/dicom', 'application/dicom+json', false],
    ['image/*', 'application/dicom', false],
  ])('%s over %s is %s', (wanted, type, expected) => {
    expect(covers(wanted, type)).toBe(expected);
  });
});
