// Frames in colour to interleaved 8-bit RGB: palettes, RGB in either planar order and any width, and the luminance-chrominance forms
// of PS3.3 C.7.6.3.1.2.
import { ArchiveError } from '../../tiering/core/errors.js';
import type { Frame } from '../codecs/frame.js';
import { grayTable } from './gray.js';
import { storedValue, words } from './samples.js';
import { lookedUp } from './transform.js';
import type { Look, LookUpTable } from './types.js';

type Palette = readonly [LookUpTable, LookUpTable, LookUpTable];

/**
 * PALETTE COLOR, and MONOCHROME2 whose stored values from the palette's first on are colours (C.7.6.19). NOT_SUPPORTED beyond 16 bits.
 */
export function palettePixels(frame: Frame, look: Look, palette: Palette): Uint8Array {
  const { pixels } = frame;
  if (pixels.bitsAllocated > 16)
    throw new ArchiveError('NOT_SUPPORTED', 'a palette of more than 16 bits is not rendered');
  const count = pixels.rows * pixels.columns;
  const source = words(frame, count);
  const size = 2 ** pixels.bitsAllocated;
  const value = storedValue(pixels);
  const supplemental = pixels.photometric !== 'PALETTE COLOR';
  const gray = supplemental ? grayTable(frame, source, look) : null;
  const tables = palette.map((lut) => {
    const entry = lookedUp(lut);
    // The upper eight of the bits that an entry has; one of fewer is widened.
    const level = (stored: number) => Math.round((entry(stored) * 255) / (2 ** lut.bits - 1));
    const eight = (stored: number) => (lut.bits > 8 ? entry(stored) >> (lut.bits - 8) : level(stored));
    const table = new Uint8Array(size);
    for (let word = 0; word < size; word++) {
      const stored = value(word);
      table[word] = gray !== null && stored < lut.first ? (gray[word] ?? 0) : eight(stored);
    }
    return table;
  });
  const rgb = new Uint8Array(count * 3);
  for (const [sample, table] of tables.entries()) {
    for (let at = 0; at < count; at++) rgb[at * 3 + sample] = table[source[at] ?? 0] ?? 0;
  }
  return rgb;
}

/** Three samples a pixel to 8 bit, interleaved. */
function interleaved(frame: Frame): Uint8Array {
  const { pixels } = frame;
  const count = pixels.rows * pixels.columns;
  const source = words(frame, count * 3);
  const exact = pixels.bitsAllocated === 8 && pixels.bitsStored === 8;
  if (exact && !pixels.planar) return source as Uint8Array;
  const rgb = new Uint8Array(count * 3);
  const value = storedValue({ ...pixels, signed: false });
  const scale = 255 / (2 ** pixels.bitsStored - 1);
  const sampleStep = pixels.planar ? count : 1;
  const pixelStep = pixels.planar ? 1 : 3;
  for (let sample = 0; sample < 3; sample++) {
    for (let at = 0; at < count; at++) {
      const word = source[at * pixelStep + sample * sampleStep] ?? 0;
      rgb[at * 3 + sample] = exact ? word : Math.round(value(word) * scale);
    }
  }
  return rgb;
}

/** Two luminances, one blue and one red chrominance for each two pixels, to three samples for each. */
function spread(frame: Frame): Uint8Array {
  const { pixels } = frame;
  if (pixels.bitsAllocated !== 8 || pixels.columns % 2 !== 0) {
    throw new ArchiveError(
      'NOT_SUPPORTED',
      `${pixels.photometric} of other than 8 bits or with odd columns is not rendered`,
    );
  }
  const count = pixels.rows * pixels.columns;
  const source = words(frame, count * 2);
  const ybr = new Uint8Array(count * 3);
  for (let from = 0, to = 0; to < ybr.length; from += 4, to += 6) {
    ybr[to] = source[from] ?? 0;
    ybr[to + 3] = source[from + 1] ?? 0;
    ybr[to + 1] = ybr[to + 4] = source[from + 2] ?? 0;
    ybr[to + 2] = ybr[to + 5] = source[from + 3] ?? 0;
  }
  return ybr;
}

function toRgb(ybr: Uint8Array, partial: boolean): Uint8Array {
  // CCIR 601-2: luminance of 16 to 235 and chrominance of 16 to 240 in the partial forms, all 256 levels in the full ones.
  const black = partial ? 16 : 0;
  const luminance = partial ? 255 / 219 : 1;
  const chrominance = partial ? 255 / 224 : 1;
  const rgb = new Uint8ClampedArray(ybr.length);
  for (let at = 0; at < ybr.length; at += 3) {
    const y = ((ybr[at] ?? 0) - black) * luminance;
    const blue = ((ybr[at + 1] ?? 0) - 128) * chrominance;
    const red = ((ybr[at + 2] ?? 0) - 128) * chrominance;
    rgb[at] = y + 1.402 * red;
    rgb[at + 1] = y - 0.344136 * blue - 0.714136 * red;
    rgb[at + 2] = y + 1.772 * blue;
  }
  return new Uint8Array(rgb.buffer);
}

/** NOT_SUPPORTED, by name, for colour models that nobody can show without knowing more. */
export function colorPixels(frame: Frame): Uint8Array {
  const { photometric, samplesPerPixel, numbers } = frame.pixels;
  if (samplesPerPixel !== 3 || numbers !== 'integer') {
    throw new ArchiveError(
      'NOT_SUPPORTED',
      `${shown(photometric)} of ${samplesPerPixel} samples a pixel is not rendered`,
    );
  }
  switch (photometric) {
    case 'RGB':
    // The wavelet codecs undo these two themselves: what they decoded is RGB.
    case 'YBR_ICT':
    case 'YBR_RCT':
      return interleaved(frame);
    case 'YBR_FULL':
      return toRgb(interleaved(frame), false);
    case 'YBR_FULL_422':
      return toRgb(spread(frame), false);
    case 'YBR_PARTIAL_422':
      return toRgb(spread(frame), true);
    default:
      throw new ArchiveError('NOT_SUPPORTED', `photometric interpretation ${shown(photometric)} is not rendered`);
  }
}

/** For messages: a code string of the file, only if it looks like one. */
function shown(photometric: string): string {
  return /^[A-Z0-9_ ]{1,16}$/.test(photometric) ? photometric : 'of an unknown name';
}
