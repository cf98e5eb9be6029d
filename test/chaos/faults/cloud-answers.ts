// What clouds say that is not so, while they are asked: bodies, heads, listings, and puts that come to nothing.
import { rmSync } from 'node:fs';
import { type Aim, flipped, type Misbehaviour } from '../../support/chaos-proxy.js';
import type { Lie } from '../../support/lying-lists.js';
import type { Fault } from '../fault.js';
import { outage } from '../outage.js';
import type { Site } from '../site.js';
import type { Trial } from '../trial.js';

const isChunk = (key: string) => key.startsWith('c/');

/** Two of three clouds say this of every chunk that they are asked for, until one of them was asked. */
function lie(name: string, means: string, fault: Misbehaviour): Fault {
  const liarsOf = ({ parts }: Site) => parts.proxies.slice(0, 2);
  const isAsked = (site: Site) =>
    liarsOf(site).some(({ seen }) => seen.some((one) => isChunk(one.key) && one.method === 'GET'));
  return outage({
    name,
    number: 46,
    kind: 'cloud',
    means: `${means}, from two of three`,
    expected: 'not believed; the third is read, and nobody notices',
    stage: 'clouds',
    needs: ['rgw'],
    inject: async (site) => {
      for (const proxy of liarsOf(site)) {
        proxy.forget();
        await proxy.misbehave(fault, { methods: ['GET'], keys: isChunk });
      }
      // The honest one is slower, so that the others are asked first; or, when they failed at something before, in a while.
      await site.proxy(2).misbehave({ name: 'latency', ms: 150 });
      return async () => {
        for (const proxy of site.parts.proxies) await proxy.behave();
      };
    },
    lastsMs: 1_500,
    meanwhile: (trial) => trial.waits(async () => isAsked(trial.site)),
  });
}

/** What one cloud does to every put, or to some. */
function put(name: string, number: number, means: string, fault: Misbehaviour, aim: Aim): Fault {
  return outage({
    name,
    number,
    kind: 'cloud',
    means,
    expected: 'not taken to hold it; the same name is put again: no duplicate, no loss',
    stage: 'clouds',
    needs: ['rgw'],
    inject: async (site) => {
      await site.proxy(0).misbehave(fault, { methods: ['PUT'], ...aim });
      return () => site.proxy(0).behave();
    },
    lastsMs: 4_000,
  });
}

/** The index is lost, and made again while one cloud lists what is not so. */
function listing(name: string, means: string, what: Lie): Fault {
  const attempt = async (trial: Trial) => {
    const { site } = trial;
    await site.gateway.kill();
    rmSync(site.index, { recursive: true });
    await site.proxy(0).misbehave({ name: 'lying-list', lie: what }, { methods: ['LIST'] });
    try {
      trial.mark();
      await site.gateway.start(120_000, ['--rebuild']);
      await trial.recovered(async () => (await site.view())?.rebuild === null && (await site.whole()));
      const bad = await site.compare([...site.cold, ...site.hot]);
      trial.expect(bad.length === 0, `not rebuilt: ${bad[0]}`);
      trial.say('the index is made again whole');
    } finally {
      await site.proxy(0).behave();
    }
    await trial.lasts(0);
  };
  const expected = 'the others’ listings make up for it; nothing is removed for it';
  const fixed = { name, number: 50, kind: 'cloud', means, expected, stage: 'clouds', needs: ['rgw'] } as const;
  return { ...fixed, mayFail: 'reads and stores', alone: true, attempt };
}

const hasChecksums: NonNullable<Aim['headers']> = (headers) =>
  Object.keys(headers).some((name) => /^x-amz-(checksum|sdk-checksum|trailer)/.test(name));

export const cloudAnswerFaults: readonly Fault[] = [
  lie('Chunks come empty', '200 with no body', { name: 'garbage', status: 200, type: 'empty' }),
  lie('A web page comes for a chunk', '200 with a log-in page', { name: 'garbage', status: 200, type: 'html' }),
  lie('A page of another 404 comes for a chunk', '404 with a web page', { name: 'garbage', status: 404, type: 'html' }),
  lie('Half a chunk comes', 'half of the body, and all headers', {
    name: 'change-body',
    change: (body) => body.subarray(0, body.length / 2),
  }),
  lie('A chunk comes with a bit changed', 'last bit of each body', {
    name: 'change-body',
    change: (body) => flipped(body, -1),
  }),
  lie('Another range comes', 'Content-Range of another place', {
    name: 'change-head',
    change: ({ status, headers }) => ({ status, headers: { ...headers, 'content-range': 'bytes 0-9/10' } }),
  }),
  lie('The whole comes for a range', '200 and the whole object', { name: 'ignore-range' }),
  lie('A redirect comes', '301 to elsewhere', { name: 'refuse', status: 301, code: 'PermanentRedirect' }),
  lie('Chunks are said not to exist', '404 NoSuchKey', { name: 'refuse', status: 404, code: 'NoSuchKey' }),
  lie('Connections are cut within a body', 'cut after 1,000 bytes', { name: 'cut-answer', afterBytes: 1_000 }),
  put(
    'Puts are applied and never answered',
    45,
    'proxy keeps the answer of every second put',
    { name: 'swallow' },
    { share: 0.5 },
  ),
  put(
    'Puts are cut off',
    45,
    'connection cut after 2,000 bytes of every second put',
    { name: 'cut-request', afterBytes: 2_000 },
    { share: 0.5 },
  ),
  put(
    'Puts succeed and nothing is kept',
    46,
    '200 to every put, which is dropped',
    { name: 'garbage', status: 200, type: 'empty' },
    {},
  ),
  outage({
    name: 'A cloud refuses checksum headers',
    number: 51,
    kind: 'cloud',
    means: 'all three answer 501 to any x-amz-checksum header',
    expected: 'none is sent',
    stage: 'clouds',
    needs: ['rgw'],
    inject: async ({ parts }) => {
      const refusal = { name: 'refuse', status: 501, code: 'NotImplemented' } as const;
      for (const proxy of parts.proxies) await proxy.misbehave(refusal, { headers: hasChecksums });
      return async () => {
        for (const proxy of parts.proxies) await proxy.behave();
      };
    },
    lastsMs: 4_000,
  }),
  listing('A listing leaves out every second key', 'one of three, at a rebuild of the index', 'missing'),
  listing('A listing has no end', 'pages without end, of one of three, at a rebuild', 'circle'),
  listing('A listing names what is nobody’s', 'foreign keys and empty ones, of one of three, at a rebuild', 'foreign'),
];
