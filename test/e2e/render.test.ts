// What is rendered beside what DCMTK makes of the same file: every image of the DICOM pack, from the real archive through the real
// threads, as PNG. DCMTK is given the instance in Explicit VR Little Endian, so that it needs no codec.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DicomJson } from '../../dicom/json/json-object.js';
import { numberOf, textOf } from '../../dicom/json/json-object.js';
import { parseInstance } from '../../dicom/scan/parse-instance.js';
import { transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import { createPixelPool, type PixelPool } from '../../workers/pixel-pool.js';
import { ArchiveRig } from '../support/archive-rig.js';
import { findDicomPack, type PackFile } from '../support/dicom-pack.js';
import { DicomwebRig } from '../support/dicomweb-rig.js';

function hasDcmtk(): boolean {
  try {
    execFileSync('dcm2pnm', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Grey levels of 255 by which two renderings may differ on average: rounding, and how a decoder spreads chrominance. */
const MEAN_DIFFERENCE_MAX = 1;

/** What is rendered otherwise on purpose, or cannot be compared, and why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  ...because('DCMTK does not read a window whose VR is UN; the dictionary says what it is', [
    'compressed/CTImage.dcm_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90.dcm',
    'compressed/CTImage.dcm_JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91.dcm',
    'compressed/CTImage.dcm_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm',
  ]),
  ...because('its pixels are not square, and DCMTK leaves them so', [
    'native/color-pl.dcm',
    'native/color-px.dcm',
    'native/mr_brucker.dcm',
    'studies/6293',
    'studies/6924',
  ]),
  ...because('DCMTK does not read colour of 32 bits', [
    'compressed/SC_rgb_rle_32bit.dcm',
    'compressed/SC_rgb_rle_32bit_2frame.dcm',
    'native/SC_rgb_32bit.dcm',
    'native/SC_rgb_expb_32bit.dcm',
  ]),
  ...because('DCMTK does not show the colours of a supplemental palette', ['native/eCT_Supplemental.dcm']),
  ...because('DCMTK does not read segmented palettes', ['native/gdcm-US-ALOKA-16_big.dcm']),
  ...because('DCMTK does not read pixels that are floats', [
    'native/parametric_map_float.dcm',
    'native/parametric_map_double_float.dcm',
  ]),
  ...because('a label map is stretched from its least label to its greatest, since a label is no brightness', [
    'native/seg_image_sm_control_labelmap.dcm',
  ]),
};

function because(reason: string, files: readonly string[]): Record<string, string> {
  return Object.fromEntries(files.map((file) => [file, reason]));
}

const pack = findDicomPack();
const images = inRounds(
  (pack?.files ?? []).filter(
    (file) =>
      file.expected === 'store' &&
      file.first_frame !== undefined &&
      transferSyntaxOf(file.TransferSyntaxUID ?? '')?.video !== true,
  ),
);

/** The pack holds many forms of one instance, which exclude each other in one archive: first one of each, then the second of each. */
function inRounds(files: readonly PackFile[]): readonly PackFile[] {
  const seen = new Map<string | null, number>();
  const round = files.map(({ SOPInstanceUID: sop }) => {
    const count = seen.get(sop) ?? 0;
    seen.set(sop, count + 1);
    return count;
  });
  return files.toSorted((a, b) => (round[files.indexOf(a)] ?? 0) - (round[files.indexOf(b)] ?? 0));
}

/** What DCMTK is told, so that it looks at the same values: it chooses no window by itself. */
function windowOptions(json: DicomJson): readonly string[] {
  if (!textOf(json, '00280004')?.startsWith('MONOCHROME')) return [];
  if (json['00283010']?.Value !== undefined) return ['+Wl', '1'];
  if (numberOf(json, '00281051') !== null) return ['+Wi', '1'];
  const bits = numberOf(json, '00280101') ?? 16;
  // Without a window DCMTK shows a 1 of 1 bit as half grey.
  return bits > 1 && bits <= 8 ? [] : ['+Wm'];
}

interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Buffer;
}

async function rgb(bytes: Buffer): Promise<Pixels> {
  const { data, info } = await sharp(bytes)
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

function meanDifference(a: Pixels, b: Pixels): number {
  let sum = 0;
  for (let at = 0; at < a.data.length; at++) sum += Math.abs((a.data[at] ?? 0) - (b.data[at] ?? 0));
  return sum / a.data.length;
}

describe.skipIf(pack === null || !hasDcmtk())('rendering beside DCMTK, over the DICOM pack', () => {
  const folder = mkdtempSync(join(tmpdir(), 'filmroom-render-'));
  let pool: PixelPool;
  let archives: ArchiveRig;
  let rig: DicomwebRig;
  const stored = new Set<string>();

  async function restart(): Promise<void> {
    await rig?.stop();
    await archives?.destroy();
    archives = await ArchiveRig.create();
    rig = await DicomwebRig.start({ archive: await archives.open(), pixels: pool });
    stored.clear();
  }
  beforeAll(async () => {
    pool = createPixelPool();
    await restart();
  });
  afterAll(async () => {
    await rig.stop();
    await archives.destroy();
    await pool.close();
    rmSync(folder, { recursive: true });
  });

  function dcmtk(part10: Buffer, options: readonly string[]): Buffer {
    const input = join(folder, 'in.dcm');
    const output = join(folder, 'out.png');
    writeFileSync(input, part10);
    execFileSync('dcm2pnm', ['--write-png', '+F', '1', '-a', ...options, input, output], { stdio: 'pipe' });
    return readFileSync(output);
  }

  async function store(file: PackFile): Promise<{ readonly path: string; readonly json: DicomJson }> {
    const bytes = pack?.read(file) ?? Buffer.alloc(0);
    const instance = parseInstance(bytes);
    if (stored.has(instance.sopUid)) await restart();
    stored.add(instance.sopUid);
    // 202 is with warnings.
    expect([200, 202]).toContain((await rig.stow([bytes])).status);
    const path = `/dicomweb/studies/${instance.studyUid}/series/${instance.seriesUid}/instances/${instance.sopUid}`;
    return { path, json: JSON.parse(instance.json) as DicomJson };
  }

  async function check(file: PackFile): Promise<void> {
    const { path, json } = await store(file);
    const ours = await rig.call(`${path}/frames/1/rendered?accept=image/png`);
    expect([ours.status, ours.status === 200 ? '' : ours.body.toString()]).toEqual([200, '']);
    const native = await rig.call(path, { headers: { Accept: 'application/dicom' } });
    expect(native.status).toBe(200);
    const theirs = await rgb(dcmtk(native.body, windowOptions(json)));
    const mine = await rgb(ours.body);
    expect([mine.width, mine.height]).toEqual([theirs.width, theirs.height]);
    expect(meanDifference(mine, theirs)).toBeLessThanOrEqual(MEAN_DIFFERENCE_MAX);
  }

  it.each(images.filter(({ file }) => EXCEPTIONS[file] === undefined).map((file) => [file.file, file] as const))(
    '%s',
    async (_, file) => {
      await check(file);
    },
  );

  it.each(Object.entries(EXCEPTIONS))('%s is rendered otherwise: %s', async (file) => {
    const { path } = await store(pack?.entry(file) as PackFile);
    const { width, height, data } = await rgb((await rig.call(`${path}/frames/1/rendered?accept=image/png`)).body);
    expect(data.length).toBe(width * height * 3);
    // Something is to be seen.
    expect(new Set(data).size).toBeGreaterThan(1);
  });
});
