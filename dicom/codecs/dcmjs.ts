// JPEG by IJG's libjpeg (with its 12-bit and lossless variants) and JPEG XL by libjxl, both from dcmjs-codecs; and JPEG 2000 of
// colours that OpenJPEG's own wrapper would transform.
import type { Context, NativeCodecs } from 'dcmjs-codecs';
import { corruptFrame, unsupportedFrame } from './codec-error.js';
import type { Frame, PixelDescription } from './frame.js';
import type { J2kHeader } from './j2k-header.js';
import { readJpegHeader } from './jpeg-header.js';
import { readJxlSize } from './jxl-header.js';
import { fitted } from './native.js';
import { precisionOf } from './sample-depth.js';
import { assertStream } from './stream-check.js';
import { WasmLibrary } from './wasm-library.js';

const LOSSLESS = 0xc3;
/** Sequential, extended, progressive and lossless, all with Huffman coding. */
const PROCESSES: ReadonlySet<number> = new Set([0xc0, 0xc1, 0xc2, LOSSLESS]);
/** Where JPEG artefacts end to be seen in film-like images. */
const BASELINE_QUALITY = 90;

interface Library {
  readonly Context: typeof Context;
  readonly codecs: typeof NativeCodecs;
  readonly memory: { readonly buffer: ArrayBuffer };
}

const library = new WasmLibrary<Library>(
  'dcmjs-codecs',
  async () => {
    const { NativeCodecs: codecs, Context: context, log } = (await import('dcmjs-codecs')).default;
    // It writes what the codecs print, which may come from a stream: nowhere but here.
    log.setLevel('silent');
    log.info = noteComplaint;
    // A fresh instance takes the place of the one before, which is collected with all of its memory.
    await codecs.initializeAsync({ logCodecsInfo: true });
    const { wasmApi } = codecs as unknown as { readonly wasmApi: { readonly wasmMemory: Library['memory'] } };
    return { Context: context, codecs, memory: wasmApi.wasmMemory };
  },
  ({ memory }) => memory.buffer.byteLength,
);

/** What libjpeg says of entropy-coded data that does not end where its picture does, while it fills up with grey and goes on. */
const DAMAGE = /Corrupt JPEG data: (?!\d+ extraneous)|Premature end of JPEG file/;
let damaged = false;

function noteComplaint(message: unknown): void {
  damaged ||= DAMAGE.test(String(message));
}

interface Shape {
  readonly bits: number;
  readonly photometric: string;
}

type Buffers = { readonly encodedBuffer: Uint8Array } | { readonly decodedBuffer: Uint8Array };

function contextOf(module: Library, pixels: PixelDescription, shape: Shape, buffers: Buffers): Context {
  return new module.Context({
    width: pixels.columns,
    height: pixels.rows,
    bitsAllocated: shape.bits > 8 ? 16 : 8,
    bitsStored: shape.bits,
    samplesPerPixel: pixels.samplesPerPixel,
    pixelRepresentation: pixels.signed ? 1 : 0,
    planarConfiguration: 0,
    photometricInterpretation: shape.photometric,
    ...buffers,
  });
}

/** The native frame. YBR becomes RGB, but for lossless streams, whose every bit stays. CORRUPT when the stream is not whole or not that of its description. */
export async function decodeJpeg(frame: Frame): Promise<Frame> {
  const { pixels, bytes } = frame;
  const header = readJpegHeader(bytes);
  if (!PROCESSES.has(header.process)) {
    throw unsupportedFrame(`JPEG of process marker 0x${header.process.toString(16)} is only given as stored`);
  }
  assertStream(header, pixels);
  const colour = pixels.samplesPerPixel === 3;
  const convert = colour && pixels.photometric.startsWith('YBR') && header.process !== LOSSLESS;
  const photometric = convert ? 'YBR_FULL' : colour ? 'RGB' : 'MONOCHROME2';
  const samples = await library.run((module) => {
    const context = contextOf(module, pixels, { bits: header.precision, photometric }, { encodedBuffer: bytes });
    damaged = false;
    const decoded = decodedBuffer(module.codecs.decodeJpeg(context, { convertColorspaceToRgb: convert }));
    if (damaged) throw corruptFrame('its entropy-coded data is damaged');
    return decoded;
  });
  return fitted(samples, { ...pixels, photometric: convert ? 'RGB' : pixels.photometric }, false);
}

/** The native frame. CORRUPT when the stream is not whole or not that of its description. */
export async function decodeJpegXl(frame: Frame): Promise<Frame> {
  const { pixels, bytes } = frame;
  const size = readJxlSize(bytes);
  assertStream({ ...size, components: pixels.samplesPerPixel, precision: pixels.bitsStored }, pixels);
  // The samples of the stream are RGB or grey: its own colour transformation is undone by the decoder (PS3.5 8.2.16).
  const photometric = pixels.samplesPerPixel === 3 ? 'RGB' : pixels.photometric;
  const shape = { bits: pixels.bitsAllocated, photometric: pixels.samplesPerPixel === 3 ? 'RGB' : 'MONOCHROME2' };
  const samples = await library.run((module) =>
    decodedBuffer(module.codecs.decodeJpegXl(contextOf(module, pixels, shape, { encodedBuffer: bytes }))),
  );
  return fitted(samples, { ...pixels, photometric }, false);
}

/** JPEG Lossless, Selection Value 1. A native little endian frame, samples interleaved, of 8 or 16 bits. */
export async function encodeJpegLossless(frame: Frame, syntax: string): Promise<Frame> {
  // The format has no sign: with fewer bits than the words have, the sign would be cut off.
  const bits = frame.pixels.signed ? frame.pixels.bitsAllocated : precisionOf(frame);
  const parameters = { lossy: false, predictor: 1, pointTransform: 0 };
  return encodeWith(frame, syntax, bits, (codecs, context) => codecs.encodeJpeg(context, parameters));
}

/** JPEG Baseline, 4:4:4, lossy. A native frame of 8-bit unsigned grey or RGB samples, interleaved. */
export async function encodeJpegBaseline(frame: Frame, syntax: string): Promise<Frame> {
  const { pixels } = frame;
  const visible = pixels.photometric === 'RGB' || pixels.photometric.startsWith('MONOCHROME');
  if (pixels.bitsAllocated !== 8 || pixels.signed || !visible) {
    throw unsupportedFrame('JPEG Baseline is made of unsigned 8-bit grey and RGB only');
  }
  const parameters = { lossy: true, quality: BASELINE_QUALITY };
  const encoded = await encodeWith(frame, syntax, 8, (codecs, context) => codecs.encodeJpeg(context, parameters));
  return pixels.samplesPerPixel === 3 ? { ...encoded, pixels: { ...pixels, photometric: 'YBR_FULL' } } : encoded;
}

/** The samples of a JPEG 2000 codestream with signed components of up to 8 bits. */
export async function decodeSignedBytes({ pixels }: Frame, header: J2kHeader): Promise<Uint8Array> {
  const shape = { bits: header.precision, photometric: pixels.samplesPerPixel === 3 ? 'RGB' : 'MONOCHROME2' };
  return library.run((module) => {
    const context = contextOf(module, { ...pixels, signed: true }, shape, { encodedBuffer: header.codestream });
    return decodedBuffer(module.codecs.decodeJpeg2000(context));
  });
}

/** JPEG 2000, lossless, each component by itself: for three samples that are not RGB. */
export async function encodeJ2kUntransformed(frame: Frame, syntax: string): Promise<Frame> {
  const parameters = { lossy: false, allowMct: 0 };
  return encodeWith(frame, syntax, precisionOf(frame), (codecs, context) => codecs.encodeJpeg2000(context, parameters));
}

async function encodeWith(
  frame: Frame,
  syntax: string,
  bits: number,
  work: (codecs: typeof NativeCodecs, context: Context) => Context,
): Promise<Frame> {
  const { pixels } = frame;
  const shape = { bits, photometric: pixels.samplesPerPixel === 3 ? 'RGB' : 'MONOCHROME2' };
  const bytes = await library.run((module) => {
    const context = contextOf(module, pixels, shape, { decodedBuffer: frame.bytes });
    const encoded = work(module.codecs, context).getEncodedBuffer();
    if (encoded === undefined || encoded.length === 0) throw corruptFrame('the encoder gave nothing');
    return encoded;
  });
  return { syntax, pixels, bytes };
}

function decodedBuffer(context: Context): Uint8Array {
  const bytes = context.getDecodedBuffer();
  if (bytes === undefined) throw corruptFrame('the decoder gave nothing');
  return bytes;
}
