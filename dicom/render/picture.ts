// A native frame and its look to 8-bit samples that an image encoder takes: where the kinds of images part.
import { ArchiveError } from '../../tiering/core/errors.js';
import type { Frame } from '../codecs/frame.js';
import { colorPixels, palettePixels } from './color.js';
import { grayPixels } from './gray.js';
import { checkFrame } from './samples.js';
import type { Look } from './types.js';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** 1: grey, 3: RGB interleaved. */
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** NOT_SUPPORTED for what cannot be shown rightly, CORRUPT for a frame that is not what it says, LIMIT for one too large. */
export function pictureOf(frame: Frame, look: Look): Picture {
  checkFrame(frame);
  const { photometric, samplesPerPixel, columns: width, rows: height } = frame.pixels;
  const gray = photometric === 'MONOCHROME1' || photometric === 'MONOCHROME2';
  const { palette } = look;
  if (!gray && photometric !== 'PALETTE COLOR') return { width, height, channels: 3, data: colorPixels(frame) };
  if (samplesPerPixel !== 1) {
    throw new ArchiveError('NOT_SUPPORTED', `${photometric} of ${samplesPerPixel} samples a pixel is not rendered`);
  }
  if (palette !== null) return { width, height, channels: 3, data: palettePixels(frame, look, palette) };
  if (!gray) throw new ArchiveError('NOT_SUPPORTED', 'PALETTE COLOR without its palette is not rendered');
  return { width, height, channels: 1, data: grayPixels(frame, look) };
}
