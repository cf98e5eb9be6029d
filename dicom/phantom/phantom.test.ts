// Phantoms are read by three parsers that did not write them: ours, dicom-parser, and DCMTK where it
// is installed.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import dicomParser from 'dicom-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseInstance } from '../scan/parse-instance.js';
import { ENCAPSULATED_UNCOMPRESSED, EXPLICIT_LE, RLE } from './part10-writer.js';
import { type PhantomInstance, phantomCt, phantomMultiframe, phantomStudies } from './phantom.js';
import { drawChest } from './pixels.js';
import { encodeText } from './text-encoder.js';

const SMALL = { seed: 7, studies: 10, slices: 4, shrink: 16 };

interface JsonElement {
  readonly vr: string;
  readonly Value?: readonly unknown[];
}

function jsonOf(bytes: Uint8Array): Readonly<Record<string, JsonElement>> {
  return JSON.parse(parseInstance(bytes).json) as Readonly<Record<string, JsonElement>>;
}

function digest(instances: Iterable<PhantomInstance>): string {
  const hash = createHash('sha256');
  for (const { fileName, bytes } of instances) hash.update(fileName).update(bytes);
  return hash.digest('hex');
}

function hasDcmtk(): boolean {
  try {
    execFileSync('dcmdump', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('phantomStudies', () => {
  it('gives the same bytes for the same seed and others for another', () => {
    expect(digest(phantomStudies(SMALL))).toBe(digest(phantomStudies(SMALL)));
    expect(digest(phantomStudies({ ...SMALL, seed: 8 }))).not.toBe(digest(phantomStudies(SMALL)));
  });

  it('keeps to the bytes of its first release', () => {
    // Benchmarks and vectors refer to phantoms by seed alone: a change of their bytes is a change of those, made on purpose.
    expect(digest(phantomStudies(SMALL))).toBe('9cfe5a22b701602133a63f028b024933896e73e88326d272aa1a7bf5184e3c45');
  });

  it('is read by the archive without a warning, as what it says it is', () => {
    const names = new Set<string>();
    const sops = new Set<string>();
    const syntaxes = new Set<string>();
    for (const instance of phantomStudies(SMALL)) {
      const parsed = parseInstance(instance.bytes);
      expect(parsed.warnings).toEqual([]);
      expect(parsed).toMatchObject({
        studyUid: instance.study,
        seriesUid: instance.series,
        sopUid: instance.sop,
        transferSyntaxUid: instance.transferSyntax,
      });
      names.add(instance.fileName);
      sops.add(instance.sop);
      syntaxes.add(instance.transferSyntax);
    }
    expect(names.size).toBe(sops.size);
    expect([...syntaxes].toSorted()).toEqual(['1.2.840.10008.1.2', EXPLICIT_LE, RLE]);
  });

  it('is read by dicom-parser: pixels are as long as rows, columns and frames say', () => {
    for (const { bytes, modality, transferSyntax } of phantomStudies(SMALL)) {
      const read = dicomParser.parseDicom(bytes);
      if (modality === 'SR') continue;
      const pixels = read.elements['x7fe00010'];
      const samples =
        (read.uint16('x00280010') ?? 0) * (read.uint16('x00280011') ?? 0) * (read.uint16('x00280002') ?? 0);
      const frames = Number(read.string('x00280008') ?? '1');
      if (transferSyntax === RLE) expect(pixels?.fragments).toHaveLength(frames);
      else expect(pixels?.length).toBe((samples * frames * (read.uint16('x00280100') ?? 0)) / 8);
    }
  });

  it('names Chinese patients alike in UTF-8 and in GB18030, a backslash within a character included', () => {
    const seen = new Map<string, Set<string>>();
    for (const { bytes } of phantomStudies({ ...SMALL, studies: 12 })) {
      const json = jsonOf(bytes);
      const charset = String(json['00080005']?.Value?.[0]);
      const [name] = (json['00100010']?.Value ?? []) as readonly { readonly Ideographic?: string }[];
      if (name?.Ideographic === undefined) continue;
      seen.set(name.Ideographic, (seen.get(name.Ideographic) ?? new Set()).add(charset));
    }
    expect([...seen.keys()]).toEqual(expect.arrayContaining(['王^小东', '陳^錦華', '张^伟']));
    expect(new Set([...seen.values()].flatMap((charsets) => [...charsets]))).toEqual(
      new Set(['ISO_IR 192', 'GB18030']),
    );
    expect(encodeText('錦', 'GB18030')).toEqual(Buffer.from([0xe5, 0x5c]));
    expect(new TextDecoder('gb18030').decode(encodeText('幻影医院A', 'GB18030'))).toBe('幻影医院A');
    expect(() => encodeText('ü', '')).toThrow(/U\+00FC/);
  });

  it('holds private elements, nested sequences and a report with a tree of content', () => {
    const instances = [...phantomStudies({ ...SMALL, studies: 1 })];
    const first = instances[0];
    const last = instances.at(-1);
    if (first === undefined || last === undefined) throw new Error('no phantoms');
    const ct = jsonOf(first.bytes);
    expect(ct['00291003']?.Value).toEqual([1]);
    expect(ct['00291005']?.vr).toBe('SQ');
    expect(ct['00400275']?.Value).toHaveLength(1);
    const sr = jsonOf(last.bytes);
    expect(last.modality).toBe('SR');
    expect(JSON.stringify(sr['0040A730'])).toContain(first.sop);
  });
});

describe('phantomCt', () => {
  it('makes half a mebibyte each, every one with a UID of its own', () => {
    const made = Array.from({ length: 401 }, (_, index) => phantomCt({ seed: 3, index, rows: 8, columns: 8 }));
    expect(new Set(made.map(({ sop }) => sop)).size).toBe(401);
    expect(new Set(made.map(({ series }) => series)).size).toBe(3);
    expect(new Set(made.map(({ study }) => study)).size).toBe(2);
    const { bytes } = phantomCt({ seed: 3, index: 123 });
    expect(bytes.length).toBeGreaterThan(512 * 1024);
    expect(bytes.length).toBeLessThan(515 * 1024);
    expect(bytes.buffer.byteLength).toBe(bytes.length);
  });
});

describe('phantomMultiframe', () => {
  it.each([false, true])('says its length exactly and parses (encapsulated: %s)', async (encapsulated) => {
    const made = phantomMultiframe({ seed: 1, bytes: 3 * 1024 * 1024, encapsulated });
    const pieces: Uint8Array[] = [];
    for await (const piece of made.pieces) pieces.push(piece);
    const bytes = Buffer.concat(pieces);
    expect(bytes.length).toBe(made.bytes);
    expect(made.frames).toBe(5);
    const parsed = parseInstance(bytes);
    expect(parsed).toMatchObject({ sopUid: made.sop, transferSyntaxUid: made.transferSyntax, warnings: [] });
    const { pixels } = parsed.layout;
    expect(pixels?.kind === 'native' ? pixels.frames : pixels?.frames.length).toBe(5);
    expect(dicomParser.parseDicom(bytes).string('x00280008')).toBe('5');
  });

  it('is native up to 4 GiB and encapsulated beyond', () => {
    const gib = 1024 ** 3;
    const small = phantomMultiframe({ seed: 1, bytes: 4 * gib });
    expect(small).toMatchObject({ transferSyntax: EXPLICIT_LE });
    expect(4 * gib - small.bytes).toBeLessThan(1024 * 1024);
    expect(phantomMultiframe({ seed: 1, bytes: 9 * gib })).toMatchObject({ transferSyntax: ENCAPSULATED_UNCOMPRESSED });
  });
});

describe.skipIf(!hasDcmtk())('phantoms in DCMTK (needs dcmftest, dcmdump, dcmdrle)', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'filmroom-phantom-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('every one is a DICOM file that dcmdump reads without complaint', () => {
    const paths = [...phantomStudies({ ...SMALL, studies: 5 })].map(({ fileName, bytes }) => {
      writeFileSync(join(folder, fileName), bytes);
      return join(folder, fileName);
    });
    expect(execFileSync('dcmftest', paths, { encoding: 'utf8' })).not.toMatch(/^no:/m);
    const dump = execFileSync('dcmdump', ['-q', '+U8', ...paths], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(dump).toContain('王^小东');
    expect(dump).toContain('Müller^Jörg');
  });

  it('decodes the RLE frames to the picture that was encoded', () => {
    const rle = [...phantomStudies({ ...SMALL, studies: 5 })].find(
      ({ modality, transferSyntax }) => modality === 'CT' && transferSyntax === RLE,
    );
    if (rle === undefined) throw new Error('no RLE phantom');
    writeFileSync(join(folder, 'rle.dcm'), rle.bytes);
    execFileSync('dcmdrle', [join(folder, 'rle.dcm'), join(folder, 'plain.dcm')]);
    const pixels = readFileSync(join(folder, 'plain.dcm')).subarray(-32 * 32 * 2);
    expect(pixels.equals(drawChest({ rows: 32, columns: 32 }, 8 / 15, 8))).toBe(true);
  });
});
