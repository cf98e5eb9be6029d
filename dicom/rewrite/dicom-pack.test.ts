// Every file of the pack in Explicit VR Little Endian: the same metadata but for what describes the samples, the frames that the codecs
// give (for native ones, the first as an independent decoder found it), and dicom-parser takes it.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { type DicomPack, findDicomPack } from '../../test/support/dicom-pack.js';
import { byCodecs, rewritten } from '../../test/support/rewriting.js';
import { codecOf } from '../codecs/codec-table.js';
import { alignBits, frameCount, frameRanges } from '../layout.js';
import { parseInstance } from '../scan/parse-instance.js';
import { EXPLICIT_LITTLE, transferSyntaxOf } from '../transfer-syntax.js';

interface DicomParser {
  parseDicom(bytes: Uint8Array): { string(tag: string): string | undefined };
}
const dicomParser = createRequire(import.meta.url)('dicom-parser') as DicomParser;

const pack = findDicomPack();

describe.skipIf(pack === null)('the files of the DICOM pack in Explicit VR Little Endian', () => {
  const { files, read }: Pick<DicomPack, 'files' | 'read'> = pack ?? { files: [], read: () => Buffer.alloc(0) };
  const native = files.filter(
    (file) => file.expected === 'store' && transferSyntaxOf(file.TransferSyntaxUID ?? '')?.encapsulated === false,
  );

  it('of which the native ones are of four transfer syntaxes', () => {
    expect(native.length).toBe(185);
    expect(new Set(native.map((file) => file.TransferSyntaxUID)).size).toBe(4);
  });

  it.each(native.map((file) => [file.file, file] as const))('%s', async (_, file) => {
    const bytes = read(file);
    const stored = parseInstance(bytes);
    const sent = await rewritten(bytes, { pieceBytes: 5000 });
    const parsed = parseInstance(sent);
    expect(parsed.transferSyntaxUid).toBe(EXPLICIT_LITTLE);
    expect(JSON.parse(parsed.json)).toEqual(JSON.parse(stored.json));
    expect(parsed.warnings.length).toBeLessThanOrEqual(stored.warnings.length);
    // dicom-parser reads the length of an SV in 16 bits.
    if (file.file !== 'edge/edge_vr_sv_uv_ov_uc_ur.dcm') {
      expect(dicomParser.parseDicom(sent).string('x00080018')).toBe(stored.sopUid);
    }
    if (file.first_frame === undefined || parsed.layout.pixels === null) return;
    const { ranges, bitOffset, bits } = frameRanges(parsed.layout, 1);
    const frame = Buffer.concat(ranges.map(({ start, end }) => sent.subarray(start, end)));
    const aligned = bits === null ? frame : alignBits(frame, bitOffset, bits);
    expect(createHash('sha256').update(aligned).digest('hex')).toBe(file.first_frame.sha256);
  });

  const encapsulated = files.filter(
    ({ expected, first_frame, TransferSyntaxUID: uid }) =>
      expected === 'store' &&
      first_frame !== undefined &&
      transferSyntaxOf(uid ?? '')?.encapsulated === true &&
      codecOf(uid ?? '') !== undefined,
  );

  it('and the encapsulated ones that can be decoded of seventeen', () => {
    expect(encapsulated.length).toBe(111);
    expect(new Set(encapsulated.map((file) => file.TransferSyntaxUID)).size).toBe(17);
  });

  it.each(encapsulated.map((file) => [file.file, file] as const))('%s', async (_, file) => {
    const bytes = read(file);
    const stored = parseInstance(bytes);
    const frame = byCodecs(bytes, EXPLICIT_LITTLE);
    const sent = await rewritten(bytes, { pieceBytes: 5000, frame });
    const parsed = parseInstance(sent);
    expect(othersOf(parsed.json)).toEqual(othersOf(stored.json));
    expect(dicomParser.parseDicom(sent).string('x00080018')).toBe(stored.sopUid);
    const count = frameCount(stored.layout);
    expect(frameCount(parsed.layout)).toBe(count);
    for (const n of [1, count]) {
      const { ranges, bitOffset, bits } = frameRanges(parsed.layout, n);
      const whole = Buffer.concat(ranges.map(({ start, end }) => sent.subarray(start, end)));
      const { bytes: expected } = await frame(n);
      expect(
        (bits === null ? whole : alignBits(whole, bitOffset, bits)).every((byte, at) => byte === expected[at]),
      ).toBe(true);
    }
  });
});

/** The attributes that are not of the samples. */
function othersOf(json: string): Record<string, unknown> {
  const all = JSON.parse(json) as Record<string, unknown>;
  const kept = Object.entries(all).filter(([tag]) => !/^(00280004|00280006|0028010[0-3]|7FE0....)$/.test(tag));
  return Object.fromEntries(kept);
}
