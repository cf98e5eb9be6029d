// Requests that are broken or hostile in their bodies: lengths, encodings, parts.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { BOUNDARY, multipartBody, STOW_TYPE } from '../../support/dicomweb-rig.js';
import { buildPart10, nativeImage } from '../../support/part10-builder.js';
import { stow } from '../../support/stow.js';
import { bulkPart, ctJson, METADATA_TYPE, metadataPart, noteJson, partsBody } from '../../support/stow-metadata.js';
import type { Fault } from '../fault.js';
import { exchange, type Input, input, statuses, statusOf, storeHead, takeAway } from '../input.js';
import type { Site } from '../site.js';

const request = (one: Omit<Input, 'kind'>): Fault => input({ kind: 'request', ...one });

/** A study of the fault's own. */
const studyOf = (number: number) => `2.25.7${number}`;

/** A small CT slice. */
export function slice(study: string, at: number, note = ''): Buffer {
  const pixels = nativeImage({ rows: 10, columns: 10, bits: 16, frames: 2, pixels: Buffer.alloc(400, at) });
  return buildPart10({
    study,
    series: `${study}.1`,
    sop: `${study}.1.${at}`,
    elements: [['00081030', 'LO', note], ...pixels],
  });
}

function post(site: Site, headers: Record<string, string>, body: Uint8Array): Promise<Response> {
  return fetch(`${site.url}/dicomweb/studies`, { method: 'POST', headers, body: new Uint8Array(body) });
}

/** Runs `work` with the address of a server that must not be asked; whether it was. */
async function withBait(work: (url: string) => Promise<string>): Promise<string> {
  let asked = 0;
  const bait = createServer((_, response) => {
    asked += 1;
    response.end('bait');
  });
  await new Promise<void>((resolve) => bait.listen(0, '127.0.0.1', resolve));
  try {
    const came = await work(`http://127.0.0.1:${(bait.address() as AddressInfo).port}/latest/meta-data`);
    return `${came}; ${asked === 0 ? 'never fetched' : 'FETCHED'}`;
  } finally {
    bait.closeAllConnections();
    await new Promise((resolve) => bait.close(resolve));
  }
}

export const requestFaults: readonly Fault[] = [
  request({
    name: 'A length of 4 GiB over 10 bytes',
    number: 1,
    means: 'Content-Length: 4294967296, then silence',
    expected: '408 after the grace time of 30 s; no memory taken for it',
    stage: 'patient',
    send: async (site) => {
      const before = await site.gateway.residentBytes();
      const came = await exchange(
        site,
        `${storeHead(site, [`Content-Type: ${STOW_TYPE}`, 'Content-Length: 4294967296'])}0123456789`,
      );
      const grown = (await site.gateway.residentBytes()) - before;
      return `${statusOf(came)}; memory ${grown < 150 * 2 ** 20 ? 'as before' : 'grown'}`;
    },
    wants: /^408; memory as before$/,
  }),
  request({
    name: 'A body longer than its length',
    number: 2,
    means: 'Content-Length 60 bytes too small',
    expected: '400; nothing of it stored',
    send: async (site) => {
      const body = multipartBody([slice(studyOf(2), 1)]);
      const head = storeHead(site, [`Content-Type: ${STOW_TYPE}`, `Content-Length: ${body.length - 60}`]);
      const came = await exchange(site, Buffer.concat([Buffer.from(head), body]));
      return `${statusOf(came)}; ${await takeAway(site, studyOf(2))} stored`;
    },
    wants: /^400; 0 stored$/,
  }),
  request({
    name: 'A body shorter than its length',
    number: 2,
    means: 'Content-Length 100 bytes too large, of 2 parts',
    expected: '408 after the grace time; the part that is whole stays',
    stage: 'patient',
    send: async (site) => {
      const study = `${studyOf(2)}.2`;
      const body = multipartBody([slice(study, 1), slice(study, 2)]).subarray(0, -100);
      const head = storeHead(site, [`Content-Type: ${STOW_TYPE}`, `Content-Length: ${body.length + 100}`]);
      const came = await exchange(site, Buffer.concat([Buffer.from(head), body]));
      return `${statusOf(came)}; ${await takeAway(site, study)} stored`;
    },
    wants: /^408; 1 stored$/,
  }),
  request({
    name: 'Two lengths at once',
    number: 2,
    means: 'Content-Length and Transfer-Encoding: chunked',
    expected: '400; connection closed',
    send: async (site) => {
      const head = storeHead(site, [`Content-Type: ${STOW_TYPE}`, 'Content-Length: 5', 'Transfer-Encoding: chunked']);
      return statusOf(await exchange(site, `${head}0\r\n\r\n`));
    },
    wants: /^400$/,
  }),
  request({
    name: 'A compressed body that would be 256 MiB',
    number: 3,
    means: 'Content-Encoding: gzip, deflate, br',
    expected: '415 before it is read',
    send: (site) => {
      const bomb = gzipSync(Buffer.alloc(2 ** 28));
      const send = (encoding: string) => () =>
        post(site, { 'content-type': STOW_TYPE, 'content-encoding': encoding }, bomb);
      return statuses(['gzip', 'deflate', 'br'].map(send));
    },
    wants: /^415$/,
  }),
  request({
    name: 'Boundaries that are none',
    number: 4,
    means: '5 values: missing, of 71 characters, empty, hostile, not in the body',
    expected: '400',
    send: (site) => {
      const values = ['', `; boundary=${'a'.repeat(71)}`, '; boundary=""', '; boundary="a<b>"', '; boundary=other'];
      const body = multipartBody([slice(studyOf(4), 1)]);
      return statuses(values.map((value) => () => post(site, { 'content-type': `multipart/related${value}` }, body)));
    },
    wants: /^400$/,
  }),
  request({
    name: 'A sender hangs up in the middle of a part',
    number: 5,
    means: 'connection cut in the third of 3 parts',
    expected: 'two are stored, nothing of the third',
    send: async (site) => {
      const body = multipartBody([1, 2, 3].map((at) => slice(studyOf(5), at)));
      const head = storeHead(site, [`Content-Type: ${STOW_TYPE}`, `Content-Length: ${body.length}`]);
      await exchange(site, Buffer.concat([Buffer.from(head), body.subarray(0, -300)]), 500);
      return `${await takeAway(site, studyOf(5))} stored`;
    },
    wants: /^2 stored$/,
  }),
  request({
    name: 'A flood of parts and of part headers',
    number: 6,
    means: '100,000 empty parts; 1 MiB of headers; 10,000 headers',
    expected: '413 at the limit',
    send: (site) => {
      const parts = `${`--${BOUNDARY}\r\n\r\n\r\n`.repeat(100_000)}--${BOUNDARY}--`;
      const headed = (headers: string) => `--${BOUNDARY}\r\n${headers}\r\n\r\n--${BOUNDARY}--`;
      const bodies = [parts, headed(`X: ${'y'.repeat(2 ** 20)}\r\n`), headed('X: y\r\n'.repeat(10_000))];
      return statuses(bodies.map((body) => () => post(site, { 'content-type': STOW_TYPE }, Buffer.from(body))));
    },
    wants: /^413$/,
  }),
  request({
    name: 'A body of one byte a second',
    number: 7,
    means: 'a socket that trickles',
    expected: '408 at the least rate; nobody else waits',
    stage: 'patient',
    send: async (site) => {
      const { port, hostname } = new URL(site.url);
      const { connect } = await import('node:net');
      const socket = connect(Number(port), hostname);
      socket.write(storeHead(site, [`Content-Type: ${STOW_TYPE}`, 'Content-Length: 100000']));
      const trickle = setInterval(() => socket.write('-'), 1_000);
      let came = '';
      socket.on('data', (data: Buffer) => {
        came += data.toString('latin1');
      });
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('close', resolve));
      clearInterval(trickle);
      return statusOf(came);
    },
    wants: /^408$/,
  }),
  request({
    name: 'A part that names a place to fetch from',
    number: 8,
    means: 'Content-Location: an address of ours, file:///etc/passwd',
    expected: 'stored; the address is never asked',
    send: (site) =>
      withBait(async (url) => {
        const came: number[] = [];
        for (const [at, location] of [url, 'file:///etc/passwd'].entries()) {
          const head = `--${BOUNDARY}\r\nContent-Type: application/dicom\r\nContent-Location: ${location}\r\n\r\n`;
          const body = Buffer.concat([Buffer.from(head), slice(studyOf(8), at), Buffer.from(`\r\n--${BOUNDARY}--`)]);
          const answer = await post(site, { 'content-type': STOW_TYPE }, body);
          came.push(answer.status);
          if ((await answer.text()).includes(location)) return 'repeated in the answer';
        }
        return `${came.join(', ')}; ${await takeAway(site, studyOf(8))} stored`;
      }),
    wants: /^200, 200; 2 stored; never fetched$/,
  }),
  request({
    name: 'Metadata whose bulk data lie elsewhere',
    number: 9,
    means: 'JSON with a BulkDataURI of ours beside a good instance',
    expected: '202; that instance refused, never fetched, the other stored',
    send: (site) =>
      withBait(async (url) => {
        const study = studyOf(9);
        const away = ctJson(1, { '7FE00010': { vr: 'OW', BulkDataURI: url } }, study);
        const parts = [metadataPart(away, ctJson(2, {}, study)), bulkPart('bulk/2', Buffer.alloc(200))];
        const headers = { 'content-type': METADATA_TYPE('application/dicom+json'), accept: 'application/dicom+json' };
        const answer = await post(site, headers, partsBody(parts));
        await answer.arrayBuffer();
        return `${answer.status}; ${await takeAway(site, study)} stored`;
      }),
    wants: /^202; 1 stored; never fetched$/,
  }),
  request({
    name: 'One bad part of 2,000',
    number: 10,
    means: 'one of 2,000 instances is cut',
    expected: '202; only the bad one is named, the others are stored',
    send: async (site) => {
      const study = studyOf(10);
      const parts = Array.from({ length: 2_000 }, (_, at) => slice(study, at));
      const { status, stored, failed, others } = await stow(
        site.url,
        parts.map((part, at) => (at === 1_000 ? part.subarray(0, 300) : part)),
      );
      const reasons = [...new Set([...failed.values(), ...others])].map((reason) => reason.toString(16).toUpperCase());
      return `${status}; ${failed.size + others.length} failed (${reasons.join(', ')}), ${stored.length} stored, ${await takeAway(site, study)} found`;
    },
    wants: /^202; 1 failed \(C000\), 1999 stored, 1999 found$/,
  }),
  request({
    name: '50 clients store one study at once',
    number: 16,
    means: '50 equal requests, then the same UIDs with other bytes',
    expected: 'each instance once; other bytes refused with 409, the first are kept',
    send: async (site) => {
      const study = studyOf(16);
      const all = Array.from({ length: 10 }, (_, at) => slice(study, at));
      const answers = await Promise.all(Array.from({ length: 50 }, () => stow(site.url, all)));
      const other = await stow(
        site.url,
        all.map((_, at) => slice(study, at, 'changed')),
      );
      const seen = [...new Set(answers.map(({ status }) => status))].join(', ');
      return `${seen}; ${await takeAway(site, study)} stored; others ${other.status}, ${other.failed.size} refused`;
    },
    wants: /^200; 10 stored; others 409, 10 refused$/,
  }),
  request({
    name: 'Names of JavaScript’s own as attributes',
    number: 33,
    means: '__proto__ and constructor in JSON metadata and in a search',
    expected: 'refused or ignored; nothing else is changed by it',
    send: async (site) => {
      const study = studyOf(33);
      const note = JSON.stringify([noteJson(1, { '0020000D': { vr: 'UI', Value: [study] } })]).replace(
        '{"00080005"',
        '{"__proto__":{"vr":"LO","Value":["x"]},"constructor":{"vr":"LO","Value":["x"]},"00080005"',
      );
      const headers = { 'content-type': METADATA_TYPE('application/dicom+json'), accept: 'application/dicom+json' };
      const stored = await post(site, headers, partsBody([{ type: 'application/dicom+json', body: note }]));
      await stored.arrayBuffer();
      const found = await statuses(
        ['__proto__', 'constructor'].map((name) => () => fetch(`${site.url}/dicomweb/studies?${name}=1`)),
      );
      return `store ${stored.status}, ${await takeAway(site, study)} stored; search ${found}`;
    },
    wants: /^store (4\d\d, 0|200, 1) stored; search 200$/,
  }),
];
