// What the rewriter writes, in the hands of DCMTK: it dumps every file without a complaint and finds the same in it as in its own
// conversion, and what codecs here encode, it decodes to the stored samples.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { frameCount } from '../../dicom/layout.js';
import { parseInstance } from '../../dicom/scan/parse-instance.js';
import { EXPLICIT_LITTLE, transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import { type DicomPack, findDicomPack } from '../support/dicom-pack.js';
import { byCodecs, rewritten, storedFrameOf } from '../support/rewriting.js';

const pack = findDicomPack();
const hasDcmtk = spawnSync('dcmconv', ['--version']).status === 0;

/** The public dictionary alone, as here: DCMTK also knows some private elements, which then are not UN. */
const ENV = { ...process.env, DCMDICTPATH: publicDictionary() };

function publicDictionary(): string {
  if (!hasDcmtk) return '';
  const { stdout } = spawnSync('find', ['/usr/share', '-name', 'dicom.dic', '-path', '*dcmtk*'], { encoding: 'utf8' });
  return stdout.split('\n')[0] ?? '';
}

/** HTJ2K, JPEG XL, and frames that are deflated or not compressed at all: Debian's DCMTK 3.6.7 reads no file in them. */
const NEWER_THAN_DCMTK = /\.1\.98$|\.8\.1$|\.4\.(?:110|20\d)$/;

/** The data set as text. DCMTK takes spaces and NULs from the end of texts as it writes them again, so lengths of texts are left out. */
function dumped(path: string): readonly string[] {
  const options = { encoding: 'latin1', maxBuffer: 2 ** 30, env: ENV } as const;
  const { status, stdout, stderr } = spawnSync('dcmdump', ['-q', '+L', path], options);
  expect([status, stderr]).toEqual([0, '']);
  const lines = stdout.slice(stdout.indexOf('# Dicom-Data-Set')).split('\n');
  return lines.map((line) =>
    line.replace(/ (AE|AS|CS|DA|DS|DT|IS|LO|LT|PN|SH|ST|TM|UC|UI|UR|UT) (.*?) *# *\d+,/, ' $1 $2 #'),
  );
}

/** Up to the pixel data, without what describes it. */
function beforePixels(lines: readonly string[]): readonly string[] {
  const pixels = lines.findIndex((line) => line.startsWith('(7fe0,'));
  expect(pixels).toBeGreaterThan(10);
  // The title names the transfer syntax.
  return lines.slice(2, pixels).filter((line) => !/^\(0028,(0004|0006|010[0-3])\)/.test(line));
}

/** Every frame, joined. */
function pixelsIn(bytes: Buffer): Buffer {
  const count = frameCount(parseInstance(bytes).layout);
  return Buffer.concat(Array.from({ length: count }, (_, at) => storedFrameOf(bytes, at + 1).bytes));
}

describe.skipIf(pack === null || !hasDcmtk)('rewritten instances in DCMTK (needs ../shared/dicom and dcmtk)', () => {
  const { files, read, folder }: Pick<DicomPack, 'files' | 'read' | 'folder'> = pack ?? {
    files: [],
    read: () => Buffer.alloc(0),
    folder: '',
  };
  const stored = files.filter((file) => file.expected === 'store');
  const isEncapsulated = (uid: string | null): boolean => transferSyntaxOf(uid ?? '')?.encapsulated === true;
  const native = stored.filter(({ TransferSyntaxUID: uid }) => !isEncapsulated(uid));
  const decodable = stored.filter((file) => isEncapsulated(file.TransferSyntaxUID) && file.first_frame !== undefined);
  let work = '';

  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), 'filmroom-rewrite-'));
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  it.each(native.map((file) => [file.file, file] as const))('%s is what dcmconv makes of it', async (_, file) => {
    const ours = join(work, 'ours.dcm');
    const theirs = join(work, 'theirs.dcm');
    writeFileSync(ours, await rewritten(read(file)));
    execFileSync('dcmconv', ['-q', '+te', '-g', '-e', join(folder, file.file), theirs], { env: ENV });
    expect(dumped(ours)).toEqual(dumped(theirs));
  });

  it.each(decodable.map((file) => [file.file, file] as const))(
    '%s, decoded, is the same up to its samples',
    async (_, file) => {
      const bytes = read(file);
      const ours = join(work, 'ours.dcm');
      const theirs = join(work, 'theirs.dcm');
      writeFileSync(ours, await rewritten(bytes, { frame: byCodecs(bytes, EXPLICIT_LITTLE) }));
      const lines = dumped(ours);
      if (NEWER_THAN_DCMTK.test(file.TransferSyntaxUID ?? '')) return;
      execFileSync('dcmconv', ['-q', '-g', '-e', join(folder, file.file), theirs], { env: ENV });
      expect(beforePixels(lines)).toEqual(beforePixels(dumped(theirs)));
    },
  );

  const encodable = [
    'native/CTImage.dcm_LittleEndianImplicitTransferSyntax_1.2.840.10008.1.2.dcm',
    'native/MR_small_bigendian.dcm',
    'native/image_dfl.dcm',
    'native/emri_small_big_endian.dcm',
    'native/SC_rgb_expb_2frame.dcm',
    'native/OBXXXX1A_expb.dcm',
  ];
  const decoders: readonly (readonly [name: string, syntax: string, command: readonly string[]])[] = [
    ['RLE', '1.2.840.10008.1.2.5', ['dcmdrle']],
    ['JPEG-LS', '1.2.840.10008.1.2.4.80', ['dcmdjpls']],
    ['JPEG Lossless', '1.2.840.10008.1.2.4.70', ['dcmdjpeg', '+cn']],
  ];
  const cases = decoders.flatMap((each) => encodable.map((file) => [...each, file] as const));
  it.each(cases)('in %s (%s, %s) holds the samples of %s', async (_, syntax, [command = '', ...options], file) => {
    const bytes = read(file);
    const ours = join(work, 'ours.dcm');
    const theirs = join(work, 'theirs.dcm');
    writeFileSync(ours, await rewritten(bytes, { target: syntax, frame: byCodecs(bytes, syntax) }));
    dumped(ours);
    execFileSync(command, [...options, ours, theirs], { env: ENV });
    const back = readFileSync(theirs);
    const plain = await rewritten(bytes);
    expect(pixelsIn(back).equals(pixelsIn(plain))).toBe(true);
  });
});
