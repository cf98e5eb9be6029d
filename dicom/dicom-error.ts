// The one error of the DICOM floor: what is wrong with the bytes of an instance, and where. Its message
// names tags and offsets and never a value, so it may be logged and sent to anyone.
import { ArchiveError } from '../tiering/core/errors.js';
import type { DicomFault } from './instance.js';

export interface DicomErrorPlace {
  /** Byte offset in the instance, or in the inflated data set when `inflated`. */
  readonly offset?: number | undefined;
  /** `gggg << 16 | eeee`, unsigned. */
  readonly tag?: number | undefined;
  readonly inflated?: boolean | undefined;
}

/** What an instance said of itself before it was refused: for the FailedSOPSequence of an answer. Both have passed the UID grammar. */
export interface PartialIdentity {
  readonly sopUid?: string;
  readonly sopClassUid?: string;
}

/** `(gggg,eeee)` in upper-case hexadecimal. */
export function tagText(tag: number): string {
  const hex = tag.toString(16).toUpperCase().padStart(8, '0');
  return `(${hex.slice(0, 4)},${hex.slice(4)})`;
}

/** Bytes that are not an instance this archive takes. `code` is LIMIT for fault LIMIT, else INVALID. */
export class DicomError extends ArchiveError {
  override readonly name = 'DicomError';
  readonly fault: DicomFault;
  readonly offset: number | undefined;
  readonly tag: number | undefined;
  /** Filled in by parseInstance as far as it came. */
  identity: PartialIdentity = {};

  constructor(fault: DicomFault, what: string, place: DicomErrorPlace = {}, cause?: unknown) {
    const where = place.tag === undefined ? '' : ` in ${tagText(place.tag)}`;
    const space = place.inflated === true ? ' of the inflated data set' : '';
    const at = place.offset === undefined ? '' : ` at byte ${place.offset}${space}`;
    super(fault === 'LIMIT' ? 'LIMIT' : 'INVALID', `${what}${where}${at}`, cause === undefined ? {} : { cause });
    this.fault = fault;
    this.offset = place.offset;
    this.tag = place.tag;
  }
}
