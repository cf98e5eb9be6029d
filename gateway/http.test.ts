import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { scriptedArchive } from '../test/support/scripted-archive.js';
import type { Archive, Selection } from '../tiering/archive/archive.js';
import { systemClock } from '../tiering/core/clock.js';
import { ArchiveError } from '../tiering/core/errors.js';
import { parseReplicaName, parseStudyUid } from '../tiering/core/ids.js';
import { JobRegistry, type JobView } from './admin/jobs.js';
import { OPENAPI } from './admin/openapi.js';
import type { StatusView } from './admin/status.js';
import { NO_AUDIT } from './audit/audit.js';
import { createAuthenticator } from './auth/authenticate.js';
import type { AuthConfig } from './config.js';
import { createHealth, type Health } from './health.js';
import { type HttpServer, startHttp } from './http.js';
import { createLogger } from './log.js';
import { createMetrics } from './metrics.js';

const TOKEN = 'a-long-enough-token';
const NOTHING = { studies: 0, packs: 0, bytes: 0, evicted: 0, failures: [] };
let stop: (() => Promise<void>) | undefined;
afterEach(async () => {
  await stop?.();
  stop = undefined;
});

async function start(script: Partial<Archive>, auth: AuthConfig = { mode: 'none' }) {
  const archive = scriptedArchive(script);
  const jobs = new JobRegistry(systemClock);
  const health: Health = createHealth(archive, systemClock);
  const authenticator = createAuthenticator(auth, systemClock);
  const server: HttpServer = await startHttp({
    config: { host: '127.0.0.1', port: 0, delete: true },
    authenticator,
    links: authenticator.links,
    probeReplica: () => Promise.resolve(null),
    dicomweb: {
      handle: (request, response) => {
        if (request.url?.endsWith('/broken')) throw new Error('Doe^John');
        response.end(`dicomweb ${request.method}`);
      },
    },
    metrics: createMetrics(health, jobs, systemClock, NO_AUDIT),
    audit: NO_AUDIT,
    archive,
    jobs,
    health,
    clock: systemClock,
    logger: createLogger('silent'),
  });
  stop = async () => {
    await jobs.close();
    await server.close(0);
  };
  const ask = (path: string, init: RequestInit = {}) => fetch(server.url + path, init);
  const post = (path: string, body: unknown) =>
    ask(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  return { server, health, ask, post };
}

async function json<T>(answer: Response): Promise<T> {
  return (await answer.json()) as T;
}

describe('the HTTP server', () => {
  it('answers health, readiness, metrics, the console and DICOMweb', async () => {
    const { ask } = await start({});
    expect(await (await ask('/healthz')).text()).toBe('ok\n');
    expect((await ask('/readyz')).status).toBe(200);
    const metrics = await (await ask('/metrics')).text();
    expect(metrics).toContain('filmroom_up 1');
    expect(metrics).toContain('filmroom_unprotected_instances 2');
    expect(metrics).toContain('filmroom_replica_available{replica="r2"} 0');
    expect(metrics).toMatch(/filmroom_http_requests_total\{route="operations",method="GET",status="2xx"\} 2/);
    const page = await ask('/');
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(await page.text()).toContain('<script type="module" src="/console.js">');
    expect(await (await ask('/dicomweb/studies')).text()).toBe('dicomweb GET');
    expect(await (await ask('/wado?requestType=WADO')).text()).toBe('dicomweb GET');
    expect((await ask('/nowhere')).status).toBe(404);
  });

  it('says nothing of an unexpected error, and serves on', async () => {
    const { ask } = await start({});
    const answer = await ask('/dicomweb/broken');
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('Doe');
    expect((await ask('/healthz')).status).toBe(200);
  });

  it('is not ready while it stops, or while the index does not answer', async () => {
    const { ask, health } = await start({ status: () => Promise.reject(new ArchiveError('UNAVAILABLE', 'disk')) });
    expect((await ask('/healthz')).status).toBe(200);
    expect((await ask('/readyz')).status).toBe(503);
    expect(await (await ask('/metrics')).text()).toContain('filmroom_up 0');
    health.stopping();
    expect(await (await ask('/readyz')).text()).toBe('stopping\n');
  });

  it('answers what it cannot read with 400 and closes', async () => {
    const { server } = await start({});
    const reply = await new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1', () => socket.write('NOT HTTP\r\n\r\n'));
      let text = '';
      socket.on('data', (bytes) => {
        text += bytes.toString('latin1');
      });
      socket.on('close', () => resolve(text));
    });
    expect(reply).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  });

  it('wants the token everywhere but for health, preflights and the console page', async () => {
    const { ask } = await start({}, { mode: 'token', tokens: [{ name: 'ops', token: TOKEN }] });
    for (const path of ['/dicomweb/studies', '/wado', '/admin/api/status', '/metrics']) {
      const refused = await ask(path);
      expect([path, refused.status, refused.headers.get('www-authenticate')]).toEqual([path, 401, 'Bearer']);
      expect((await ask(path, { headers: { Authorization: `Bearer ${TOKEN}` } })).status).toBe(200);
      expect((await ask(`${path}?access_token=${TOKEN}`)).status).toBe(401);
    }
    // However express would read it: it knows no case and forgives a slash.
    for (const path of ['/ADMIN/api/status', '/admin/API/status', '/Admin/api/status/', '/METRICS', '/metrics/']) {
      expect([path, (await ask(path)).status]).toEqual([path, 401]);
    }
    for (const path of ['/healthz', '/readyz', '/', '/console.js']) expect((await ask(path)).status).toBe(200);
    const preflight = { method: 'OPTIONS', headers: { 'Access-Control-Request-Method': 'GET' } };
    expect(await (await ask('/dicomweb/studies', preflight)).text()).toBe('dicomweb OPTIONS');
  });
});

describe('the admin API', () => {
  it('gives the status in the shape that scripts rely on', async () => {
    const { ask } = await start({});
    const status = await json<StatusView>(await ask('/admin/api/status'));
    expect(status).toMatchObject({
      studies: { hot: 2, protected: 1, cold: 1 },
      bytes: { hot: 2048, cold: 1024 },
      unprotected: { instances: 2, bytes: 512 },
      volumes: [{ name: 'a', state: 'healthy', bytesFree: 5e8 }],
      replicas: [
        { name: 'r1', state: 'available', debt: { packs: 0, bytes: 0 } },
        { name: 'r2', state: 'unavailable', debt: { packs: 1, bytes: 512 } },
      ],
      jobs: [],
    });
    expect(status.unprotected.oldestAgeSeconds).toBeGreaterThanOrEqual(5);
  });

  it('runs a job and streams its progress to the end', async () => {
    let selection: Selection = {};
    const { ask, post } = await start({
      migrate: async (wanted, options) => {
        selection = wanted;
        for (let packsDone = 1; packsDone <= 3; packsDone += 1) {
          await systemClock.sleep(10, options?.signal);
          options?.onProgress?.({ step: 'seal', packsDone, packsTotal: 3, bytesDone: packsDone, bytesTotal: 3 });
        }
        return { ...NOTHING, studies: 1, packs: 3, evicted: options?.keepHot ? 0 : 3 };
      },
    });
    const accepted = await post('/admin/api/jobs', { kind: 'migrate', studies: ['1.2.3', '1.2.3'] });
    expect(accepted.status).toBe(202);
    const { id } = await json<{ id: string }>(accepted);
    expect(accepted.headers.get('location')).toBe(`/admin/api/jobs/${id}`);
    const events = await (await ask(`/admin/api/jobs/${id}/events`)).text();
    expect(events.match(/^event: (\w+)$/gm)?.at(-1)).toBe('event: done');
    expect(events).toContain('"packsDone":2');
    const job = await json<JobView>(await ask(`/admin/api/jobs/${id}`));
    expect(job).toMatchObject({ state: 'done', report: { packs: 3, evicted: 3 } });
    expect(selection).toEqual({ studies: ['1.2.3'] });
    expect((await json<{ jobs: JobView[] }>(await ask('/admin/api/jobs'))).jobs).toHaveLength(1);
  });

  it('deletes by name, in a job, and says what it would delete; one that fails leaves the others', async () => {
    const removed: unknown[] = [];
    const { ask, post } = await start({
      async *instances() {},
      remove: (scope) => {
        removed.push(scope);
        if (scope.study === '1.9') return Promise.reject(new ArchiveError('NOT_FOUND', 'nothing there'));
        return Promise.resolve({ instances: 4, studies: 1, durable: 'pending', deletes: [] });
      },
    });
    const what = { studies: ['1.2.3', '1.9'] };
    const plan = await json(await post('/admin/api/deletions/plan', what));
    expect([plan, removed]).toEqual([{ studies: 0, instances: 0, bytes: 0, online: 0, more: false }, []]);
    const { id } = await json<{ id: string }>(await post('/admin/api/deletions', what));
    expect(await (await ask(`/admin/api/jobs/${id}/events`)).text()).toContain('"state":"partly"');
    expect(await json(await ask(`/admin/api/jobs/${id}`))).toMatchObject({
      kind: 'delete',
      report: { instances: 4, studies: 1, durable: 'pending', failures: [{ item: '1.9', code: 'NOT_FOUND' }] },
    });
    expect(removed).toEqual([{ study: '1.2.3' }, { study: '1.9' }]);
    for (const bad of [
      {},
      { studies: [] },
      { all: true },
      { studies: ['1.2'], instance: '1.2.3' },
      { studies: ['1.2', '1.3'], series: '1.2.3' },
      { studies: ['../1'] },
    ]) {
      expect([bad, (await post('/admin/api/deletions', bad)).status]).toEqual([bad, 400]);
    }
    expect((await post('/admin/api/jobs', { kind: 'delete', studies: ['1.2'] })).status).toBe(400);
  });

  it('erases what it deleted, or all that was deleted, and says where something is left', async () => {
    const asked: unknown[] = [];
    const places = [{ name: parseReplicaName('r2'), kind: 'replica', erased: 0, pending: 3, detail: 'away' }] as const;
    const { ask, post } = await start({
      async *instances() {},
      remove: () => Promise.resolve({ instances: 4, studies: 1, durable: 'quorum', deletes: [17, 18] }),
      erase: (options) => {
        asked.push(options?.deletes);
        const pending = { instances: 4, bytes: 9 };
        const report = { packs: 0, instances: 0, bytes: 0, pending, places, failures: [], unavailable: ['r2'] };
        return Promise.resolve(report);
      },
    });
    const run = async (body: object) => {
      const { id } = await json<{ id: string }>(await post('/admin/api/deletions', body));
      await (await ask(`/admin/api/jobs/${id}/events`)).text();
      return json<JobView>(await ask(`/admin/api/jobs/${id}`));
    };
    expect(await run({ studies: ['1.2.3'], erase: true })).toMatchObject({
      kind: 'delete',
      state: 'partly',
      report: { instances: 4, erased: { pending: { instances: 4 }, places }, unavailable: ['r2'] },
    });
    expect(await run({ erase: true })).toMatchObject({ kind: 'erase', state: 'failed', report: { places } });
    expect(asked).toEqual([[17, 18], undefined]);
    expect((await post('/admin/api/deletions', { erase: false })).status).toBe(400);
  });

  it('lets only those delete who may, whatever else they may operate', async () => {
    const { ask } = await start(
      {},
      { mode: 'token', tokens: [{ name: 'ops', token: TOKEN, may: ['read', 'store', 'operate'] }] },
    );
    const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' };
    const asked = { method: 'POST', headers, body: JSON.stringify({ studies: ['1.2'] }) };
    for (const path of ['/admin/api/deletions', '/admin/api/Deletions/', '/ADMIN/api/deletions?x']) {
      expect([path, (await ask(path, asked)).status]).toEqual([path, 403]);
    }
    const clear = await ask('/admin/api/holds/1.2', { method: 'DELETE', headers });
    expect([clear.status, (await ask('/admin/api/status', { headers })).status]).toEqual([403, 200]);
  });

  it('lists, sets and clears legal holds, and deletes nothing in a request that one of them refuses', async () => {
    const said: unknown[] = [];
    const study = parseStudyUid('1.2.3');
    const refused = { study, cause: 'hold', until: null, detail: 'the study is under legal hold' } as const;
    const { ask, post } = await start({
      async *instances() {},
      holds: () => Promise.resolve([{ study, held: true, atMs: 0, reason: 'case 1' }]),
      setHold: (...args) => Promise.resolve({ durable: said.push(args) > 0 ? 'quorum' : 'pending' }),
      clearHold: (...args) => Promise.resolve({ durable: said.push(args) > 0 ? 'quorum' : 'pending' }),
      refusals: () => Promise.resolve([refused]),
    });
    expect(await json(await ask('/admin/api/holds'))).toEqual({
      holds: [{ study, since: '1970-01-01T00:00:00.000Z', reason: 'case 1' }],
    });
    expect((await post('/admin/api/holds', { study, reason: 'case 2' })).status).toBe(201);
    expect((await ask(`/admin/api/holds/${study}`, { method: 'DELETE' })).status).toBe(200);
    expect(said).toEqual([[study, 'case 2'], [study]]);
    for (const bad of [{}, { study: 'x' }, { study, reason: 'x'.repeat(1_025) }, { study, until: '2030' }]) {
      expect([bad, (await post('/admin/api/holds', bad)).status]).toEqual([bad, 400]);
    }
    const what = { studies: ['1.2.9', '1.2.3'] };
    expect(await json(await post('/admin/api/deletions/plan', what))).toMatchObject({ refused: [refused] });
    const { id } = await json<{ id: string }>(await post('/admin/api/deletions', what));
    await (await ask(`/admin/api/jobs/${id}/events`)).text();
    expect(await json(await ask(`/admin/api/jobs/${id}`))).toMatchObject({
      state: 'failed',
      report: { instances: 0, failures: [{ item: '1.2.3', code: 'CONFLICT', detail: refused.detail }] },
    });
  });

  it('cancels a job', async () => {
    const { ask, post } = await start({
      scrub: async (options) => {
        await systemClock.sleep(60_000, options?.signal);
        return { objects: 0, bytes: 0, resumed: false, findings: [], unavailable: [] };
      },
    });
    const { id } = await json<{ id: string }>(await post('/admin/api/jobs', { kind: 'scrub', deep: true }));
    expect((await ask(`/admin/api/jobs/${id}`, { method: 'DELETE' })).status).toBe(202);
    expect(await (await ask(`/admin/api/jobs/${id}/events`)).text()).toContain('"state":"cancelled"');
  });

  it('turns keywords into attributes to match', async () => {
    let selection: Selection = {};
    const { ask, post } = await start({
      recall: (wanted) => {
        selection = wanted;
        return Promise.resolve(NOTHING);
      },
    });
    const query = { PatientID: 'A,1*', ModalitiesInStudy: 'CT,MR', StudyDate: '20260101-' };
    const { id } = await json<{ id: string }>(
      await post('/admin/api/jobs', { kind: 'recall', query, olderThan: '1d' }),
    );
    await (await ask(`/admin/api/jobs/${id}/events`)).text();
    expect(selection.query?.matches).toEqual([
      { path: ['00100020'], vr: 'LO', values: ['A,1*'] },
      { path: ['00080061'], vr: 'CS', values: ['CT', 'MR'] },
      { path: ['00080020'], vr: 'DA', values: ['20260101-'] },
    ]);
    expect(Date.now() - (selection.arrivedBeforeMs ?? 0)).toBeGreaterThanOrEqual(86_400_000);
  });

  it.each([
    [{ kind: 'migrate' }, 'nothing is selected'],
    [{ kind: 'migrate', studies: [] }, 'studies:'],
    [{ kind: 'migrate', studies: ['../../etc'] }, 'not a Study Instance UID'],
    [{ kind: 'migrate', all: true, studies: ['1.2'] }, 'not several'],
    [{ kind: 'migrate', studies: ['1.2'], olderThan: '1d' }, 'olderThan narrows'],
    [{ kind: 'migrate', all: true, olderThan: '90' }, 'a duration is a number with its unit'],
    [{ kind: 'recall', query: { Nonsense: 'x' } }, 'unknown query parameter'],
    [{ kind: 'recall', query: {} }, 'at least one'],
    [{ kind: 'recall', query: { limit: '5' } }, 'attributes by keyword or tag'],
    [{ kind: 'recall', query: { StudyDate: 'Doe^John' } }, 'is not a date'],
    [{ kind: 'recall', all: true, keepHot: true }, 'only migrate has it'],
    [{ kind: 'scrub', studies: ['1.2'] }, 'of the whole archive'],
    [{ kind: 'erase', all: true }, 'kind:'],
    [{ kind: 'scrub', extra: 1 }, 'extra'],
    [[], 'body:'],
  ])('refuses %j', async (body, detail) => {
    const { post } = await start({});
    const answer = await post('/admin/api/jobs', body);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect((await json<{ detail: string }>(answer)).detail).toContain(detail);
  });

  it('takes JSON only, and not without end', async () => {
    const { ask, post } = await start({});
    const plain = { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: '{"kind":"scrub"}' };
    expect((await ask('/admin/api/jobs', plain)).status).toBe(415);
    const broken = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"Doe^John' };
    const answer = await ask('/admin/api/jobs', broken);
    expect([answer.status, (await answer.text()).includes('Doe')]).toEqual([400, false]);
    expect((await post('/admin/api/jobs', { kind: 'scrub', pad: 'x'.repeat(1 << 21) })).status).toBe(413);
  });

  it('answers 404 in its own shape', async () => {
    const { ask } = await start({});
    for (const path of ['/admin/api/jobs/none', '/admin/api/jobs/none/events', '/admin/api/nothing']) {
      const answer = await ask(path);
      expect([path, answer.status]).toEqual([path, 404]);
      expect(await json(answer)).toMatchObject({ status: 404, title: 'Not found' });
    }
  });

  it('is described by its OpenAPI document: every path in it answers, and every reference in it leads somewhere', async () => {
    const { ask } = await start({ query: () => Promise.resolve({ rows: [], more: false }) });
    const served = await json<typeof OPENAPI>(await ask('/admin/api/openapi.json'));
    expect(served).toEqual(OPENAPI);
    for (const [path, methods] of Object.entries(served.paths)) {
      for (const method of Object.keys(methods).filter((key) => key !== 'parameters')) {
        const answer = await ask(`/admin/api${path.replace(/\{\w+\}/, 'x')}`, { method: method.toUpperCase() });
        expect([path, method, await answer.text()]).not.toEqual([
          path,
          method,
          expect.stringContaining('nothing at this address'),
        ]);
      }
    }
    const names = [...JSON.stringify(served).matchAll(/#\/components\/schemas\/(\w+)/g)].map((match) => match[1]);
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) expect(Object.keys(served.components.schemas)).toContain(name);
  });
});
