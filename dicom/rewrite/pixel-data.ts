// Pixel Data as a whole element, frame by frame: native (PS3.5 8.1.1, A.2) or in fragments (A.4). One frame is held:
// whoever makes them may work ahead.
import { ArchiveError } from '../../tiering/core/errors.js';
import type { Frame } from '../codecs/frame.js';
import { frameBytes } from '../codecs/frame-size.js';
import { UNDEFINED_LENGTH } from '../scan/element-header.js';
import { OB, type Vr, vrNamed } from '../vr.js';
import { BitPacker } from './bit-packer.js';
import { ChunkWriter } from './chunk-writer.js';

const PIXEL_DATA = 0x7fe00010;
/** The longest even value. */
const VALUE_BYTES_MAX = 0xfffffffe;
const PAD = Uint8Array.of(0);
const OW = vrNamed('OW') as Vr;

export interface FrameSource {
  /** Frame 1: it was asked for first, since it says what the others are. */
  readonly first: Frame;
  readonly count: number;
  /** Frame `n`, from 1. */
  readonly frame: (n: number) => Promise<Frame>;
}

async function* inOrder({ first, count, frame }: FrameSource): AsyncGenerator<Frame, void, void> {
  for (let n = 1; n <= count; n++) yield n === 1 ? first : await frame(n);
}

/** How many bits each frame has. CORRUPT when the first frame's bytes are not as many as its description says. */
function bitsOfEach({ pixels, bytes }: Frame): number {
  const expected = frameBytes(pixels);
  if (bytes.length !== expected) {
    throw new ArchiveError('CORRUPT', `frame 1 has ${bytes.length} bytes, and its description asks for ${expected}`);
  }
  return pixels.bitsAllocated === 1 ? pixels.rows * pixels.columns * pixels.samplesPerPixel : expected * 8;
}

/** Native Pixel Data. Throws LIMIT, before anything is given, when all frames together are more than one value holds (4 GiB). */
export function nativePixelData(source: FrameSource): AsyncIterable<Uint8Array> {
  const { pixels } = source.first;
  const frameBits = bitsOfEach(source.first);
  const length = Math.ceil((frameBits * source.count) / 8);
  if (length > VALUE_BYTES_MAX) {
    throw new ArchiveError(
      'LIMIT',
      `the ${source.count} frames are ${length} bytes when they are not compressed, more than one Pixel Data value can hold: ` +
        'ask for the instance as it is stored, or for its frames',
    );
  }
  return nativePieces(source, frameBits, length, pixels.bitsAllocated > 8 ? OW : OB);
}

async function* nativePieces(
  source: FrameSource,
  frameBits: number,
  length: number,
  vr: Vr,
): AsyncGenerator<Uint8Array, void, void> {
  const out = new ChunkWriter();
  out.header(PIXEL_DATA, vr, length + (length % 2));
  yield out.take();
  const expected = Math.ceil(frameBits / 8);
  const packer = frameBits % 8 === 0 ? null : new BitPacker();
  let n = 0;
  for await (const { bytes } of inOrder(source)) {
    n++;
    if (bytes.length !== expected) {
      throw new ArchiveError('CORRUPT', `frame ${n} has ${bytes.length} bytes, and frame 1 has ${expected}`);
    }
    yield packer === null ? bytes : packer.push(bytes, frameBits);
  }
  if (packer !== null) yield packer.end();
  if (length % 2 === 1) yield PAD;
}

/** Encapsulated Pixel Data: an empty Basic Offset Table, since the frames come one by one, and one fragment a frame. */
export async function* encapsulatedPixelData(source: FrameSource): AsyncGenerator<Uint8Array, void, void> {
  const out = new ChunkWriter();
  out.header(PIXEL_DATA, OB, UNDEFINED_LENGTH);
  out.item(0);
  let n = 0;
  for await (const { bytes } of inOrder(source)) {
    n++;
    if (bytes.length === 0 || bytes.length > VALUE_BYTES_MAX) {
      throw new ArchiveError('CORRUPT', `frame ${n} has ${bytes.length} bytes, which is no fragment`);
    }
    const odd = bytes.length % 2 === 1;
    out.item(bytes.length + (odd ? 1 : 0));
    yield out.take();
    yield bytes;
    // The bytes may be freed by now, and have no length.
    if (odd) out.byte(0);
  }
  out.sequenceEnd();
  yield out.take();
}
