// How a bulk value that was sent is put into the file: as it is, or as fragments of a compressed transfer syntax (PS3.18 8.7.3).

import { syntaxOfBulk } from '../../dicom/encode/bulk-syntax.js';
import type { BulkPlace } from '../../dicom/encode/data-set-writer.js';
import { transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import type { MediaType } from '../negotiation/accept.js';

/** null: native bytes. */
export type CompressedForm = { readonly syntax: string; readonly video: boolean } | null;

/** What else was said of the transfer syntax. */
export interface SyntaxHints {
  /** The transfer-syntax parameter of the metadata's Content-Type. */
  readonly ofPart: string | null;
  /** (0002,0010). */
  readonly ofDataSet: string | null;
}

const PIXEL_DATA = 0x7fe00010;

/** Bulk data of a transfer syntax that cannot be stored so, or that cannot be told. */
export class UnknownSyntax extends ArchiveError {
  override readonly name = 'UnknownSyntax';
}

function unknown(what: string): UnknownSyntax {
  return new UnknownSyntax('INVALID', what);
}

function compressed(uid: string): CompressedForm | undefined {
  const syntax = transferSyntaxOf(uid);
  return syntax?.encapsulated === true ? { syntax: uid, video: syntax.video } : undefined;
}

/** By what is said of the value; undefined when nothing is. */
function said(uid: string | undefined | null): CompressedForm | undefined {
  if (uid === undefined || uid === null || uid === '') return undefined;
  const syntax = transferSyntaxOf(uid);
  if (syntax === undefined) throw unknown('bulk data of a transfer syntax that is not known here');
  if (syntax.bigEndian) throw unknown('bulk data in big endian, which bulk data never is');
  return compressed(uid) ?? null;
}

/**
 * The form of a value that came as `type`. Only Pixel Data of the data set itself may be compressed; anything else is taken as it comes, be it a PDF.
 * A code stream under a media type of images is looked at (`beginning`) when nobody said more.
 * @throws UnknownSyntax when it cannot be told.
 */
export function formOf(place: BulkPlace, type: MediaType, hints: SyntaxHints, beginning: Buffer): CompressedForm {
  if (place.tag !== PIXEL_DATA || !place.top) return null;
  const named = said(type.parameters.get('transfer-syntax')) ?? said(hints.ofPart);
  const isMedia = /^(image|video)\//.test(type.type);
  if (named !== undefined && (named !== null || !isMedia)) return named;
  if (!isMedia) return null;
  const declared = hints.ofDataSet === null ? undefined : compressed(hints.ofDataSet);
  if (declared !== undefined) return declared;
  const seen = syntaxOfBulk(type.type, beginning);
  const form = seen === null ? undefined : compressed(seen);
  if (form === undefined) {
    throw unknown(
      'pixel data of a media type whose transfer syntax cannot be told: name it in a transfer-syntax parameter',
    );
  }
  return form;
}
