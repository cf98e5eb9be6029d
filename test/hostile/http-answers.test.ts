// Answers that go wrong: storage that fails before and during an answer, clients that leave or do not read. A broken answer is
// never well-formed, and nothing goes on being read for a client that is gone.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArchiveError } from '../../tiering/core/errors.js';
import { DicomwebRig } from '../support/dicomweb-rig.js';
import { MemoryArchive } from '../support/memory-archive.js';
import { buildPart10, nativeImage } from '../support/part10-builder.js';

const STUDY = '/dicomweb/studies/1.2.3';
const INSTANCE = `${STUDY}/series/1.2.3.1/instances/1.2.3.1.1`;
const ct = (number: number, megabytes = 1) =>
  buildPart10({
    study: '1.2.3',
    series: '1.2.3.1',
    sop: `1.2.3.1.${number}`,
    elements: nativeImage({
      rows: 1024,
      columns: 512 * megabytes,
      bits: 16,
      frames: 1,
      pixels: Buffer.alloc(1024 * 1024 * megabytes, number),
    }),
  });

let archive: MemoryArchive;
let rig: DicomwebRig;
beforeEach(async () => {
  archive = new MemoryArchive();
  rig = await DicomwebRig.start({ archive, limits: { sendStallMs: 300 } });
  expect((await rig.stow([ct(1), ct(2), ct(3)])).status).toBe(200);
});
afterEach(async () => {
  archive.faults.beforePiece = () => undefined;
  expect((await rig.call('/dicomweb/studies')).status).toBe(200);
  await rig.stop();
});

const PATHS: readonly (readonly [string, string, string])[] = [
  ['a study', STUDY, '*/*'],
  ['an instance', INSTANCE, 'application/dicom'],
  ['a frame in multipart', `${INSTANCE}/frames/1`, '*/*'],
  ['a frame alone', `${INSTANCE}/frames/1`, 'application/octet-stream'],
  ['bulk data', `${INSTANCE}/bulkdata/7FE00010`, '*/*'],
];

describe.each(PATHS)('%s', (_, path, accept) => {
  it.each([
    ['UNAVAILABLE', 503],
    ['LOST', 500],
    ['NOT_FOUND', 404],
    ['CORRUPT', 500],
    ['WRONG_KEY', 500],
  ] as const)('that fails with %s before its first byte is %d, with a problem for a body', async (code, status) => {
    archive.faults.beforePiece = () => {
      throw new ArchiveError(code, 'made to fail');
    };
    const reply = await rig.call(path, { headers: { Accept: accept } });
    expect(reply.status).toBe(status);
    expect(JSON.parse(reply.body.toString())).toMatchObject({ status, detail: 'made to fail' });
    expect(reply.headers['retry-after']).toBe(status === 503 ? '5' : undefined);
  });

  it('that fails later ends in a broken connection, never in a well-formed short answer', async () => {
    let pieces = 0;
    archive.faults.beforePiece = () => {
      if (++pieces > 8) throw new ArchiveError('UNAVAILABLE', 'made to fail');
    };
    await expect(rig.call(path, { headers: { Accept: accept } })).rejects.toThrow(/aborted|hang up|ECONNRESET/);
  });
});

describe('clients', () => {
  it('that leave in the middle stop the reading of what they asked for', async () => {
    const socket = await rig.socket();
    let read = 0;
    archive.faults.beforePiece = () => {
      read++;
      return new Promise((resolve) => setTimeout(resolve, 5));
    };
    socket.write(`GET ${STUDY} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const then = read;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(read).toBe(then);
    expect(read).toBeLessThan(48);
  });

  it('that stop reading are cut off, and no more than a little is read for them', async () => {
    await rig.stow([ct(4, 32)]);
    let read = 0;
    archive.faults.beforePiece = () => {
      read++;
    };
    const socket = await rig.socket();
    socket.pause();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.write(`GET ${STUDY}/series/1.2.3.1/instances/1.2.3.1.4 HTTP/1.1\r\nHost: x\r\n\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(read).toBeLessThan(400);
    expect(rig.events.at(-1)).toMatchObject({ resource: 'instance', code: 'ABORTED' });
    socket.resume();
    await closed;
  });

  it('that ask for what was deleted meanwhile get 404', async () => {
    archive.forget('1.2.3.1.1');
    expect((await rig.call(INSTANCE)).status).toBe(404);
  });
});

describe('the log', () => {
  it('names a request by its resource and holds no UID, no query and no value', async () => {
    await rig.call(`${INSTANCE}/frames/1`);
    await rig.call('/dicomweb/studies?PatientName=Secret&PatientID=Secret');
    await rig.call('/dicomweb/studies?StudyDate=Secret');
    const text = JSON.stringify(rig.events);
    expect(rig.events.map((event) => [event.resource, event.status])).toContainEqual(['frames', 200]);
    expect(text).not.toContain('1.2.3');
    expect(text).not.toContain('Secret');
  });
});
