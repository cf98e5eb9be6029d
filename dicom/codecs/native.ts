// Native pixel data: byte order, order of planes, chroma, and bits that share bytes (PS3.5 8.1, 8.2 and 7.3).
import { EXPLICIT_BIG, EXPLICIT_LITTLE } from '../transfer-syntax.js';
import { corruptFrame, unsupportedFrame } from './codec-error.js';
import type { Frame, PixelDescription } from './frame.js';
import { exactFrame, isSubsampled } from './frame-size.js';

/** A native frame as Explicit VR Little Endian. Its own bytes when it is little endian already; a big endian one is swapped in a copy. */
export function nativeLittle(frame: Frame): Frame {
  const { pixels } = frame;
  const big = frame.syntax === EXPLICIT_BIG;
  return {
    syntax: EXPLICIT_LITTLE,
    pixels,
    bytes: big ? swapped(frame.bytes, pixels) : exactFrame(frame.bytes, pixels),
  };
}

/**
 * PS3.5 7.3: in big endian the bytes of each word are reversed, and a word of OW has two of them, however many a sample has. (Some writers swap 32-bit
 * samples as a whole; which ones is not to be seen, so it goes by the standard, as DCMTK does.)
 */
function swapped(bytes: Uint8Array, pixels: PixelDescription): Uint8Array {
  const { bitsAllocated } = pixels;
  const unit = pixels.words === true ? 2 : Math.max(1, bitsAllocated / 8);
  const bits = pixels.rows * pixels.columns * pixels.samplesPerPixel * bitsAllocated;
  // The other half of an odd frame's last word, where it was given too.
  const spare = unit === 2 && bits % 16 === 8 && bytes.length > bits / 8 ? 1 : 0;
  if ((bits + spare * 8) % (unit * 8) !== 0) {
    // Such frames share words with their neighbours, and lie in pieces once each is cut out.
    throw unsupportedFrame('big endian frames that are not whole 16-bit words are only given as they are stored');
  }
  const length = exactFrame(bytes, pixels).length;
  const copy = Buffer.from(bytes.subarray(0, length + spare));
  if (unit === 2) copy.swap16();
  else if (unit === 4) copy.swap32();
  else if (unit === 8) copy.swap64();
  return copy.subarray(0, length);
}

/** Samples of a pixel side by side (Planar Configuration 0), in a copy where they are not. */
export function interleaved(pixels: PixelDescription, bytes: Uint8Array): Uint8Array {
  if (!pixels.planar || pixels.samplesPerPixel === 1) return bytes;
  const { samplesPerPixel: samples } = pixels;
  const size = pixels.bitsAllocated / 8;
  const count = pixels.rows * pixels.columns;
  const out = new Uint8Array(bytes.length);
  for (let sample = 0; sample < samples; sample += 1) {
    for (let byte = 0; byte < size; byte += 1) {
      let from = sample * count * size + byte;
      for (let to = sample * size + byte; to < out.length; to += samples * size, from += size)
        out[to] = bytes[from] ?? 0;
    }
  }
  return out;
}

/** Full chroma from YBR_FULL_422 (Y Y Cb Cr for two pixels): each pair is given to both of its pixels. */
function fullChroma(pixels: PixelDescription, bytes: Uint8Array): Uint8Array {
  if (pixels.bitsAllocated !== 8 || pixels.columns % 2 !== 0) {
    throw corruptFrame('4:2:2 chroma needs an even number of columns and 8 bits a sample');
  }
  const out = new Uint8Array((bytes.length / 4) * 6);
  for (let from = 0, to = 0; from < bytes.length; from += 4, to += 6) {
    const blue = bytes[from + 2] ?? 0;
    const red = bytes[from + 3] ?? 0;
    out[to] = bytes[from] ?? 0;
    out[to + 1] = blue;
    out[to + 2] = red;
    out[to + 3] = bytes[from + 1] ?? 0;
    out[to + 4] = blue;
    out[to + 5] = red;
  }
  return out;
}

/** A native little endian frame as encoders want it: samples side by side, each pixel with all of its own. */
export function plainSamples(frame: Frame): Frame {
  const { pixels } = frame;
  if (isSubsampled(pixels)) {
    const photometric = pixels.photometric === 'YBR_FULL_422' ? 'YBR_FULL' : 'YBR_PARTIAL';
    return { ...frame, pixels: { ...pixels, photometric, planar: false }, bytes: fullChroma(pixels, frame.bytes) };
  }
  if (!pixels.planar) return frame;
  return { ...frame, pixels: { ...pixels, planar: false }, bytes: interleaved(pixels, frame.bytes) };
}

/** One byte a pixel, 0 or not, to one bit a pixel, the first pixel in the lowest bit (PS3.5 8.1.1). */
export function packedBits(samples: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.ceil(samples.length / 8));
  for (let at = 0; at < samples.length; at += 1) {
    if (samples[at] !== 0) out[at >> 3] = (out[at >> 3] ?? 0) | (1 << (at & 7));
  }
  return out;
}

/** Samples of 8 bits as little endian samples of 16, the sign carried on. */
function widened(samples: Uint8Array, signed: boolean): Uint8Array {
  const source = signed ? new Int8Array(samples.buffer, samples.byteOffset, samples.length) : samples;
  const out = Int16Array.from(source);
  return new Uint8Array(out.buffer);
}

/**
 * What a codec gave (interleaved, one byte a sample up to 8 bits, else two) as a frame of `pixels.bitsAllocated`. CORRUPT when there is more or less
 * of it than the description asks for.
 */
export function fitted(samples: Uint8Array, pixels: PixelDescription, signed: boolean): Frame {
  const count = pixels.rows * pixels.columns * pixels.samplesPerPixel;
  const size = samples.length / count;
  const wanted = pixels.bitsAllocated;
  if (size !== 1 && size !== 2)
    throw corruptFrame('the decoder gave another number of samples than its description asks for');
  const fits = wanted === size * 8 ? samples : null;
  const bytes =
    fits ??
    (size === 1 && wanted === 1 ? packedBits(samples) : size === 1 && wanted === 16 ? widened(samples, signed) : null);
  if (bytes === null) throw corruptFrame(`samples of ${size * 8} bits where ${wanted} are allocated`);
  return { syntax: EXPLICIT_LITTLE, pixels: { ...pixels, planar: false }, bytes };
}
