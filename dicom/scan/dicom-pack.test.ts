// The parser against 398 real and deliberately damaged files with independently made truth: what is taken, what is
// refused, names, identity (with two other parsers as witnesses) and the bytes of the first frame.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type DicomPack, findDicomPack, type PackFile } from '../../test/support/dicom-pack.js';
import { DicomError } from '../dicom-error.js';
import type { InstanceLayout, ParsedInstance } from '../instance.js';
import { alignBits, decodeLayout, encodeLayout, frameRanges } from '../layout.js';
import { levelAttributesOfJson } from '../level-attributes.js';
import { transferSyntaxOf } from '../transfer-syntax.js';
import { parseInstance } from './parse-instance.js';

/** Rejects of the manifest that are stored, each because its `also_acceptable` says so: docs/dicom-acceptance.md has the reasons. */
const STORED_WITH_REASON: ReadonlyMap<string, string | null> = new Map([
  ['bad/CTImageStorage_bad_meta.dcm', null],
  ['bad/dim_huge_tiny_pixels.dcm', 'PIXEL_LENGTH'],
  ['bad/enc_bot_offsets_out_of_range.dcm', 'PIXEL_LENGTH'],
  ['bad/enc_frames_more_than_fragments.dcm', 'PIXEL_LENGTH'],
  ['bad/enc_garbage_codestream.dcm', null],
  ['bad/enc_no_seq_delimiter.dcm', 'PIXEL_LENGTH'],
  ['bad/frames_huge_count.dcm', 'PIXEL_LENGTH'],
  ['bad/len_odd_value.dcm', 'ODD_LENGTH'],
]);

interface JsonElement {
  readonly vr: string;
  readonly Value?: readonly unknown[];
  readonly BulkDataURI?: string;
}
type JsonDataset = Readonly<Record<string, JsonElement>>;

function jsonOf(parsed: ParsedInstance): JsonDataset {
  return JSON.parse(parsed.json) as JsonDataset;
}

function nameOf(dataset: JsonDataset): string {
  const name = dataset['00100010']?.Value?.[0] as Readonly<Record<string, string>> | undefined;
  const groups = [name?.['Alphabetic'] ?? '', name?.['Ideographic'] ?? '', name?.['Phonetic'] ?? ''];
  return groups.join('=').replace(/=+$/, '');
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What the layout's offsets are of: the file, or its inflated data set. */
function addressed(bytes: Buffer, layout: InstanceLayout): Buffer {
  if (!layout.deflated) return bytes;
  const metaEnd = 144 + bytes.readUInt32LE(140);
  return inflateRawSync(bytes.subarray(metaEnd));
}

function firstFrame(bytes: Buffer, layout: InstanceLayout): Uint8Array {
  const source = addressed(bytes, layout);
  const { ranges, bitOffset, bits } = frameRanges(layout, 1);
  const whole = Buffer.concat(ranges.map(({ start, end }) => source.subarray(start, end)));
  return bits === null ? whole : alignBits(whole, bitOffset, bits);
}

function refusalOf(bytes: Uint8Array): unknown {
  try {
    parseInstance(bytes);
  } catch (error) {
    return error;
  }
  return null;
}

const pack = findDicomPack();

describe.skipIf(pack === null)('the DICOM pack', () => {
  // The body is collected even where the suite is skipped.
  const { files, read }: Pick<DicomPack, 'files' | 'read'> = pack ?? { files: [], read: () => Buffer.alloc(0) };
  const stores = files.filter((file) => file.expected === 'store');
  const rejects = files.filter((file) => file.expected === 'reject');

  it('has the 300 files to store and 98 to reject that the tables below are about', () => {
    expect([stores.length, rejects.length]).toEqual([300, 98]);
  });

  it.each(stores.map((file) => [file.file, file] as const))('takes %s with its identity and name', (_, file) => {
    const parsed = parseInstance(read(file));
    const dataset = jsonOf(parsed);
    expect(parsed.studyUid).toBe(file.StudyInstanceUID);
    expect(parsed.seriesUid).toBe(file.SeriesInstanceUID);
    expect(parsed.sopUid).toBe(file.SOPInstanceUID);
    expect(parsed.sopClassUid).toBe(file.SOPClassUID);
    expect(parsed.transferSyntaxUid).toBe(file.TransferSyntaxUID);
    expect(nameOf(dataset)).toBe(file.PatientName ?? '');
    expect(dataset['00080060']?.Value?.[0] ?? null).toBe(file.Modality);
    expect(dataset['00280010']?.Value?.[0] ?? null).toBe(file.Rows);
    expect(dataset['00280011']?.Value?.[0] ?? null).toBe(file.Columns);
  });

  it.each(rejects.map((file) => [file.file, file] as const))(
    'refuses %s, or stores it for a stated reason',
    (_, file) => {
      const error = refusalOf(read(file));
      if (error === null) {
        expect([...STORED_WITH_REASON.keys()]).toContain(file.file);
        expect(file.also_acceptable).toMatch(/^store/);
        const warning = STORED_WITH_REASON.get(file.file);
        if (warning !== null) expect(parseInstance(read(file)).warnings.map(({ kind }) => kind)).toContain(warning);
        return;
      }
      expect(error).toBeInstanceOf(DicomError);
      expect([...STORED_WITH_REASON.keys()]).not.toContain(file.file);
    },
  );

  it('warns where file meta information and data set name different instances, and goes by the data set', () => {
    for (const file of stores.filter((one) => one.meta_MediaStorageSOPInstanceUID !== undefined)) {
      const parsed = parseInstance(read(file));
      expect(parsed.sopUid).not.toBe(file.meta_MediaStorageSOPInstanceUID);
      expect(parsed.warnings.map(({ kind }) => kind)).toContain('META_MISMATCH');
    }
  });

  it('finds the bytes of the first frame of every encapsulated file', () => {
    const encoded = stores.filter((file) => file.first_frame_encoded !== undefined);
    expect(encoded.length).toBe(114);
    for (const file of encoded) {
      const bytes = read(file);
      const frame = firstFrame(bytes, parseInstance(bytes).layout);
      expect([file.file, sha256(frame)]).toEqual([file.file, file.first_frame_encoded?.sha256]);
    }
  });

  it('finds the bytes of the first frame of every native little endian file', () => {
    const native = stores.filter((file) => isNativeLittle(file) && file.first_frame !== undefined);
    expect(native.length).toBeGreaterThan(130);
    for (const file of native) {
      const bytes = read(file);
      const frame = firstFrame(bytes, parseInstance(bytes).layout);
      expect([file.file, sha256(frame)]).toEqual([file.file, file.first_frame?.sha256]);
    }
  });

  it('gives as many frames as Number of Frames says, video apart', () => {
    for (const file of stores) {
      const { layout, warnings } = parseInstance(read(file));
      const { pixels } = layout;
      const video = transferSyntaxOf(file.TransferSyntaxUID ?? '')?.video ?? false;
      if (pixels === null || warnings.some(({ kind }) => kind === 'PIXEL_LENGTH')) continue;
      const count = pixels.kind === 'native' ? pixels.frames : pixels.frames.length;
      expect([file.file, count]).toEqual([file.file, video ? 1 : (file.NumberOfFrames ?? 1)]);
    }
  });

  it('gives every layout back from its stored text', () => {
    for (const file of stores) {
      const { layout } = parseInstance(read(file));
      expect([file.file, decodeLayout(encodeLayout(layout))]).toEqual([file.file, layout]);
    }
  });

  it('gives the same level attributes from the stored metadata as from the bytes', () => {
    for (const file of stores) {
      const parsed = parseInstance(read(file));
      expect([file.file, levelAttributesOfJson(parsed.json)]).toEqual([file.file, parsed.attributes]);
      for (const text of Object.values(parsed.attributes)) expect(() => JSON.parse(text)).not.toThrow();
    }
  });

  it('reads the same from a file by ranges as from memory, without reading native pixels', () => {
    for (const file of stores) {
      const bytes = read(file);
      let most = 0;
      const ranged = parseInstance({
        size: bytes.length,
        read: (start, end) => {
          most = Math.max(most, end - start);
          return new Uint8Array(bytes.subarray(start, end));
        },
      });
      expect([file.file, ranged]).toEqual([file.file, parseInstance(bytes)]);
      if (!ranged.layout.deflated) expect(most).toBeLessThanOrEqual(64 * 1024);
    }
  });

  it('agrees with dicom-parser about who every instance is', () => {
    for (const file of stores) {
      const bytes = read(file);
      // It wants a preamble.
      if (bytes.toString('latin1', 128, 132) !== 'DICM') continue;
      const parsed = parseInstance(bytes);
      expect([file.file, ...identityByDicomParser(bytes)]).toEqual([
        file.file,
        parsed.studyUid,
        parsed.seriesUid,
        parsed.sopUid,
      ]);
    }
  });

  it('agrees with dcmjs about who every instance is, where dcmjs can read it', () => {
    let read_ = 0;
    for (const file of stores) {
      const bytes = read(file);
      const witness = identityByDcmjs(bytes);
      if (witness === null) continue;
      read_++;
      const parsed = parseInstance(bytes);
      expect([file.file, ...witness]).toEqual([file.file, parsed.studyUid, parsed.seriesUid, parsed.sopUid]);
    }
    expect(read_).toBeGreaterThan(250);
  });
});

function isNativeLittle(file: PackFile): boolean {
  const syntax = transferSyntaxOf(file.TransferSyntaxUID ?? '');
  return syntax !== undefined && !syntax.encapsulated && !syntax.bigEndian;
}

const require = createRequire(import.meta.url);

interface DicomParser {
  parseDicom(bytes: Uint8Array, options: object): { string(tag: string): string | undefined };
}

function identityByDicomParser(bytes: Buffer): (string | undefined)[] {
  const parser = require('dicom-parser') as DicomParser;
  const inflater = (whole: Uint8Array, position: number): Uint8Array =>
    Buffer.concat([whole.subarray(0, position), inflateRawSync(whole.subarray(position))]);
  const dataset = parser.parseDicom(bytes, { inflater, untilTag: 'x00280010' });
  return ['x0020000d', 'x0020000e', 'x00080018'].map((tag) => dataset.string(tag));
}

interface Dcmjs {
  readonly data: {
    readonly DicomMessage: { readFile(bytes: ArrayBuffer, options: object): { readonly dict: JsonDataset } };
  };
  readonly log: { setLevel(level: string): void; getLogger(name: string): { setLevel(level: string): void } };
}

/** null when dcmjs gives up: it cannot read several character sets and some more (LIBRARIES.md 2). */
function identityByDcmjs(bytes: Buffer): unknown[] | null {
  const dcmjs = require('dcmjs') as Dcmjs;
  // It prints patient values.
  dcmjs.log.setLevel('silent');
  dcmjs.log.getLogger('validation.dcmjs').setLevel('silent');
  try {
    const { dict } = dcmjs.data.DicomMessage.readFile(new Uint8Array(bytes).buffer, { untilTag: '00280010' });
    return ['0020000D', '0020000E', '00080018'].map((tag) => dict[tag]?.Value?.[0]);
  } catch {
    return null;
  }
}
