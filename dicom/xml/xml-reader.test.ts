import { describe, expect, it } from 'vitest';
import type { DataSet } from '../encode/element.js';
import { readXml } from './xml-reader.js';

function read(inside: string): DataSet {
  const steps = readXml(`<NativeDicomModel xml:space="preserve">${inside}</NativeDicomModel>`);
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
  }
}
const lo = (tag: string, value: string, more = '') =>
  `<DicomAttribute tag="${tag}" vr="LO"${more}><Value number="1">${value}</Value></DicomAttribute>`;
const tagsOf = (dataSet: DataSet) => dataSet.map(({ tag }) => tag.toString(16).padStart(8, '0'));

describe('reading Native DICOM Model XML', () => {
  it('sorts by tag, takes white space between elements, prefixes, comments and CDATA', () => {
    const spaced = `
      <!-- a comment --><d:DicomAttribute xmlns:d="urn:x" tag="00100020" vr="LO" keyword="wrong">
        <d:Value number="1"> a <![CDATA[<b>]]>&amp;&#x4e00;</d:Value>
      </d:DicomAttribute><?pi x?>${lo('00081030', 'x')}
    `;
    expect(read(spaced)).toEqual([
      { tag: 0x00081030, vr: 'LO', value: ['x'] },
      { tag: 0x00100020, vr: 'LO', value: [' a <b>&一'] },
    ]);
  });

  it('puts person names together, and leaves out what is empty at their ends', () => {
    const name =
      '<PersonName number="2"><Ideographic><FamilyName>山田</FamilyName></Ideographic>' +
      '<Alphabetic><FamilyName>Y</FamilyName><NameSuffix>Jr</NameSuffix><GivenName/></Alphabetic></PersonName>';
    expect(read(`<DicomAttribute tag="00100010" vr="PN">${name}</DicomAttribute>`)[0]?.value).toEqual([
      '',
      'Y^^^^Jr=山田',
    ]);
  });

  it('fills in values that are left out', () => {
    const values = '<Value number="2">b</Value><Value number="4"></Value>';
    expect(read(`<DicomAttribute tag="00080008" vr="CS">${values}</DicomAttribute>`)[0]?.value).toEqual([
      '',
      'b',
      '',
      '',
    ]);
  });

  it('gives private elements the block of their creator, and a free one when it has none', () => {
    const dataSet = read(
      lo('00990001', 'a', ' privateCreator="OTHER"') +
        lo('00990002', 'b', ' privateCreator="ACME"') +
        lo('00990011', 'ACME') +
        lo('00991203', 'c', ' privateCreator="THIRD"') +
        lo('00990003', 'd', ' privateCreator="OTHER"'),
    );
    expect(tagsOf(dataSet)).toEqual(['00990010', '00990011', '00991001', '00991003', '00991102', '00991203']);
    expect(dataSet[0]).toEqual({ tag: 0x00990010, vr: 'LO', value: ['OTHER'] });
  });

  it('takes bulk data by uri or uuid, and base64 with line breaks', () => {
    const values = ['<BulkData uri="a?b&amp;c"/>', '<BulkData uuid="1-2"/>', '<InlineBinary>AA\nEC</InlineBinary>'];
    const tags = ['00420011', '00991001', '7FE00010'];
    const text = values.map((value, at) => `<DicomAttribute tag="${tags[at]}" vr="OB">${value}</DicomAttribute>`);
    expect(read(text.join('')).map(({ value }) => value)).toEqual([
      { uri: 'a?b&c' },
      { uri: '1-2' },
      Buffer.from([0, 1, 2]),
    ]);
  });
});
