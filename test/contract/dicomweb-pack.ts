// The shared DICOM pack through DICOMweb over any Archive: what is to be stored comes back byte for byte, frames are the bytes that
// independent decoders and encoders saw, and what is to be refused leaves nothing. Skipped by name where the pack is absent.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transferSyntaxOf } from '../../dicom/transfer-syntax.js';
import { findDicomPack, type PackFile } from '../support/dicom-pack.js';
import { DicomwebRig, readMultipart } from '../support/dicomweb-rig.js';
import type { ArchiveUnderTest } from './dicomweb.js';

const pack = findDicomPack();
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

interface Answer {
  readonly [tag: string]: {
    readonly Value?: readonly { readonly [tag: string]: { readonly Value?: readonly unknown[] } }[];
  };
}

/** Where the instance was stored, as the answer says, or null when it was refused. */
function storedPath(body: Buffer): string | null {
  const item = (JSON.parse(body.toString()) as Answer)['00081199']?.Value?.[0];
  const url = item?.['00081190']?.Value?.[0];
  return typeof url === 'string' ? new URL(url).pathname : null;
}

/** The suite. Each file goes into an archive of its own: some share their UIDs on purpose. */
export function describeDicomwebPack(name: string, makeArchive: () => Promise<ArchiveUnderTest>): void {
  describe.skipIf(pack === null)(`${name} over DICOMweb, with the DICOM pack`, () => {
    let subject: ArchiveUnderTest;
    let rig: DicomwebRig;
    beforeAll(async () => {
      subject = await makeArchive();
      rig = await DicomwebRig.start({ archive: subject.archive });
    });
    afterAll(async () => {
      await rig.stop();
      await subject.close();
    });

    const seen = new Set<string>();
    const files = pack?.files ?? [];
    const isFirst = (file: PackFile) => {
      const uid = file.SOPInstanceUID ?? file.file;
      const first = !seen.has(uid);
      seen.add(uid);
      return first;
    };
    const toStore = files.filter((file) => file.expected === 'store' && isFirst(file));

    it.each(toStore)('stores $file and gives it back', async (file) => {
      const bytes = pack?.read(file) ?? Buffer.alloc(0);
      const reply = await rig.stow([bytes]);
      expect([200, 202]).toContain(reply.status);
      const path = storedPath(reply.body);
      expect(path).not.toBeNull();
      const whole = await rig.call(`${path}`, { headers: { Accept: 'application/dicom; transfer-syntax=*' } });
      expect(sha256(whole.body)).toBe(file.sha256);
      const metadata = await rig.call(`${path}/metadata`);
      expect(JSON.parse(metadata.body.toString())).toHaveLength(1);
      await checkFrame(rig, `${path}`, file);
    });

    it.each(files.filter((file) => file.expected === 'reject' && file.also_acceptable === undefined))(
      'refuses $file and leaves nothing of it',
      async (file) => {
        const alone = await makeArchive();
        const own = await DicomwebRig.start({ archive: alone.archive });
        const reply = await own.stow([pack?.read(file) ?? Buffer.alloc(0)]);
        expect(reply.status).toBeGreaterThanOrEqual(400);
        expect(reply.status).toBeLessThan(500);
        expect((await own.call('/dicomweb/instances')).status).toBe(204);
        await own.stop();
        await alone.close();
      },
    );
  });
}

/** Frame 1 as stored against what the pack knows of it. */
async function checkFrame(rig: DicomwebRig, path: string, file: PackFile): Promise<void> {
  const syntax = transferSyntaxOf(file.TransferSyntaxUID ?? '');
  const truth = syntax?.encapsulated === true ? file.first_frame_encoded : file.first_frame;
  if (truth === undefined || syntax === undefined || syntax.bigEndian || syntax.video) return;
  const headers = { Accept: 'multipart/related; type=application/octet-stream; transfer-syntax=*' };
  const reply = await rig.call(`${path}/frames/1`, { headers });
  expect(reply.status).toBe(200);
  expect(sha256(readMultipart(reply)[0]?.body ?? Buffer.alloc(0))).toBe(truth.sha256);
}
