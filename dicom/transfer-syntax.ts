// The transfer syntaxes that are stored: one table (PS3.5 annex A, PS3.6 table A-1), with the media type in which
// PS3.18 tables 8.7.3-2, -4 and -5 send their frames. One that is not here is refused: how to read it is unknown.

export interface TransferSyntax {
  readonly uid: string;
  readonly name: string;
  /** Explicit VR in the data set. */
  readonly explicit: boolean;
  readonly bigEndian: boolean;
  /** The whole data set is a deflate stream. */
  readonly deflated: boolean;
  /** Pixel Data at the top level is a sequence of fragments. */
  readonly encapsulated: boolean;
  /** The fragments together are one stream with all the frames. */
  readonly video: boolean;
  /** Of one frame as it is stored. */
  readonly mediaType: string;
}

const OCTETS = 'application/octet-stream';

function native(uid: string, name: string, flags: Partial<TransferSyntax> = {}): TransferSyntax {
  return {
    uid,
    name,
    explicit: true,
    bigEndian: false,
    deflated: false,
    encapsulated: false,
    video: false,
    mediaType: OCTETS,
    ...flags,
  };
}

const encapsulated = (uid: string, name: string, mediaType: string): TransferSyntax =>
  native(uid, name, { encapsulated: true, mediaType });

const video = (uid: string, name: string, mediaType: string): TransferSyntax =>
  native(uid, name, { encapsulated: true, video: true, mediaType });

const JPEG = 'image/jpeg';
const J2K = 'image/jp2';
const JPX = 'image/jpx';
const HTJ2K = 'image/jphc';

export const IMPLICIT_LITTLE = '1.2.840.10008.1.2';
export const EXPLICIT_LITTLE = '1.2.840.10008.1.2.1';
export const EXPLICIT_BIG = '1.2.840.10008.1.2.2';
export const DEFLATED_EXPLICIT_LITTLE = '1.2.840.10008.1.2.1.99';
export const JPEG_BASELINE = '1.2.840.10008.1.2.4.50';
export const JPEG_LOSSLESS_SV1 = '1.2.840.10008.1.2.4.70';
export const JPEG_2000_LOSSLESS = '1.2.840.10008.1.2.4.90';
export const HTJ2K_LOSSLESS_RPCL = '1.2.840.10008.1.2.4.202';
export const RLE_LOSSLESS = '1.2.840.10008.1.2.5';

const TABLE: readonly TransferSyntax[] = [
  native(IMPLICIT_LITTLE, 'Implicit VR Little Endian', { explicit: false }),
  native(EXPLICIT_LITTLE, 'Explicit VR Little Endian'),
  native(DEFLATED_EXPLICIT_LITTLE, 'Deflated Explicit VR Little Endian', { deflated: true }),
  native(EXPLICIT_BIG, 'Explicit VR Big Endian', { bigEndian: true }),
  encapsulated('1.2.840.10008.1.2.1.98', 'Encapsulated Uncompressed Explicit VR Little Endian', OCTETS),
  encapsulated(JPEG_BASELINE, 'JPEG Baseline (Process 1)', JPEG),
  encapsulated('1.2.840.10008.1.2.4.51', 'JPEG Extended (Processes 2 and 4)', JPEG),
  encapsulated('1.2.840.10008.1.2.4.52', 'JPEG Extended (Processes 3 and 5), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.53', 'JPEG Spectral Selection (Processes 6 and 8), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.54', 'JPEG Spectral Selection (Processes 7 and 9), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.55', 'JPEG Full Progression (Processes 10 and 12), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.56', 'JPEG Full Progression (Processes 11 and 13), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.57', 'JPEG Lossless (Process 14)', JPEG),
  encapsulated('1.2.840.10008.1.2.4.58', 'JPEG Lossless (Process 15), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.59', 'JPEG Extended, Hierarchical (16 and 18), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.60', 'JPEG Extended, Hierarchical (17 and 19), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.61', 'JPEG Spectral Selection, Hierarchical (20 and 22), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.62', 'JPEG Spectral Selection, Hierarchical (21 and 23), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.63', 'JPEG Full Progression, Hierarchical (24 and 26), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.64', 'JPEG Full Progression, Hierarchical (25 and 27), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.65', 'JPEG Lossless, Hierarchical (Process 28), retired', JPEG),
  encapsulated('1.2.840.10008.1.2.4.66', 'JPEG Lossless, Hierarchical (Process 29), retired', JPEG),
  encapsulated(JPEG_LOSSLESS_SV1, 'JPEG Lossless (Process 14, Selection Value 1)', JPEG),
  encapsulated('1.2.840.10008.1.2.4.80', 'JPEG-LS Lossless', 'image/jls'),
  encapsulated('1.2.840.10008.1.2.4.81', 'JPEG-LS Lossy (Near-Lossless)', 'image/jls'),
  encapsulated(JPEG_2000_LOSSLESS, 'JPEG 2000 (Lossless Only)', J2K),
  encapsulated('1.2.840.10008.1.2.4.91', 'JPEG 2000', J2K),
  encapsulated('1.2.840.10008.1.2.4.92', 'JPEG 2000 Part 2 Multi-component (Lossless Only)', JPX),
  encapsulated('1.2.840.10008.1.2.4.93', 'JPEG 2000 Part 2 Multi-component', JPX),
  native('1.2.840.10008.1.2.4.94', 'JPIP Referenced'),
  native('1.2.840.10008.1.2.4.95', 'JPIP Referenced Deflate', { deflated: true }),
  video('1.2.840.10008.1.2.4.100', 'MPEG2 Main Profile / Main Level', 'video/mpeg'),
  video('1.2.840.10008.1.2.4.100.1', 'Fragmentable MPEG2 Main Profile / Main Level', 'video/mpeg'),
  video('1.2.840.10008.1.2.4.101', 'MPEG2 Main Profile / High Level', 'video/mpeg'),
  video('1.2.840.10008.1.2.4.101.1', 'Fragmentable MPEG2 Main Profile / High Level', 'video/mpeg'),
  video('1.2.840.10008.1.2.4.102', 'MPEG-4 AVC/H.264 High Profile / Level 4.1', 'video/mp4'),
  video('1.2.840.10008.1.2.4.102.1', 'Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1', 'video/mp4'),
  video('1.2.840.10008.1.2.4.103', 'MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1', 'video/mp4'),
  video('1.2.840.10008.1.2.4.103.1', 'Fragmentable MPEG-4 AVC/H.264 BD-compatible / Level 4.1', 'video/mp4'),
  video('1.2.840.10008.1.2.4.104', 'MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video', 'video/mp4'),
  video('1.2.840.10008.1.2.4.104.1', 'Fragmentable MPEG-4 AVC/H.264 / Level 4.2 For 2D Video', 'video/mp4'),
  video('1.2.840.10008.1.2.4.105', 'MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video', 'video/mp4'),
  video('1.2.840.10008.1.2.4.105.1', 'Fragmentable MPEG-4 AVC/H.264 / Level 4.2 For 3D Video', 'video/mp4'),
  video('1.2.840.10008.1.2.4.106', 'MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2', 'video/mp4'),
  video('1.2.840.10008.1.2.4.106.1', 'Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2', 'video/mp4'),
  video('1.2.840.10008.1.2.4.107', 'HEVC/H.265 Main Profile / Level 5.1', 'video/mp4'),
  video('1.2.840.10008.1.2.4.108', 'HEVC/H.265 Main 10 Profile / Level 5.1', 'video/mp4'),
  encapsulated('1.2.840.10008.1.2.4.110', 'JPEG XL Lossless', 'image/jxl'),
  encapsulated('1.2.840.10008.1.2.4.111', 'JPEG XL JPEG Recompression', 'image/jxl'),
  encapsulated('1.2.840.10008.1.2.4.112', 'JPEG XL', 'image/jxl'),
  encapsulated('1.2.840.10008.1.2.4.201', 'High-Throughput JPEG 2000 (Lossless Only)', HTJ2K),
  encapsulated(HTJ2K_LOSSLESS_RPCL, 'High-Throughput JPEG 2000 with RPCL Options (Lossless Only)', HTJ2K),
  encapsulated('1.2.840.10008.1.2.4.203', 'High-Throughput JPEG 2000', HTJ2K),
  native('1.2.840.10008.1.2.4.204', 'JPIP HTJ2K Referenced'),
  native('1.2.840.10008.1.2.4.205', 'JPIP HTJ2K Referenced Deflate', { deflated: true }),
  encapsulated(RLE_LOSSLESS, 'RLE Lossless', 'image/dicom-rle'),
  encapsulated('1.2.840.10008.1.2.8.1', 'Deflated Image Frame Compression', OCTETS),
];

const BY_UID: ReadonlyMap<string, TransferSyntax> = new Map(TABLE.map((entry) => [entry.uid, entry]));

/** What is known of a transfer syntax, or undefined for one that is not stored. */
export function transferSyntaxOf(uid: string): TransferSyntax | undefined {
  return BY_UID.get(uid);
}

/** All that are stored, for the conformance statement. */
export const TRANSFER_SYNTAXES: readonly TransferSyntax[] = TABLE;
