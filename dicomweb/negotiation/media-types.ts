// The media types of pixel data and instances with the transfer syntaxes that they stand for (PS3.18 tables 8.7.3-2, -4 and -5),
// and the names by which older clients call them.
import { EXPLICIT_LITTLE, type TransferSyntax } from '../../dicom/transfer-syntax.js';

export const DICOM = 'application/dicom';
export const OCTETS = 'application/octet-stream';
export const ZIP = 'application/zip';

/** Older names that viewers still ask by. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['image/dicom+jpeg', 'image/jpeg'],
  ['image/dicom+jpeg-ls', 'image/jls'],
  ['image/x-jls', 'image/jls'],
  ['image/dicom+jp2', 'image/jp2'],
  ['image/j2c', 'image/jp2'],
  ['image/j2k', 'image/jp2'],
  ['image/dicom+jpx', 'image/jpx'],
  ['image/dicom+rle', 'image/dicom-rle'],
  ['image/x-dicom-rle', 'image/dicom-rle'],
  ['image/x-htj2k', 'image/jphc'],
  ['image/jph', 'image/jphc'],
]);

/** The type as the tables call it. */
export function canonicalType(type: string): string {
  return ALIASES.get(type) ?? type;
}

/**
 * What a compressed media type without a transfer-syntax parameter means where what is stored is not of that type: the defaults (D)
 * of table 8.7.3-5, in the order in which a wildcard tries them. None of them loses anything.
 */
export const DEFAULT_SYNTAXES: readonly (readonly [type: string, syntax: string])[] = [
  ['image/jls', '1.2.840.10008.1.2.4.80'],
  ['image/jp2', '1.2.840.10008.1.2.4.90'],
  ['image/jphc', '1.2.840.10008.1.2.4.201'],
  ['image/dicom-rle', '1.2.840.10008.1.2.5'],
  ['image/jpeg', '1.2.840.10008.1.2.4.70'],
];

/** How bytes of pixel data are labelled. */
export interface Label {
  readonly type: string;
  readonly syntax: string;
}

/**
 * The label of stored pixel data that is sent as it is. Native little endian pixels are the same bytes in implicit, explicit and
 * (inflated) deflated data sets.
 */
export function storedLabel(stored: TransferSyntax): Label {
  if (stored.encapsulated) return { type: stored.mediaType, syntax: stored.uid };
  return { type: OCTETS, syntax: stored.bigEndian ? stored.uid : EXPLICIT_LITTLE };
}
