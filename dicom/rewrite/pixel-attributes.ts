// The attributes of the top level that say how the samples lie in their bytes (PS3.3 C.7.6.3): taken from the frames as they
// are sent, in place of what is stored. Nothing else of an instance is changed.
import type { PixelDescription } from '../codecs/frame.js';
import { writeDataSet } from '../encode/data-set-writer.js';
import { type Element, element } from '../encode/element.js';

const PHOTOMETRIC_INTERPRETATION = 0x00280004;
const PLANAR_CONFIGURATION = 0x00280006;
const BITS_ALLOCATED = 0x00280100;
const BITS_STORED = 0x00280101;
const HIGH_BIT = 0x00280102;
const PIXEL_REPRESENTATION = 0x00280103;

export interface WrittenElement {
  readonly tag: number;
  /** Header and value. */
  readonly bytes: Uint8Array;
}

function written(one: Element): WrittenElement {
  const bytes = writeDataSet([one], { explicit: true, text: (text) => Buffer.from(text, 'latin1') });
  return { tag: one.tag, bytes };
}

/** The elements that describe `pixels`, by ascending tag. Planar Configuration is of several samples only. */
export function pixelElements(pixels: PixelDescription): readonly WrittenElement[] {
  return [
    element(PHOTOMETRIC_INTERPRETATION, 'CS', pixels.photometric),
    ...(pixels.samplesPerPixel > 1 ? [element(PLANAR_CONFIGURATION, 'US', pixels.planar ? 1 : 0)] : []),
    element(BITS_ALLOCATED, 'US', pixels.bitsAllocated),
    element(BITS_STORED, 'US', pixels.bitsStored),
    element(HIGH_BIT, 'US', pixels.highBit),
    element(PIXEL_REPRESENTATION, 'US', pixels.signed ? 1 : 0),
  ].map(written);
}
