// From an instance's metadata to the description of its pixels (PS3.3 C.7.6.3.1, C.7.6.24, C.7.6.25). Lenient with what
// is missing and has a usual value, strict with what would make a size that cannot be.
import { ArchiveError } from '../../tiering/core/errors.js';
import { type DicomJson, numberOf, textOf } from '../json/json-object.js';
import type { PixelDescription } from './frame.js';

const FLOAT_PIXEL_DATA = '7FE00008';
const DOUBLE_FLOAT_PIXEL_DATA = '7FE00009';
const PIXEL_DATA = '7FE00010';
/** Rows and Columns are US. */
const SIDE_MAX = 65_535;
const INTEGER_BITS: readonly number[] = [1, 8, 16, 32, 64];
/** Grey or palette, three colours, and the retired ARGB and CMYK. */
const SAMPLES: readonly number[] = [1, 3, 4];

function required(json: DicomJson, tag: string, name: string): number {
  const value = numberOf(json, tag);
  if (value === null) throw new ArchiveError('NOT_FOUND', `the instance is no image: its ${name} are missing`);
  return value;
}

function side(json: DicomJson, tag: string, name: string): number {
  const value = required(json, tag, name);
  if (!Number.isInteger(value) || value < 1 || value > SIDE_MAX) {
    throw new ArchiveError('CORRUPT', `the ${name} of the instance are not from 1 to ${SIDE_MAX}`);
  }
  return value;
}

/**
 * NOT_FOUND when the attributes without which pixels mean nothing are missing; what is only absent gets its usual value. CORRUPT when they are there and
 * no image can be so, NOT_SUPPORTED for a Bits Allocated that is not of whole bytes.
 */
export function describePixels(json: DicomJson): PixelDescription {
  const rows = side(json, '00280010', 'Rows');
  const columns = side(json, '00280011', 'Columns');
  const samplesPerPixel = numberOf(json, '00280002') ?? 1;
  if (!SAMPLES.includes(samplesPerPixel)) throw new ArchiveError('CORRUPT', 'Samples per Pixel is not 1, 3 or 4');
  const photometric = textOf(json, '00280004') ?? (samplesPerPixel === 1 ? 'MONOCHROME2' : 'RGB');
  const planar = samplesPerPixel > 1 && numberOf(json, '00280006') === 1;
  const common = { rows, columns, samplesPerPixel, photometric, planar };
  const floatBits = json[FLOAT_PIXEL_DATA] !== undefined ? 32 : json[DOUBLE_FLOAT_PIXEL_DATA] !== undefined ? 64 : null;
  if (floatBits !== null) {
    const bits = { bitsAllocated: floatBits, bitsStored: floatBits, highBit: floatBits - 1, signed: true };
    return { ...common, ...bits, numbers: 'float' };
  }
  const bitsAllocated = required(json, '00280100', 'Bits Allocated');
  if (!INTEGER_BITS.includes(bitsAllocated)) {
    throw new ArchiveError('NOT_SUPPORTED', 'only images with Bits Allocated 1, 8, 16, 32 or 64 are decoded');
  }
  const bitsStored = within(numberOf(json, '00280101'), 1, bitsAllocated) ?? bitsAllocated;
  return {
    ...common,
    bitsAllocated,
    bitsStored,
    highBit: within(numberOf(json, '00280102'), bitsStored - 1, bitsAllocated - 1) ?? bitsStored - 1,
    signed: numberOf(json, '00280103') === 1,
    numbers: 'integer',
    words: json[PIXEL_DATA]?.vr === 'OW',
  };
}

/** An integer from `min` to `max`, or null: real files say Bits Stored 16 of 8, and are read as if they had not. */
function within(value: number | null, min: number, max: number): number | null {
  return value !== null && Number.isInteger(value) && value >= min && value <= max ? value : null;
}
