import { afterEach, describe, expect, it } from 'vitest';
import { DicomwebRig } from '../test/support/dicomweb-rig.js';
import { ct, instancePath } from '../test/support/dicomweb-samples.js';
import { MemoryArchive } from '../test/support/memory-archive.js';

let rig: DicomwebRig;
afterEach(() => rig.stop());

const GONE = instancePath('1.2.3.1.1');

describe('DELETE', () => {
  it('answers 202 with a Warning when the replicas are still to be told', async () => {
    const archive = new MemoryArchive();
    rig = await DicomwebRig.start({ archive });
    await rig.stow([ct(1)]);
    archive.faults.quorum = false;
    const reply = await rig.call(GONE, { method: 'DELETE' });
    expect(reply.status).toBe(202);
    expect(reply.headers['warning']).toMatch(/^299 filmroom "Deleted; .*"$/);
    expect((await rig.call(GONE, { headers: { Accept: '*/*' } })).status).toBe(404);
  });

  it('answers 503 with Retry-After when it cannot be written down, and deletes nothing', async () => {
    const archive = new MemoryArchive();
    rig = await DicomwebRig.start({ archive });
    await rig.stow([ct(1)]);
    archive.faults.remove = 'UNAVAILABLE';
    const reply = await rig.call(GONE, { method: 'DELETE' });
    expect([reply.status, reply.headers['retry-after'] === undefined]).toEqual([503, false]);
    expect(archive.size).toBe(1);
  });

  it('answers 409 with the reason when the study is held or must be kept, and deletes nothing', async () => {
    const archive = new MemoryArchive();
    rig = await DicomwebRig.start({ archive });
    await rig.stow([ct(1)]);
    archive.faults.remove = 'CONFLICT';
    const reply = await rig.call(GONE, { method: 'DELETE' });
    expect([reply.status, reply.headers['content-type']]).toEqual([409, 'application/problem+json']);
    expect(archive.size).toBe(1);
  });

  it('is 405 and in no Allow where the operator switched it off', async () => {
    const archive = new MemoryArchive();
    rig = await DicomwebRig.start({ archive, deletes: false });
    await rig.stow([ct(1)]);
    const reply = await rig.call(GONE, { method: 'DELETE' });
    expect([reply.status, reply.headers.allow]).toEqual([405, 'GET, HEAD, OPTIONS']);
    expect((await rig.call(GONE, { method: 'OPTIONS' })).headers.allow).toBe('GET, HEAD, OPTIONS');
    expect(archive.size).toBe(1);
  });
});
