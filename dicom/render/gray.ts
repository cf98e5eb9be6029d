// One frame of one sample a pixel to 8 bit: modality, values of interest and presentation in one table over every possible stored word
// where there are at most 65,536 of them, pixel by pixel where there are more.
import type { Frame, PixelDescription } from '../codecs/frame.js';
import { floats, storedValue, type Words, words } from './samples.js';
import { modalityOf, type Transform, voiOf } from './transform.js';
import type { Look } from './types.js';

type Shades = (value: number) => number;

interface Extremes {
  least: number;
  greatest: number;
}

function isInverse(pixels: PixelDescription, look: Look): boolean {
  return pixels.photometric === 'MONOCHROME1' || look.inverse;
}

function isPadding(look: Look): (stored: number) => boolean {
  const { padding } = look;
  return padding === null ? () => false : (stored) => stored >= padding.from && stored <= padding.to;
}

/** From a stored value to 0..255. What is no number and what is padding is the darkest. */
function shades(look: Look, inverse: boolean, modality: Transform, { least, greatest }: Extremes): Shades {
  const voi = voiOf(look.voi, least, greatest);
  const padded = isPadding(look);
  return (stored) => {
    if (padded(stored) || Number.isNaN(stored)) return 0;
    const level = Math.round(voi(modality(stored)) * 255);
    return inverse ? 255 - level : level;
  };
}

function widen(extremes: Extremes, value: number): void {
  if (value < extremes.least) extremes.least = value;
  if (value > extremes.greatest) extremes.greatest = value;
}

/** Least and greatest modality value of a frame, padding left out; only worked out where nothing says a window. */
function extremesOf(values: Iterable<number>, look: Look, modality: Transform): Extremes {
  const extremes = { least: Number.POSITIVE_INFINITY, greatest: Number.NEGATIVE_INFINITY };
  if (look.voi !== null) return extremes;
  const padded = isPadding(look);
  for (const stored of values) {
    if (padded(stored)) continue;
    const value = modality(stored);
    if (Number.isFinite(value)) widen(extremes, value);
  }
  return extremes;
}

/** The words that occur, each once. */
function* occurring(source: Words, count: number): Generator<number> {
  const seen = new Uint8Array(count);
  for (const word of source) seen[word] = 1;
  for (let word = 0; word < count; word++) if (seen[word] === 1) yield word;
}

function* mapped(source: Iterable<number>, value: (word: number) => number): Generator<number> {
  for (const word of source) yield value(word);
}

/** What every possible stored word of the frame looks like. For at most 16 bits allocated. */
export function grayTable(frame: Frame, source: Words, look: Look): Uint8Array {
  const { pixels } = frame;
  const count = 2 ** pixels.bitsAllocated;
  const value = storedValue(pixels);
  const modality = modalityOf(look.modality);
  const extremes = extremesOf(mapped(look.voi === null ? occurring(source, count) : [], value), look, modality);
  const shade = shades(look, isInverse(pixels, look), modality, extremes);
  const table = new Uint8Array(count);
  for (let word = 0; word < count; word++) table[word] = shade(value(word));
  return table;
}

/** The frame in 8-bit grey, row by row. */
export function grayPixels(frame: Frame, look: Look): Uint8Array {
  const { pixels } = frame;
  const count = pixels.rows * pixels.columns;
  const gray = new Uint8Array(count);
  if (pixels.numbers === 'integer' && pixels.bitsAllocated <= 16) {
    const source = words(frame, count);
    const table = grayTable(frame, source, look);
    for (let at = 0; at < count; at++) gray[at] = table[source[at] ?? 0] ?? 0;
    return gray;
  }
  const source = pixels.numbers === 'float' ? floats(frame, count) : words(frame, count);
  const value = pixels.numbers === 'float' ? (sample: number) => sample : storedValue(pixels);
  const modality = modalityOf(look.modality);
  const extremes = extremesOf(mapped(source, value), look, modality);
  const shade = shades(look, isInverse(pixels, look), modality, extremes);
  for (let at = 0; at < count; at++) gray[at] = shade(value(source[at] ?? 0));
  return gray;
}
