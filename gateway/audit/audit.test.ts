// The audit log: a chain in which every change shows, that counts like requests together, never waits for its disk, and never names a patient.
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../tiering/core/clock.js';
import { createLogger } from '../log.js';
import { type Audit, openAudit } from './audit.js';
import { Chain, verifyAudit } from './chain.js';
import { type Asked, aboutCommand, recordOf } from './request-record.js';

const DAY_MS = 24 * 3_600_000;
const NOON = Date.parse('2026-11-20T12:00:00Z');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'filmroom-audit-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

const some = (count: number, from = 0) => Array.from({ length: count }, (_, n) => ({ event: 'query', n: from + n }));

async function written(): Promise<Chain> {
  const chain = new Chain(folder);
  await chain.append(some(3), NOON);
  await chain.append(some(2, 3), NOON + DAY_MS);
  return chain;
}

async function rewrite(name: string, change: (lines: string[]) => string[]): Promise<void> {
  const path = join(folder, name);
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  await writeFile(path, `${change(lines).join('\n')}\n`);
}

describe('the chain', () => {
  it('goes on over days and restarts, in files that nobody else can read', async () => {
    await (await written()).close();
    const next = new Chain(folder);
    await next.append(some(1, 5), NOON + DAY_MS);
    await next.close();
    const found = await verifyAudit(folder);
    expect(found).toMatchObject({ files: 2, lines: 6, problems: [], torn: 0 });
    expect(found.head).toEqual(next.head);
    expect(await readdir(folder)).toEqual(['audit-2026-11-20.jsonl', 'audit-2026-11-21.jsonl']);
    expect((await stat(join(folder, 'audit-2026-11-20.jsonl'))).mode & 0o777).toBe(0o600);
  });

  it.each<readonly [string, (lines: string[]) => string[]]>([
    ['a changed word', (lines) => lines.map((line, n) => (n === 1 ? line.replace('query', 'quary') : line))],
    ['a line taken out', (lines) => lines.filter((_, n) => n !== 1)],
    ['a line put in', ([a = '', ...rest]) => [a, a, ...rest]],
    ['two lines that changed places', ([a = '', b = '', c = '']) => [b, a, c]],
    ['the last line of a day taken out', (lines) => lines.slice(0, -1)],
  ])('shows %s', async (_, change) => {
    await (await written()).close();
    await rewrite('audit-2026-11-20.jsonl', change);
    expect((await verifyAudit(folder)).problems).not.toEqual([]);
  });

  it('shows a day that is missing, and not those that were let go in their time', async () => {
    const chain = await written();
    await chain.append(some(1, 5), NOON + 2 * DAY_MS);
    expect(await chain.expire(DAY_MS, NOON + 2 * DAY_MS + DAY_MS / 2)).toBe(1);
    await chain.close();
    expect(await verifyAudit(folder)).toMatchObject({ files: 2, lines: 3, problems: [] });
    const again = new Chain(folder);
    await again.append(some(1, 6), NOON + 3 * DAY_MS);
    await again.close();
    await rm(join(folder, 'audit-2026-11-22.jsonl'));
    expect((await verifyAudit(folder)).problems).toHaveLength(1);
  });

  it('goes on after a line that a crash cut off', async () => {
    await (await written()).close();
    await appendFile(join(folder, 'audit-2026-11-21.jsonl'), '{"seq":6,"pre');
    const next = new Chain(folder);
    await next.append(some(2, 5), NOON + DAY_MS);
    await next.close();
    expect(await verifyAudit(folder)).toMatchObject({ lines: 7, torn: 1, problems: [] });
  });
});

async function lines(): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = [];
  for (const name of (await readdir(folder)).sort()) {
    for (const line of (await readFile(join(folder, name), 'utf8')).trimEnd().split('\n')) {
      all.push(JSON.parse(line) as Record<string, unknown>);
    }
  }
  return all;
}

function opened(path = folder): Audit {
  return openAudit({ path, retentionMs: DAY_MS, clock: systemClock, logger: createLogger('silent') });
}

describe('the audit log', () => {
  it('counts like records together, and ends with what was given last', async () => {
    const audit = opened();
    const atMs = Date.now();
    for (let n = 0; n < 100; n += 1)
      audit.later(() => ({ atMs: atMs + n, event: 'retrieve', who: 'viewer', study: '1.2' }));
    audit.record({ atMs, event: 'delete', who: 'ops', study: '1.3' });
    audit.later(() => null);
    await audit.close();
    expect(await lines()).toMatchObject([
      { event: 'start' },
      { event: 'retrieve', count: 100, at: new Date(atMs).toISOString() },
      { event: 'delete', study: '1.3' },
      { event: 'stop' },
    ]);
    expect(await verifyAudit(folder)).toMatchObject({ problems: [] });
    expect(audit.state()).toEqual({ state: 'on', detail: null, lost: 0 });
  });

  it('that cannot be written raises an alarm, keeps what it can, and says how much it lost once it is written again', async () => {
    const path = join(folder, 'log');
    await writeFile(path, 'a file in the place of the folder');
    const audit = opened(path);
    for (let n = 0; n < 30_000; n += 1) audit.record({ atMs: n, event: 'query', n });
    while (audit.state().state === 'on') await sleep(5);
    expect(audit.state()).toMatchObject({
      state: 'failing',
      lost: 10_001,
      detail: expect.stringContaining(path) as string,
    });
    await rm(path);
    await audit.close();
    expect(audit.state().state).toBe('on');
    folder = path;
    const all = await lines();
    expect(all.filter(({ event }) => event === 'query')).toHaveLength(19_999);
    const lost = all.filter(({ event }) => event === 'gap').reduce((sum, { lost: n }) => sum + Number(n), 0);
    expect(lost).toBeGreaterThanOrEqual(10_001);
    expect(await verifyAudit(folder)).toMatchObject({ problems: [] });
  });
});

const STUDY = '1.2.840.99';
const asked = (method: string, url: string, status = 200): Asked => ({
  atMs: NOON,
  method,
  url,
  status,
  who: 'viewer',
  from: '10.0.0.7',
  whole: true,
  details: undefined,
});

describe('what is written of a request', () => {
  it.each<readonly [Asked, object]>([
    [
      asked('GET', '/dicomweb/studies?PatientName=Doe^John&limit=5'),
      { event: 'query', keys: ['PatientName', 'limit'] },
    ],
    [asked('GET', `/dicomweb/studies/${STUDY}`), { event: 'retrieve', dcm: '110104', study: STUDY, outcome: 'done' }],
    [
      asked('GET', `/dicomweb/studies/${STUDY}/series/1.3/instances/1.4/frames/7`),
      { event: 'retrieve', study: STUDY, series: '1.3' },
    ],
    [asked('GET', `/dicomweb/studies/${STUDY}/rendered`), { event: 'render', study: STUDY }],
    [
      asked('GET', `/wado?requestType=WADO&studyUID=${STUDY}&seriesUID=1.3&objectUID=1.4`),
      { event: 'render', study: STUDY, sop: '1.4' },
    ],
    [asked('POST', '/dicomweb/studies'), { event: 'store' }],
    [asked('DELETE', `/dicomweb/studies/${STUDY}`, 204), { event: 'delete', dcm: '110105', study: STUDY }],
    [
      asked('GET', `/dicomweb/studies/${STUDY}`, 401),
      { event: 'refused', asked: 'retrieve', study: STUDY, outcome: 'refused' },
    ],
    [asked('GET', `/dicomweb/studies/${STUDY}`, 503), { event: 'retrieve', outcome: 'failed' }],
    [{ ...asked('GET', `/dicomweb/studies/${STUDY}`), whole: false }, { outcome: 'broken off' }],
    [asked('GET', '/dicomweb/Doe%5EJohn/../x'), { event: 'refused', resource: 'unknown' }],
    [asked('POST', '/admin/api/jobs', 202), { event: 'operate', path: '/admin/api/jobs' }],
  ])('%#', (one, expected) => {
    const record = recordOf(one);
    expect(record).toMatchObject(expected);
    expect(JSON.stringify(record)).not.toMatch(/Doe|John/);
  });

  it('of a command has what it is about, and no value of a search', () => {
    const body = {
      kind: 'migrate',
      studies: [STUDY],
      keepHot: true,
      query: { PatientName: 'Doe^John' },
      reason: 'Doe',
    };
    expect(aboutCommand(body)).toEqual({ kind: 'migrate', studies: [STUDY], keepHot: true });
  });
});
