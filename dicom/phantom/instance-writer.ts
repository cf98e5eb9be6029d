// From what an object is to its bytes: the modules that every phantom shares, and Pixel Data last.
import {
  parseSeriesUid,
  parseSopUid,
  parseStudyUid,
  type SeriesUid,
  type SopUid,
  type StudyUid,
} from '../../tiering/core/ids.js';
import { elementHeader, encapsulate } from '../encode/data-set-writer.js';
import { type DataSet, element } from '../encode/element.js';
import { EXPLICIT_LE, IMPLICIT_LE, part10Head } from './part10-writer.js';
import { type PhantomStudy, studyElements } from './people.js';
import type { Raster } from './pixels.js';
import { uidOf } from './prng.js';

export interface PhantomInstance {
  /** `<modality>-<study>-<series>-<instance>.dcm`, unique among the phantoms of one seed. */
  readonly fileName: string;
  readonly study: StudyUid;
  readonly series: SeriesUid;
  readonly sop: SopUid;
  readonly modality: string;
  readonly transferSyntax: string;
  /** The DICOM file; its memory is its own. */
  readonly bytes: Uint8Array;
}

export interface PhantomSeries {
  readonly study: PhantomStudy;
  readonly number: number;
  readonly modality: string;
  readonly description: string;
  readonly bodyPart: string;
  readonly sopClass: string;
  /** Default Explicit VR Little Endian. */
  readonly transferSyntax?: string;
}

/** How the samples of one object are laid out (PS3.3 C.7.6.3). */
export interface PixelShape extends Raster {
  readonly samples: 1 | 3;
  readonly bitsAllocated: 8 | 16;
  readonly bitsStored: number;
  readonly photometric: 'MONOCHROME1' | 'MONOCHROME2' | 'RGB';
}

/** The bytes of Pixel Data: one native value, or frames that are encapsulated already encoded. */
export type PixelBytes = { readonly native: readonly Uint8Array[] } | { readonly encapsulated: readonly Uint8Array[] };

export function seriesUid(series: PhantomSeries): string {
  return uidOf(series.study.seed, 'series', series.study.number, series.number);
}

export function sopUid(series: PhantomSeries, number: number): string {
  return uidOf(series.study.seed, 'sop', series.study.number, series.number, number);
}

/** (7FE0,0010) and everything that describes it but the number of frames. */
export function pixelElements(shape: PixelShape): DataSet {
  const colour = shape.samples === 3 ? [element(0x00280006, 'US', 0)] : [];
  return [
    element(0x00280002, 'US', shape.samples),
    element(0x00280004, 'CS', shape.photometric),
    ...colour,
    element(0x00280010, 'US', shape.rows),
    element(0x00280011, 'US', shape.columns),
    element(0x00280100, 'US', shape.bitsAllocated),
    element(0x00280101, 'US', shape.bitsStored),
    element(0x00280102, 'US', shape.bitsStored - 1),
    element(0x00280103, 'US', 0),
  ];
}

/** The elements that all objects of a series have, beside the SOP common module. */
export function commonElements(series: PhantomSeries, number: number): DataSet {
  const { study } = series;
  return [
    ...studyElements(study),
    element(0x00080021, 'DA', study.date),
    element(0x00080060, 'CS', series.modality),
    element(0x00080070, 'LO', 'Filmroom'),
    element(0x00081090, 'LO', 'Phantom'),
    element(0x0008103e, 'LO', series.description),
    element(0x00180015, 'CS', series.bodyPart),
    element(0x00181020, 'LO', '1'),
    element(0x0020000e, 'UI', seriesUid(series)),
    element(0x00200011, 'IS', String(series.number)),
    element(0x00200013, 'IS', String(number)),
  ];
}

/** One instance; `elements` are those that only its kind has. */
export function writeInstance(
  series: PhantomSeries,
  number: number,
  elements: DataSet,
  pixels?: PixelBytes,
): PhantomInstance {
  const transferSyntax = series.transferSyntax ?? EXPLICIT_LE;
  const sop = sopUid(series, number);
  const head = part10Head({
    sopClass: series.sopClass,
    sop,
    transferSyntax,
    charset: series.study.charset,
    elements: [...commonElements(series, number), ...elements],
  });
  const { modality, study } = series;
  return {
    fileName: `${modality.toLowerCase()}-${study.number}-${series.number}-${String(number).padStart(4, '0')}.dcm`,
    study: parseStudyUid(study.uid),
    series: parseSeriesUid(seriesUid(series)),
    sop: parseSopUid(sop),
    modality,
    transferSyntax,
    bytes: joined([head, ...(pixels === undefined ? [] : pixelData(pixels, transferSyntax))]),
  };
}

function pixelData(pixels: PixelBytes, transferSyntax: string): readonly Uint8Array[] {
  if ('encapsulated' in pixels) {
    return [elementHeader(0x7fe00010, 'OB', 0xffffffff, true), encapsulate(pixels.encapsulated)];
  }
  const length = pixels.native.reduce((sum, frame) => sum + frame.length, 0);
  const padding = length % 2 === 0 ? [] : [new Uint8Array(1)];
  const header = elementHeader(0x7fe00010, 'OW', length + padding.length, transferSyntax !== IMPLICIT_LE);
  return [header, ...pixels.native, ...padding];
}

/** One buffer outside of Node's shared slab, so that it may be transferred to a worker. */
function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = Buffer.allocUnsafeSlow(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
