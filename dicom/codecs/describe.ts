// From an instance's metadata to the description of its pixels (PS3.3 C.7.6.3.1, C.7.6.24, C.7.6.25).
import { ArchiveError } from '../../tiering/core/errors.js';
import { type DicomJson, numberOf, textOf } from '../json-object.js';
import type { PixelDescription } from './frame.js';

const FLOAT_PIXEL_DATA = '7FE00008';
const DOUBLE_FLOAT_PIXEL_DATA = '7FE00009';

function required(json: DicomJson, tag: string, name: string): number {
  const value = numberOf(json, tag);
  if (value === null || !Number.isInteger(value) || value < 1) {
    throw new ArchiveError('NOT_FOUND', `the instance is no image: its ${name} are missing or not a positive number`);
  }
  return value;
}

/** NOT_FOUND when the attributes without which pixels mean nothing are missing; what is only absent gets its usual value. */
export function describePixels(json: DicomJson): PixelDescription {
  const float = json[FLOAT_PIXEL_DATA] !== undefined || json[DOUBLE_FLOAT_PIXEL_DATA] !== undefined;
  const bitsAllocated = float
    ? json[FLOAT_PIXEL_DATA] === undefined
      ? 64
      : 32
    : required(json, '00280100', 'Bits Allocated');
  const bitsStored = numberOf(json, '00280101') ?? bitsAllocated;
  const samplesPerPixel = numberOf(json, '00280002') ?? 1;
  return {
    rows: required(json, '00280010', 'Rows'),
    columns: required(json, '00280011', 'Columns'),
    samplesPerPixel,
    bitsAllocated,
    bitsStored,
    highBit: numberOf(json, '00280102') ?? bitsStored - 1,
    signed: numberOf(json, '00280103') === 1,
    planar: numberOf(json, '00280006') === 1,
    photometric: textOf(json, '00280004') ?? (samplesPerPixel === 3 ? 'RGB' : 'MONOCHROME2'),
    numbers: float ? 'float' : 'integer',
  };
}
