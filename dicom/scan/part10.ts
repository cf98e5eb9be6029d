// The envelope of a DICOM file (PS3.10 chapter 7): preamble, prefix and file meta information. Decides whether
// bytes are DICOM at all, refuses files that are something else besides, and finds the transfer syntax.

import type { ByteWindow } from '../byte-window.js';
import { DicomError } from '../dicom-error.js';
import { FILE_META_BYTES_MAX } from '../limits.js';
import { type TransferSyntax, transferSyntaxOf } from '../transfer-syntax.js';
import { newHeader, readHeader, UNDEFINED_LENGTH } from './element-header.js';

export interface FileMeta {
  readonly syntax: TransferSyntax;
  /** (0002,0002) and (0002,0003) without padding; null when absent. */
  readonly sopClassUid: string | null;
  readonly sopUid: string | null;
  /** Where the data set begins. */
  readonly end: number;
  /** There was no preamble and prefix: the file begins with its file meta information. */
  readonly bare: boolean;
}

const PREAMBLE_BYTES = 128;
const GROUP_LENGTH = 0x00020000;
const SOP_CLASS = 0x00020002;
const SOP_INSTANCE = 0x00020003;
const TRANSFER_SYNTAX = 0x00020010;
const META_ENCODING = { explicit: true, bigEndian: false } as const;

/** What a preamble must not be: a file that something would run or open (CVE-2019-11687). TIFF is legitimate (PS3.10 7.1). */
const FOREIGN: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a Windows executable', /^MZ/],
  ['an ELF executable', /^\x7fELF/],
  ['a Mach-O executable', /^(?:\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe)/],
  ['a script', /^#!/],
  ['a ZIP archive', /^PK[^ -~]/],
  ['an HTML or XML page', /^(?:\xef\xbb\xbf)?\s*<(?:!|\?|html|head|body|script|svg)/i],
];

function refusePolyglot(preamble: string): void {
  for (const [what, pattern] of FOREIGN) {
    if (pattern.test(preamble)) throw new DicomError('NOT_DICOM', `the preamble is that of ${what}`, { offset: 0 });
  }
}

/** Where the file meta information begins: after `DICM` at byte 128, or at byte 0 of a file written without preamble. */
function metaStart(window: ByteWindow): { readonly start: number; readonly bare: boolean } {
  const headBytes = Math.min(window.size, PREAMBLE_BYTES + 4);
  const index = window.at(0, headBytes);
  const head = window.bytes.latin1Slice(index, index + headBytes);
  if (head.slice(PREAMBLE_BYTES) === 'DICM') {
    refusePolyglot(head.slice(0, PREAMBLE_BYTES));
    return { start: PREAMBLE_BYTES + 4, bare: false };
  }
  if (head.startsWith('\x02\x00') && head[3] === '\x00' && /^[A-Z]{2}$/.test(head.slice(4, 6))) {
    return { start: 0, bare: true };
  }
  throw new DicomError('NOT_DICOM', 'no DICM prefix at byte 128, and no file meta information at byte 0', {
    offset: 0,
  });
}

interface MetaElements {
  transferSyntax: string | null;
  sopClassUid: string | null;
  sopUid: string | null;
}

/** Reads the file meta information. Throws DicomError. */
export function readFileMeta(window: ByteWindow): FileMeta {
  const { start, bare } = metaStart(window);
  const found: MetaElements = { transferSyntax: null, sopClassUid: null, sopUid: null };
  if (!bare) requireGroupLength(window, start);
  const end = readElements(window, start, found);
  if (found.transferSyntax === null || found.transferSyntax === '') {
    throw new DicomError('TRANSFER_SYNTAX', 'no Transfer Syntax UID in the file meta information', {
      offset: start,
      tag: TRANSFER_SYNTAX,
    });
  }
  const syntax = transferSyntaxOf(found.transferSyntax);
  if (syntax === undefined) {
    throw new DicomError('TRANSFER_SYNTAX', 'a transfer syntax that is not known here', { tag: TRANSFER_SYNTAX });
  }
  return { syntax, sopClassUid: found.sopClassUid, sopUid: found.sopUid, end, bare };
}

/** PS3.10 table 7.1-1: after a prefix the group length comes first. A file that has not even a prefix is read without one. */
function requireGroupLength(window: ByteWindow, start: number): void {
  if (start + 12 > window.size) throw new DicomError('TRUNCATED', 'the file ends after its prefix', { offset: start });
  const index = window.at(start, 12);
  if (window.bytes.readUInt32LE(index) !== 2) {
    throw new DicomError('MALFORMED', 'no file meta group length', { offset: start, tag: GROUP_LENGTH });
  }
}

/** Walks the elements of group 0002 and returns where they end. A group length must be right; without one the group ends where another begins. */
function readElements(window: ByteWindow, start: number, found: MetaElements): number {
  const header = newHeader();
  let declaredEnd: number | null = null;
  let lastTag = 0;
  let at = start;
  while (declaredEnd === null || at < declaredEnd) {
    if (at === window.size && declaredEnd === null) return at;
    if (at + 8 > window.size)
      throw new DicomError('TRUNCATED', 'the file ends in its file meta information', { offset: at });
    if (at - start > FILE_META_BYTES_MAX) {
      throw new DicomError('LIMIT', `file meta information of more than ${FILE_META_BYTES_MAX} bytes`, { offset: at });
    }
    const index = window.at(at, 8);
    if (window.bytes[index] !== 2 || window.bytes[index + 1] !== 0) {
      if (declaredEnd === null) return at;
      throw new DicomError('MALFORMED', 'a group length that is not the length of the group', {
        offset: at,
        tag: GROUP_LENGTH,
      });
    }
    readHeader(window, at, window.size, META_ENCODING, false, header);
    const place = { offset: at, tag: header.tag };
    if (header.vr === null) throw new DicomError('MALFORMED', 'a VR that DICOM does not have', place);
    if (header.size === 0) throw new DicomError('TRUNCATED', 'the file ends in an element header', place);
    if (header.length === UNDEFINED_LENGTH) throw new DicomError('MALFORMED', 'an undefined length', place);
    if (header.tag <= lastTag) throw new DicomError('MALFORMED', 'elements out of order', place);
    lastTag = header.tag;
    const valueStart = at + header.size;
    const valueEnd = valueStart + header.length;
    if (valueEnd > window.size) throw new DicomError('TRUNCATED', 'a value reaches past the end of the file', place);
    if (declaredEnd !== null && valueEnd > declaredEnd) {
      throw new DicomError('MALFORMED', 'a group length that is not the length of the group', {
        offset: at,
        tag: GROUP_LENGTH,
      });
    }
    if (header.tag === GROUP_LENGTH) {
      if (header.length !== 4) throw new DicomError('MALFORMED', 'a group length that is not 4 bytes long', place);
      const length = window.bytes.readUInt32LE(window.at(valueStart, 4));
      declaredEnd = valueEnd + length;
      if (declaredEnd > window.size)
        throw new DicomError('TRUNCATED', 'a group length past the end of the file', place);
    } else {
      takeElement(window, header.tag, valueStart, valueEnd, found);
    }
    at = valueEnd;
  }
  refuseMoreOfGroup(window, at);
  return at;
}

/** A group length that is too small ends among elements of its own group. */
function refuseMoreOfGroup(window: ByteWindow, at: number): void {
  if (at + 6 > window.size) return;
  const index = window.at(at, 6);
  const bytes = window.bytes;
  if (bytes[index] !== 2 || bytes[index + 1] !== 0) return;
  if (/^[A-Z]{2}$/.test(bytes.latin1Slice(index + 4, index + 6))) {
    throw new DicomError('MALFORMED', 'a group length that is not the length of the group', {
      offset: at,
      tag: GROUP_LENGTH,
    });
  }
}

function takeElement(window: ByteWindow, tag: number, start: number, end: number, found: MetaElements): void {
  if (tag !== SOP_CLASS && tag !== SOP_INSTANCE && tag !== TRANSFER_SYNTAX) return;
  if (end - start > 256) throw new DicomError('MALFORMED', 'a UID of more than 256 bytes', { offset: start, tag });
  const index = window.at(start, end - start);
  const uid = window.bytes.latin1Slice(index, index + (end - start)).replace(/[\0 ]+$/, '');
  if (tag === SOP_CLASS) found.sopClassUid = uid;
  else if (tag === SOP_INSTANCE) found.sopUid = uid;
  else found.transferSyntax = uid;
}
