// What parsing one Part 10 file yields: identity, the attributes each level is searched by, its
// metadata as PS3.18 JSON, and where its frames and bulk values lie. Types only; the scanner makes
// them, everything above (index, archive, dicomweb) reads them.

/** How a DICOM file was found wanting. */
export type DicomFault =
  /** No `DICM` at byte 128, or a file of another kind. The part cannot be recognised as DICOM at all. */
  | 'NOT_DICOM'
  /** Recognised, and its structure is broken (lengths, VRs, sequences, file meta). */
  | 'MALFORMED'
  /** It ends before what it declares. */
  | 'TRUNCATED'
  /** A UID that identifies it is missing, empty, ambiguous or outside of the grammar of PS3.5 9.1. */
  | 'IDENTITY'
  /** Its transfer syntax is unknown, or is contradicted by its bytes. */
  | 'TRANSFER_SYNTAX'
  /** A stated limit (depth, elements, fragments, header bytes) is passed. */
  | 'LIMIT';

/** Something odd that does not keep an instance from being stored: answered as STOW warning B007, B006 or B000. */
export interface DicomWarning {
  readonly kind:
    | 'META_MISMATCH'
    | 'UID_LEADING_ZERO'
    | 'ODD_LENGTH'
    | 'CHARSET'
    | 'PIXEL_LENGTH'
    | 'TRAILING_BYTES'
    /** Sent as JSON or XML with an element that was left out. */
    | 'DISCARDED'
    | 'VALUE';
  /** For people; names tags and offsets, never values. */
  readonly detail: string;
}

/** Three PS3.18 Annex F objects as JSON text: the attributes by which each level is searched and that QIDO returns by default. */
export interface LevelAttributes {
  readonly study: string;
  readonly series: string;
  readonly instance: string;
}

/** One byte range of an instance: `[start, end)` from its first byte. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Frames of equal size one after another (native pixel data). 1-bit frames may share a byte: see `frameBits`. */
export interface NativePixels {
  readonly kind: 'native';
  readonly start: number;
  readonly end: number;
  readonly frames: number;
  /** Bits of one frame; frame n (from 0) is bits [n*frameBits, (n+1)*frameBits) of the value. */
  readonly frameBits: number;
}

/** Frames as fragments (PS3.5 A.4); a frame is the concatenation of its ranges. */
export interface EncapsulatedPixels {
  readonly kind: 'encapsulated';
  readonly frames: readonly (readonly ByteRange[])[];
}

/** One value that the JSON gives a BulkDataURI for. */
export interface BulkValue {
  /** `7FE00010`, or nested `54000100/0/54001010`: tag, item from 0, tag. */
  readonly path: string;
  readonly vr: string;
  readonly start: number;
  readonly end: number;
}

/** Where the parts of an instance lie that are served without the rest. Stored beside the index row. */
export interface InstanceLayout {
  /** The offsets below are of the INFLATED data set (transfer syntax 1.2.840.10008.1.2.1.99), not of the stored bytes. */
  readonly deflated: boolean;
  readonly pixels: NativePixels | EncapsulatedPixels | null;
  readonly bulk: readonly BulkValue[];
}

/** The result of parsing. UIDs have passed the grammar; everything else is as the file says. */
export interface ParsedInstance {
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly sopUid: string;
  readonly sopClassUid: string;
  readonly transferSyntaxUid: string;
  /** (0020,0013) and (0020,0011) when they are integers. */
  readonly instanceNumber: number | null;
  readonly seriesNumber: number | null;
  readonly attributes: LevelAttributes;
  /**
   * PS3.18 Annex F JSON object of the whole data set in UTF-8 text, without values over the inline limit: those have a
   * `BulkDataURI` that is root-relative: `/dicomweb/studies/{s}/series/{e}/instances/{i}/bulkdata/{path}`.
   */
  readonly json: string;
  readonly layout: InstanceLayout;
  readonly warnings: readonly DicomWarning[];
}
