// Requests that are broken or hostile in what they ask: headers, queries, paths, tokens.
import { createHmac } from 'node:crypto';
import { GatewayProcess } from '../../support/gateway-process.js';
import type { Fault } from '../fault.js';
import { exchange, type Input, input, statuses, statusOf } from '../input.js';
import type { Site } from '../site.js';

const question = (one: Omit<Input, 'kind'>): Fault => input({ kind: 'request', ...one });

function instanceOf(site: Site): string {
  const { study, series, sop } = site.protectedOne(0);
  return `/dicomweb/studies/${study}/series/${series}/instances/${sop}`;
}

const asking =
  (site: Site, path: string, headers: Record<string, string> = {}) =>
  () =>
    fetch(site.url + path, { headers });

const LINK_KEY = 'a key of at least thirty-two characters';

/** A JWT; `none` has no signature. */
function token(claims: Record<string, unknown>, algorithm: 'HS256' | 'none', key = LINK_KEY): string {
  const text = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${text({ alg: algorithm, typ: 'JWT' })}.${text(claims)}`;
  return `${signed}.${algorithm === 'none' ? '' : createHmac('sha256', key).update(signed).digest('base64url')}`;
}

export const questionFaults: readonly Fault[] = [
  question({
    name: 'Accept headers of 10 kB',
    number: 11,
    means: '340 media ranges; a q of 8,000 digits; quotes that never close',
    expected: '406 in bounded time',
    send: (site) => {
      const values = [
        'application/x-unknown; q=0.5, '.repeat(340),
        `application/x;q=${'0'.repeat(8_000)}`,
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.3.4',
        `multipart/related; type="${'"'.repeat(5_001)}`,
      ];
      return statuses(values.map((accept) => asking(site, instanceOf(site), { accept })));
    },
    wants: /^406$/,
  }),
  question({
    name: 'Ranges that are none',
    number: 12,
    means: '2,500 overlapping, negative, beyond the end, beyond 2^53, backwards, on a frame',
    expected: '416',
    send: (site) => {
      const values = [
        `bytes=${'0-1,'.repeat(2_500)}0-1`,
        'bytes=--5',
        'bytes=99999999-99999999',
        'bytes=9007199254740993-9007199254740999',
        `bytes=0-${'9'.repeat(400)}`,
        'bytes=5-4',
      ];
      const accept = 'application/octet-stream; transfer-syntax=*';
      return statuses(values.map((range) => asking(site, `${instanceOf(site)}/frames/1`, { accept, range })));
    },
    wants: /^416$/,
  }),
  question({
    name: 'Searches that are refused',
    number: 13,
    means: 'limit=1e9, offset=-1, SQL in a UID, 400 included fields, 500 parameters, a value of 13 kB',
    expected: '400',
    send: (site) => {
      const fields = Array.from({ length: 400 }, (_, at) => `0010${(0x1000 + at).toString(16)}`).join(',');
      const queries = [
        ...['limit=1e9', 'offset=-1', "StudyInstanceUID=1'%20OR%20'1'='1", `includefield=${fields}`],
        ...[Array.from({ length: 500 }, () => 'a=1').join('&'), `PatientName=${'x'.repeat(13_000)}`],
      ];
      return statuses(queries.map((query) => asking(site, `/dicomweb/studies?${query}`)));
    },
    wants: /^400$/,
  }),
  question({
    name: 'Searches that are hostile and allowed',
    number: 13,
    means: '900 wildcards, SQL in a name, limit=1000000000, an unknown tag',
    expected: 'answered in bounded time, nothing but what matches',
    send: async (site) => {
      const queries = [
        `PatientName=${'*'.repeat(900)}`,
        "PatientName=';%20DROP%20TABLE%20studies;%20--",
        'limit=1000000000',
        'NoSuchTag=1',
      ];
      return statuses(queries.map((query) => asking(site, `/dicomweb/studies?${query}`)));
    },
    wants: /^200, 204$/,
  }),
  question({
    name: 'Paths that climb, end in NUL or are no UIDs',
    number: 14,
    means: '8 paths: %2e%2e%2f, ../.., %00, half an escape, 1..2, 66 characters, 9,000 frames',
    expected: '400 before anything is asked',
    send: async (site) => {
      const paths = [
        ...[
          '%2e%2e%2fetc',
          '%2E%2e%2Fetc%2Fpasswd/metadata',
          '../../etc/passwd',
          '1.2%00',
          '1.2.3%2',
          '1..2',
          `${'1.'.repeat(33)}1`,
        ],
        `1.2/series/1.2/instances/1.2/frames/${'1,'.repeat(5_900)}1`,
      ];
      const seen = new Set<string>();
      // By hand: a client library would mend the path first.
      for (const path of paths) {
        const head = `GET /dicomweb/studies/${path} HTTP/1.1\r\nHost: ${new URL(site.url).host}\r\nConnection: close\r\n\r\n`;
        seen.add(statusOf(await exchange(site, head)));
      }
      return [...seen].join(', ');
    },
    wants: /^400$/,
  }),
  question({
    name: 'Tokens that are none',
    number: 15,
    means: 'none, unknown, alg:none, expired, wrong key, in the query; a server with tokens',
    expected: '401; with the right token for other studies 404, never 403',
    send: async (site) => {
      const one = site.protectedOne(0);
      const right = 'a-right-token-for-one';
      const auth = { mode: 'token', linkKey: LINK_KEY, tokens: [{ name: 'one', token: right, studies: ['1.2.3'] }] };
      const guarded = await GatewayProcess.prepare({ auth, audit: 'off' });
      try {
        await guarded.start();
        const now = Math.floor(Date.now() / 1_000);
        const claims = { iss: 'filmroom', studies: [one.study], exp: now + 600 };
        const bad = [
          'unknown-unknown-unknown',
          token(claims, 'none'),
          token({ ...claims, exp: now - 600 }, 'HS256'),
          token(claims, 'HS256', 'another key of thirty-two letters'),
        ];
        const path = `${guarded.url}/dicomweb/studies/${one.study}/metadata`;
        const ask = (value: string) => () => fetch(path, { headers: { authorization: `Bearer ${value}` } });
        const refused = await statuses([
          ...bad.map(ask),
          () => fetch(path),
          () => fetch(`${path}?access_token=${right}`),
        ]);
        return `${refused}; other study ${await statuses([ask(right)])}`;
      } finally {
        await guarded.destroy();
      }
    },
    wants: /^401; other study 404$/,
  }),
];
