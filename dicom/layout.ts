// InstanceLayout as the compact JSON text that is stored beside an index row, and the byte ranges of one
// frame. The text of an image of one frame is about 60 characters; a frame of one fragment costs 4 to 7.
import { ArchiveError } from '../tiering/core/errors.js';
import type { BulkValue, ByteRange, EncapsulatedPixels, InstanceLayout, NativePixels } from './instance.js';

/** [length] after the previous fragment's item header, or [gap, length, …] in pairs; a frame of one fragment that follows directly is its length alone. */
type FrameText = number | readonly number[];
type PixelsText =
  | readonly ['n', start: number, length: number, frames: number, frameBits: number]
  | readonly ['e', start: number, ...frames: FrameText[]];
type BulkText = readonly [path: string, vr: string, start: number, length: number];

interface LayoutText {
  /** Deflated. */
  readonly d?: 1;
  readonly p?: PixelsText;
  readonly b?: readonly BulkText[];
}

/** The item header between two fragments. */
const ITEM_HEADER_BYTES = 8;

function encodeEncapsulated(pixels: EncapsulatedPixels): PixelsText {
  const origin = pixels.frames[0]?.[0]?.start ?? 0;
  let at = origin - ITEM_HEADER_BYTES;
  const frames = pixels.frames.map((frame): FrameText => {
    const pairs = frame.flatMap((range) => {
      const gap = range.start - at;
      at = range.end;
      return [gap, range.end - range.start];
    });
    return pairs.length === 2 && pairs[0] === ITEM_HEADER_BYTES ? (pairs[1] as number) : pairs;
  });
  return ['e', origin, ...frames];
}

/** The stored text of a layout; `decodeLayout` gives it back. */
export function encodeLayout(layout: InstanceLayout): string {
  const { pixels, bulk } = layout;
  const text: LayoutText = {
    ...(layout.deflated ? { d: 1 as const } : {}),
    ...(pixels === null
      ? {}
      : {
          p:
            pixels.kind === 'native'
              ? (['n', pixels.start, pixels.end - pixels.start, pixels.frames, pixels.frameBits] as const)
              : encodeEncapsulated(pixels),
        }),
    ...(bulk.length === 0
      ? {}
      : { b: bulk.map((one): BulkText => [one.path, one.vr, one.start, one.end - one.start]) }),
  };
  return JSON.stringify(text);
}

function corrupt(cause?: unknown): ArchiveError {
  return new ArchiveError('CORRUPT', 'a stored instance layout cannot be read', { cause });
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function decodeNative(value: readonly unknown[]): NativePixels {
  const [, start, length, frames, frameBits] = value;
  if (!isCount(start) || !isCount(length) || !isCount(frames) || !isCount(frameBits)) throw corrupt();
  return { kind: 'native', start, end: start + length, frames, frameBits };
}

function decodeEncapsulated(value: readonly unknown[]): EncapsulatedPixels {
  const origin = value[1];
  if (!isCount(origin)) throw corrupt();
  let at = origin - ITEM_HEADER_BYTES;
  const frames = value.slice(2).map((frame): readonly ByteRange[] => {
    const pairs: unknown = typeof frame === 'number' ? [ITEM_HEADER_BYTES, frame] : frame;
    if (!Array.isArray(pairs) || pairs.length % 2 !== 0 || !pairs.every(isCount)) throw corrupt();
    const ranges: ByteRange[] = [];
    for (let pair = 0; pair < pairs.length; pair += 2) {
      const start = at + (pairs[pair] as number);
      at = start + (pairs[pair + 1] as number);
      ranges.push({ start, end: at });
    }
    return ranges;
  });
  return { kind: 'encapsulated', frames };
}

function decodeBulk(value: unknown): BulkValue {
  if (!Array.isArray(value)) throw corrupt();
  const [path, vr, start, length] = value as readonly unknown[];
  if (typeof path !== 'string' || typeof vr !== 'string' || !isCount(start) || !isCount(length)) throw corrupt();
  return { path, vr, start, end: start + length };
}

/** Reads what `encodeLayout` wrote. Throws CORRUPT for anything else. */
export function decodeLayout(text: string): InstanceLayout {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw corrupt(error);
  }
  if (typeof value !== 'object' || value === null) throw corrupt();
  const { d, p, b } = value as { d?: unknown; p?: unknown; b?: unknown };
  if ((p !== undefined && !Array.isArray(p)) || (b !== undefined && !Array.isArray(b))) throw corrupt();
  const kind: unknown = p?.[0];
  if (p !== undefined && kind !== 'n' && kind !== 'e') throw corrupt();
  return {
    deflated: d === 1,
    pixels: p === undefined ? null : kind === 'n' ? decodeNative(p) : decodeEncapsulated(p),
    bulk: (b ?? []).map(decodeBulk),
  };
}

/** Where one frame lies. */
export interface FrameRanges {
  /** The frame is the concatenation of these bytes of the instance (or of its inflated data set: `layout.deflated`). */
  readonly ranges: readonly ByteRange[];
  /** Native frames of 1 bit a pixel may begin inside of a byte: the frame's first bit is this bit (0 = least significant) of the first byte. */
  readonly bitOffset: number;
  /** Bits that are the frame's; null for encapsulated frames, which are all of their bytes. */
  readonly bits: number | null;
}

/** How many frames can be given. */
export function frameCount(layout: InstanceLayout): number {
  const { pixels } = layout;
  return pixels === null ? 0 : pixels.kind === 'native' ? pixels.frames : pixels.frames.length;
}

/** The byte ranges of `frame`, counted from 1 as PS3.18 does. Throws NOT_FOUND for a frame that is not there. */
export function frameRanges(layout: InstanceLayout, frame: number): FrameRanges {
  const { pixels } = layout;
  const count = frameCount(layout);
  if (pixels === null || !Number.isInteger(frame) || frame < 1 || frame > count) {
    throw new ArchiveError('NOT_FOUND', `the instance has ${count} frames, and no frame ${frame}`);
  }
  if (pixels.kind === 'encapsulated') {
    return { ranges: pixels.frames[frame - 1] ?? [], bitOffset: 0, bits: null };
  }
  const firstBit = (frame - 1) * pixels.frameBits;
  const start = pixels.start + Math.floor(firstBit / 8);
  const end = pixels.start + Math.ceil((firstBit + pixels.frameBits) / 8);
  return { ranges: [{ start, end }], bitOffset: firstBit % 8, bits: pixels.frameBits };
}

/**
 * The bytes of a native frame that begins at `bitOffset` of `bytes`: shifted to bit 0, unused bits of the last byte 0. Returns `bytes`
 * itself when there is nothing to do.
 */
export function alignBits(bytes: Uint8Array, bitOffset: number, bits: number): Uint8Array {
  if (bitOffset === 0 && bits % 8 === 0) return bytes;
  const length = Math.ceil(bits / 8);
  const aligned = new Uint8Array(length);
  for (let at = 0; at < length; at++) {
    const low = (bytes[at] ?? 0) >> bitOffset;
    aligned[at] = bitOffset === 0 ? low : low | ((bytes[at + 1] ?? 0) << (8 - bitOffset));
  }
  if (bits % 8 !== 0) aligned[length - 1] = (aligned[length - 1] ?? 0) & ((1 << (bits % 8)) - 1);
  return aligned;
}
