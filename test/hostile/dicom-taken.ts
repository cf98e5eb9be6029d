// FAULTS.md 17 to 34, what the parser must take in spite of its looks, with the warning that it must give.
import { deflateRawSync } from 'node:zlib';
import type { DicomWarning } from '../../dicom/instance.js';
import {
  DEFLATED_LE,
  dataset,
  EXPLICIT_BE,
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
} from '../support/dicom-bytes.js';
import { emptyFragments, image, implicit, nested, PIXELS, preamble, times, withUid } from './dicom-makers.js';

export interface Taken {
  readonly name: string;
  readonly bytes: () => Uint8Array;
  readonly warning: DicomWarning['kind'] | null;
}

export const taken: readonly Taken[] = [
  { name: '18 a TIFF preamble', bytes: () => part10(dataset(), {}, preamble('II*\0')), warning: null },
  {
    name: '21 an odd length',
    bytes: () => instance([Buffer.concat([header(0x00400241, 'AE', 3), Buffer.from('ABC')])]),
    warning: 'ODD_LENGTH',
  },
  { name: '23 sequences 65 deep', bytes: () => instance([nested(65)]), warning: null },
  { name: '23 sequences 3,000 deep', bytes: () => instance([nested(3_000)]), warning: null },
  {
    name: '24 a million empty elements',
    bytes: () => instance([sequence(0x00400275, [times(item(element(0x00400009, 'SH', '')), 500_000)])]),
    warning: null,
  },
  {
    name: '24 a million fragments',
    bytes: () => part10(dataset([emptyFragments(1_000_000)]), { transferSyntax: JPEG_BASELINE }),
    warning: null,
  },
  {
    name: '24 an offset table of a million entries for one fragment',
    bytes: () =>
      part10(
        dataset([
          encapsulated(
            [Buffer.alloc(8)],
            Array.from({ length: 1_000_000 }, (_, at) => at),
          ),
        ]),
        { transferSyntax: JPEG_BASELINE },
      ),
    warning: 'PIXEL_LENGTH',
  },
  {
    name: '24 an offset table that points outside',
    bytes: () => part10(dataset([encapsulated([Buffer.alloc(8)], [0x7fffffff])]), { transferSyntax: JPEG_BASELINE }),
    warning: 'PIXEL_LENGTH',
  },
  {
    name: '25 a deflate stream with a pad byte',
    bytes: () => part10(Buffer.concat([deflateRawSync(dataset()), Buffer.alloc(1)]), { transferSyntax: DEFLATED_LE }),
    warning: null,
  },
  {
    name: '26 big endian',
    bytes: () => part10(dataset([], { encoding: 'big' }), { transferSyntax: EXPLICIT_BE }),
    warning: null,
  },
  {
    name: '27 identity out of order',
    bytes: () => part10(Buffer.concat([element(0x00200013, 'IS', '7'), dataset()])),
    warning: 'VALUE',
  },
  { name: '28 a UID with a trailing NUL', bytes: () => withUid(0x0020000d, 'UI', '1.2\0'), warning: null },
  { name: '28 a UID with trailing spaces', bytes: () => withUid(0x0020000d, 'UI', '1.2 '), warning: null },
  {
    name: '28 a UID component with a leading zero',
    bytes: () => withUid(0x0020000d, 'UI', '1.02'),
    warning: 'UID_LEADING_ZERO',
  },
  {
    name: '29 another SOP UID in the file meta information',
    bytes: () => instance([], { sopUid: '9.9' }),
    warning: 'META_MISMATCH',
  },
  { name: '30 2^31 frames', bytes: () => image('2147483648'), warning: 'PIXEL_LENGTH' },
  { name: '30 a negative number of frames', bytes: () => image('-1'), warning: 'PIXEL_LENGTH' },
  { name: '30 a number of frames that is text', bytes: () => image('many'), warning: 'PIXEL_LENGTH' },
  {
    name: '30 rows, columns and bits that overflow',
    bytes: () => instance([...imageElements(65_535, 65_535, '99999999'), element(PIXELS, 'OW', Buffer.alloc(64))]),
    warning: 'PIXEL_LENGTH',
  },
  {
    name: '32 10 MiB of LO',
    bytes: () =>
      part10(dataset([element(0x00081030, 'LO', Buffer.alloc(10 << 20, 0x41), implicit)], implicit), {
        transferSyntax: IMPLICIT_LE,
      }),
    warning: null,
  },
  {
    name: '34 encapsulated data without a delimiter',
    bytes: () =>
      part10(Buffer.concat([dataset(), encapsulated([Buffer.alloc(8)], [], { delimiter: false })]), {
        transferSyntax: JPEG_BASELINE,
      }),
    warning: 'PIXEL_LENGTH',
  },
  {
    name: '34 a JPEG that claims 65,535 by 65,535',
    bytes: () =>
      part10(dataset([encapsulated([Buffer.from('ffd8ffc00011080000ffffffff', 'hex')])]), {
        transferSyntax: JPEG_BASELINE,
      }),
    warning: null,
  },
  {
    name: 'zeros after the data set',
    bytes: () => Buffer.concat([instance(), Buffer.alloc(500)]),
    warning: 'TRAILING_BYTES',
  },
];
