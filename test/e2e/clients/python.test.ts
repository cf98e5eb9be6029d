// What comes back, read by the tools that researchers and engineers use: pydicom with NumPy and GDCM, and DCMTK; asked for as Python's
// dicomweb-client, MONAI Label and 3D Slicer ask. With the studies on disk and with the clouds alone holding them.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { findDicomPack, REPOSITORY_ROOT } from '../../support/dicom-pack.js';
import { startTier, TIERS, type TieredGateway } from './tiers.js';
import { dcmtk, python } from './viewers.js';

const run = promisify(execFile);
const program = python();
const pack = findDicomPack();
const SCRIPT = join(REPOSITORY_ROOT, 'test', 'e2e', 'clients', 'read_back.py');
const EXPLICIT = '1.2.840.10008.1.2.1';

/** Pixels that pydicom can read as they are stored, so that before and after can be compared. */
const IMAGES = [
  'compressed/CTImage.dcm_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm',
  'compressed/emri_small_jpeg_2k_lossless.dcm',
  'compressed/SC_rgb_rle.dcm',
  'compressed/JPEG-LL.dcm',
  'compressed/MR2_J2KR.dcm',
  'compressed/conv_deflated.dcm',
  'compressed/OBXXXX1A_rle.dcm',
  'native/MR_small_bigendian.dcm',
];

interface Source {
  readonly file: string;
  readonly study: string;
  readonly series: string;
  readonly sop: string;
  /** The patient's name, where it is known. */
  readonly name?: string | null;
  readonly bytes: Uint8Array;
}

interface Report {
  readonly again: number;
  readonly small: number;
  readonly found: Readonly<Record<string, string>>;
  readonly series: readonly string[];
  readonly instances: number;
  readonly modality: number;
  readonly files: readonly {
    readonly sop: string;
    readonly name: string;
    readonly nameFound: string;
    /** What came of it, or `error`. */
    readonly seen: Readonly<Record<string, unknown>>;
  }[];
}

function readBack(url: string, folder: string, sources: readonly Source[]): Promise<Report> {
  return new Promise((resolve, reject) => {
    const child = spawn(program ?? '', [SCRIPT, url, folder], { stdio: ['pipe', 'pipe', 'pipe'], timeout: 100_000 });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.on('data', (data: Buffer) => err.push(data));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(Buffer.concat(out).toString()) as Report);
      else reject(new Error(Buffer.concat(err).toString().slice(-4000)));
    });
    child.stdin.end(JSON.stringify(sources.map(({ file, study, series, sop }) => ({ file, study, series, sop }))));
  });
}

function packSources(): readonly Source[] {
  if (pack === null) return [];
  const seen = new Set<string>();
  return pack.files
    .filter(({ file, expected }) => IMAGES.includes(file) || (file.startsWith('charset/') && expected === 'store'))
    .flatMap((entry) => {
      const { SOPInstanceUID: sop, StudyInstanceUID: study, SeriesInstanceUID: series } = entry;
      if (sop === null || study === null || series === null || seen.has(sop)) return [];
      seen.add(sop);
      const file = join(pack.folder, entry.file);
      return [{ file, study, series, sop, name: entry.PatientName, bytes: pack.read(entry) }];
    });
}

describe.skipIf(program === null || !dcmtk())(
  'Python and DCMTK (needs dcmtk, python3-pydicom, python3-numpy, python3-gdcm, python3-requests)',
  () => {
    let folder: string;
    let sources: readonly Source[];
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'filmroom-python-'));
      const phantoms = [...phantomStudies({ seed: 41, studies: 5, slices: 3, shrink: 8 })];
      sources = [
        ...phantoms.map(({ fileName, study, series, sop, bytes }) => {
          const file = join(folder, fileName);
          return { file, study, series, sop, bytes };
        }),
        ...packSources(),
      ];
      await Promise.all(phantoms.map(({ fileName, bytes }) => writeFile(join(folder, fileName), bytes)));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    describe.each(TIERS)('with the studies %s', (tier) => {
      let gateway: TieredGateway;
      let report: Report;
      let retrieved: string;
      beforeAll(async () => {
        gateway = await startTier(
          tier,
          sources.map(({ bytes }) => bytes),
        );
        retrieved = await mkdtemp(join(folder, 'retrieved-'));
        report = await readBack(gateway.url, retrieved, sources);
      });
      afterAll(() => gateway?.close());

      it('pydicom reads the same data set and the same pixels, as stored and in Explicit VR Little Endian', () => {
        const as = { storedAsSent: true, syntax: EXPLICIT, meta: true, differing: [], pixels: true, frame: true };
        expect(report.files.map(({ sop, seen }) => ({ sop, seen }))).toEqual(
          sources.map(({ sop }) => ({ sop, seen: as })),
        );
      });

      it('names are what was written, in the file and in the search', () => {
        for (const [at, { sop, name }] of sources.entries()) {
          const seen = report.files[at];
          expect(seen?.nameFound, sop).toBe(name ?? seen?.name);
        }
        const names = new Set(report.files.map(({ name }) => name));
        expect(names).toContain('Wang^XiaoDong=王^小东');
      });

      it('a store that is chunked or not, a search that pages and a series as MONAI asks for it all end well', () => {
        const { study, series } = sources[0] ?? expect.fail('no sources');
        const together = sources.filter((source) => source.series === series).length;
        expect(report).toMatchObject({ again: sources.length, small: 1, found: { study, series } });
        expect(report.series).toEqual(Array.from({ length: together }, () => EXPLICIT));
        expect(report.instances).toBe(sources.length);
        expect(report.modality).toBeGreaterThan(0);
      });

      it('dcmdump reads every file that was retrieved, without a warning', async () => {
        const files = await readdir(retrieved);
        expect(files).toHaveLength(sources.length * 2);
        for (const file of files.filter((each) => each.endsWith('.plain.dcm'))) {
          const before = join(retrieved, file.replace('.plain.', '.stored.'));
          const told = await complaints(before);
          // What the original made it say, no copy is asked to be better at.
          expect(await complaints(join(retrieved, file)), file).toEqual(told);
        }
      });

      it('dcmdump finds the names in UTF-8', async () => {
        const chinese = report.files.find(({ name }) => name === 'Wang^XiaoDong=王^小东');
        const words = ['+U8', '+P', '0010,0010', '-s', join(retrieved, `${chinese?.sop}.plain.dcm`)];
        expect((await run('dcmdump', words)).stdout).toContain('[Wang^XiaoDong=王^小东]');
      });
    });
  },
);

/** What dcmdump says beside the dump: warnings and errors, without the name of the file. */
async function complaints(path: string): Promise<readonly string[]> {
  const { stderr } = await run('dcmdump', ['-q', path], { maxBuffer: 64 * 1024 * 1024 }).catch(
    (error: { readonly stderr: string }) => ({ stderr: `failed: ${error.stderr}` }),
  );
  return stderr
    .replaceAll(path, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
}
