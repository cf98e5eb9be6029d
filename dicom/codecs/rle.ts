// RLE Lossless (PS3.5 annex G) to and from native frames: a header of 64 bytes, then one PackBits segment for each byte of
// each sample, the most significant byte first.
import { EXPLICIT_LITTLE, RLE_LOSSLESS } from '../transfer-syntax.js';
import { corruptFrame } from './codec-error.js';
import type { Frame } from './frame.js';
import { frameBytes } from './frame-size.js';
import { encodeRleFrame } from './rle-encode.js';

const HEADER_BYTES = 64;
const SEGMENTS_MAX = 15;

/** How the bytes of a frame lie: `stride` bytes a pixel of which each has a segment, in rows of `columns`. */
interface Planes {
  readonly columns: number;
  readonly samples: number;
  readonly sampleBytes: number;
}

/** 1-bit pixels are packed before they are compressed (G.2): a segment of whole bytes. */
function planesOf({ pixels }: Frame): Planes {
  if (pixels.bitsAllocated === 1) return { columns: Math.ceil(pixels.columns / 8), samples: 1, sampleBytes: 1 };
  return { columns: pixels.columns, samples: pixels.samplesPerPixel, sampleBytes: pixels.bitsAllocated / 8 };
}

/** The native frame. CORRUPT when the segments are not those of its description, or end too early. */
export function decodeRle(frame: Frame): Frame {
  const { bytes, pixels } = frame;
  const { samples, sampleBytes } = planesOf(frame);
  const stride = samples * sampleBytes;
  if (bytes.length < HEADER_BYTES) throw corruptFrame('an RLE header has 64 bytes');
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const count = header.getUint32(0, true);
  if (count !== stride || count > SEGMENTS_MAX) {
    throw corruptFrame(`${count} RLE segments where its description asks for ${stride}`);
  }
  const length = pixels.bitsAllocated === 1 ? frameBytes(pixels) : pixels.rows * pixels.columns * stride;
  const out = new Uint8Array(length);
  for (let segment = 0; segment < count; segment += 1) {
    const start = header.getUint32(4 + segment * 4, true);
    const end = segment + 1 < count ? header.getUint32(8 + segment * 4, true) : bytes.length;
    if (start < HEADER_BYTES || start > end || end > bytes.length)
      throw corruptFrame('an RLE segment lies outside of it');
    const sample = Math.floor(segment / sampleBytes);
    const byte = sampleBytes - 1 - (segment % sampleBytes);
    decodeSegment(bytes.subarray(start, end), out, sample * sampleBytes + byte, stride);
  }
  return { syntax: EXPLICIT_LITTLE, pixels: { ...pixels, planar: false }, bytes: out };
}

/** Fills every `stride`th byte from `first` on. What a segment holds beyond its plane is padding (G.3.2). */
function decodeSegment(segment: Uint8Array, out: Uint8Array, first: number, stride: number): void {
  let to = first;
  let at = 0;
  while (to < out.length) {
    const code = segment[at];
    if (code === undefined) throw corruptFrame('an RLE segment ends before its plane is full');
    at += 1;
    if (code === 128) continue;
    const repeated = code > 128;
    const length = repeated ? 257 - code : code + 1;
    if (at + (repeated ? 1 : length) > segment.length) throw corruptFrame('an RLE segment ends inside of a run');
    const last = Math.min(out.length, to + length * stride);
    if (repeated) {
      const value = segment[at] as number;
      for (; to < last; to += stride) out[to] = value;
      at += 1;
    } else {
      for (let from = at; to < last; to += stride, from += 1) out[to] = segment[from] as number;
      at += length;
    }
  }
}

/** A native little endian frame, samples interleaved. */
export function encodeRle(frame: Frame): Frame {
  return { ...frame, syntax: RLE_LOSSLESS, bytes: encodeRleFrame(frame.bytes, planesOf(frame)) };
}
