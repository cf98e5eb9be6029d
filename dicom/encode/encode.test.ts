// What is written as a DICOM file from JSON and from XML is what the scanner reads from it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dataSetJson } from '../../test/support/data-set-arbitrary.js';
import { parseInstance } from '../scan/parse-instance.js';
import { EXPLICIT_LITTLE } from '../transfer-syntax.js';
import { readXml } from '../xml/xml-reader.js';
import { nativeXml } from '../xml/xml-writer.js';
import { writeDataSet } from './data-set-writer.js';
import type { DataSet } from './element.js';
import { encodeDataSet, encodedHead } from './instance-encoder.js';
import { readJson } from './json-reader.js';

const SEED = 20_261_122;

function whole<T>(steps: Generator<unknown, T, void>): T {
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
  }
}

function fileOf(dataSet: DataSet): Buffer {
  const encoded = whole(encodeDataSet(dataSet));
  return Buffer.concat([encodedHead(encoded, EXPLICIT_LITTLE), ...encoded.pieces.map(({ bytes }) => bytes)]);
}

const xmlOf = (json: string) => [...nativeXml(json)].join('');
const utf8 = (text: string) => Buffer.from(text);
const written = (json: string) => writeDataSet(whole(readJson(json)), { explicit: true, text: utf8 });

describe('an instance written from its JSON', () => {
  it('is read as the same JSON', () => {
    const property = fc.property(dataSetJson, (json) => {
      const parsed = parseInstance(fileOf(whole(readJson(JSON.stringify(json)))));
      expect(JSON.parse(parsed.json)).toEqual(json);
      expect(parsed.warnings).toEqual([]);
    });
    fc.assert(property, { seed: SEED, numRuns: 500 });
  });

  it('is the same file when it is sent as XML', () => {
    const property = fc.property(dataSetJson, (json) => {
      const text = JSON.stringify(json);
      expect(fileOf(whole(readXml(xmlOf(text)))).equals(fileOf(whole(readJson(text))))).toBe(true);
    });
    fc.assert(property, { seed: SEED, numRuns: 500 });
  });

  it('is the same in whatever order and spacing its members come', () => {
    const property = fc.property(dataSetJson, (json) => {
      const reversed = (value: unknown): unknown => {
        if (Array.isArray(value)) return value.map(reversed);
        if (typeof value !== 'object' || value === null) return value;
        return Object.fromEntries(
          Object.entries(value)
            .reverse()
            .map(([key, each]) => [key, reversed(each)]),
        );
      };
      const text = JSON.stringify(reversed(json), null, '\t');
      expect(fileOf(whole(readJson(text))).equals(fileOf(whole(readJson(JSON.stringify(json)))))).toBe(true);
    });
    fc.assert(property, { seed: SEED, numRuns: 200 });
  });
});

describe('values', () => {
  it.each([
    ['DS as text and as number', '{"00280030":{"vr":"DS","Value":["0.50",1e-3]}}', '0.50\\1e-3 '],
    ['DS of too many digits', '{"00280030":{"vr":"DS","Value":[0.1234567890123456789]}}', '0.12345678901235'],
    ['DS that is very small', '{"00280030":{"vr":"DS","Value":[-1.234567890123456e-100]}}', '-1.23456789e-100'],
    ['IS that is spelled as a fraction', '{"00200013":{"vr":"IS","Value":[12.0,1e2]}}', '12\\100'],
    ['IS that is no number', '{"00200013":{"vr":"IS","Value":["n/a"]}}', 'n/a '],
    ['a person name that is one text', '{"00100010":{"vr":"PN","Value":["Doe^Jane"]}}', 'Doe^Jane'],
    ['a person name without its first group', '{"00100010":{"vr":"PN","Value":[{"Phonetic":"x"}]}}', '==x '],
    ['nothing between values', '{"00080008":{"vr":"CS","Value":[null,"A",null]}}', '\\A\\ '],
    ['a UID', '{"00080018":{"vr":"UI","Value":["1.2"]}}', '1.2\0'],
    ['a missing vr', '{"00100020":{"Value":["PID"]}}', 'PID '],
  ])('%s', (_, json, value) => {
    expect(written(json).toString('utf8', 8)).toBe(value);
  });

  it('have the VR of the dictionary when none is said, and the sign decides US or SS', () => {
    const vrOf = (json: string) => written(json).toString('latin1', 4, 6);
    expect(vrOf('{"00280106":{"Value":[5]}}')).toBe('US');
    expect(vrOf('{"00280106":{"Value":[-5]}}')).toBe('SS');
    expect(vrOf('{"00990010":{"Value":["ACME"]}}')).toBe('LO');
    expect(vrOf('{"00991001":{}}')).toBe('UN');
    expect(vrOf('{"00991001":{"Value":[{}]}}')).toBe('SQ');
  });

  it('that are too long for the length field of their VR are written as UN', () => {
    const bytes = written(JSON.stringify({ '00104000': { vr: 'LT', Value: ['x'.repeat(70_000)] } }));
    expect([bytes.toString('latin1', 4, 6), bytes.readUInt32LE(8), bytes.length]).toEqual(['UN', 70_000, 70_012]);
  });

  it('that no double holds keep their digits', () => {
    const bytes = written(
      '{"00991001":{"vr":"UV","Value":["18446744073709551615"]},"00991002":{"vr":"SV","Value":[-9007199254740993]}}',
    );
    expect(bytes.readBigUInt64LE(12)).toBe(18_446_744_073_709_551_615n);
    expect(bytes.readBigInt64LE(32)).toBe(-9_007_199_254_740_993n);
  });

  it('that are no numbers are the words of PS3.18', () => {
    const bytes = written('{"00991001":{"vr":"FD","Value":["NaN","-inf","Infinity",1e308]}}');
    expect([0, 1, 2, 3].map((at) => bytes.readDoubleLE(8 + at * 8))).toEqual([Number.NaN, -Infinity, Infinity, 1e308]);
    expect(() => written('{"00991001":{"vr":"FL","Value":[1e39]}}')).toThrow('(0099,1001)');
  });
});
