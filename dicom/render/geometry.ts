// What part of the image is shown, how large, and which way round: PS3.18 8.3.5.1.3, over whole pixels.
import { ArchiveError } from '../../tiering/core/errors.js';
import type { RenderRequest } from './types.js';

export interface Geometry {
  /** The part of the source that is shown. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Mirrored: columns, rows. */
  readonly flop: boolean;
  readonly flip: boolean;
  /** Of the answer. */
  readonly outWidth: number;
  readonly outHeight: number;
}

interface Span {
  readonly start: number;
  readonly length: number;
}

/** `[start, start + |length|)` in whole pixels inside of `size`; INVALID when nothing of it is. */
function clip(start: number, length: number, size: number): Span {
  const first = Math.max(0, Math.floor(start));
  const last = Math.min(size, Math.max(first + 1, Math.round(start + Math.abs(length))));
  if (first >= size || length === 0) throw new ArchiveError('INVALID', 'the region lies outside of the image');
  return { start: first, length: last - first };
}

/**
 * Crops, then makes pixels square, then fits what is left into the viewport, keeping its shape (8.3.5.1.3). Without a viewport the
 * shorter side of a pixel is drawn out, so that nothing is lost.
 * @param aspect height of a pixel over its width.
 */
export function geometryOf(
  columns: number,
  rows: number,
  aspect: number,
  viewport: RenderRequest['viewport'],
): Geometry {
  const source = viewport?.source ?? { x: 0, y: 0, width: columns, height: rows };
  const across = clip(source.x, source.width, columns);
  const down = clip(source.y, source.height, rows);
  const naturalWidth = aspect < 1 ? across.length / aspect : across.length;
  const naturalHeight = aspect > 1 ? down.length * aspect : down.length;
  const scale = viewport === null ? 1 : Math.min(viewport.width / naturalWidth, viewport.height / naturalHeight);
  return {
    left: across.start,
    top: down.start,
    width: across.length,
    height: down.length,
    flop: source.width < 0,
    flip: source.height < 0,
    outWidth: Math.max(1, Math.round(naturalWidth * scale)),
    outHeight: Math.max(1, Math.round(naturalHeight * scale)),
  };
}
