import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  dataset,
  type Encoding,
  EXPLICIT_BE,
  EXPLICIT_LE,
  element,
  encapsulated,
  IMPLICIT_LE,
  imageElements,
  instance,
  item,
  JPEG_BASELINE,
  part10,
  sequence,
  u16,
  u32,
} from '../../test/support/dicom-bytes.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import { DicomError } from '../dicom-error.js';
import { frameCount } from '../layout.js';
import { levelAttributesOfJson } from '../level-attributes.js';
import { phantomMultiframe, phantomStudies } from '../phantom/phantom.js';
import { parseInstance } from './parse-instance.js';

function jsonOf(others: readonly Buffer[]): Record<string, unknown> {
  return JSON.parse(parseInstance(instance(others)).json) as Record<string, unknown>;
}

const URI = '/dicomweb/studies/1.2/series/1.2.1/instances/1.2.3/bulkdata/';

describe('DICOM JSON (PS3.18 annex F)', () => {
  it('holds the data set and nothing else: no file meta information, group lengths or padding', () => {
    const json = jsonOf([element(0x00080000, 'UL', u32(4)), element(0xfffcfffc, 'OB', Buffer.alloc(40))]);
    expect(Object.keys(json)).toEqual(['00080016', '00080018', '0020000D', '0020000E']);
  });

  it('splits a name into its groups and leaves empty ones out', () => {
    const names = ['Yamada^Tarou=yama=kana', 'A^B', '=I', '', 'A==P', 'A^B^^^ '].join('\\');
    expect(jsonOf([element(0x00101001, 'PN', names)])['00101001']).toEqual({
      vr: 'PN',
      Value: [
        { Alphabetic: 'Yamada^Tarou', Ideographic: 'yama', Phonetic: 'kana' },
        { Alphabetic: 'A^B' },
        { Ideographic: 'I' },
        null,
        { Alphabetic: 'A', Phonetic: 'P' },
        { Alphabetic: 'A^B^^^' },
      ],
    });
  });

  it('has no Value where there is none, and null for an empty one among several', () => {
    const json = jsonOf([
      element(0x00080005, 'CS', '\\ISO 2022 IR 87'),
      element(0x00080060, 'CS', ''),
      element(0x00081030, 'LO', '   '),
    ]);
    expect(json['00080005']).toEqual({ vr: 'CS', Value: [null, 'ISO 2022 IR 87'] });
    expect(json['00080060']).toEqual({ vr: 'CS' });
    expect(json['00081030']).toEqual({ vr: 'LO' });
  });

  it('removes padding but keeps what is significant', () => {
    const json = jsonOf([element(0x00080060, 'CS', ' CT '), element(0x00104000, 'LT', '  two\\lines\r\nB ')]);
    expect(json['00080060']).toEqual({ vr: 'CS', Value: ['CT'] });
    expect(json['00104000']).toEqual({ vr: 'LT', Value: ['  two\\lines\r\nB'] });
  });

  it('writes DS and IS as numbers where they are numbers', () => {
    const json = jsonOf([element(0x00200032, 'DS', '-1.50\\+2 \\ 3.0e1\\x'), element(0x00200013, 'IS', '007')]);
    expect(json['00200032']).toEqual({ vr: 'DS', Value: [-1.5, 2, 30, 'x'] });
    expect(json['00200013']).toEqual({ vr: 'IS', Value: [7] });
  });

  it('nests items, empty ones and empty sequences included', () => {
    const inner = sequence(0x00400008, [item(element(0x00080100, 'SH', 'A'), true), item(Buffer.alloc(0))], true);
    const json = jsonOf([
      sequence(0x00400275, [item(inner)]),
      sequence(0x00081140, []),
      sequence(0x00081199, [], true),
    ]);
    expect(json['00400275']).toEqual({
      vr: 'SQ',
      Value: [{ '00400008': { vr: 'SQ', Value: [{ '00080100': { vr: 'SH', Value: ['A'] } }, {}] } }],
    });
    expect(json['00081140']).toEqual({ vr: 'SQ' });
    expect(json['00081199']).toEqual({ vr: 'SQ' });
  });

  it('reads a UN of undefined length as an implicit VR sequence', () => {
    const content = item(element(0x00080100, 'SH', 'AB', { encoding: 'implicit' }), true);
    const un = Buffer.concat([sequence(0x00091010, [content], true)]);
    un.write('UN', 4, 'latin1');
    expect(jsonOf([un])['00091010']).toEqual({ vr: 'SQ', Value: [{ '00080100': { vr: 'SH', Value: ['AB'] } }] });
  });

  it('reads a known attribute that is written as UN by its own VR, and leaves private ones', () => {
    const json = jsonOf([element(0x0008103e, 'UN', 'Head '), element(0x00091010, 'UN', 'ABCD')]);
    expect(json['0008103E']).toEqual({ vr: 'LO', Value: ['Head'] });
    expect(json['00091010']).toEqual({ vr: 'UN', InlineBinary: Buffer.from('ABCD').toString('base64') });
  });

  it('inlines short binary values and refers to long ones by path, nested ones too', () => {
    const long = element(0x54001010, 'OW', Buffer.alloc(2000));
    const bytes = instance([
      sequence(0x54000100, [item(Buffer.alloc(0)), item(long)]),
      element(0x00420011, 'OB', Buffer.from('PDF!')),
    ]);
    const parsed = parseInstance(bytes);
    const json = JSON.parse(parsed.json) as Record<
      string,
      { Value?: Record<string, unknown>[]; InlineBinary?: string }
    >;
    expect(json['54000100']?.Value?.[1]).toEqual({
      '54001010': { vr: 'OW', BulkDataURI: `${URI}54000100/1/54001010` },
    });
    expect(json['00420011']?.InlineBinary).toBe('UERGIQ==');
    const [value] = parsed.layout.bulk;
    expect(value?.path).toBe('54000100/1/54001010');
    expect(bytes.subarray(value?.start, value?.end)).toEqual(Buffer.alloc(2000));
  });

  it('refers to pixel data whatever its length, and to a long value that comes before the identity', () => {
    const json = jsonOf([element(0x00091010, 'UN', Buffer.alloc(2000)), element(0x7fe00010, 'OW', Buffer.alloc(2))]);
    expect(json['00091010']).toEqual({ vr: 'UN', BulkDataURI: `${URI}00091010` });
    expect(json['7FE00010']).toEqual({ vr: 'OW', BulkDataURI: `${URI}7FE00010` });
  });

  it('gives each item the character set that it says, and its neighbours the one of the data set', () => {
    const cyrillic = Buffer.concat([
      element(0x00080005, 'CS', 'ISO_IR 144'),
      element(0x00080104, 'LO', Buffer.from('c7d5', 'hex')),
    ]);
    const latin = element(0x00080104, 'LO', Buffer.from('e9e9', 'hex'));
    const json = jsonOf([element(0x00080005, 'CS', 'ISO_IR 100'), sequence(0x00400275, [item(cyrillic), item(latin)])]);
    const items = (json['00400275'] as { Value: Record<string, { Value: unknown[] }>[] }).Value;
    expect(items.map((one) => one['00080104']?.Value[0])).toEqual(['Че', 'éé']);
  });

  it.each<[Encoding, string]>([
    ['explicit', EXPLICIT_LE],
    ['implicit', IMPLICIT_LE],
    ['big', EXPLICIT_BE],
  ])('is the same text in %s VR', (encoding, transferSyntax) => {
    const big = encoding === 'big';
    const short = big ? Buffer.from('01020304', 'hex') : Buffer.from('02010403', 'hex');
    const others = [
      element(0x00080060, 'CS', 'CT', { encoding }),
      element(0x00100010, 'PN', 'A^B', { encoding }),
      element(0x00280009, 'AT', big ? Buffer.from('00181063', 'hex') : Buffer.from('18006310', 'hex'), { encoding }),
      element(0x00280103, 'US', big ? Buffer.from([0, 1]) : Buffer.from([1, 0]), { encoding }),
      element(0x00280106, 'SS', Buffer.from('ffff', 'hex'), { encoding }),
      element(0x00281201, 'OW', short, { encoding }),
    ];
    const parsed = parseInstance(part10(dataset(others, { encoding }), { transferSyntax }));
    expect(JSON.parse(parsed.json)).toEqual({
      '00080016': { vr: 'UI', Value: ['1.2.840.10008.5.1.4.1.1.2'] },
      '00080018': { vr: 'UI', Value: ['1.2.3'] },
      '00080060': { vr: 'CS', Value: ['CT'] },
      '00100010': { vr: 'PN', Value: [{ Alphabetic: 'A^B' }] },
      '0020000D': { vr: 'UI', Value: ['1.2'] },
      '0020000E': { vr: 'UI', Value: ['1.2.1'] },
      '00280009': { vr: 'AT', Value: ['00181063'] },
      '00280103': { vr: 'US', Value: [1] },
      '00280106': { vr: 'SS', Value: [-1] },
      '00281201': { vr: 'OW', InlineBinary: 'AgEEAw==' },
    });
  });
});

describe('a parsed instance', () => {
  it('has its numbers where they are integers', () => {
    const parsed = parseInstance(instance([element(0x00200011, 'IS', ' 3'), element(0x00200013, 'IS', '1.5')]));
    expect([parsed.seriesNumber, parsed.instanceNumber]).toEqual([3, null]);
  });

  it('sorts attributes to the levels they are searched by', () => {
    const parsed = parseInstance(
      instance([
        element(0x00080060, 'CS', 'CT'),
        element(0x00100020, 'LO', 'P1'),
        element(0x00200013, 'IS', '1'),
        element(0x00181150, 'IS', '5'),
        sequence(0x00400275, [item(element(0x00400009, 'SH', 'X'))]),
      ]),
    );
    expect(Object.keys(JSON.parse(parsed.attributes.study) as object)).toEqual(['00100020', '0020000D']);
    expect(Object.keys(JSON.parse(parsed.attributes.series) as object)).toEqual(['00080060', '0020000E', '00400275']);
    expect(Object.keys(JSON.parse(parsed.attributes.instance) as object)).toEqual(['00080016', '00080018', '00200013']);
  });

  it('names in a refusal what it knew of the instance', () => {
    const bytes = part10(dataset([], { studyUid: null }));
    try {
      parseInstance(bytes);
      expect.unreachable();
    } catch (error) {
      expect((error as DicomError).identity).toEqual({ sopUid: '1.2.3', sopClassUid: '1.2.840.10008.5.1.4.1.1.2' });
    }
  });

  it('passes on what its source throws, and nothing of the reader stays behind', () => {
    const source = {
      size: 1000,
      read: () => {
        throw new ArchiveError('UNAVAILABLE', 'the disk is gone');
      },
    };
    expect(() => parseInstance(source)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }) as Error);
    expect(parseInstance(instance()).sopUid).toBe('1.2.3');
  });

  it('keeps results of one parse apart from the next', () => {
    const first = parseInstance(instance([element(0x00100020, 'LO', 'FIRST')]));
    parseInstance(instance([element(0x00100020, 'LO', 'SECOND')]));
    expect(first.json).toContain('FIRST');
    expect(first.attributes.study).toContain('FIRST');
  });
});

describe('mutated phantom instances', () => {
  const phantoms = [
    ...[...phantomStudies({ seed: 7, studies: 5, slices: 1, shrink: 64 })].map(({ bytes }) => bytes),
    instance([
      ...imageElements(4, 4),
      sequence(0x00400275, [item(element(0x00400009, 'SH', 'A'), true)], true),
      element(0x7fe00010, 'OW', Buffer.alloc(32)),
    ]),
    part10(dataset([...imageElements(4, 4, '2'), encapsulated([Buffer.alloc(8), Buffer.alloc(8)], [0, 16])]), {
      transferSyntax: JPEG_BASELINE,
    }),
    part10(dataset([element(0x00280010, 'US', u16(1), { encoding: 'implicit' })], { encoding: 'implicit' }), {
      transferSyntax: IMPLICIT_LE,
    }),
  ];

  it('are themselves taken without a warning', () => {
    for (const bytes of phantoms.slice(0, -3)) expect(parseInstance(bytes).warnings).toEqual([]);
  });

  it('are parsed or refused with a DicomError, quickly, and metadata that comes out is well-formed and sorted alike', () => {
    // Changes fall mostly into headers: the first 2 KiB, with the values that lengths and VRs turn on.
    const change = fc.record({
      at: fc.oneof(fc.integer({ min: 132, max: 2048 }), fc.nat(1 << 20)),
      byte: fc.oneof(fc.nat(255), fc.constantFrom(0, 0xff, 0xfe, 0xe0, 0x0d, 0xdd, 0x53, 0x51, 0x55, 0x4e, 0x5c, 0x1b)),
    });
    const cut = fc.option(fc.nat(4096), { freq: 4 });
    fc.assert(
      fc.property(
        fc.nat(phantoms.length - 1),
        fc.array(change, { minLength: 1, maxLength: 6 }),
        cut,
        (which, changes, end) => {
          const bytes = Uint8Array.from(phantoms[which] ?? []);
          for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
          const started = process.cpuUsage();
          try {
            const parsed = parseInstance(end === null ? bytes : bytes.subarray(0, end));
            JSON.parse(parsed.json);
            expect(levelAttributesOfJson(parsed.json)).toEqual(parsed.attributes);
          } catch (error) {
            expect(error).toBeInstanceOf(DicomError);
          }
          expect(process.cpuUsage(started).user / 1000).toBeLessThan(1_000);
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

describe('a phantom multi-frame', () => {
  it.each([false, true])('is parsed from its header and item headers alone (encapsulated: %s)', async (fragments) => {
    const multiframe = phantomMultiframe({ seed: 1, bytes: 8 << 20, encapsulated: fragments });
    const pieces: Uint8Array[] = [];
    for await (const piece of multiframe.pieces) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    let bytesRead = 0;
    const parsed = parseInstance({
      size: bytes.length,
      read: (start, end) => {
        bytesRead += end - start;
        return bytes.subarray(start, end);
      },
    });
    expect(bytesRead).toBeLessThan(256 * 1024);
    expect(frameCount(parsed.layout)).toBe(multiframe.frames);
    expect(parsed.warnings).toEqual([]);
  });
});
