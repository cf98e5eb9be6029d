import { describe, expect, it } from 'vitest';
import { nativeXml } from './xml-writer.js';

function xmlOf(dataSet: unknown): string {
  const text = [...nativeXml(typeof dataSet === 'string' ? dataSet : JSON.stringify(dataSet))].join('');
  const body = /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<NativeDicomModel [^>]*>(.*)<\/NativeDicomModel>\n$/s.exec(
    text,
  );
  return body?.[1] ?? `no document: ${text}`;
}

describe('Native DICOM Model XML', () => {
  it('sorts by tag, numbers values, and keeps the digits of numbers', () => {
    expect(xmlOf('{"00280030":{"vr":"DS","Value":[0.50,1.0e-3]},"00100040":{"vr":"CS"}}')).toBe(
      '<DicomAttribute tag="00100040" vr="CS" keyword="PatientSex"></DicomAttribute>' +
        '<DicomAttribute tag="00280030" vr="DS" keyword="PixelSpacing"><Value number="1">0.50</Value>' +
        '<Value number="2">1.0e-3</Value></DicomAttribute>',
    );
  });

  it('takes person names apart into groups and components', () => {
    const Value = [
      { Alphabetic: 'Yamada^Tarou^^Dr.^Jr', Ideographic: '山田^太郎', Phonetic: 'やまだ^たろう' },
      { Phonetic: 'x' },
    ];
    expect(xmlOf({ '00100010': { vr: 'PN', Value } })).toBe(
      '<DicomAttribute tag="00100010" vr="PN" keyword="PatientName"><PersonName number="1">' +
        '<Alphabetic><FamilyName>Yamada</FamilyName><GivenName>Tarou</GivenName><NamePrefix>Dr.</NamePrefix><NameSuffix>Jr</NameSuffix></Alphabetic>' +
        '<Ideographic><FamilyName>山田</FamilyName><GivenName>太郎</GivenName></Ideographic>' +
        '<Phonetic><FamilyName>やまだ</FamilyName><GivenName>たろう</GivenName></Phonetic></PersonName>' +
        '<PersonName number="2"><Phonetic><FamilyName>x</FamilyName></Phonetic></PersonName></DicomAttribute>',
    );
  });

  it('numbers items, leaves empty values out and keeps the last', () => {
    const item = { '00080100': { vr: 'SH', Value: [null, 'b', null] } };
    expect(xmlOf({ '00081140': { vr: 'SQ', Value: [item, {}] } })).toBe(
      '<DicomAttribute tag="00081140" vr="SQ" keyword="ReferencedImageSequence"><Item number="1">' +
        '<DicomAttribute tag="00080100" vr="SH" keyword="CodeValue"><Value number="2">b</Value><Value number="3"></Value></DicomAttribute>' +
        '</Item><Item number="2"></Item></DicomAttribute>',
    );
  });

  it('escapes, and replaces what XML cannot hold', () => {
    const Value = ['<a href="x">&\u0000\u001b\r\n\ud800\ufffe\ud83d\ude00'];
    expect(xmlOf({ '00104000': { vr: 'LT', Value } })).toContain(
      '<Value number="1">&lt;a href=&quot;x&quot;&gt;&amp;\ufffd\ufffd&#13;&#10;\ufffd\ufffd\ud83d\ude00</Value>',
    );
  });

  it('writes bulk data by reference and short binary values inline', () => {
    expect(
      xmlOf({ '00420011': { vr: 'OB', InlineBinary: 'AAEC' }, '7FE00010': { vr: 'OW', BulkDataURI: '/a?b=1&c=2' } }),
    ).toBe(
      '<DicomAttribute tag="00420011" vr="OB" keyword="EncapsulatedDocument"><InlineBinary>AAEC</InlineBinary></DicomAttribute>' +
        '<DicomAttribute tag="7FE00010" vr="OW" keyword="PixelData"><BulkData uri="/a?b=1&amp;c=2"/></DicomAttribute>',
    );
  });

  it('names private elements by their creator, and keeps the block where one creator has two', () => {
    const text = (value: string) => ({ vr: 'LO', Value: [value] });
    expect(
      xmlOf({
        '00090010': text('ACME'),
        '00090012': text('ACME'),
        '00091001': text('a'),
        '00091201': text('b'),
        '00091301': text('c'),
      }),
    ).toBe(
      '<DicomAttribute tag="00090010" vr="LO"><Value number="1">ACME</Value></DicomAttribute>' +
        '<DicomAttribute tag="00090012" vr="LO"><Value number="1">ACME</Value></DicomAttribute>' +
        '<DicomAttribute tag="00090001" vr="LO" privateCreator="ACME"><Value number="1">a</Value></DicomAttribute>' +
        '<DicomAttribute tag="00091201" vr="LO" privateCreator="ACME"><Value number="1">b</Value></DicomAttribute>' +
        '<DicomAttribute tag="00091301" vr="LO"><Value number="1">c</Value></DicomAttribute>',
    );
  });

  it('writes sequences of any depth in pieces', () => {
    const depth = 4096;
    const json = `${'{"00081140":{"vr":"SQ","Value":['.repeat(depth)}{}${']}}'.repeat(depth)}`;
    const pieces = [...nativeXml(json)];
    expect(pieces.join('').match(/<Item /g)).toHaveLength(depth);
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(40_000);
  });
});
