// JPEG-LS by CharLS, lossless and near-lossless.
import { corruptFrame, unsupportedFrame } from './codec-error.js';
import type { Frame } from './frame.js';
import { readJpegHeader } from './jpeg-header.js';
import { fitted, interleaved } from './native.js';
import { precisionOf } from './sample-depth.js';
import { assertStream } from './stream-check.js';
import { quiet, WasmLibrary } from './wasm-library.js';

const SOF_JPEG_LS = 0xf7;

const charls = new WasmLibrary(
  'CharLS',
  async () => (await import('@cornerstonejs/codec-charls/wasmjs')).default(quiet()),
  (module) => module.HEAPU8.length,
);

/** The native frame. CORRUPT when the stream is not whole or not that of its description. */
export async function decodeJpegLs(frame: Frame): Promise<Frame> {
  const { pixels, bytes } = frame;
  const header = readJpegHeader(bytes);
  if (header.process !== SOF_JPEG_LS) throw corruptFrame('it is a JPEG stream, not a JPEG-LS one');
  assertStream(header, pixels);
  const samples = await charls.run((module) => {
    const decoder = new module.JpegLSDecoder();
    try {
      decoder.getEncodedBuffer(bytes.length).set(bytes);
      decoder.decode();
      const decoded = Uint8Array.from(decoder.getDecodedBuffer());
      const planar = decoder.getInterleaveMode() === 0 && header.components > 1;
      const wide = header.precision > 8 ? 16 : 8;
      return planar ? interleaved({ ...pixels, planar, bitsAllocated: wide }, decoded) : decoded;
    } finally {
      decoder.delete();
    }
  });
  return fitted(samples, pixels, false);
}

/** A native little endian frame, samples interleaved, of 8 or 16 bits. */
export async function encodeJpegLs(frame: Frame, syntax: string): Promise<Frame> {
  const { pixels } = frame;
  // The format has no sign: with fewer bits than the words have, the sign would be cut off.
  const precision = pixels.signed ? pixels.bitsAllocated : Math.max(2, precisionOf(frame));
  const info = {
    width: pixels.columns,
    height: pixels.rows,
    bitsPerSample: precision,
    componentCount: pixels.samplesPerPixel,
  };
  const bytes = await charls.run((module) => {
    const encoder = new module.JpegLSEncoder();
    try {
      encoder.getDecodedBuffer(info).set(frame.bytes);
      encoder.setNearLossless(0);
      encoder.setInterleaveMode(pixels.samplesPerPixel === 1 ? 0 : 2);
      try {
        encoder.encode();
      } catch (error) {
        // It makes room for as many bytes as it is given, which noise of all bits does not fit into.
        if (typeof error !== 'number') throw error;
        throw unsupportedFrame('these samples are no shorter as JPEG-LS');
      }
      return Uint8Array.from(encoder.getEncodedBuffer());
    } finally {
      encoder.delete();
    }
  });
  return { syntax, pixels, bytes };
}
