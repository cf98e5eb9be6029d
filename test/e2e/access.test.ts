// What a caller may not see does not exist for that caller: every route of the real server, asked with credentials for one study, answers
// for another study as it answers for one that was never stored, and its searches and counts know nothing of it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { phantomStudies } from '../../dicom/phantom/phantom.js';
import { multipartBody, STOW_TYPE } from '../support/dicomweb-rig.js';
import { GatewayProcess } from '../support/gateway-process.js';

const TOKENS = {
  all: 'all-all-all-all-all',
  one: 'one-one-one-one-one',
  sender: 'send-send-send-send',
  viewer: 'view-view-view-view',
};
const [mine = [], other = []] = [1, 2].map((seed) => [...phantomStudies({ seed, studies: 1, slices: 3, shrink: 8 })]);
const NOWHERE = {
  study: '1.2.826.0.1.3680043.2.1.1',
  series: '1.2.826.0.1.3680043.2.1.2',
  sop: '1.2.826.0.1.3680043.2.1.3',
};

type Uids = { readonly study: string; readonly series: string; readonly sop: string };

/** Every resource that a path can name below a study; `#` stands for the level's own path. */
const LEAVES = ['', '/metadata', '/rendered', '/thumbnail', '/bulkdata', '/pixeldata'];
const INSTANCE_LEAVES = [
  ...['/frames/1', '/frames/1,1', '/frames/1/rendered', '/frames/1/thumbnail', '/rendered/1', '/thumbnail/1'],
  ...['/bulkdata/7FE00010', '/bulkdata/00091001'],
];

function pathsOf({ study, series, sop }: Uids): readonly string[] {
  const s = `/dicomweb/studies/${study}`;
  const e = `${s}/series/${series}`;
  const i = `${e}/instances/${sop}`;
  return [
    ...[s, e, i].flatMap((level) => LEAVES.map((leaf) => level + leaf)),
    ...INSTANCE_LEAVES.map((leaf) => i + leaf),
    ...[`${s}/series`, `${s}/instances`, `${e}/instances`],
    `/dicomweb/studies?StudyInstanceUID=${study}&includefield=all`,
    `/dicomweb/series?StudyInstanceUID=${study}`,
    `/dicomweb/series?SeriesInstanceUID=${series}`,
    `/dicomweb/instances?SOPInstanceUID=${sop}`,
    `/wado?requestType=WADO&studyUID=${study}&seriesUID=${series}&objectUID=${sop}`,
    `/wado?requestType=WADO&studyUID=${study}&seriesUID=${series}&objectUID=${sop}&contentType=application/dicom`,
  ];
}

const ACCEPTS = [
  '*/*',
  'application/dicom+json',
  'multipart/related; type="application/dicom"; transfer-syntax=*',
  'application/zip',
];

let gateway: GatewayProcess;

function ask(path: string, token: string | null, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== null) headers.set('Authorization', `Bearer ${token}`);
  return fetch(gateway.url + path, { ...init, headers });
}

function stow(path: string, token: string, phantoms: readonly { readonly bytes: Uint8Array }[]): Promise<Response> {
  return ask(path, token, {
    method: 'POST',
    headers: { 'Content-Type': STOW_TYPE },
    body: new Uint8Array(multipartBody(phantoms.map(({ bytes }) => bytes))),
  });
}

/** Everything of an answer that could tell two cases apart, with the UIDs that were asked for taken out. */
async function trace(answer: Response, uids: Uids): Promise<string> {
  const text = [
    answer.status,
    answer.headers.get('content-type'),
    answer.headers.get('etag'),
    await answer.text(),
  ].join('\n');
  return Object.values(uids).reduce((left, uid) => left.replaceAll(uid, '<uid>'), text);
}

beforeAll(async () => {
  gateway = await GatewayProcess.prepare({
    auth: {
      mode: 'token',
      linkKey: 'a key of at least thirty-two characters',
      tokens: [
        { name: 'all', token: TOKENS.all },
        { name: 'one', token: TOKENS.one, studies: [mine[0]?.study] },
        { name: 'ct-1', token: TOKENS.sender, may: ['store'] },
        { name: 'viewer', token: TOKENS.viewer, may: ['read'] },
      ],
    },
  });
  await gateway.start();
  expect((await stow('/dicomweb/studies', TOKENS.sender, [...mine, ...other])).status).toBe(200);
});
afterAll(() => gateway.destroy());

describe('a caller with one study', () => {
  const hidden: Uids = other[0] ?? NOWHERE;

  it.each(pathsOf(hidden).map((path, at) => [path.replaceAll(/\d+(\.\d+){5,}/g, '<uid>'), at] as const))(
    '%s tells nothing of another',
    async (_, at) => {
      for (const accept of ACCEPTS) {
        const headers = { Accept: accept };
        const found = await trace(await ask(pathsOf(hidden)[at] ?? '', TOKENS.one, { headers }), hidden);
        const none = await trace(await ask(pathsOf(NOWHERE)[at] ?? '', TOKENS.one, { headers }), NOWHERE);
        expect(found, accept).toBe(none);
        expect(found).not.toMatch(
          /^200\n(?!application\/dicom\+json|null|multipart\/related; type="application\/dicom\+xml")/,
        );
      }
    },
  );

  it('sees its own on the same routes', async () => {
    const own: Uids = mine[0] ?? NOWHERE;
    for (const path of [`/dicomweb/studies/${own.study}/metadata`, `/dicomweb/studies/${own.study}/series`]) {
      expect((await ask(path, TOKENS.one)).status).toBe(200);
    }
    const frame = `/dicomweb/studies/${own.study}/series/${own.series}/instances/${own.sop}/frames/1`;
    expect((await ask(frame, TOKENS.one)).status).toBe(200);
  });

  it.each(['studies', 'series', 'instances'])('counts and lists its own %s alone', async (level) => {
    const answer = await ask(`/dicomweb/${level}?limit=100`, TOKENS.one);
    const rows = (await answer.json()) as Record<string, { Value?: unknown[] }>[];
    expect(rows.length).toBeGreaterThan(0);
    expect(new Set(rows.map((row) => row['0020000D']?.Value?.[0]))).toEqual(new Set([mine[0]?.study]));
    const total = answer.headers.get('x-total-count');
    if (total !== null) expect(Number(total)).toBe(rows.length);
    const all = (await (await ask(`/dicomweb/${level}?limit=100`, TOKENS.all)).json()) as unknown[];
    expect(all.length).toBeGreaterThan(rows.length);
  });

  it('stores into its own alone, and only where the request names it', async () => {
    expect((await stow('/dicomweb/studies', TOKENS.one, mine)).status).toBe(403);
    expect((await stow(`/dicomweb/studies/${hidden.study}`, TOKENS.one, other)).status).toBe(403);
    expect(
      (
        await stow(
          `/dicomweb/studies/${mine[0]?.study}`,
          TOKENS.one,
          mine.filter(({ study }) => study === mine[0]?.study),
        )
      ).status,
    ).toBe(200);
  });

  it('deletes nothing of another', async () => {
    const before = await (await ask('/dicomweb/instances?limit=1000', TOKENS.all)).text();
    const answers = [hidden, NOWHERE].map(async (uids) =>
      trace(await ask(`/dicomweb/studies/${uids.study}`, TOKENS.one, { method: 'DELETE' }), uids),
    );
    const [found, none] = await Promise.all(answers);
    expect(found).toBe(none);
    expect(await (await ask('/dicomweb/instances?limit=1000', TOKENS.all)).text()).toBe(before);
  });
});

describe('actions', () => {
  it.each([
    ['nobody', null, 401, 401, 401],
    ['an unknown token', 'never-heard-of-this', 401, 401, 401],
    ['ct-1, who may store', TOKENS.sender, 403, 403, 415],
    ['the viewer, who may read', TOKENS.viewer, 200, 403, 403],
    ['one who may all', TOKENS.all, 200, 200, 415],
  ])('of %s', async (_, token, search, operate, store) => {
    expect((await ask('/dicomweb/studies?limit=1', token)).status).toBe(search);
    expect((await ask('/admin/api/status', token)).status).toBe(operate);
    expect((await ask('/metrics', token)).status).toBe(operate);
    const plain = { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'x' };
    expect((await ask('/dicomweb/studies', token, plain)).status).toBe(store);
    if (store === 403)
      expect((await ask(`/dicomweb/studies/${NOWHERE.study}`, token, { method: 'DELETE' })).status).toBe(403);
  });
});

it('a refusal can be read by the page of a viewer', async () => {
  const refused = await ask('/dicomweb/studies', null, { headers: { Origin: 'http://localhost:3000' } });
  expect(refused.status).toBe(401);
  expect(refused.headers.get('access-control-allow-origin')).toBe('http://localhost:3000');
});

describe('a link to one study', () => {
  const link = async (body: object) =>
    ask('/admin/api/links', TOKENS.all, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('opens it for reading, and nothing else', async () => {
    const { token } = (await (await link({ studies: [mine[0]?.study], expiresIn: '1h' })).json()) as { token: string };
    expect((await ask(`/dicomweb/studies/${mine[0]?.study}/metadata`, token)).status).toBe(200);
    expect((await ask(`/dicomweb/studies/${other[0]?.study}/metadata`, token)).status).toBe(404);
    expect((await ask('/admin/api/status', token)).status).toBe(403);
    expect((await stow(`/dicomweb/studies/${mine[0]?.study}`, token, mine)).status).toBe(403);
    const parts = token.split('.');
    for (const forged of [
      `${parts[0]}.${parts[1]}.`,
      `${parts[0]}.${Buffer.from('{"studies":[]}').toString('base64url')}.${parts[2]}`,
    ]) {
      expect((await ask('/dicomweb/studies', forged)).status).toBe(401);
    }
  });

  it('is made for studies and a time that can be meant', async () => {
    for (const body of [
      {},
      { studies: [] },
      { studies: ['../x'] },
      { studies: ['1.2'], expiresIn: '9999d' },
      { studies: ['1.2'], more: 1 },
    ]) {
      expect((await link(body)).status, JSON.stringify(body)).toBe(400);
    }
  });

  it('goes into a cookie for what a page loads by itself, for reads alone', async () => {
    const { token } = (await (await link({ studies: [mine[0]?.study] })).json()) as { token: string };
    const set = (await ask('/session', token, { method: 'POST' })).headers.get('set-cookie') ?? '';
    expect(set).toContain('HttpOnly');
    const headers = { Cookie: set.split(';', 1)[0] ?? '' };
    expect((await ask(`/dicomweb/studies/${mine[0]?.study}/metadata`, null, { headers })).status).toBe(200);
    expect((await ask(`/dicomweb/studies/${mine[0]?.study}`, null, { method: 'DELETE', headers })).status).toBe(401);
    expect((await ask('/session', token, { method: 'DELETE' })).headers.get('set-cookie')).toContain('Max-Age=0');
  });
});
