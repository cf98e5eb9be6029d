// One very long multi-frame instance, made as it is read: constant memory whatever its length.

import { ArchiveError } from '../../tiering/core/errors.js';
import {
  parseSeriesUid,
  parseSopUid,
  parseStudyUid,
  type SeriesUid,
  type SopUid,
  type StudyUid,
} from '../../tiering/core/ids.js';
import { elementHeader, itemHeader } from '../encode/data-set-writer.js';
import { element } from '../encode/element.js';
import {
  commonElements,
  type PhantomSeries,
  type PixelShape,
  pixelElements,
  seriesUid,
  sopUid,
} from './instance-writer.js';
import { ENCAPSULATED_UNCOMPRESSED, EXPLICIT_LE, part10Head } from './part10-writer.js';
import { phantomStudy } from './people.js';
import { drawChest } from './pixels.js';

const MULTIFRAME_GRAYSCALE_WORD = '1.2.840.10008.5.1.4.1.1.7.3';
const SHAPE: PixelShape = {
  rows: 512,
  columns: 512,
  samples: 1,
  bitsAllocated: 16,
  bitsStored: 12,
  photometric: 'MONOCHROME2',
};
const FRAME_BYTES = SHAPE.rows * SHAPE.columns * 2;
/** The largest even length that is not the undefined one: native Pixel Data cannot be longer. */
const NATIVE_BYTES_MAX = 0xfffffffe;
const HEADER_BYTES_ABOUT = 2048;

export interface PhantomMultiframe {
  readonly study: StudyUid;
  readonly series: SeriesUid;
  readonly sop: SopUid;
  readonly transferSyntax: string;
  readonly frames: number;
  /** Exact length of the file. */
  readonly bytes: number;
  /** The file; each iteration makes the same bytes anew, each piece is the reader's own. */
  readonly pieces: AsyncIterable<Uint8Array>;
}

/**
 * A multi-frame instance of about `bytes` (whole frames of 512 KiB, at least one). Native as long as Pixel Data can say its
 * length, encapsulated (one fragment a frame, uncompressed) beyond 4 GiB.
 */
export function phantomMultiframe(options: {
  readonly seed: number;
  readonly bytes: number;
  /** Fragments also below 4 GiB. */
  readonly encapsulated?: boolean;
}): PhantomMultiframe {
  const { seed, bytes } = options;
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new ArchiveError('INVALID', `not a number of bytes: ${bytes}`);
  const frames = Math.max(1, Math.floor((bytes - HEADER_BYTES_ABOUT) / FRAME_BYTES));
  const native = options.encapsulated !== true && frames * FRAME_BYTES <= NATIVE_BYTES_MAX;
  const transferSyntax = native ? EXPLICIT_LE : ENCAPSULATED_UNCOMPRESSED;
  const series: PhantomSeries = {
    study: phantomStudy({ seed, number: 1_000_000, patient: 0, visit: 0, description: 'Long loop' }),
    number: 1,
    modality: 'OT',
    description: 'Long loop',
    bodyPart: 'CHEST',
    sopClass: MULTIFRAME_GRAYSCALE_WORD,
    transferSyntax,
  };
  const head = headOf(series, frames, native);
  const framing = native ? 0 : frames * 8 + 16;
  return {
    study: parseStudyUid(series.study.uid),
    series: parseSeriesUid(seriesUid(series)),
    sop: parseSopUid(sopUid(series, 1)),
    transferSyntax,
    frames,
    bytes: head.length + framing + frames * FRAME_BYTES,
    pieces: { [Symbol.asyncIterator]: () => produce(head, frames, native, seed) },
  };
}

function headOf(series: PhantomSeries, frames: number, native: boolean): Buffer {
  const elements = [
    ...commonElements(series, 1),
    ...pixelElements(SHAPE),
    element(0x00080008, 'CS', ['DERIVED', 'SECONDARY']),
    element(0x00080064, 'CS', 'SYN'),
    element(0x00181063, 'DS', '40'),
    element(0x00280008, 'IS', String(frames)),
    element(0x00280009, 'AT', 0x00181063),
    element(0x00280301, 'CS', 'NO'),
    element(0x00281052, 'DS', '0'),
    element(0x00281053, 'DS', '1'),
    element(0x00281054, 'LO', 'US'),
    element(0x20500020, 'CS', 'IDENTITY'),
  ];
  const head = part10Head({
    sopClass: series.sopClass,
    sop: sopUid(series, 1),
    transferSyntax: series.transferSyntax ?? EXPLICIT_LE,
    charset: series.study.charset,
    elements,
  });
  const pixelData = native
    ? elementHeader(0x7fe00010, 'OW', frames * FRAME_BYTES, true)
    : elementHeader(0x7fe00010, 'OB', 0xffffffff, true);
  return Buffer.concat([head, pixelData]);
}

async function* produce(head: Buffer, frames: number, native: boolean, seed: number): AsyncGenerator<Uint8Array> {
  const picture = drawChest(SHAPE, 0.5, seed);
  yield Uint8Array.from(head);
  // An empty Basic Offset Table: its 32-bit offsets could not reach the end.
  if (!native) yield Uint8Array.from(itemHeader(0xe000, 0));
  for (let frame = 0; frame < frames; frame += 1) {
    if (!native) yield Uint8Array.from(itemHeader(0xe000, FRAME_BYTES));
    const bytes = Buffer.allocUnsafeSlow(FRAME_BYTES);
    bytes.set(picture);
    // Each frame says which it is, within the 12 bits that are stored.
    bytes.writeUInt16LE(frame & 0xfff, 0);
    bytes.writeUInt16LE((frame >>> 12) & 0xfff, 2);
    yield bytes;
  }
  if (!native) yield Uint8Array.from(itemHeader(0xe0dd, 0));
}
