// What the scanner must understand of the top level of a data set: who the instance is, and the shape of its
// pixels. Everything else is only carried over.
import { isUid } from '../../tiering/core/ids.js';
import type { FastBuffer } from '../byte-window.js';
import { DicomError, type PartialIdentity } from '../dicom-error.js';
import type { ByteRange } from '../instance.js';
import { integerOf } from '../json/number-json.js';
import { Kind, type Vr } from '../vr.js';
import type { Warnings } from './warnings.js';

export const SOP_CLASS_UID = 0x00080016;
export const SOP_INSTANCE_UID = 0x00080018;
export const STUDY_INSTANCE_UID = 0x0020000d;
export const SERIES_INSTANCE_UID = 0x0020000e;
const SERIES_NUMBER = 0x00200011;
const INSTANCE_NUMBER = 0x00200013;
const SAMPLES_PER_PIXEL = 0x00280002;
const PHOTOMETRIC_INTERPRETATION = 0x00280004;
const NUMBER_OF_FRAMES = 0x00280008;
const ROWS = 0x00280010;
const COLUMNS = 0x00280011;
const BITS_ALLOCATED = 0x00280100;

/** Media Storage Directory Storage: an index of other files, which is not an instance of any patient. */
const DICOMDIR_CLASS = '1.2.840.10008.1.3.10';
const LEADING_ZERO = /(?:^|\.)0[0-9]/;

export class TopLevel {
  sopClassUid: string | null = null;
  sopUid: string | null = null;
  studyUid: string | null = null;
  seriesUid: string | null = null;
  instanceNumber: number | null = null;
  seriesNumber: number | null = null;
  samples: number | null = null;
  photometric: string | null = null;
  rows: number | null = null;
  columns: number | null = null;
  bitsAllocated: number | null = null;
  /** 1 until (0028,0008) says otherwise; null when that is not a positive integer. */
  frames: number | null = 1;
  /** Value of (7FE0,0001). */
  extendedOffsets: ByteRange | null = null;
  readonly #warnings: Warnings;

  constructor(warnings: Warnings) {
    this.#warnings = warnings;
  }

  /** Notes one element of the top level. `offset` is of its value, for messages. */
  take(tag: number, vr: Vr, bytes: FastBuffer, start: number, end: number, bigEndian: boolean, offset: number): void {
    switch (tag) {
      case SOP_CLASS_UID:
        this.sopClassUid = this.#uid(tag, vr, bytes, start, end, offset);
        break;
      case SOP_INSTANCE_UID:
        this.sopUid = this.#uid(tag, vr, bytes, start, end, offset);
        break;
      case STUDY_INSTANCE_UID:
        this.studyUid = this.#uid(tag, vr, bytes, start, end, offset);
        break;
      case SERIES_INSTANCE_UID:
        this.seriesUid = this.#uid(tag, vr, bytes, start, end, offset);
        break;
      case SERIES_NUMBER:
        this.seriesNumber = integer(vr, bytes, start, end, bigEndian);
        break;
      case INSTANCE_NUMBER:
        this.instanceNumber = integer(vr, bytes, start, end, bigEndian);
        break;
      case SAMPLES_PER_PIXEL:
        this.samples = integer(vr, bytes, start, end, bigEndian);
        break;
      case PHOTOMETRIC_INTERPRETATION:
        this.photometric = bytes.latin1Slice(start, Math.min(end, start + 64)).replace(/[\0 ]+$/, '');
        break;
      case NUMBER_OF_FRAMES:
        this.frames = end === start ? 1 : positive(integer(vr, bytes, start, end, bigEndian));
        break;
      case ROWS:
        this.rows = integer(vr, bytes, start, end, bigEndian);
        break;
      case COLUMNS:
        this.columns = integer(vr, bytes, start, end, bigEndian);
        break;
      case BITS_ALLOCATED:
        this.bitsAllocated = integer(vr, bytes, start, end, bigEndian);
        break;
      default:
    }
  }

  /** The identity as far as it is known. */
  partial(): PartialIdentity {
    return {
      ...(this.sopUid === null ? {} : { sopUid: this.sopUid }),
      ...(this.sopClassUid === null ? {} : { sopClassUid: this.sopClassUid }),
    };
  }

  /** The four UIDs. Throws IDENTITY when one was not there. */
  identity(): { studyUid: string; seriesUid: string; sopUid: string; sopClassUid: string } {
    const { studyUid, seriesUid, sopUid, sopClassUid } = this;
    if (sopClassUid === null) throw missing('SOP Class UID', SOP_CLASS_UID);
    if (sopUid === null) throw missing('SOP Instance UID', SOP_INSTANCE_UID);
    if (studyUid === null) throw missing('Study Instance UID', STUDY_INSTANCE_UID);
    if (seriesUid === null) throw missing('Series Instance UID', SERIES_INSTANCE_UID);
    if (sopClassUid === DICOMDIR_CLASS) {
      throw new DicomError('IDENTITY', 'a media directory is not a storable instance', { tag: SOP_CLASS_UID });
    }
    return { studyUid, seriesUid, sopUid, sopClassUid };
  }

  #uid(tag: number, vr: Vr, bytes: FastBuffer, start: number, end: number, offset: number): string {
    if (vr.name !== 'UI') throw new DicomError('IDENTITY', `a UID with VR ${vr.name}`, { offset, tag });
    // Longer than any UID with any padding: not even looked at.
    if (end - start > 256) throw new DicomError('IDENTITY', 'a UID of more than 256 bytes', { offset, tag });
    const uid = bytes.latin1Slice(start, end).replace(/[\0 ]+$/, '');
    if (uid === '') throw new DicomError('IDENTITY', 'an empty UID', { offset, tag });
    if (!isUid(uid)) throw new DicomError('IDENTITY', 'a UID outside of the grammar of PS3.5 9.1', { offset, tag });
    if (LEADING_ZERO.test(uid))
      this.#warnings.add('UID_LEADING_ZERO', 'a UID component with a leading zero', tag, offset);
    return uid;
  }
}

/** Whether `tag` identifies the instance, so that a second one makes it ambiguous. */
export function isIdentity(tag: number): boolean {
  return tag === SOP_CLASS_UID || tag === SOP_INSTANCE_UID || tag === STUDY_INSTANCE_UID || tag === SERIES_INSTANCE_UID;
}

function missing(what: string, tag: number): DicomError {
  return new DicomError('IDENTITY', `no ${what} at the top level`, { tag });
}

function positive(value: number | null): number | null {
  return value !== null && value > 0 ? value : null;
}

/** The first value as an integer, whichever VR it was given (Rows as UL occurs); null when it is none. */
function integer(vr: Vr, bytes: FastBuffer, start: number, end: number, big: boolean): number | null {
  const length = end - start;
  switch (vr.name) {
    case 'US':
      return length < 2 ? null : big ? bytes.readUInt16BE(start) : bytes.readUInt16LE(start);
    case 'SS':
      return length < 2 ? null : big ? bytes.readInt16BE(start) : bytes.readInt16LE(start);
    case 'UL':
      return length < 4 ? null : big ? bytes.readUInt32BE(start) : bytes.readUInt32LE(start);
    case 'SL':
      return length < 4 ? null : big ? bytes.readInt32BE(start) : bytes.readInt32LE(start);
    default:
      if (vr.kind !== Kind.NUMBER_TEXT && vr.kind !== Kind.CODE && vr.kind !== Kind.TEXT) return null;
      return length > 64 ? null : integerOf(bytes.latin1Slice(start, end).replace(/\0+$/, ''));
  }
}
