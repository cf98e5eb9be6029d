// Writes what comes before a data set that is sent as a file of our own making: preamble, prefix and file meta information
// (PS3.10 7.1).
const PREAMBLE_BYTES = 128;
/** Identifies this program as a writer of DICOM files (PS3.7 D.3.3.2); drawn once, the same in every version. */
const IMPLEMENTATION_CLASS_UID = '2.25.309790770273071134478439363774496334619';
/** At most 16 characters. */
const IMPLEMENTATION_VERSION_NAME = 'FILMROOM';

export interface FileIdentity {
  readonly sopClass: string;
  readonly sop: string;
  readonly transferSyntax: string;
}

/** A UID with its NUL, or a name with its space, to an even length. */
function textElement(element: number, vr: 'UI' | 'SH', text: string): Buffer {
  const value = Buffer.from(text.length % 2 === 0 ? text : `${text}${vr === 'UI' ? '\0' : ' '}`, 'latin1');
  const header = Buffer.from([2, 0, element, 0, vr.charCodeAt(0), vr.charCodeAt(1), 0, 0]);
  header.writeUInt16LE(value.length, 6);
  return Buffer.concat([header, value]);
}

/** Everything that comes before the data set. The preamble is zeros. */
export function fileHead(file: FileIdentity): Buffer {
  const elements = Buffer.concat([
    // (0002,0001) File Meta Information Version: 00 01.
    Buffer.from([2, 0, 1, 0, 0x4f, 0x42, 0, 0, 2, 0, 0, 0, 0, 1]),
    textElement(0x02, 'UI', file.sopClass),
    textElement(0x03, 'UI', file.sop),
    textElement(0x10, 'UI', file.transferSyntax),
    textElement(0x12, 'UI', IMPLEMENTATION_CLASS_UID),
    textElement(0x13, 'SH', IMPLEMENTATION_VERSION_NAME),
  ]);
  const groupLength = Buffer.from([2, 0, 0, 0, 0x55, 0x4c, 4, 0, 0, 0, 0, 0]);
  groupLength.writeUInt32LE(elements.length, 8);
  return Buffer.concat([Buffer.alloc(PREAMBLE_BYTES), Buffer.from('DICM'), groupLength, elements]);
}
