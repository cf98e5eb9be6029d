// A data set as a DICOM file: preamble, prefix, file meta information (PS3.10 7.1), data set.
import { type DataSet, type Encoding, element, writeDataSet } from './data-set-writer.js';
import { uidOf } from './prng.js';
import type { PhantomCharset } from './text-encoder.js';

export const EXPLICIT_LE = '1.2.840.10008.1.2.1';
export const IMPLICIT_LE = '1.2.840.10008.1.2';
export const RLE = '1.2.840.10008.1.2.5';
/** Encapsulated Uncompressed Explicit VR Little Endian: frames as fragments, as they are. */
export const ENCAPSULATED_UNCOMPRESSED = '1.2.840.10008.1.2.1.98';

const IMPLEMENTATION_CLASS = uidOf(0, 'implementation', 'phantom', 1);
const PREAMBLE_BYTES = 128;

export interface Part10 {
  readonly sopClass: string;
  readonly sop: string;
  readonly transferSyntax: string;
  readonly charset: PhantomCharset;
  /** Everything but SOP Class and Instance UID and the character set, which are put in here. */
  readonly elements: DataSet;
}

/** Everything before the value of Pixel Data, or the whole file when there is none. */
export function part10Head(file: Part10): Buffer {
  const encoding: Encoding = { explicit: file.transferSyntax !== IMPLICIT_LE, charset: file.charset };
  const identity = [
    element(0x00080005, 'CS', file.charset === '' ? undefined : file.charset),
    element(0x00080016, 'UI', file.sopClass),
    element(0x00080018, 'UI', file.sop),
  ].filter(({ value }) => value !== undefined);
  return Buffer.concat([
    Buffer.alloc(PREAMBLE_BYTES),
    Buffer.from('DICM'),
    fileMeta(file),
    writeDataSet([...identity, ...file.elements], encoding),
  ]);
}

function fileMeta(file: Part10): Buffer {
  const explicit: Encoding = { explicit: true, charset: '' };
  const rest = writeDataSet(
    [
      element(0x00020001, 'OB', Uint8Array.of(0, 1)),
      element(0x00020002, 'UI', file.sopClass),
      element(0x00020003, 'UI', file.sop),
      element(0x00020010, 'UI', file.transferSyntax),
      element(0x00020012, 'UI', IMPLEMENTATION_CLASS),
      element(0x00020013, 'SH', 'FILMROOM_PHANTOM'),
    ],
    explicit,
  );
  return Buffer.concat([writeDataSet([element(0x00020000, 'UL', rest.length)], explicit), rest]);
}
