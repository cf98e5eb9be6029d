// FAULTS.md 17 to 34, what the parser must refuse: one row a case, which carries its number.
import { deflateRawSync } from 'node:zlib';
import type { DicomFault } from '../../dicom/instance.js';
import { ELEMENTS_MAX, SEQUENCE_DEPTH_MAX } from '../../dicom/limits.js';
import {
  DEFLATED_LE,
  dataset,
  EXPLICIT_BE,
  EXPLICIT_LE,
  element,
  encapsulated,
  header,
  IMPLICIT_LE,
  imageElements,
  instance,
  item,
  JPEG_BASELINE,
  part10,
  sequence,
  UNDEFINED,
  u16,
  u32,
} from '../support/dicom-bytes.js';
import {
  deflateBomb,
  emptyFragments,
  implicit,
  nested,
  PIXELS,
  preamble,
  times,
  withUid,
  withUidImplicit,
} from './dicom-makers.js';

export interface Refused {
  readonly name: string;
  readonly bytes: () => Uint8Array;
  readonly fault: DicomFault;
}

export const refused: readonly Refused[] = [
  { name: '17 no byte at all', bytes: () => Buffer.alloc(0), fault: 'NOT_DICOM' },
  { name: '17 131 bytes', bytes: () => Buffer.concat([Buffer.alloc(128), Buffer.from('DIC')]), fault: 'NOT_DICOM' },
  {
    name: '17 no prefix',
    bytes: () => Buffer.concat([Buffer.alloc(128), Buffer.from('DCIM'), Buffer.alloc(99)]),
    fault: 'NOT_DICOM',
  },
  { name: '17 the prefix at byte 0', bytes: () => instance().subarray(128), fault: 'NOT_DICOM' },
  { name: '17 a prefix and nothing else', bytes: () => instance().subarray(0, 132), fault: 'TRUNCATED' },
  ...[
    'MZ\x90',
    '\x7fELF',
    '\xcf\xfa\xed\xfe',
    '\xfe\xed\xfa\xce',
    '\xca\xfe\xba\xbe',
    '#!/bin/sh',
    'PK\x03\x04',
    '<html>',
    ' <!DOCTYPE html>',
    '<script>',
  ].map(
    (start): Refused => ({
      name: `18 a preamble that begins with ${JSON.stringify(start)}`,
      bytes: () => part10(dataset(), {}, preamble(start)),
      fault: 'NOT_DICOM',
    }),
  ),
  {
    name: '19 explicit VR whose last value is cut',
    bytes: () => instance([element(PIXELS, 'OW', Buffer.alloc(100), { length: 1 << 20 })]),
    fault: 'TRUNCATED',
  },
  {
    name: '19 an element header that is cut',
    bytes: () => instance([header(PIXELS, 'OW', 100).subarray(0, 9)]),
    fault: 'TRUNCATED',
  },
  {
    name: '20 implicit VR whose last value is cut',
    bytes: () =>
      part10(dataset([element(PIXELS, 'OW', Buffer.alloc(100), { length: 1 << 20, ...implicit })], implicit), {
        transferSyntax: IMPLICIT_LE,
      }),
    fault: 'TRUNCATED',
  },
  {
    name: '21 an element length of 0xFFFFFFFE',
    bytes: () => instance([element(0x00420011, 'OB', Buffer.alloc(8), { length: 0xfffffffe })]),
    fault: 'TRUNCATED',
  },
  {
    name: '21 a length one past the end',
    bytes: () => instance([element(PIXELS, 'OW', Buffer.alloc(8), { length: 9 })]),
    fault: 'TRUNCATED',
  },
  {
    name: '21 an undefined length of a VR that has none',
    bytes: () => instance([header(0x00420011, 'OB', UNDEFINED)]),
    fault: 'MALFORMED',
  },
  {
    name: '21 a value that reaches past its item',
    bytes: () =>
      instance([
        sequence(0x00400275, [item(element(0x00400009, 'SH', 'AB', { length: 40 }))]),
        element(PIXELS, 'OW', Buffer.alloc(64)),
      ]),
    fault: 'MALFORMED',
  },
  ...[2, -2, 100_000].map(
    (groupLengthError): Refused => ({
      name: `22 a group length that is wrong by ${groupLengthError}`,
      bytes: () => instance(imageElements(4, 4), { groupLengthError }),
      fault: groupLengthError > 1000 ? 'TRUNCATED' : 'MALFORMED',
    }),
  ),
  {
    name: '22 a group length of zero',
    bytes: () => {
      const bytes = instance();
      bytes.writeUInt32LE(0, 140);
      return bytes;
    },
    fault: 'MALFORMED',
  },
  {
    name: '22 a group length of 2^32-1',
    bytes: () => {
      const bytes = instance();
      bytes.writeUInt32LE(0xffffffff, 140);
      return bytes;
    },
    fault: 'TRUNCATED',
  },
  {
    name: '23 sequences one deeper than the limit',
    bytes: () => instance([nested(SEQUENCE_DEPTH_MAX + 1)]),
    fault: 'LIMIT',
  },
  { name: '23 sequences 50,000 deep', bytes: () => instance([nested(50_000)]), fault: 'LIMIT' },
  { name: '23 sequences that are never closed', bytes: () => instance([nested(3_000, false)]), fault: 'TRUNCATED' },
  {
    name: '24 an element more than the limit',
    bytes: () => {
      const items = item(element(0x00400009, 'SH', ''), true);
      return instance([sequence(0x00400275, [times(items, ELEMENTS_MAX / 2 + 1)], true)]);
    },
    fault: 'LIMIT',
  },
  {
    name: '24 a million and one fragments',
    bytes: () => part10(dataset([emptyFragments(1_000_001)]), { transferSyntax: JPEG_BASELINE }),
    fault: 'LIMIT',
  },
  { name: '25 a deflate bomb', bytes: deflateBomb, fault: 'LIMIT' },
  {
    name: '25 a deflate stream with garbage after it',
    bytes: () =>
      part10(Buffer.concat([deflateRawSync(dataset()), Buffer.from('garbage')]), { transferSyntax: DEFLATED_LE }),
    fault: 'MALFORMED',
  },
  {
    name: '25 no deflate stream at all',
    bytes: () => part10(dataset(imageElements(4, 4)), { transferSyntax: DEFLATED_LE }),
    fault: 'MALFORMED',
  },
  {
    name: '25 a deflate stream that is cut',
    bytes: () => part10(deflateRawSync(dataset()).subarray(0, 20), { transferSyntax: DEFLATED_LE }),
    fault: 'TRUNCATED',
  },
  {
    name: '26 an unknown transfer syntax',
    bytes: () => instance([], { transferSyntax: '1.2.3.4.5' }),
    fault: 'TRANSFER_SYNTAX',
  },
  { name: '26 no transfer syntax', bytes: () => instance([], { transferSyntax: null }), fault: 'TRANSFER_SYNTAX' },
  { name: '26 an empty transfer syntax', bytes: () => instance([], { transferSyntax: '' }), fault: 'TRANSFER_SYNTAX' },
  {
    name: '26 a private transfer syntax',
    bytes: () => instance([], { transferSyntax: '1.2.840.113619.5.2' }),
    fault: 'TRANSFER_SYNTAX',
  },
  {
    name: '26 explicit VR announced, implicit VR sent',
    bytes: () => part10(dataset([], implicit), { transferSyntax: EXPLICIT_LE }),
    fault: 'TRANSFER_SYNTAX',
  },
  {
    name: '26 implicit VR announced, explicit VR sent',
    bytes: () => part10(dataset(), { transferSyntax: IMPLICIT_LE }),
    fault: 'TRANSFER_SYNTAX',
  },
  {
    name: '26 big endian announced, little endian sent',
    bytes: () => part10(dataset(), { transferSyntax: EXPLICIT_BE }),
    fault: 'TRANSFER_SYNTAX',
  },
  {
    name: '26 little endian announced, big endian sent',
    bytes: () => part10(dataset([], { encoding: 'big' }), { transferSyntax: EXPLICIT_LE }),
    fault: 'TRANSFER_SYNTAX',
  },
  {
    name: '26 native pixels under an encapsulated syntax',
    bytes: () => instance([element(PIXELS, 'OB', Buffer.alloc(64))], { transferSyntax: JPEG_BASELINE }),
    fault: 'TRANSFER_SYNTAX',
  },
  {
    name: '26 encapsulated pixels under a native syntax',
    bytes: () => instance([encapsulated([Buffer.alloc(8)])]),
    fault: 'TRANSFER_SYNTAX',
  },
  { name: '27 SOP Instance UID twice', bytes: () => instance([element(0x00080018, 'UI', '1.2.4')]), fault: 'IDENTITY' },
  {
    name: '27 Study Instance UID twice, far apart',
    bytes: () => part10(Buffer.concat([dataset(), element(0x0020000d, 'UI', '9.9')])),
    fault: 'IDENTITY',
  },
  {
    name: '27 any other attribute twice',
    bytes: () => instance([element(0x00080060, 'CS', 'CT'), element(0x00080060, 'CS', 'MR')]),
    fault: 'MALFORMED',
  },
  {
    name: '27 identity in a nested sequence only',
    bytes: () => part10(dataset([sequence(0x00081140, [item(element(0x0020000d, 'UI', '1.2'))])], { studyUid: null })),
    fault: 'IDENTITY',
  },
  ...[0x00080018, 0x0020000d, 0x0020000e].flatMap((tag): Refused[] =>
    [
      '../../x',
      '',
      '1'.repeat(65),
      '1..2',
      '1.2.',
      '.1',
      '1. 2',
      ' 1.2',
      '1.2\0.3',
      '1.2\\1.3',
      '\u00b2.1',
      "1' OR '1'='1",
      '1.2\r\nX: 1',
    ].map((uid) => ({
      name: `28 a UID ${JSON.stringify(uid.slice(0, 20))} in ${tag.toString(16)}`,
      bytes: () => withUid(tag, 'UI', uid),
      fault: 'IDENTITY',
    })),
  ),
  { name: '28 a UID of 10 MiB', bytes: () => withUidImplicit(Buffer.alloc(10 << 20, 0x31)), fault: 'IDENTITY' },
  { name: '28 a UID that is not of VR UI', bytes: () => withUid(0x00080018, 'LO', '1.2.3'), fault: 'IDENTITY' },
  { name: '31 VR `ox`', bytes: () => instance([element(0x00420011, 'ox', Buffer.alloc(8))]), fault: 'MALFORMED' },
  {
    name: '31 a VR of two NULs',
    bytes: () => instance([element(0x00420011, '\0\0', Buffer.alloc(8))]),
    fault: 'MALFORMED',
  },
  {
    name: '31 a VR in the file meta information that DICOM does not have',
    bytes: () => instance([], { extra: [element(0x00020102, 'ZZ', Buffer.alloc(8))] }),
    fault: 'MALFORMED',
  },
  {
    name: '34 encapsulated data that ends inside of an item header',
    bytes: () =>
      part10(Buffer.concat([dataset(), encapsulated([Buffer.alloc(8)], [], { delimiter: false }), Buffer.alloc(4)]), {
        transferSyntax: JPEG_BASELINE,
      }),
    fault: 'TRUNCATED',
  },
  {
    name: '34 a fragment over the end of the file',
    bytes: () =>
      part10(Buffer.concat([dataset(), encapsulated([Buffer.alloc(800)]).subarray(0, 200)]), {
        transferSyntax: JPEG_BASELINE,
      }),
    fault: 'TRUNCATED',
  },
  {
    name: '34 encapsulated data without a fragment',
    bytes: () => part10(dataset([encapsulated([])]), { transferSyntax: JPEG_BASELINE }),
    fault: 'MALFORMED',
  },
  { name: 'two files in one', bytes: () => Buffer.concat([instance(), instance()]), fault: 'MALFORMED' },
  {
    name: 'a stray delimiter',
    bytes: () => part10(Buffer.concat([dataset(), u16(0xfffe, 0xe0dd), u32(0)])),
    fault: 'MALFORMED',
  },
];
