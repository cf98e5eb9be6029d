// The parameters of rendering (PS3.18 8.3.5) out of a query: every form of the standard, each checked against its grammar and bounds.
// WADO-URI has names of its own for the same things and shares the checks.
import type { RenderRequest, Window } from '../../dicom/render/types.js';
import { ArchiveError } from '../../tiering/core/errors.js';

/** A part of the image, in its pixels or as shares of it; null: to the edge. Flips are the negative sizes of 8.3.5.1.3. */
export interface Region {
  readonly unit: 'pixels' | 'share';
  readonly x: number;
  readonly y: number;
  readonly width: number | null;
  readonly height: number | null;
  readonly flop: boolean;
  readonly flip: boolean;
}

export interface RenderParameters {
  readonly quality: number | null;
  readonly window: Window | null;
  /** Largest size in pixels. */
  readonly viewport: { readonly width: number; readonly height: number } | null;
  readonly region: Region | null;
  /** What becomes of the image's own profile; null: it is left out. */
  readonly profile: NonNullable<RenderRequest['profile']>['to'] | null;
  readonly annotation: readonly ('patient' | 'technique')[];
  /** What was asked and is not done, for a Warning header. */
  readonly ignored: readonly string[];
}

export const PLAIN: RenderParameters = {
  quality: null,
  window: null,
  viewport: null,
  region: null,
  profile: null,
  annotation: [],
  ignored: [],
};

/** The largest displays in use have 8,192 columns; what is made larger only costs. */
export const RENDERED_EDGE_MAX = 8192;

const DECIMAL = /^[+-]?(\d{1,9}(\.\d{0,9})?|\.\d{1,9})([eE][+-]?\d{1,2})?$/;
const COUNT = /^\d{1,6}$/;

function refuse(what: string): never {
  throw new ArchiveError('INVALID', what);
}

/** A number of the grammar of DS, no larger than anything in an image is. */
export function decimal(name: string, text: string): number {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value) || Math.abs(value) > 1e9) refuse(`${name} is not a decimal number of a sensible size`);
  return value;
}

export function edge(name: string, text: string): number {
  const value = COUNT.test(text) ? Number(text) : 0;
  if (value < 1 || value > RENDERED_EDGE_MAX) refuse(`${name} is not a whole number from 1 to ${RENDERED_EDGE_MAX}`);
  return value;
}

export function quality(name: string, text: string): number {
  const value = COUNT.test(text) ? Number(text) : 0;
  if (value < 1 || value > 100) refuse(`${name} is not a whole number from 1 to 100`);
  return value;
}

export function windowOf(center: number, width: number, shape: Window['shape']): Window {
  if (shape === 'LINEAR' ? width < 1 : width <= 0)
    refuse('the width of the window is not positive (1 or more for linear)');
  return { center, width, shape };
}

const SHAPES: ReadonlyMap<string, Window['shape']> = new Map([
  ['linear', 'LINEAR'],
  ['linear-exact', 'LINEAR_EXACT'],
  ['linear_exact', 'LINEAR_EXACT'],
  ['sigmoid', 'SIGMOID'],
]);

function windowParameter(text: string): Window {
  const [center, width, name = 'linear', ...more] = text.split(',');
  const shape = SHAPES.get(name.toLowerCase());
  if (center === undefined || width === undefined || more.length > 0 || shape === undefined) {
    refuse('window is not CENTER,WIDTH,FUNCTION with the function linear, linear-exact or sigmoid');
  }
  return windowOf(decimal('the center of the window', center), decimal('the width of the window', width), shape);
}

function viewportParameter(text: string): Pick<RenderParameters, 'viewport' | 'region'> {
  const parts = text.split(',');
  const [width = '', height = '', x = '', y = '', sourceWidth = '', sourceHeight = ''] = parts;
  if (parts.length < 2 || parts.length > 6) refuse('viewport is not WIDTH,HEIGHT or WIDTH,HEIGHT,X,Y,WIDTH,HEIGHT');
  const viewport = { width: edge('the width of the viewport', width), height: edge('its height', height) };
  if ([x, y, sourceWidth, sourceHeight].every((part) => part === '')) return { viewport, region: null };
  const number = (part: string) => (part === '' ? null : decimal('the region of the viewport', part));
  const [w, h] = [number(sourceWidth), number(sourceHeight)];
  if (w === 0 || h === 0) refuse('the region of the viewport is empty');
  return {
    viewport,
    region: {
      unit: 'pixels',
      // The absolute value is the place (8.3.5.1.3).
      x: Math.abs(number(x) ?? 0),
      y: Math.abs(number(y) ?? 0),
      width: w === null ? null : Math.abs(w),
      height: h === null ? null : Math.abs(h),
      flop: w !== null && w < 0,
      flip: h !== null && h < 0,
    },
  };
}

/** Values that are not known are left out and told of (8.3.5.1.1). */
export function annotationValues(text: string): Pick<RenderParameters, 'annotation' | 'ignored'> {
  const values = text.split(',').map((value) => value.trim().toLowerCase());
  const known = (['patient', 'technique'] as const).filter((value) => values.includes(value));
  const strange = values.some((value) => value !== '' && value !== 'patient' && value !== 'technique');
  return { annotation: known, ignored: strange ? ['annotations other than patient and technique'] : [] };
}

/** 8.3.5.1.5. Adobe RGB and ROMM RGB are not made here. */
const PROFILES: ReadonlyMap<string, RenderParameters['profile']> = new Map([
  ['no', null],
  ['yes', 'same'],
  ['srgb', 'srgb'],
  ['displayp3', 'displayp3'],
]);

/**
 * 8.3.5 of a Retrieve Rendered or Thumbnail request. Parameters that are not of rendering are left alone.
 * @throws INVALID, naming the parameter.
 */
export function renderParameters(query: URLSearchParams): RenderParameters {
  const [asked, windowText, viewport, annotation] = ['quality', 'window', 'viewport', 'annotation'].map((name) =>
    query.get(name),
  );
  const profile = PROFILES.get(query.get('iccprofile') ?? 'no');
  if (profile === undefined) refuse('iccprofile is not one of no, yes, srgb and displayp3');
  return {
    ...PLAIN,
    profile,
    quality: asked == null ? null : quality('quality', asked),
    window: windowText == null ? null : windowParameter(windowText),
    ...(viewport == null ? {} : viewportParameter(viewport)),
    ...(annotation == null ? {} : annotationValues(annotation)),
  };
}

/** What the renderer is told, for an image of a size. */
export function viewportFor(
  { viewport, region }: Pick<RenderParameters, 'viewport' | 'region'>,
  columns: number,
  rows: number,
): RenderRequest['viewport'] {
  if (region === null) return viewport === null ? null : { ...viewport, source: null };
  const [across, down] = region.unit === 'share' ? [columns, rows] : [1, 1];
  const x = region.x * across;
  const y = region.y * down;
  const width = region.width === null ? columns - x : region.width * across;
  const height = region.height === null ? rows - y : region.height * down;
  if (x >= columns || y >= rows) refuse('the region lies outside of the image');
  const size = viewport ?? {
    width: Math.min(RENDERED_EDGE_MAX, Math.max(1, Math.round(width))),
    height: Math.min(RENDERED_EDGE_MAX, Math.max(1, Math.round(height))),
  };
  return {
    ...size,
    source: { x, y, width: region.flop ? -width : width, height: region.flip ? -height : height },
  };
}
