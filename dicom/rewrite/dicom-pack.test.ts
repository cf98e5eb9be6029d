// Every native file of the pack that is stored in another transfer syntax, and those that are not, rewritten to Explicit VR Little Endian:
// the same metadata, the same first frame as an independent decoder found, and two other parsers take it.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { type DicomPack, findDicomPack } from '../../test/support/dicom-pack.js';
import { rewritten } from '../../test/support/rewriting.js';
import { alignBits, frameRanges } from '../layout.js';
import { parseInstance } from '../parse-instance.js';
import { EXPLICIT_LITTLE, transferSyntaxOf } from '../transfer-syntax.js';

interface DicomParser {
  parseDicom(bytes: Uint8Array): { string(tag: string): string | undefined };
}
const dicomParser = createRequire(import.meta.url)('dicom-parser') as DicomParser;

const pack = findDicomPack();

describe.skipIf(pack === null)('the native files of the DICOM pack in Explicit VR Little Endian', () => {
  const { files, read }: Pick<DicomPack, 'files' | 'read'> = pack ?? { files: [], read: () => Buffer.alloc(0) };
  const native = files.filter(
    (file) => file.expected === 'store' && transferSyntaxOf(file.TransferSyntaxUID ?? '')?.encapsulated === false,
  );

  it('are of four transfer syntaxes', () => {
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
});
