// What one scan gathers: the JSON, where each level's attributes lie in it, the bulk values, the pixels. Shared
// by the scanner's parts; made for one data set and thrown away.

import type { ByteWindow } from '../byte-window.js';
import { DicomError } from '../dicom-error.js';
import type { BulkValue, ByteRange, DicomFault } from '../instance.js';
import { JsonBytes } from '../json/json-bytes.js';
import type { Level } from '../level-attributes.js';
import { BULK_VALUES_MAX } from '../limits.js';
import type { TransferSyntax } from '../transfer-syntax.js';
import type { Vr } from '../vr.js';
import type { Fragments } from './fragments.js';
import { type Context, pathOf } from './scan-context.js';
import { TopLevel } from './top-level.js';
import type { Warnings } from './warnings.js';

/** Stands for `/dicomweb/studies/…/instances/…` until the identity is known. JSON text has no raw control character, so it cannot be mistaken. */
export const URI_PREFIX_MARK = '\0';

/** Top-level pixel data as it was found. */
export type FoundPixels =
  | { readonly kind: 'native'; readonly range: ByteRange; readonly sampleBits: number | null }
  | { readonly kind: 'encapsulated'; readonly fragments: Fragments };

interface LevelRange {
  readonly level: Level;
  readonly start: number;
  end: number;
}

export class ScanState {
  readonly window: ByteWindow;
  readonly syntax: TransferSyntax;
  readonly warnings: Warnings;
  readonly json = new JsonBytes();
  readonly top: TopLevel;
  readonly bulk: BulkValue[] = [];
  /** Ranges of the JSON text: `"gggggggg":{…}` of attributes that follow one another. */
  readonly levels: LevelRange[] = [];
  /** URI_PREFIX_MARK was written. */
  marked = false;
  pixels: FoundPixels | null = null;
  /** Offset of the next byte to read. */
  at: number;
  elements = 0;
  /** Of the value that is being written. */
  currentTag = 0;
  /** Bytes of bulk values passed over: they are not header. */
  bulkBytes = 0;
  readonly start: number;

  constructor(window: ByteWindow, start: number, syntax: TransferSyntax, warnings: Warnings) {
    this.window = window;
    this.syntax = syntax;
    this.warnings = warnings;
    this.top = new TopLevel(warnings);
    this.start = start;
    this.at = start;
  }

  /** Told when a text of `currentTag` was read as another character set than its label says. */
  readonly onMislabelled = (read: string): void => {
    this.warnings.add('CHARSET', `text that is not in its Specific Character Set was read as ${read}`, this.currentTag);
  };

  error(fault: DicomFault, what: string, offset: number, tag?: number): DicomError {
    return new DicomError(fault, what, { offset, tag, inflated: this.syntax.deflated });
  }

  /** Notes that the JSON text `[start, end)` is an attribute of `level`. */
  addLevel(level: Level, start: number, end: number): void {
    const last = this.levels[this.levels.length - 1];
    if (last !== undefined && last.level === level && last.end + 1 === start) last.end = end;
    else this.levels.push({ level, start, end });
  }

  /** Notes a bulk value and writes the JSON member that refers to it. */
  addBulk(context: Context, tag: number, vr: Vr, start: number, end: number): void {
    if (this.bulk.length >= BULK_VALUES_MAX) {
      throw this.error('LIMIT', `more than ${BULK_VALUES_MAX} bulk values`, start, tag);
    }
    const path = pathOf(context, tag);
    this.bulk.push({ path, vr: vr.name, start, end });
    this.bulkBytes += end - start;
    this.json.ascii(`,"BulkDataURI":"${this.#uriPrefix()}/bulkdata/${path}"`);
  }

  /** The instance's resource, or the mark for it: identity comes before nearly every long value. */
  #uriPrefix(): string {
    const { studyUid, seriesUid, sopUid } = this.top;
    if (studyUid !== null && seriesUid !== null && sopUid !== null) return instanceUri(studyUid, seriesUid, sopUid);
    this.marked = true;
    return URI_PREFIX_MARK;
  }
}

/** Root-relative (dicom/instance.ts). The UIDs have passed their grammar: digits and points. */
export function instanceUri(studyUid: string, seriesUid: string, sopUid: string): string {
  return `/dicomweb/studies/${studyUid}/series/${seriesUid}/instances/${sopUid}`;
}
