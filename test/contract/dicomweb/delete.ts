// DELETE, as part of the DICOMweb suite: what is deleted is gone on every route at once, and nothing else is.
import { describe, expect, it } from 'vitest';
import type { DicomwebRig } from '../../support/dicomweb-rig.js';
import { ct, instancePath } from '../../support/dicomweb-samples.js';

const STUDY = '/dicomweb/studies/1.2.3';

export function describeDelete(rig: () => DicomwebRig): void {
  describe('DELETE', () => {
    const remove = (path: string) => rig().call(path, { method: 'DELETE' });
    const status = async (path: string) => (await rig().call(path, { headers: { Accept: '*/*' } })).status;
    const series = instancePath('1').replace(/\/instances\/.*$/, '');

    it('of an instance answers 204 without a body, then 404 on every route to it, and leaves the others', async () => {
      await rig().stow([ct(1), ct(2)]);
      const gone = instancePath('1.2.3.1.1');
      const reply = await remove(gone);
      expect([reply.status, reply.body.length]).toEqual([204, 0]);
      for (const route of ['', '/metadata', '/frames/1', '/bulkdata/7FE00010']) {
        expect([route, await status(gone + route)]).toEqual([route, 404]);
      }
      expect((await remove(gone)).status).toBe(404);
      expect(await status(instancePath('1.2.3.1.2'))).toBe(200);
      const found = await rig().call('/dicomweb/instances');
      expect((JSON.parse(found.body.toString()) as unknown[]).length).toBe(1);
      const [study] = JSON.parse((await rig().call('/dicomweb/studies')).body.toString()) as [
        Record<string, { Value: unknown[] }>,
      ];
      expect(study['00201208']?.Value).toEqual([1]);
      const metadata = JSON.parse((await rig().call(`${STUDY}/metadata`)).body.toString()) as unknown[];
      expect(metadata).toHaveLength(1);
    });

    it.each([
      ['a series', series],
      ['a study', STUDY],
    ])('of %s takes all of it, and with the last instance the study', async (_, path) => {
      await rig().stow([ct(1), ct(2)]);
      expect((await remove(path)).status).toBe(204);
      for (const route of [STUDY, `${STUDY}/metadata`, series, `${series}/metadata`, instancePath('1.2.3.1.1')]) {
        expect([route, await status(route)]).toEqual([route, 404]);
      }
      expect(await status('/dicomweb/studies')).toBe(204);
      expect((await remove(path)).status).toBe(404);
    });

    it('leaves the way free to send it again', async () => {
      await rig().stow([ct(1)]);
      await remove(instancePath('1.2.3.1.1'));
      const other = ct(1, { elements: [['00081030', 'LO', 'Other']] });
      expect((await rig().stow([other])).status).toBe(200);
      const back = await rig().call(instancePath('1.2.3.1.1'), { headers: { Accept: 'application/dicom' } });
      expect(back.body.equals(other)).toBe(true);
    });

    it('is told by OPTIONS and Allow where it can be done, and is 405 elsewhere', async () => {
      const allowed = async (path: string) => (await rig().call(path, { method: 'OPTIONS' })).headers.allow;
      expect(await allowed(STUDY)).toBe('GET, HEAD, POST, DELETE, OPTIONS');
      expect(await allowed(instancePath('1.2.3.1.1'))).toBe('GET, HEAD, DELETE, OPTIONS');
      const whole = await remove('/dicomweb/studies');
      expect([whole.status, whole.headers.allow]).toEqual([405, 'GET, HEAD, POST, OPTIONS']);
      expect((await remove(`${STUDY}/metadata`)).status).toBe(405);
      expect((await remove('/dicomweb/studies/1.2.3..4')).status).toBe(400);
    });
  });
}
