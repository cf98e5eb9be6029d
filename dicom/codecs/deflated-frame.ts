// Deflated Image Frame Compression (PS3.5 A.4.13): a frame as one raw deflate stream of its native bytes.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { EXPLICIT_LITTLE } from '../transfer-syntax.js';
import { corruptFrame } from './codec-error.js';
import type { Frame } from './frame.js';
import { exactFrame, frameBytes } from './frame-size.js';

/** The native frame. CORRUPT when the stream is none, is cut, or gives more or less than the description asks for. */
export function inflateFrame({ bytes, pixels }: Frame): Frame {
  let inflated: Uint8Array;
  try {
    // One pad byte may follow the pixels.
    inflated = inflateRawSync(bytes, { maxOutputLength: frameBytes(pixels) + 1 });
  } catch (error) {
    throw corruptFrame('it is not a deflate stream of a frame of its size', error);
  }
  return { syntax: EXPLICIT_LITTLE, pixels, bytes: exactFrame(inflated, pixels) };
}

/** A native little endian frame. The length is made even with a byte that inflaters do not read. */
export function deflateFrame(frame: Frame, syntax: string): Frame {
  const stream = deflateRawSync(frame.bytes);
  const bytes = stream.length % 2 === 0 ? stream : Buffer.concat([stream, Buffer.alloc(1)]);
  return { ...frame, syntax, bytes };
}
