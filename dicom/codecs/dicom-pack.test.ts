// Decoding of the first frame of every storable image of the DICOM pack, against what independent decoders made of it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type DicomPack, findDicomPack, type PackFrame, REPOSITORY_ROOT } from '../../test/support/dicom-pack.js';
import type { DicomJson } from '../json/json-object.js';
import { alignBits, frameRanges } from '../layout.js';
import { parseInstance } from '../scan/parse-instance.js';
import { EXPLICIT_BIG } from '../transfer-syntax.js';
import { CODEC_LIBRARIES, codecOf } from './codec-table.js';
import { describePixels } from './describe.js';
import type { Frame } from './frame.js';
import { decodeJ2k } from './j2k.js';
import { decodeFrame } from './transcode.js';

const IRREVERSIBLE_HTJ2K: readonly string[] = ['compressed/HTJ2K_08_RGB.dcm', 'compressed/htj2k_203_gray.dcm'];

function storedFrame(bytes: Buffer): Frame {
  const { layout, json, transferSyntaxUid } = parseInstance(bytes);
  const source = layout.deflated ? inflateRawSync(bytes.subarray(144 + bytes.readUInt32LE(140))) : bytes;
  const { ranges, bitOffset, bits } = frameRanges(layout, 1);
  // Words of a big endian frame are whole with the pad byte behind it.
  const pad = (end: number): number => (transferSyntaxUid === EXPLICIT_BIG ? end + (end % 2) : end);
  const whole = Buffer.concat(ranges.map(({ start, end }) => source.subarray(start, pad(end))));
  const pixels = describePixels(JSON.parse(json) as DicomJson);
  return { syntax: transferSyntaxUid, pixels, bytes: bits === null ? whole : alignBits(whole, bitOffset, bits) };
}

function samplesOf({ bytes, pixels }: Frame): number[] {
  if (pixels.bitsAllocated === 8) return [...bytes];
  return [...new Uint16Array(Uint8Array.from(bytes).buffer)];
}

/** As the manifest describes a decoded frame. */
function summary({ bytes, pixels }: Frame) {
  return {
    sha256: createHash('sha256').update(bytes).digest('hex'),
    bytes: bytes.length,
    photometric: pixels.photometric,
    planar: pixels.samplesPerPixel === 1 ? null : pixels.planar ? 1 : 0,
    bitsAllocated: pixels.bitsAllocated,
  };
}

const pack = findDicomPack();

describe.skipIf(pack === null)('decoding the DICOM pack', () => {
  // The body is collected even where the suite is skipped.
  const { files, read }: Pick<DicomPack, 'files' | 'read'> = pack ?? { files: [], read: () => Buffer.alloc(0) };
  const images = files.filter((file) => file.expected === 'store' && file.first_frame !== undefined);

  it('has the 268 images that the cases below are about', () => {
    expect(images.length).toBe(268);
  });

  it.each(images.map((file) => [file.file, file] as const))('decodes %s as another decoder does', async (_, file) => {
    const { sha256, bytes, photometric, planar, bitsAllocated } = file.first_frame as PackFrame;
    const stored = storedFrame(read(file));
    const frame = await decodeFrame(stored);
    const truth = { sha256, bytes, photometric, planar, bitsAllocated };
    // Lossy ones too, to the last bit. Only OpenJPH rounds otherwise than OpenJPEG, which is the witness here.
    if (!IRREVERSIBLE_HTJ2K.includes(file.file)) return expect(summary(frame)).toEqual(truth);
    const witness = await decodeJ2k(stored);
    expect(summary(witness)).toEqual(truth);
    expect(frame.pixels).toEqual(witness.pixels);
    const second = samplesOf(witness);
    expect(samplesOf(frame).filter((sample, at) => Math.abs(sample - (second[at] as number)) > 1)).toHaveLength(0);
  });

  it('refuses what is cut anywhere of every encapsulated image', async () => {
    const encoded = images.filter((file) => file.first_frame_encoded !== undefined);
    for (const file of encoded) {
      const frame = storedFrame(read(file));
      for (const share of [0, 0.1, 0.5, 0.9, 0.99]) {
        // The last byte or two may be padding.
        const end = Math.min(Math.floor(frame.bytes.length * share), frame.bytes.length - 4);
        const cut = { ...frame, bytes: frame.bytes.slice(0, end) };
        const code = await decodeFrame(cut).then(
          () => 'decoded',
          (error: { code: string }) => error.code,
        );
        expect([file.file, share, code]).toEqual([file.file, share, 'CORRUPT']);
      }
    }
    expect(encoded.length).toBeGreaterThan(100);
  });

  it('says of every image without a decoder that it is given as stored', () => {
    const missing = new Set(
      files
        .filter(({ expected, Rows, TransferSyntaxUID: uid }) => expected === 'store' && Rows !== null && uid !== null)
        .map((file) => file.TransferSyntaxUID as string)
        .filter((uid) => codecOf(uid) === undefined),
    );
    // Video.
    expect([...missing].sort()).toEqual(['1.2.840.10008.1.2.4.100', '1.2.840.10008.1.2.4.102']);
  });
});

describe('the codec table', () => {
  it('names packages that are installed with the server', () => {
    const { dependencies } = JSON.parse(readFileSync(join(REPOSITORY_ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const packages = Object.values(CODEC_LIBRARIES).map(({ library }) => library.split(' ')[0] as string);
    expect(packages.filter((name) => name !== 'own' && !name.startsWith('node:') && !(name in dependencies))).toEqual(
      [],
    );
  });
});
