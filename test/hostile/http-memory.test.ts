// Invariant I12 at the door: a request body of any size passes through in bounded memory, and waits when the archive does.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoreOutcome } from '../../tiering/archive/archive.js';
import { BOUNDARY, DicomwebRig, STOW_TYPE } from '../support/dicomweb-rig.js';
import { scriptedArchive } from '../support/scripted-archive.js';

const REFUSED: StoreOutcome = {
  status: 'refused',
  instance: {},
  code: 'INVALID',
  fault: 'NOT_DICOM',
  detail: 'discarded',
};
const MiB = 1024 * 1024;

let rig: DicomwebRig;
let taken = 0;
let pace: () => Promise<void> | void = () => undefined;
beforeEach(async () => {
  taken = 0;
  const archive = scriptedArchive({
    async receive(body) {
      for await (const piece of body) {
        taken += piece.length;
        await pace();
      }
      return { outcome: Promise.resolve(REFUSED) };
    },
  });
  rig = await DicomwebRig.start({ archive });
});
afterEach(() => rig.stop());

/** Writes one part of `mebibytes` and waits for the socket; stops early when `until` says so. Resolves to what was written. */
async function writePart(mebibytes: number, until: () => boolean): Promise<number> {
  const socket = await rig.socket();
  socket.on('error', () => undefined);
  const piece = Buffer.alloc(MiB, 0x41);
  socket.write(
    `POST /dicomweb/studies HTTP/1.1\r\nHost: x\r\nContent-Type: ${STOW_TYPE}\r\nContent-Length: ${mebibytes * MiB + 200}\r\n\r\n--${BOUNDARY}\r\n\r\n`,
  );
  let written = 0;
  while (written < mebibytes && !until()) {
    const free = socket.write(piece);
    written++;
    if (free) continue;
    await Promise.race([
      new Promise((resolve) => socket.once('drain', resolve)),
      new Promise((resolve) => setTimeout(resolve, 300)),
    ]);
  }
  socket.destroy();
  return written;
}

describe('a part of 512 MiB', () => {
  it('passes through in less than 160 MiB of memory', async () => {
    pace = () => undefined;
    // The first of them warms up both ends, which live in this process: code, sockets and the collector's own room.
    await writePart(64, () => false);
    taken = 0;
    const before = process.memoryUsage().rss;
    let peak = 0;
    const written = await writePart(512, () => {
      peak = Math.max(peak, process.memoryUsage().rss - before);
      return false;
    });
    expect(written).toBe(512);
    expect(peak).toBeLessThan(160 * MiB);
    expect(taken).toBeGreaterThan(400 * MiB);
  });

  it('waits in its socket while the archive takes nothing', async () => {
    let free: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      free = resolve;
    });
    pace = () => held;
    const began = performance.now();
    await writePart(64, () => performance.now() - began > 700);
    expect(taken).toBeLessThan(MiB);
    free();
  });
});
