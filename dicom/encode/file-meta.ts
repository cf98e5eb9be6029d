// What comes before the data set of a DICOM file (PS3.10 7.1): preamble, prefix, file meta information.
import { type Encoding, writeDataSet } from './data-set-writer.js';
import { element } from './element.js';

const PREAMBLE_BYTES = 128;
const ASCII: Encoding = { explicit: true, text: (text) => Buffer.from(text, 'latin1') };

export interface FileMetaOf {
  readonly sopClass: string;
  readonly sop: string;
  readonly transferSyntax: string;
  /** Who wrote it. */
  readonly implementationClass: string;
  readonly implementationVersion: string;
}

/** Preamble, prefix and file meta information. */
export function fileMeta(of: FileMetaOf): Buffer {
  const rest = writeDataSet(
    [
      element(0x00020001, 'OB', Uint8Array.of(0, 1)),
      element(0x00020002, 'UI', of.sopClass),
      element(0x00020003, 'UI', of.sop),
      element(0x00020010, 'UI', of.transferSyntax),
      element(0x00020012, 'UI', of.implementationClass),
      element(0x00020013, 'SH', of.implementationVersion),
    ],
    ASCII,
  );
  const length = writeDataSet([element(0x00020000, 'UL', rest.length)], ASCII);
  return Buffer.concat([Buffer.alloc(PREAMBLE_BYTES), Buffer.from('DICM'), length, rest]);
}
