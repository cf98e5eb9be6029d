// The attributes of the top level that say how the samples lie in their bytes (PS3.3 C.7.6.3): taken from the frames as they
// are sent, in place of what is stored. Nothing else of an instance is changed.
import type { PixelDescription } from '../codecs/frame.js';
import { type Vr, vrNamed } from '../vr.js';

const PHOTOMETRIC_INTERPRETATION = 0x00280004;
const PLANAR_CONFIGURATION = 0x00280006;
const BITS_ALLOCATED = 0x00280100;
const BITS_STORED = 0x00280101;
const HIGH_BIT = 0x00280102;
const PIXEL_REPRESENTATION = 0x00280103;

export interface NewElement {
  readonly tag: number;
  readonly vr: Vr;
  /** Even. */
  readonly value: Uint8Array;
}

function newElement(tag: number, vr: 'CS' | 'US', value: string | number): NewElement {
  const found = vrNamed(vr) as Vr;
  if (typeof value === 'string') {
    return { tag, vr: found, value: Buffer.from(value.length % 2 === 0 ? value : `${value} `, 'latin1') };
  }
  return { tag, vr: found, value: Uint8Array.of(value & 0xff, value >>> 8) };
}

/** The elements that describe `pixels`, by ascending tag. Planar Configuration is of several samples only. */
export function pixelElements(pixels: PixelDescription): readonly NewElement[] {
  return [
    newElement(PHOTOMETRIC_INTERPRETATION, 'CS', pixels.photometric),
    ...(pixels.samplesPerPixel > 1 ? [newElement(PLANAR_CONFIGURATION, 'US', pixels.planar ? 1 : 0)] : []),
    newElement(BITS_ALLOCATED, 'US', pixels.bitsAllocated),
    newElement(BITS_STORED, 'US', pixels.bitsStored),
    newElement(HIGH_BIT, 'US', pixels.highBit),
    newElement(PIXEL_REPRESENTATION, 'US', pixels.signed ? 1 : 0),
  ];
}
