// application/zip of studies, series and instances, as part of the DICOMweb suite.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DicomwebRig } from '../../support/dicomweb-rig.js';
import { ct, instancePath, noise } from '../../support/dicomweb-samples.js';
import { nativeImage } from '../../support/part10-builder.js';

const unzip = spawnSync('unzip', ['-v']).status === 0;

/** The files of a zip, as Debian's unzip takes it apart; its own test must find no error. */
function unpacked(zip: Buffer): (name: string) => Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'filmroom-zip-'));
  try {
    const file = join(folder, 'a.zip');
    writeFileSync(file, zip);
    const tested = spawnSync('unzip', ['-tq', file], { encoding: 'utf8' });
    expect(tested.stdout + tested.stderr).toContain('No errors detected');
    const list = spawnSync('unzip', ['-Z1', file], { encoding: 'utf8' }).stdout.trim().split('\n');
    spawnSync('unzip', ['-q', file, '-d', join(folder, 'out')]);
    const found = new Map(list.map((name) => [name, readFileSync(join(folder, 'out', name))]));
    return (name) => found.get(name) ?? Buffer.from(`not among ${list.join(', ')}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function describeZip(rig: () => DicomwebRig): void {
  describe.skipIf(!unzip)('application/zip (needs unzip)', () => {
    const elements = nativeImage({ rows: 200, columns: 300, bits: 16, frames: 2, pixels: noise(240_000, 30) });
    const sent = [ct(1, { elements }), ct(2, { series: '1.2.3.2', elements })];

    it('holds a study as it is stored, by series and instance, with its length announced', async () => {
      await rig().stow(sent);
      const reply = await rig().call('/dicomweb/studies/1.2.3', { headers: { Accept: 'application/zip' } });
      expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/zip']);
      expect(reply.headers['content-disposition']).toBe('attachment; filename="1.2.3.zip"');
      expect(reply.headers['content-length']).toBe(String(reply.body.length));
      const file = unpacked(reply.body);
      expect(file('1.2.3.1/1.2.3.1.1.dcm').equals(sent[0] ?? Buffer.alloc(0))).toBe(true);
      expect(file('1.2.3.2/1.2.3.1.2.dcm').equals(sent[1] ?? Buffer.alloc(0))).toBe(true);
    });

    it('holds a series and an instance, and says its length before it is asked for', async () => {
      await rig().stow(sent);
      for (const [path, name] of [
        ['/dicomweb/studies/1.2.3/series/1.2.3.2', '1.2.3.2'],
        [instancePath('1.2.3.1.2', '1.2.3.2'), '1.2.3.1.2'],
      ] as const) {
        const reply = await rig().call(`${path}?accept=application/zip`);
        expect(reply.headers['content-disposition']).toBe(`attachment; filename="${name}.zip"`);
        expect(unpacked(reply.body)('1.2.3.2/1.2.3.1.2.dcm').equals(sent[1] ?? Buffer.alloc(0))).toBe(true);
        const head = await rig().call(path, { method: 'HEAD', headers: { Accept: 'application/zip' } });
        expect([head.status, head.body.length]).toEqual([200, 0]);
      }
    });

    it('is refused in a transfer syntax that cannot be given', async () => {
      await rig().stow(sent);
      const Accept = 'application/zip; transfer-syntax=1.2.840.10008.1.2.4.80';
      expect((await rig().call('/dicomweb/studies/1.2.3', { headers: { Accept } })).status).toBe(406);
    });
  });
}
