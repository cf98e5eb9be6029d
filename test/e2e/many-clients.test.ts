// Invariant I12 on the way out: fifty clients that pull whole studies at once, as they are stored, transcoded and zipped, from a real
// server whose memory is looked at from outside.
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.js';
import { filmroom } from './gateway-clients.js';

const MiB = 1024 * 1024;
const CLIENTS = 50;
const AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*';
const TRANSCODED = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.80';

let gateway: GatewayProcess;
let studies: readonly string[] = [];

beforeAll(async () => {
  gateway = await GatewayProcess.prepare();
  await gateway.start();
  const samples = `${gateway.dir}/samples`;
  expect((await filmroom(['sample', '--out', samples])).code).toBe(0);
  expect((await filmroom(['import', samples, '--server', gateway.url])).code).toBe(0);
  const found = await fetch(`${gateway.url}/dicomweb/studies`);
  const rows = (await found.json()) as readonly Record<string, { readonly Value: readonly [string] }>[];
  studies = rows.map((row) => row['0020000D']?.Value[0] ?? '');
});
afterAll(() => gateway.destroy());

/** Pulls a study and drops it as it comes, pausing now and then as a slow client does. */
function pull(study: string, accept: string, pauseMs: number): Promise<{ status: number; bytes: number }> {
  return new Promise((resolve, reject) => {
    const url = `${gateway.url}/dicomweb/studies/${study}`;
    const req = request(url, { headers: { Accept: accept }, agent: false }, (res) => {
      let bytes = 0;
      let next = 8 * MiB;
      res.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes < next || pauseMs === 0) return;
        next += 8 * MiB;
        res.pause();
        setTimeout(() => res.resume(), pauseMs);
      });
      res.on('error', reject);
      res.on('end', () => resolve({ status: res.statusCode ?? 0, bytes }));
    });
    req.on('error', reject);
    req.end();
  });
}

/** Every client pulls one study; resolves to what they got and to the most memory that the server had meanwhile. */
async function round(accept: string): Promise<{ readonly bytes: number; readonly peak: number }> {
  let done = false;
  let peak = 0;
  const watched = (async () => {
    while (!done) {
      peak = Math.max(peak, await gateway.residentBytes());
      await sleep(50);
    }
  })();
  const clients = Array.from({ length: CLIENTS }, (_, at) =>
    pull(studies[at % studies.length] ?? '', accept, at % 3 === 0 ? 100 : 0),
  );
  const got = await Promise.all(clients);
  done = true;
  await watched;
  for (const { status, bytes } of got) expect([200, bytes > 0]).toEqual([status, true]);
  return { bytes: got.reduce((sum, { bytes }) => sum + bytes, 0), peak };
}

describe('fifty clients that pull whole studies', () => {
  it('leave the memory of the server flat: as stored, zipped and transcoded', async () => {
    expect(studies).toHaveLength(5);
    // The first round brings code, sockets and caches to their size.
    const first = await round(AS_STORED);
    expect(first.bytes).toBeGreaterThan(500 * MiB);
    const again = await round(AS_STORED);
    expect(again.bytes).toBe(first.bytes);
    const zipped = await round('application/zip');
    expect(zipped.bytes).toBeGreaterThan(500 * MiB);
    const transcoded = await round(TRANSCODED);
    // Memory in proportion to the clients would be at least what they pulled at once.
    expect(again.peak).toBeLessThan(first.peak + 100 * MiB);
    for (const { peak } of [first, again, zipped]) expect(peak).toBeLessThan(450 * MiB);
    expect(transcoded.peak).toBeLessThan(900 * MiB);
  }, 300_000);
});
