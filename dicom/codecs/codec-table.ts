// What can be decoded and encoded, by what: one table for the code, for negotiation and for the conformance statement.
import * as uids from '../transfer-syntax.js';

/** Who does it. `native`, `rle` and `deflate` are own code over node:zlib and Buffer. */
export type CodecName = 'native' | 'rle' | 'deflate' | 'jpeg' | 'jpegls' | 'j2k' | 'htj2k' | 'jpegxl';

export interface CodecLibrary {
  /** npm package, and the code that is compiled into it. */
  readonly library: string;
  /** Of that code. */
  readonly licence: string;
}

export const CODEC_LIBRARIES: Readonly<Record<CodecName, CodecLibrary>> = {
  native: { library: 'own', licence: '' },
  rle: { library: 'own', licence: '' },
  deflate: { library: 'node:zlib (zlib)', licence: 'Zlib' },
  jpeg: { library: 'dcmjs-codecs (IJG libjpeg with lossless patch)', licence: 'IJG' },
  jpegls: { library: '@cornerstonejs/codec-charls (CharLS)', licence: 'BSD-3-Clause' },
  j2k: { library: '@cornerstonejs/codec-openjpeg (OpenJPEG)', licence: 'BSD-2-Clause' },
  htj2k: { library: '@cornerstonejs/codec-openjph (OpenJPH)', licence: 'BSD-2-Clause' },
  jpegxl: { library: 'dcmjs-codecs (libjxl)', licence: 'BSD-3-Clause' },
};

export interface CodecRow {
  readonly syntax: string;
  readonly codec: CodecName;
  readonly encodes: boolean;
  /** Encoding here keeps every bit of every sample. */
  readonly lossless: boolean;
}

const decodes = (syntax: string, codec: CodecName): CodecRow => ({ syntax, codec, encodes: false, lossless: false });
const both = (syntax: string, codec: CodecName): CodecRow => ({ syntax, codec, encodes: true, lossless: true });

/** A syntax that is not here is given as it is stored. Lossy encoding is JPEG Baseline only: every viewer shows it. */
export const CODECS: readonly CodecRow[] = [
  decodes(uids.IMPLICIT_LITTLE, 'native'),
  both(uids.EXPLICIT_LITTLE, 'native'),
  // Of the inflated data set: whoever reads a stored frame has inflated it.
  decodes(uids.DEFLATED_EXPLICIT_LITTLE, 'native'),
  decodes(uids.EXPLICIT_BIG, 'native'),
  decodes('1.2.840.10008.1.2.1.98', 'native'),
  { syntax: uids.JPEG_BASELINE, codec: 'jpeg', encodes: true, lossless: false },
  decodes('1.2.840.10008.1.2.4.51', 'jpeg'),
  decodes('1.2.840.10008.1.2.4.53', 'jpeg'),
  decodes('1.2.840.10008.1.2.4.55', 'jpeg'),
  decodes('1.2.840.10008.1.2.4.57', 'jpeg'),
  both(uids.JPEG_LOSSLESS_SV1, 'jpeg'),
  both('1.2.840.10008.1.2.4.80', 'jpegls'),
  decodes('1.2.840.10008.1.2.4.81', 'jpegls'),
  both(uids.JPEG_2000_LOSSLESS, 'j2k'),
  decodes('1.2.840.10008.1.2.4.91', 'j2k'),
  decodes('1.2.840.10008.1.2.4.92', 'j2k'),
  decodes('1.2.840.10008.1.2.4.93', 'j2k'),
  decodes('1.2.840.10008.1.2.4.110', 'jpegxl'),
  decodes('1.2.840.10008.1.2.4.111', 'jpegxl'),
  decodes('1.2.840.10008.1.2.4.112', 'jpegxl'),
  both('1.2.840.10008.1.2.4.201', 'htj2k'),
  both(uids.HTJ2K_LOSSLESS_RPCL, 'htj2k'),
  decodes('1.2.840.10008.1.2.4.203', 'htj2k'),
  both(uids.RLE_LOSSLESS, 'rle'),
  both('1.2.840.10008.1.2.8.1', 'deflate'),
];

const BY_SYNTAX: ReadonlyMap<string, CodecRow> = new Map(CODECS.map((row) => [row.syntax, row]));

/** How frames of a transfer syntax are decoded and encoded, or undefined where they are only given as stored. */
export function codecOf(syntax: string): CodecRow | undefined {
  return BY_SYNTAX.get(syntax);
}
