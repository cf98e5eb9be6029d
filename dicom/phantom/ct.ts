// Phantom CT and MR: series of single-frame slices.
import { encodeRleFrame } from '../codecs/rle-encode.js';
import { type DataSet, element, sequence } from '../encode/element.js';
import {
  type PhantomInstance,
  type PhantomSeries,
  type PixelShape,
  pixelElements,
  seriesUid,
  sopUid,
  writeInstance,
} from './instance-writer.js';
import { RLE } from './part10-writer.js';
import { drawChest, drawHead } from './pixels.js';
import { uidOf } from './prng.js';

export const CT_IMAGE = '1.2.840.10008.5.1.4.1.1.2';
export const MR_IMAGE = '1.2.840.10008.5.1.4.1.1.4';

/** Distinct pictures of one kind and size; slices reuse them, so that thousands cost little. */
const TEMPLATES = 16;
/** Kinds and sizes kept: a few megabytes each. */
const TEMPLATE_SETS_MAX = 6;
const templates = new Map<string, (Uint8Array | undefined)[]>();

function template(kind: 'chest' | 'head', shape: PixelShape, which: number): Uint8Array {
  const key = `${kind}/${shape.rows}/${shape.columns}`;
  let made = templates.get(key);
  if (made === undefined) {
    if (templates.size >= TEMPLATE_SETS_MAX) templates.clear();
    made = new Array<Uint8Array | undefined>(TEMPLATES);
    templates.set(key, made);
  }
  const draw = kind === 'chest' ? drawChest : drawHead;
  const pixels = made[which] ?? draw(shape, which / (TEMPLATES - 1), which);
  made[which] = pixels;
  return pixels;
}

export interface SliceOptions {
  readonly rows: number;
  readonly columns: number;
  /** Instance Number, from 1. */
  readonly number: number;
  /** Slices of the series. */
  readonly slices: number;
}

/** One slice of a CT; RLE-compressed when the series' transfer syntax says so. */
export function ctSlice(series: PhantomSeries, options: SliceOptions): PhantomInstance {
  const shape = sliceShape(options);
  const pixels = template('chest', shape, templateOf(options));
  const elements = [
    ...sliceElements(series, options, 5, 'AXIAL'),
    ...pixelElements(shape),
    element(0x00180060, 'DS', '120'),
    element(0x00180050, 'DS', '5'),
    element(0x00181151, 'IS', '210'),
    element(0x00181210, 'SH', 'B30f'),
    element(0x00281050, 'DS', ['40', '-600']),
    element(0x00281051, 'DS', ['400', '1500']),
    element(0x00281052, 'DS', '-1024'),
    element(0x00281053, 'DS', '1'),
    element(0x00281054, 'LO', 'HU'),
    ...requestElements(series),
    ...privateElements(options),
  ];
  const rle = series.transferSyntax === RLE;
  const frame = () => encodeRleFrame(pixels, { columns: shape.columns, samples: 1, sampleBytes: 2 });
  return writeInstance(series, options.number, elements, rle ? { encapsulated: [frame()] } : { native: [pixels] });
}

/** One slice of an MR. */
export function mrSlice(series: PhantomSeries, options: SliceOptions): PhantomInstance {
  const shape = sliceShape(options);
  const elements = [
    ...sliceElements(series, options, 4, 'M'),
    ...pixelElements(shape),
    element(0x00180020, 'CS', 'SE'),
    element(0x00180021, 'CS', 'NONE'),
    element(0x00180022, 'CS', undefined),
    element(0x00180023, 'CS', '2D'),
    element(0x00180050, 'DS', '4'),
    element(0x00180080, 'DS', '500'),
    element(0x00180081, 'DS', '15'),
    element(0x00180087, 'DS', '1.5'),
    element(0x00180091, 'IS', '1'),
    element(0x00281050, 'DS', '700'),
    element(0x00281051, 'DS', '1400'),
    ...privateElements(options),
  ];
  const pixels = template('head', shape, templateOf(options));
  return writeInstance(series, options.number, elements, { native: [pixels] });
}

function sliceShape({ rows, columns }: SliceOptions): PixelShape {
  return { rows, columns, samples: 1, bitsAllocated: 16, bitsStored: 12, photometric: 'MONOCHROME2' };
}

function templateOf({ number, slices }: SliceOptions): number {
  return slices <= 1 ? TEMPLATES >> 1 : Math.round((((number - 1) % slices) * (TEMPLATES - 1)) / (slices - 1));
}

/** General image, frame of reference and image plane. */
function sliceElements(series: PhantomSeries, options: SliceOptions, spacing: number, third: string): DataSet {
  const z = -(options.number - 1) * spacing;
  const width = 400 / options.columns;
  return [
    element(0x00080008, 'CS', ['ORIGINAL', 'PRIMARY', third]),
    element(0x00080022, 'DA', series.study.date),
    element(0x00080023, 'DA', series.study.date),
    element(0x00080032, 'TM', `${series.study.time}.${String(options.number % 1_000_000).padStart(6, '0')}`),
    element(0x00185100, 'CS', 'HFS'),
    element(0x00200012, 'IS', '1'),
    element(0x00200032, 'DS', ['-200', '-200', String(z)]),
    element(0x00200037, 'DS', ['1', '0', '0', '0', '1', '0']),
    element(0x00200052, 'UI', uidOf(series.study.seed, 'frame of reference', series.study.number)),
    element(0x00201040, 'LO', undefined),
    element(0x00201041, 'DS', String(z)),
    element(0x00280030, 'DS', [width.toFixed(6), width.toFixed(6)]),
  ];
}

/** What was asked for, and what was seen before: sequences of both length forms, nested. */
function requestElements(series: PhantomSeries): DataSet {
  const chinese = series.study.patient.script === 'chinese';
  const code = [
    element(0x00080100, 'SH', 'PHANTOM-CT'),
    element(0x00080102, 'SH', '99FILMROOM'),
    element(0x00080104, 'LO', chinese ? '胸部平扫' : 'Chest without contrast'),
  ];
  return [
    sequence(
      0x00081140,
      [[element(0x00081150, 'UI', series.sopClass), element(0x00081155, 'UI', sopUid(series, 1))]],
      true,
    ),
    sequence(0x00400275, [
      [
        element(0x00321060, 'LO', chinese ? '胸部 CT' : 'CT chest'),
        element(0x00400007, 'LO', 'Routine'),
        sequence(0x00400008, [code], true),
        element(0x00400009, 'SH', 'SPS-1'),
        element(0x00401001, 'SH', 'RP-1'),
      ],
    ]),
  ];
}

/** Private elements with their creator (PS3.5 7.8.1), of several VRs and one private sequence. */
function privateElements({ number }: SliceOptions): DataSet {
  const creator = element(0x00290010, 'LO', 'FILMROOM PHANTOM');
  return [
    creator,
    element(0x00291001, 'LO', 'calibrated'),
    element(0x00291002, 'DS', (number * 1.5).toFixed(2)),
    element(0x00291003, 'UL', number),
    element(
      0x00291004,
      'OB',
      Uint8Array.from({ length: 64 }, (_, at) => (at * 7 + number) & 255),
    ),
    sequence(0x00291005, [[creator, element(0x00291006, 'FD', [0.25, number])]]),
  ];
}

/** The first instance of a series, as evidence of another object. */
export function referenceTo(
  series: PhantomSeries,
  number: number,
): { readonly series: string; readonly sop: string; readonly sopClass: string } {
  return { series: seriesUid(series), sop: sopUid(series, number), sopClass: series.sopClass };
}
