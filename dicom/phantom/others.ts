// Phantom mammograms, ultrasound loops and structured reports.
import { encodeRleFrame } from '../codecs/rle-encode.js';
import { type DataSet, element, sequence } from '../encode/element.js';
import {
  type PhantomInstance,
  type PhantomSeries,
  type PixelShape,
  pixelElements,
  writeInstance,
} from './instance-writer.js';
import { RLE } from './part10-writer.js';
import { drawBreast, drawSector, type Raster } from './pixels.js';
import { seedOf } from './prng.js';

export const MG_FOR_PRESENTATION = '1.2.840.10008.5.1.4.1.1.1.2';
export const US_MULTIFRAME = '1.2.840.10008.5.1.4.1.1.3.1';
export const COMPREHENSIVE_SR = '1.2.840.10008.5.1.4.1.1.88.33';

/** One mammogram. */
export function mammogram(series: PhantomSeries, raster: Raster, number: number): PhantomInstance {
  const shape: PixelShape = { ...raster, samples: 1, bitsAllocated: 16, bitsStored: 12, photometric: 'MONOCHROME2' };
  const left = number % 2 === 1;
  const elements = [
    ...pixelElements(shape),
    element(0x00080008, 'CS', ['ORIGINAL', 'PRIMARY']),
    element(0x00080068, 'CS', 'FOR PRESENTATION'),
    element(0x00180060, 'DS', '29'),
    element(0x00181164, 'DS', ['0.07', '0.07']),
    element(0x00185101, 'CS', number <= 2 ? 'CC' : 'MLO'),
    element(0x00200020, 'CS', [left ? 'A' : 'P', left ? 'R' : 'L']),
    element(0x00200062, 'CS', left ? 'L' : 'R'),
    element(0x00280301, 'CS', 'NO'),
    element(0x00281050, 'DS', '2000'),
    element(0x00281051, 'DS', '3200'),
    element(0x00281300, 'CS', 'NO'),
    element(0x00282110, 'CS', '00'),
    sequence(0x00540220, [
      [
        element(0x00080100, 'SH', number <= 2 ? 'R-10242' : 'R-10226'),
        element(0x00080102, 'SH', 'SRT'),
        element(0x00080104, 'LO', number <= 2 ? 'cranio-caudal' : 'medio-lateral oblique'),
      ],
    ]),
  ];
  const pixels = drawBreast(raster, seedOf(series.study.seed, 'breast', series.study.number, number));
  return writeInstance(series, number, elements, { native: [pixels] });
}

/** One ultrasound loop, RGB; frames RLE-compressed when the series' transfer syntax says so. */
export function ultrasoundLoop(series: PhantomSeries, raster: Raster, frames: number, number: number): PhantomInstance {
  const shape: PixelShape = { ...raster, samples: 3, bitsAllocated: 8, bitsStored: 8, photometric: 'RGB' };
  const seed = seedOf(series.study.seed, 'sector', series.study.number, number);
  const pictures = Array.from({ length: frames }, (_, frame) => drawSector(raster, frame / frames, seed + frame));
  const elements = [
    ...pixelElements(shape),
    element(0x00080008, 'CS', ['ORIGINAL', 'PRIMARY', '', '0001']),
    element(0x00181063, 'DS', '33.33'),
    element(0x00280008, 'IS', String(frames)),
    element(0x00280009, 'AT', 0x00181063),
    element(0x00280014, 'US', 0),
    element(0x00282110, 'CS', '00'),
    sequence(
      0x00186011,
      [
        [
          element(0x00186012, 'US', 1),
          element(0x00186014, 'US', 1),
          element(0x00186016, 'UL', 0),
          element(0x00186018, 'UL', 0),
          element(0x0018601a, 'UL', 0),
          element(0x0018601c, 'UL', raster.columns - 1),
          element(0x0018601e, 'UL', raster.rows - 1),
          element(0x00186024, 'US', 3),
          element(0x00186026, 'US', 3),
          element(0x0018602c, 'FD', 0.05),
          element(0x0018602e, 'FD', 0.05),
        ],
      ],
      true,
    ),
  ];
  const rle = series.transferSyntax === RLE;
  const shapeOfFrame = { columns: raster.columns, samples: 3, sampleBytes: 1 };
  return writeInstance(
    series,
    number,
    elements,
    rle ? { encapsulated: pictures.map((picture) => encodeRleFrame(picture, shapeOfFrame)) } : { native: pictures },
  );
}

export interface Evidence {
  readonly series: string;
  readonly sop: string;
  readonly sopClass: string;
}

function coded(tag: number, code: string, scheme: string, meaning: string): DataSet[number] {
  return sequence(tag, [
    [element(0x00080100, 'SH', code), element(0x00080102, 'SH', scheme), element(0x00080104, 'LO', meaning)],
  ]);
}

/** A structured report about one image: a tree of containers, texts, codes, a number and a reference. */
export function report(series: PhantomSeries, number: number, image: Evidence): PhantomInstance {
  const { study } = series;
  const chinese = study.patient.script === 'chinese';
  const reference = [element(0x00081150, 'UI', image.sopClass), element(0x00081155, 'UI', image.sop)];
  const finding = chinese
    ? '双肺清晰，未见明显结节。'
    : 'Lungs are clear. A nodule of 6 mm in the left lower lobe.\r\nNo effusion.';
  const content: readonly DataSet[] = [
    [
      element(0x0040a010, 'CS', 'HAS OBS CONTEXT'),
      element(0x0040a040, 'CS', 'PNAME'),
      coded(0x0040a043, '121008', 'DCM', 'Person Observer Name'),
      element(0x0040a123, 'PN', chinese ? 'Zhao^Min=赵^敏' : 'Reader^Rita'),
    ],
    [
      element(0x0040a010, 'CS', 'CONTAINS'),
      element(0x0040a040, 'CS', 'CONTAINER'),
      coded(0x0040a043, '121070', 'DCM', 'Findings'),
      element(0x0040a050, 'CS', 'SEPARATE'),
      sequence(0x0040a730, [
        [
          element(0x0040a010, 'CS', 'CONTAINS'),
          element(0x0040a040, 'CS', 'TEXT'),
          coded(0x0040a043, '121071', 'DCM', 'Finding'),
          element(0x0040a160, 'UT', finding),
          sequence(0x0040a730, [
            [
              element(0x0040a010, 'CS', 'INFERRED FROM'),
              element(0x0040a040, 'CS', 'IMAGE'),
              sequence(0x00081199, [reference]),
            ],
          ]),
        ],
        [
          element(0x0040a010, 'CS', 'CONTAINS'),
          element(0x0040a040, 'CS', 'NUM'),
          coded(0x0040a043, '410668003', 'SCT', 'Length'),
          sequence(0x0040a300, [[coded(0x004008ea, 'mm', 'UCUM', 'millimeter'), element(0x0040a30a, 'DS', '6.0')]]),
        ],
      ]),
    ],
  ];
  const evidence = [
    element(0x0020000d, 'UI', study.uid),
    sequence(0x00081115, [[element(0x0020000e, 'UI', image.series), sequence(0x00081199, [reference])]]),
  ];
  return writeInstance(series, number, [
    element(0x00080023, 'DA', study.date),
    element(0x00080033, 'TM', study.time),
    sequence(0x00081111, []),
    sequence(0x0040a372, []),
    element(0x0040a040, 'CS', 'CONTAINER'),
    coded(0x0040a043, '126000', 'DCM', 'Imaging Measurement Report'),
    element(0x0040a050, 'CS', 'SEPARATE'),
    sequence(0x0040a375, [evidence]),
    element(0x0040a491, 'CS', 'COMPLETE'),
    element(0x0040a493, 'CS', 'UNVERIFIED'),
    sequence(0x0040a504, [[element(0x00080105, 'CS', 'DCMR'), element(0x0040db00, 'CS', '1500')]]),
    sequence(0x0040a730, content, true),
  ]);
}
