// Images for the suites of rendering, and what an answer's image file holds.
import sharp from 'sharp';
import type { Reply } from './dicomweb-rig.js';
import { ct } from './dicomweb-samples.js';
import { type Element, nativeImage } from './part10-builder.js';

/** 8-bit grey, brighter from left to right and from frame to frame. */
export function gradient(columns: number, rows: number, frames = 1): readonly Element[] {
  const pixels = Buffer.alloc(columns * rows * frames);
  for (let at = 0; at < pixels.length; at++) {
    const frame = Math.floor(at / (columns * rows));
    pixels[at] = Math.round(((at % columns) / (columns - 1)) * 200) + frame * 10;
  }
  return nativeImage({ rows, columns, bits: 8, frames, pixels });
}

export const picture = (number: number, options: Parameters<typeof ct>[1] = {}) =>
  ct(number, { ...options, elements: [...gradient(64, 32), ...(options.elements ?? [])] });

export async function gray(
  reply: Reply,
): Promise<{ readonly width: number; readonly height: number; at(x: number, y: number): number }> {
  const { data, info } = await sharp(reply.body)
    .removeAlpha()
    .toColourspace('b-w')
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, at: (x, y) => data[(y * info.width + x) * info.channels] ?? -1 };
}

export async function size(reply: Reply) {
  const { format, width, height, pages } = await sharp(reply.body).metadata();
  return { type: reply.headers['content-type'], format, width, height, ...(pages === undefined ? {} : { pages }) };
}
