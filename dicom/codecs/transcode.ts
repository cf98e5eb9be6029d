// The door of the codecs: a frame from one transfer syntax into another, through its native form. Runs where it may take its
// time (a worker thread), and holds one frame.
import { EXPLICIT_LITTLE, JPEG_BASELINE } from '../transfer-syntax.js';
import { unsupportedFrame } from './codec-error.js';
import { type CodecName, codecOf } from './codec-table.js';
import { decodeJpeg, decodeJpegXl, encodeJ2kUntransformed, encodeJpegBaseline, encodeJpegLossless } from './dcmjs.js';
import { deflateFrame, inflateFrame } from './deflated-frame.js';
import type { Frame } from './frame.js';
import { assertFrameSize } from './frame-size.js';
import { decodeHtj2k, decodeJ2k, encodeHtj2k, encodeJ2k } from './j2k.js';
import { decodeJpegLs, encodeJpegLs } from './jpegls.js';
import { nativeLittle, plainSamples } from './native.js';
import { decodeRle, encodeRle } from './rle.js';

type Decode = (frame: Frame) => Frame | Promise<Frame>;
/** Is given native little endian samples, interleaved. */
type Encode = (frame: Frame, syntax: string) => Frame | Promise<Frame>;

const DECODERS: Readonly<Record<CodecName, Decode>> = {
  native: nativeLittle,
  rle: decodeRle,
  deflate: inflateFrame,
  jpeg: decodeJpeg,
  jpegls: decodeJpegLs,
  j2k: decodeJ2k,
  htj2k: decodeHtj2k,
  jpegxl: decodeJpegXl,
};

const encodeJpeg: Encode = (frame, syntax) =>
  syntax === JPEG_BASELINE ? encodeJpegBaseline(frame, syntax) : encodeJpegLossless(frame, syntax);

/** OpenJPEG's wrapper always transforms three components, which is right for RGB only. */
const encodeJpeg2000: Encode = (frame, syntax) => {
  const { samplesPerPixel, photometric, bitsAllocated, signed } = frame.pixels;
  // Both wrappers cut signed bytes off at 127.
  if (signed && bitsAllocated === 8) throw unsupportedFrame('signed 8-bit samples do not go into JPEG 2000 here');
  return samplesPerPixel !== 1 && photometric !== 'RGB'
    ? encodeJ2kUntransformed(frame, syntax)
    : encodeJ2k(frame, syntax);
};

const ENCODERS: Readonly<Record<CodecName, Encode | null>> = {
  native: (frame) => frame,
  rle: encodeRle,
  deflate: deflateFrame,
  jpeg: encodeJpeg,
  jpegls: encodeJpegLs,
  j2k: encodeJpeg2000,
  htj2k: encodeHtj2k,
  jpegxl: null,
};

/** Those that take samples of any width. */
const ANY_WIDTH: ReadonlySet<CodecName> = new Set(['native', 'rle', 'deflate']);

/**
 * The frame as native Explicit VR Little Endian. NOT_SUPPORTED for a syntax that no codec here decodes, CORRUPT for bytes that are
 * not what they say or not what the description says, LIMIT for a frame too large.
 */
export async function decodeFrame(frame: Frame): Promise<Frame> {
  const row = codecOf(frame.syntax);
  if (row === undefined) throw unsupportedFrame(`frames of transfer syntax ${frame.syntax} are only given as stored`);
  assertFrameSize(frame);
  const { pixels } = frame;
  const plain = pixels.numbers === 'integer' && [1, 8, 16].includes(pixels.bitsAllocated);
  if (!plain && !ANY_WIDTH.has(row.codec)) {
    throw unsupportedFrame(
      `${pixels.bitsAllocated}-bit samples in transfer syntax ${frame.syntax} are only given as stored`,
    );
  }
  return DECODERS[row.codec](frame);
}

/**
 * The frame in `syntax`, and what its bytes now mean; itself when it is in that already. Lossless, except into JPEG Baseline. NOT_SUPPORTED, CORRUPT and
 * LIMIT as decodeFrame, and NOT_SUPPORTED for samples that the wanted syntax cannot hold.
 */
export async function transcode(frame: Frame, syntax: string): Promise<Frame> {
  if (frame.syntax === syntax) return frame;
  const row = codecOf(syntax);
  const encode = row?.encodes === true ? ENCODERS[row.codec] : null;
  if (row === undefined || encode === null) throw unsupportedFrame(`nothing here encodes transfer syntax ${syntax}`);
  const native = await decodeFrame(frame);
  if (syntax === EXPLICIT_LITTLE) return native;
  const plain = plainSamples(native);
  const { bitsAllocated, numbers } = plain.pixels;
  const holds =
    row.codec === 'deflate' ||
    (numbers === 'integer' && (row.codec === 'rle' || bitsAllocated === 8 || bitsAllocated === 16));
  if (!holds)
    throw unsupportedFrame(`${bitsAllocated}-bit ${numbers} samples do not go into transfer syntax ${syntax}`);
  return encode(plain, syntax);
}
