// The DICOM files that are made of JSON metadata, read by others: DCMTK and pydicom. Each is skipped by name where it is absent.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DicomwebRig } from '../support/dicomweb-rig.js';
import { instancePath, JPEG_LS, noise } from '../support/dicomweb-samples.js';
import { MemoryArchive } from '../support/memory-archive.js';
import { bulkPart, ctJson, metadataPart, stowParts } from '../support/stow-metadata.js';

const works = (command: string, args: readonly string[]) => spawnSync(command, args).status === 0;
const hasDcmtk = works('dcmdump', ['--version']);
const hasPydicom = works('/usr/bin/python3', ['-c', 'import pydicom']);

const PIXELS = noise(200, 1);
const item = (value: string) => ({
  '00080100': { vr: 'SH', Value: [value] },
  '00081199': { vr: 'SQ', Value: [{ '00081150': { vr: 'UI', Value: ['1.2.840.10008.1'] } }, {}] },
});
const MORE = {
  '00081140': { vr: 'SQ', Value: [item('一'), item('b'), {}] },
  '00180050': { vr: 'DS', Value: [0.1234567890123456] },
  '00280030': { vr: 'DS', Value: [0.5, '0.50'] },
  '00990010': { vr: 'LO', Value: ['FILMROOM TEST'] },
  '00991001': { vr: 'UN', InlineBinary: 'AAECAw==' },
  '00991002': { vr: 'UV', Value: ['18446744073709551615'] },
  '00991003': { vr: 'AT', Value: ['00100010'] },
  '00991004': { vr: 'FD', Value: [-1e308] },
};

let folder = '';
const native = () => join(folder, 'native.dcm');
const compressed = () => join(folder, 'compressed.dcm');
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'filmroom-metadata-'));
  const archive = new MemoryArchive();
  const rig = await DicomwebRig.start({ archive });
  const frames = ctJson(2, { '00280008': { vr: 'IS', Value: [2] } });
  const type = `image/jls; transfer-syntax=${JPEG_LS}`;
  const reply = await stowParts(rig, [
    metadataPart(ctJson(1, MORE), frames),
    bulkPart('bulk/1', PIXELS),
    bulkPart('bulk/2', noise(51, 1), type),
    bulkPart('bulk/2', noise(80, 2), type),
  ]);
  expect(reply.status).toBe(202);
  const Accept = 'application/dicom; transfer-syntax=*';
  for (const [sop, path] of [
    ['1.2.3.1.1', native()],
    ['1.2.3.1.2', compressed()],
  ] as const) {
    writeFileSync(path, (await rig.call(instancePath(sop), { headers: { Accept } })).body);
  }
  await rig.stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!hasDcmtk)('dcmdump', () => {
  const dump = (path: string) => execFileSync('dcmdump', ['+L', '-q', path], { encoding: 'utf8' });

  it('reads every element of the file', () => {
    const text = dump(native());
    for (const line of [
      '(0002,0010) UI =LittleEndianExplicit',
      '(0008,0005) CS [ISO_IR 192]',
      '(0010,0010) PN [Doe^Jane=多^珍]',
      '(0018,0050) DS [0.12345678901235]',
      '(0028,0030) DS [0.5\\0.50]',
      '(0008,0100) SH [一]',
      '(0099,1001) UN 00\\01\\02\\03',
      '(0099,1003) AT (0010,0010)',
    ]) {
      expect(text.replaceAll(/ +/g, ' ')).toContain(line);
    }
  });

  it('reads the fragments of compressed frames', () => {
    const text = dump(compressed()).replaceAll(/ +/g, ' ');
    expect(text).toContain('(0002,0010) UI =JPEGLSLossless');
    expect(text).toContain('(7fe0,0010) OB (PixelSequence #=3)');
  });
});

describe.skipIf(!hasPydicom)('pydicom', () => {
  const python = (code: string) =>
    execFileSync('/usr/bin/python3', ['-W', 'error', '-c', code, native(), compressed()], { encoding: 'utf8' });

  it('reads names, items and pixels, and the frames of compressed pixel data', () => {
    const read = python(`
import sys, json, hashlib, pydicom
from pydicom.encaps import generate_pixel_data_frame
d = pydicom.dcmread(sys.argv[1])
c = pydicom.dcmread(sys.argv[2])
print(json.dumps({
  'name': str(d.PatientName),
  'items': [str(i.get('CodeValue', '')) for i in d.ReferencedImageSequence],
  'nested': [len(i.get('ReferencedSOPSequence', [])) for i in d.ReferencedImageSequence],
  'big': str(d[0x0099, 0x1002].value),
  'pixels': hashlib.sha256(d.PixelData).hexdigest(),
  'meta': [d.file_meta.MediaStorageSOPInstanceUID, d.file_meta.TransferSyntaxUID.name],
  'frames': [len(f) for f in generate_pixel_data_frame(c.PixelData, 2)],
}))
`);
    expect(JSON.parse(read)).toMatchObject({
      name: 'Doe^Jane=多^珍',
      items: ['一', 'b', ''],
      nested: [2, 2, 0],
      big: '18446744073709551615',
      pixels: createHash('sha256').update(PIXELS).digest('hex'),
      meta: ['1.2.3.1.1', 'Explicit VR Little Endian'],
      frames: [52, 80],
    });
  });
});
