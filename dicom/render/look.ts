// How an instance asks to be seen, read from its metadata: for one frame, since enhanced images say it frame by frame (PS3.3 C.7.6.16).
import type { DicomJson } from '../json/json-object.js';
import { numberOf, textOf } from '../json/json-object.js';
import { type FetchBulk, itemsOf, numbersOf } from './item.js';
import { lookUpTable, paletteOf } from './look-up-table.js';
import type { Look, Modality, Window } from './types.js';

const SEGMENTATIONS: ReadonlySet<string> = new Set(['1.2.840.10008.5.1.4.1.1.66.4', '1.2.840.10008.5.1.4.1.1.66.7']);
/** Beyond this a pixel's shape is a mistake of the file. */
const ASPECT_MAX = 16;

/** Where an attribute of a functional group macro may be for a frame: its own group, the shared one, the data set. */
function sources(json: DicomJson, frame: number, macro: string): readonly DicomJson[] {
  const own = itemsOf(json, '52009230')[frame - 1];
  const shared = itemsOf(json, '52009229')[0];
  return [...itemsOf(own, macro), ...itemsOf(shared, macro), json];
}

const SHAPES: Readonly<Record<string, Window['shape']>> = {
  LINEAR: 'LINEAR',
  LINEAR_EXACT: 'LINEAR_EXACT',
  SIGMOID: 'SIGMOID',
};

function windowOf(item: DicomJson): Window | null {
  const [center] = numbersOf(item, '00281050');
  const [width] = numbersOf(item, '00281051');
  const shape = SHAPES[textOf(item, '00281056') ?? 'LINEAR'] ?? 'LINEAR';
  if (center === undefined || width === undefined) return null;
  return width >= 1 || (width > 0 && shape !== 'LINEAR') ? { center, width, shape } : null;
}

async function modalityOf(json: DicomJson, frame: number, signed: boolean, fetch: FetchBulk): Promise<Modality> {
  const [sequence] = itemsOf(json, '00283000');
  // Of X-ray projections it only leads back to the intensity of the beam, and is not for looking at (C.8.7.1.1.2).
  const backwards = ['LOG', 'DISP'].includes(textOf(json, '00281040') ?? '');
  if (sequence !== undefined && !backwards) {
    const table = await lookUpTable(sequence, { descriptor: '00283002', data: '00283006' }, signed, fetch);
    if (table !== null) return table;
  }
  for (const item of sources(json, frame, '00289145')) {
    const slope = numberOf(item, '00281053');
    const intercept = numberOf(item, '00281052');
    if (slope === null && intercept === null) continue;
    return slope === 0 ? null : { slope: slope ?? 1, intercept: intercept ?? 0 };
  }
  return null;
}

/** Whether values after the modality transformation can be below zero: then so can the first that a VOI table maps. */
function reachesBelowZero(modality: Modality, signed: boolean): boolean {
  if (modality === null) return signed;
  return 'entries' in modality ? false : signed || modality.intercept < 0 || modality.slope < 0;
}

/** All levels that the samples have, for an image of at most 8 bits that asks for nothing: it is meant to be seen as it is. */
function wholeRange(json: DicomJson): Window | null {
  const bits = numberOf(json, '00280101') ?? numberOf(json, '00280100') ?? 16;
  if (bits > 8 || numberOf(json, '00280103') === 1) return null;
  if (SEGMENTATIONS.has(textOf(json, '00080016') ?? '') && bits > 1) return null;
  const greatest = 2 ** bits - 1;
  return { center: greatest / 2, width: greatest, shape: 'LINEAR_EXACT' };
}

function isFloat(json: DicomJson): boolean {
  return json['7FE00008'] !== undefined || json['7FE00009'] !== undefined;
}

async function voiOf(json: DicomJson, frame: number, modality: Modality, fetch: FetchBulk): Promise<Look['voi']> {
  const signed = reachesBelowZero(modality, numberOf(json, '00280103') === 1);
  const [sequence] = itemsOf(json, '00283010');
  if (sequence !== undefined) {
    const table = await lookUpTable(sequence, { descriptor: '00283002', data: '00283006' }, signed, fetch);
    if (table !== null) return table;
  }
  for (const item of sources(json, frame, '00289132')) {
    const window = windowOf(item);
    // LINEAR counts whole numbers: of floats, whose window may be 1 wide, it would leave black and white (C.11.2.1.3.2).
    if (window !== null)
      return isFloat(json) && window.shape === 'LINEAR' ? { ...window, shape: 'LINEAR_EXACT' } : window;
  }
  const plain = modality === null || (!('entries' in modality) && modality.slope === 1 && modality.intercept === 0);
  return plain ? wholeRange(json) : null;
}

function paddingOf(json: DicomJson, signed: boolean): Look['padding'] {
  // Of a label map it is the background, without which a single label has nothing to stand out from.
  if (SEGMENTATIONS.has(textOf(json, '00080016') ?? '')) return null;
  const read = (tag: string) => {
    const value = numberOf(json, tag);
    // An implicit VR cannot say whether the value is signed: the pixels do.
    if (value === null || json[tag]?.vr === 'FL' || json[tag]?.vr === 'FD') return value;
    const bits = numberOf(json, '00280100') ?? 16;
    if (signed && value >= 2 ** (bits - 1)) return value - 2 ** bits;
    return !signed && value < 0 ? value + 2 ** bits : value;
  };
  const value = read('00280120') ?? read('00280122') ?? read('00280123');
  if (value === null) return null;
  const limit = read('00280121') ?? read('00280124') ?? read('00280125') ?? value;
  return { from: Math.min(value, limit), to: Math.max(value, limit) };
}

function aspectOf(json: DicomJson, frame: number): number {
  // A ratio is only written where no spacing is (C.7.6.3.1.7), and is the weaker word where both are.
  const candidates = [
    ...sources(json, frame, '00289110').map((item) => numbersOf(item, '00280030')),
    numbersOf(json, '00181164'),
    numbersOf(json, '00182010'),
    numbersOf(json, '00280034'),
  ];
  for (const [vertical = 0, horizontal = 0] of candidates) {
    if (vertical <= 0 || horizontal <= 0) continue;
    const aspect = vertical / horizontal;
    // Spacings are measured: what differs in the third digit is square.
    if (Math.abs(aspect - 1) < 0.005) return 1;
    return aspect > ASPECT_MAX || aspect < 1 / ASPECT_MAX ? 1 : aspect;
  }
  return 1;
}

/** MONOCHROME2 with colours for some stored values (C.7.6.19, C.8.16.2.1.2): the palette stays beside the greys. */
function hasPalette(json: DicomJson): boolean {
  if (textOf(json, '00280004') === 'PALETTE COLOR') return true;
  const presentation = textOf(json, '00089205');
  return textOf(json, '00280004') === 'MONOCHROME2' && (presentation === 'COLOR' || presentation === 'MIXED');
}

/**
 * The look of frame `frame` (from 1).
 * @param json the whole data set.
 * @param fetch for tables that are too long to be in it.
 */
export async function lookOf(json: DicomJson, frame: number, fetch: FetchBulk): Promise<Look> {
  const signed = numberOf(json, '00280103') === 1;
  const palette = hasPalette(json) ? await paletteOf(json, signed, fetch) : null;
  const gray = textOf(json, '00280004')?.startsWith('MONOCHROME') ?? true;
  const modality = gray ? await modalityOf(json, frame, signed, fetch) : null;
  return {
    modality,
    voi: gray ? await voiOf(json, frame, modality, fetch) : null,
    palette,
    inverse: textOf(json, '20500020') === 'INVERSE',
    padding: gray ? paddingOf(json, signed) : null,
    aspect: aspectOf(json, frame),
  };
}
