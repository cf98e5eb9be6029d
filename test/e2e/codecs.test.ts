// Frames that this server encodes, read by other people's decoders, and theirs read by it: DCMTK (IJG, CharLS, its own RLE) and
// GDCM (OpenJPEG, CharLS, IJG) as programs; for HTJ2K, which neither has, OpenJPEG and the copy of OpenJPH in dcmjs-codecs.
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describePixels } from '../../dicom/codecs/describe.js';
import type { Frame } from '../../dicom/codecs/frame.js';
import { decodeJ2k } from '../../dicom/codecs/j2k.js';
import { decodeFrame, transcode } from '../../dicom/codecs/transcode.js';
import type { DicomJson } from '../../dicom/json/json-object.js';
import { frameRanges } from '../../dicom/layout.js';
import { parseInstance } from '../../dicom/scan/parse-instance.js';
import { EXPLICIT_LITTLE } from '../../dicom/transfer-syntax.js';
import { nativeFrame, SAMPLE_KINDS } from '../support/frames.js';
import { buildPart10, type Element } from '../support/part10-builder.js';

const run = promisify(execFile);
const SECONDARY_CAPTURE = '1.2.840.10008.5.1.4.1.1.7';
const RLE = '1.2.840.10008.1.2.5';
const JPEG_SV1 = '1.2.840.10008.1.2.4.70';
const JPEG_LS = '1.2.840.10008.1.2.4.80';
const J2K = '1.2.840.10008.1.2.4.90';

/** A program and how it turns a file into native Explicit VR Little Endian, or into a compressed one. */
type Tool = readonly [program: string, ...options: string[]];
const DECODERS: readonly (readonly [syntax: string, tool: Tool])[] = [
  [RLE, ['dcmdrle']],
  [JPEG_SV1, ['dcmdjpeg', '+cn']],
  [JPEG_LS, ['dcmdjpls']],
  [RLE, ['gdcmconv', '--raw']],
  [JPEG_SV1, ['gdcmconv', '--raw']],
  [JPEG_LS, ['gdcmconv', '--raw']],
  [J2K, ['gdcmconv', '--raw']],
];
const ENCODERS: readonly (readonly [syntax: string, tool: Tool])[] = [
  [RLE, ['dcmcrle']],
  [JPEG_SV1, ['dcmcjpeg', '+e1']],
  [JPEG_LS, ['dcmcjpls', '+el']],
  [RLE, ['gdcmconv', '--rle']],
  [JPEG_SV1, ['gdcmconv', '--jpeg']],
  [JPEG_LS, ['gdcmconv', '--jpegls']],
  [J2K, ['gdcmconv', '--j2k']],
];

function isThere(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`]);
    return true;
  } catch {
    return false;
  }
}

/** One image of one frame as a file. */
function part10({ syntax, pixels, bytes }: Frame): Buffer {
  const image: readonly Element[] = [
    ['00280002', 'US', pixels.samplesPerPixel],
    ['00280004', 'CS', pixels.photometric],
    ...(pixels.samplesPerPixel === 1 ? [] : [['00280006', 'US', 0] as const]),
    ['00280010', 'US', pixels.rows],
    ['00280011', 'US', pixels.columns],
    ['00280100', 'US', pixels.bitsAllocated],
    ['00280101', 'US', pixels.bitsStored],
    ['00280102', 'US', pixels.highBit],
    ['00280103', 'US', pixels.signed ? 1 : 0],
    syntax === EXPLICIT_LITTLE ? ['7FE00010', 'OW', bytes] : ['7FE00010', 'OB', [bytes]],
  ];
  const uids = { study: '1.2.3', series: '1.2.3.4', sop: '1.2.3.4.5', sopClass: SECONDARY_CAPTURE };
  return buildPart10({ ...uids, transferSyntax: syntax, elements: image });
}

function frameOf(bytes: Buffer): Frame {
  const { layout, json, transferSyntaxUid } = parseInstance(bytes);
  const pieces = frameRanges(layout, 1).ranges.map(({ start, end }) => bytes.subarray(start, end));
  return {
    syntax: transferSyntaxUid,
    pixels: describePixels(JSON.parse(json) as DicomJson),
    bytes: Buffer.concat(pieces),
  };
}

describe('codecs beside those of others', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'filmroom-codecs-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function through([program, ...options]: Tool, frame: Frame): Promise<Frame> {
    const input = join(folder, 'in.dcm');
    const output = join(folder, 'out.dcm');
    await writeFile(input, part10(frame));
    await run(program, [...options, input, output]);
    return frameOf(await readFile(output));
  }

  for (const [syntax, tool] of DECODERS) {
    describe.skipIf(!isThere(tool[0]))(`${tool[0]} reads ${syntax}`, () => {
      it.each(SAMPLE_KINDS)('%s', async (kind) => {
        const frame = nativeFrame(kind, 61, 83, 3);
        const theirs = await through(tool, await transcode(frame, syntax));
        expect(theirs.syntax).toBe(EXPLICIT_LITTLE);
        expect(Buffer.from((await decodeFrame(theirs)).bytes).equals(frame.bytes)).toBe(true);
      });
    });
  }

  for (const [syntax, tool] of ENCODERS) {
    describe.skipIf(!isThere(tool[0]))(`${tool[0]} writes ${syntax}`, () => {
      it.each(SAMPLE_KINDS)('%s', async (kind) => {
        // Even sides: GDCM's RLE encoder aborts at odd ones.
        const frame = nativeFrame(kind, 60, 84, 4);
        const theirs = await through(tool, frame);
        expect(theirs.syntax).toBe(syntax);
        expect(Buffer.from((await decodeFrame(theirs)).bytes).equals(frame.bytes)).toBe(true);
      });
    });
  }

  describe.each(['1.2.840.10008.1.2.4.201', '1.2.840.10008.1.2.4.202'])('%s', (syntax) => {
    it.each(SAMPLE_KINDS)('of %s is read by OpenJPEG and by dcmjs-codecs', async (kind) => {
      const frame = nativeFrame(kind, 61, 83, 5);
      const encoded = await transcode(frame, syntax);
      expect(Buffer.from((await decodeJ2k(encoded)).bytes).equals(frame.bytes)).toBe(true);
      const { NativeCodecs, Context, log } = (await import('dcmjs-codecs')).default;
      log.setLevel('silent');
      await NativeCodecs.initializeAsync();
      const { pixels } = frame;
      const context = NativeCodecs.decodeHtJpeg2000(
        new Context({
          width: pixels.columns,
          height: pixels.rows,
          bitsAllocated: pixels.bitsAllocated,
          bitsStored: pixels.bitsStored,
          samplesPerPixel: pixels.samplesPerPixel,
          pixelRepresentation: pixels.signed ? 1 : 0,
          planarConfiguration: 0,
          photometricInterpretation: pixels.photometric,
          encodedBuffer: encoded.bytes,
        }),
      );
      expect(Buffer.from(context.getDecodedBuffer() ?? []).equals(frame.bytes)).toBe(true);
    });
  });
});
