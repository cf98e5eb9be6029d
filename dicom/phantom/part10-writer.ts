// A phantom's data set as a DICOM file (PS3.10 7.1), in its own character set.
import { type Encoding, writeDataSet } from '../encode/data-set-writer.js';
import { type DataSet, element } from '../encode/element.js';
import { fileMeta } from '../encode/file-meta.js';
import { uidOf } from './prng.js';
import { encodeText, type PhantomCharset } from './text-encoder.js';

export const EXPLICIT_LE = '1.2.840.10008.1.2.1';
export const IMPLICIT_LE = '1.2.840.10008.1.2';
export const RLE = '1.2.840.10008.1.2.5';
/** Encapsulated Uncompressed Explicit VR Little Endian: frames as fragments, as they are. */
export const ENCAPSULATED_UNCOMPRESSED = '1.2.840.10008.1.2.1.98';

const IMPLEMENTATION_CLASS = uidOf(0, 'implementation', 'phantom', 1);

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
  const encoding: Encoding = {
    explicit: file.transferSyntax !== IMPLICIT_LE,
    text: (text, inCharset) => encodeText(text, inCharset ? file.charset : ''),
  };
  const identity = [
    element(0x00080005, 'CS', file.charset === '' ? undefined : file.charset),
    element(0x00080016, 'UI', file.sopClass),
    element(0x00080018, 'UI', file.sop),
  ].filter(({ value }) => value !== undefined);
  return Buffer.concat([
    fileMeta({ ...file, implementationClass: IMPLEMENTATION_CLASS, implementationVersion: 'FILMROOM_PHANTOM' }),
    writeDataSet([...identity, ...file.elements], encoding),
  ]);
}
