// Invariant I12 for instances that come as metadata: neither JSON without an end nor bulk data of any length takes memory with it,
// and a long text does not hold up the event loop.
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BOUNDARY, DicomwebRig, untilClosed } from '../support/dicomweb-rig.js';
import { scriptedArchive } from '../support/scripted-archive.js';
import { ctJson, METADATA_TYPE, noteJson } from '../support/stow-metadata.js';

const MiB = 1024 * 1024;
const JSON_TYPE = 'application/dicom+json';

let rig: DicomwebRig;
let taken = 0;
beforeEach(async () => {
  taken = 0;
  const archive = scriptedArchive({
    async receive(body) {
      for await (const piece of body) taken += piece.length;
      return {
        outcome: Promise.resolve({
          status: 'refused',
          instance: {},
          code: 'INVALID',
          fault: null,
          detail: 'discarded',
        }),
      };
    },
  });
  rig = await DicomwebRig.start({ archive });
});
afterEach(() => rig.stop());

interface Sent {
  readonly answer: string;
  readonly written: number;
  readonly peak: number;
}

/** Sends `head`, then `piece` until `mebibytes` of it went or the connection ended, then `tail`. */
async function send(head: Buffer, piece: Buffer, mebibytes: number, tail: Buffer): Promise<Sent> {
  const socket = await rig.socket();
  const closed = untilClosed(socket);
  let ended = false;
  void closed.then(() => {
    ended = true;
  });
  const length = head.length + mebibytes * MiB + tail.length;
  socket.write(
    `POST /dicomweb/studies HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ${METADATA_TYPE(JSON_TYPE)}\r\nContent-Length: ${length}\r\n\r\n`,
  );
  socket.write(head);
  const before = process.memoryUsage().rss;
  let peak = 0;
  let written = 0;
  for (; written < mebibytes && !ended; written++) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
    peak = Math.max(peak, process.memoryUsage().rss - before);
  }
  if (!ended) socket.write(tail);
  return { answer: await closed, written, peak };
}

const part = (type: string, location = '') =>
  `--${BOUNDARY}\r\nContent-Type: ${type}\r\n${location === '' ? '' : `Content-Location: ${location}\r\n`}\r\n`;

describe('metadata and bulk data of any length', () => {
  it('JSON of 1 GiB with no end is ended with 413 at the limit of one instance', async () => {
    const head = Buffer.from(`${part(JSON_TYPE)}[{"00104000":{"vr":"LT","Value":["`);
    const { answer, peak } = await send(head, Buffer.alloc(MiB, 0x41), 1024, Buffer.alloc(0));
    expect(answer).toMatch(/^HTTP\/1\.1 413/);
    expect(peak).toBeLessThan(160 * MiB);
  });

  it('an array that never ends, of instances that are all refused, takes no memory and is 400', async () => {
    const one = Buffer.from(`${JSON.stringify(ctJson(1, { '00104000': { vr: 'LT', Value: ['x'.repeat(10_000)] } }))},`);
    const piece = Buffer.alloc(MiB, 0x20);
    for (let at = 0; at + one.length < piece.length; at += one.length) one.copy(piece, at);
    const { answer, peak } = await send(Buffer.from(`${part(JSON_TYPE)}[`), piece, 64, Buffer.alloc(0));
    // Each of them names the same bulk data: all but the first are refused.
    expect(answer).toMatch(/^HTTP\/1\.1 400/);
    expect(peak).toBeLessThan(160 * MiB);
  });

  it('512 MiB of native pixel data pass through in less than 160 MiB of memory', async () => {
    const image = {
      '00280008': { vr: 'IS', Value: [16] },
      '00280010': { vr: 'US', Value: [4096] },
      '00280011': { vr: 'US', Value: [4096] },
    };
    const head = Buffer.from(
      `${part(JSON_TYPE)}${JSON.stringify([ctJson(1, image)])}\r\n${part('application/octet-stream', 'bulk/1')}`,
    );
    const tail = Buffer.from(`\r\n--${BOUNDARY}--\r\n`);
    // The first warms up both ends, which live in this process.
    await send(head, Buffer.alloc(MiB, 0x41), 64, tail);
    taken = 0;
    const { answer, peak } = await send(head, Buffer.alloc(MiB, 0x41), 512, tail);
    expect(answer).toMatch(/^HTTP\/1\.1 409/);
    expect(taken).toBeGreaterThan(512 * MiB);
    expect(peak).toBeLessThan(160 * MiB);
  });

  it('a text of 6 MiB of small items is read in turns: the event loop goes round meanwhile', async () => {
    const items = Array.from({ length: 150_000 }, (_, n) => ({ '00080100': { vr: 'SH', Value: [`c${n}`] } }));
    const body = Buffer.from(JSON.stringify([noteJson(1, { '00081140': { vr: 'SQ', Value: items } })]));
    expect(body.length).toBeGreaterThan(6 * MiB);
    let turns = 0;
    let waiting = true;
    const turn = () => {
      turns++;
      if (waiting) setImmediate(turn);
    };
    setImmediate(turn);
    const reply = await rig.call('/dicomweb/studies', {
      method: 'POST',
      headers: { 'Content-Type': JSON_TYPE },
      body,
    });
    waiting = false;
    expect(reply.status).toBe(409);
    expect(taken).toBeGreaterThan(4 * MiB);
    // Reading and writing it are hundreds of turns; at once they would be two.
    expect(turns).toBeGreaterThan(50);
  });
});
