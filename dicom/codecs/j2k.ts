// JPEG 2000 by OpenJPEG and HTJ2K by OpenJPH: two libraries, one family of codestreams.
import { HTJ2K_LOSSLESS_RPCL } from '../transfer-syntax.js';
import { corruptFrame, unsupportedFrame } from './codec-error.js';
import { decodeSignedBytes } from './dcmjs.js';
import type { Frame, PixelDescription } from './frame.js';
import { type J2kHeader, readJ2kHeader } from './j2k-header.js';
import { fitted } from './native.js';
import { precisionOf } from './sample-depth.js';
import { assertStream } from './stream-check.js';
import { quiet, WasmLibrary } from './wasm-library.js';

/** OpenJPEG's usual number. It refuses more halvings than the shorter side has. */
const DECOMPOSITIONS = 5;

/** OpenJPEG tells its console alone that it could not decode a tile. */
let failed = false;
const noteFailure = (line: string): void => {
  failed ||= line.startsWith('[ERROR]');
};

const openjpeg = new WasmLibrary(
  'OpenJPEG',
  async () => (await import('@cornerstonejs/codec-openjpeg/wasmjs')).default(quiet(noteFailure)),
  (module) => module.HEAPU8.length,
);

const openjph = new WasmLibrary(
  'OpenJPH',
  async () => (await import('@cornerstonejs/codec-openjph/wasmjs')).default(quiet()),
  (module) => module.HEAPU8.length,
);

/** The native frame. CORRUPT when the codestream is not whole or not that of its description. */
export async function decodeJ2k(frame: Frame): Promise<Frame> {
  const header = checkedHeader(frame);
  // OpenJPEG's wrapper gives 0 for every negative sample of up to 8 bits.
  if (header.signed && header.precision <= 8) return decoded(frame, header, await decodeSignedBytes(frame, header));
  return decoded(frame, header, await openjpeg.run((module) => decodeWith(new module.J2KDecoder(), header)));
}

/** As decodeJ2k. */
export async function decodeHtj2k(frame: Frame): Promise<Frame> {
  const header = checkedHeader(frame);
  return decoded(frame, header, await openjph.run((module) => decodeWith(new module.HTJ2KDecoder(), header)));
}

function checkedHeader({ bytes, pixels }: Frame): J2kHeader {
  const header = readJ2kHeader(bytes);
  assertStream(header, pixels);
  if (!header.uniform)
    throw unsupportedFrame('JPEG 2000 components of different size or depth are only given as stored');
  return header;
}

function decodeWith(decoder: CodecDecoder, header: J2kHeader): Uint8Array {
  try {
    failed = false;
    decoder.getEncodedBuffer(header.codestream.length).set(header.codestream);
    decoder.decode();
    if (failed) throw corruptFrame('its packets are damaged');
    const { width, height, componentCount, bitsPerSample } = decoder.getFrameInfo();
    const { columns, rows, components, precision } = header;
    if (width !== columns || height !== rows || componentCount !== components || bitsPerSample !== precision) {
      throw corruptFrame('the decoder gave another picture than the codestream announces');
    }
    return Uint8Array.from(decoder.getDecodedBuffer());
  } finally {
    decoder.delete();
  }
}

function decoded({ pixels }: Frame, header: J2kHeader, samples: Uint8Array): Frame {
  const rct = pixels.photometric === 'YBR_RCT' || pixels.photometric === 'YBR_ICT';
  const photometric = rct || (header.transformed && pixels.samplesPerPixel === 3) ? 'RGB' : pixels.photometric;
  return fitted(samples, { ...pixels, photometric }, header.signed);
}

/** A native little endian frame, samples interleaved, of 8 or 16 bits; three samples are RGB. */
export async function encodeJ2k(frame: Frame, syntax: string): Promise<Frame> {
  const info = infoOf(frame, true);
  const bytes = await openjpeg.run((module) => {
    const encoder = new module.J2KEncoder();
    encoder.setQuality(true, 0);
    encoder.setDecompositions(Math.min(DECOMPOSITIONS, Math.floor(Math.log2(Math.min(info.width, info.height)))));
    return encodeWith(encoder, info, frame.bytes);
  });
  return { syntax, pixels: transformed(frame.pixels), bytes };
}

/** A native little endian frame, samples interleaved, of 8 or 16 bits. */
export async function encodeHtj2k(frame: Frame, syntax: string): Promise<Frame> {
  const transform = frame.pixels.photometric === 'RGB';
  const info = infoOf(frame, transform);
  const bytes = await openjph.run((module) => {
    const encoder = new module.HTJ2KEncoder();
    encoder.setQuality(true, 0);
    encoder.setProgressionOrder(2);
    if (syntax === HTJ2K_LOSSLESS_RPCL) {
      // PS3.5 A.4.12: resolution by resolution, each a tile-part of its own, and the lengths of all in front.
      encoder.setTLMMarker(true);
      encoder.setTilePartDivisionsAtResolutions(true);
    }
    return encodeWith(encoder, info, frame.bytes);
  });
  return { syntax, pixels: transform ? transformed(frame.pixels) : frame.pixels, bytes };
}

function infoOf(frame: Frame, transform: boolean) {
  const { columns, rows, samplesPerPixel, signed } = frame.pixels;
  return {
    width: columns,
    height: rows,
    bitsPerSample: precisionOf(frame),
    componentCount: samplesPerPixel,
    isSigned: signed,
    isUsingColorTransform: transform && samplesPerPixel === 3,
  };
}

/** The reversible transformation lies in the codestream (PS3.3 C.7.6.3.1.2). */
function transformed(pixels: PixelDescription): PixelDescription {
  return pixels.samplesPerPixel === 3 ? { ...pixels, photometric: 'YBR_RCT' } : pixels;
}

function encodeWith(encoder: CodecEncoder, info: ReturnType<typeof infoOf>, bytes: Uint8Array): Uint8Array {
  try {
    encoder.getDecodedBuffer(info).set(bytes);
    encoder.encode();
    return Uint8Array.from(encoder.getEncodedBuffer());
  } finally {
    encoder.delete();
  }
}
