// Phantom studies: DICOM files of people who never lived, the same bytes for the same seed, for
// tests, the tour and the benchmarks.

import { CT_IMAGE, ctSlice, MR_IMAGE, mrSlice, referenceTo } from './ct.js';
import type { PhantomInstance, PhantomSeries } from './instance-writer.js';
import { COMPREHENSIVE_SR, MG_FOR_PRESENTATION, mammogram, report, US_MULTIFRAME, ultrasoundLoop } from './others.js';
import { IMPLICIT_LE, RLE } from './part10-writer.js';
import { type PhantomStudy, phantomStudy } from './people.js';

export type { PhantomInstance } from './instance-writer.js';
export { phantomMultiframe } from './multiframe.js';

export interface PhantomOptions {
  readonly seed: number;
  /** Default 5: one of each kind (CT with report, mammography, ultrasound, MR, CT follow-up in RLE). */
  readonly studies?: number;
  /** Slices of a CT series; an MR has half as many. Default 24. */
  readonly slices?: number;
  /** What rows and columns are divided by, to make small files: 1 (real sizes) to 64. Default 1. */
  readonly shrink?: number;
}

type StudyKind = (study: PhantomStudy, options: Required<PhantomOptions>) => Iterable<PhantomInstance>;

const KINDS: readonly (readonly [description: string, kind: StudyKind])[] = [
  ['CT chest', ctStudy],
  ['Screening mammography', mgStudy],
  ['Echocardiography', usStudy],
  ['MR head', mrStudy],
  ['CT chest, follow-up', rleStudy],
];

/** The instances of `studies` studies, study by study in reading order. Two studies in three are of a patient with more than one. */
export function* phantomStudies(options: PhantomOptions): Generator<PhantomInstance> {
  const full = { studies: 5, slices: 24, shrink: 1, ...options };
  const patients = Math.max(1, Math.ceil((full.studies * 3) / 5));
  for (let number = 0; number < full.studies; number += 1) {
    const [description, kind] = KINDS[number % KINDS.length] ?? ['CT chest', ctStudy];
    const visit = Math.floor(number / patients);
    yield* kind(phantomStudy({ seed: full.seed, number, patient: number % patients, visit, description }), full);
  }
}

export interface PhantomCtOptions {
  readonly seed: number;
  /** Which instance of an endless archive: 200 slices a series, 2 series a study. */
  readonly index: number;
  /** Default 512 each, which makes 0.5 MiB. */
  readonly rows?: number;
  readonly columns?: number;
  /** In place of the patient's own, so that whoever sees it knows what it is. */
  readonly mark?: { readonly name: string; readonly id: string };
}

const SLICES_PER_SERIES = 200;
const SERIES_PER_STUDY = 2;

/** One CT slice, cheap enough to make thousands: pictures are drawn once per size, everything else is its own. */
export function phantomCt(options: PhantomCtOptions): PhantomInstance {
  const { seed, index, rows = 512, columns = 512 } = options;
  const seriesIndex = Math.floor(index / SLICES_PER_SERIES);
  const studyNumber = Math.floor(seriesIndex / SERIES_PER_STUDY);
  const drawn = phantomStudy({
    seed,
    number: studyNumber,
    patient: studyNumber,
    visit: 0,
    description: 'CT chest',
  });
  const study = { ...drawn, patient: { ...drawn.patient, ...options.mark } };
  const series = ctSeries(study, (seriesIndex % SERIES_PER_STUDY) + 1);
  return ctSlice(series, { rows, columns, number: (index % SLICES_PER_SERIES) + 1, slices: SLICES_PER_SERIES });
}

function ctSeries(study: PhantomStudy, number: number, transferSyntax?: string): PhantomSeries {
  const chinese = study.patient.script === 'chinese';
  return {
    study,
    number,
    modality: 'CT',
    description: chinese ? `胸部 ${number}` : `Chest ${number}`,
    bodyPart: 'CHEST',
    sopClass: CT_IMAGE,
    ...(transferSyntax === undefined ? {} : { transferSyntax }),
  };
}

function* ctStudy(study: PhantomStudy, options: Required<PhantomOptions>): Generator<PhantomInstance> {
  const size = shrunk(512, options);
  for (const number of [1, 2]) {
    const series = ctSeries(study, number);
    for (let slice = 1; slice <= options.slices; slice += 1) {
      yield ctSlice(series, { rows: size, columns: size, number: slice, slices: options.slices });
    }
  }
  yield report(reportSeries(study), 1, referenceTo(ctSeries(study, 1), 1));
}

function* rleStudy(study: PhantomStudy, options: Required<PhantomOptions>): Generator<PhantomInstance> {
  const size = shrunk(512, options);
  const series = ctSeries(study, 1, RLE);
  const slices = Math.max(1, Math.ceil(options.slices / 4));
  for (let slice = 1; slice <= slices; slice += 1) {
    yield ctSlice(series, { rows: size, columns: size, number: slice, slices });
  }
}

function* mgStudy(study: PhantomStudy, options: Required<PhantomOptions>): Generator<PhantomInstance> {
  const series: PhantomSeries = {
    study,
    number: 1,
    modality: 'MG',
    description: 'L CC',
    bodyPart: 'BREAST',
    sopClass: MG_FOR_PRESENTATION,
  };
  yield mammogram(series, { rows: shrunk(4096, options), columns: shrunk(3328, options) }, 1);
}

function* usStudy(study: PhantomStudy, options: Required<PhantomOptions>): Generator<PhantomInstance> {
  const raster = { rows: shrunk(480, options), columns: shrunk(640, options) };
  for (const [number, transferSyntax] of [[1], [2, RLE]] as const) {
    const series: PhantomSeries = {
      study,
      number,
      modality: 'US',
      description: 'Apical four chamber',
      bodyPart: 'HEART',
      sopClass: US_MULTIFRAME,
      ...(transferSyntax === undefined ? {} : { transferSyntax }),
    };
    yield ultrasoundLoop(series, raster, 8, 1);
  }
}

function* mrStudy(study: PhantomStudy, options: Required<PhantomOptions>): Generator<PhantomInstance> {
  const size = shrunk(256, options);
  const slices = Math.max(1, Math.ceil(options.slices / 2));
  const series: PhantomSeries = {
    study,
    number: 1,
    modality: 'MR',
    description: 'T1 axial',
    bodyPart: 'HEAD',
    sopClass: MR_IMAGE,
    transferSyntax: IMPLICIT_LE,
  };
  for (let slice = 1; slice <= slices; slice += 1) {
    yield mrSlice(series, { rows: size, columns: size, number: slice, slices });
  }
}

function reportSeries(study: PhantomStudy): PhantomSeries {
  return {
    study,
    number: 90,
    modality: 'SR',
    description: study.patient.script === 'chinese' ? '报告' : 'Report',
    bodyPart: 'CHEST',
    sopClass: COMPREHENSIVE_SR,
  };
}

/** RLE and planes of two bytes want whole pixels: never below 8. */
function shrunk(pixels: number, options: Required<PhantomOptions>): number {
  return Math.max(8, Math.floor(pixels / options.shrink));
}
