// The audit log of a real server: who stored, searched, read and deleted what, and what operators and scrubs did; never a patient's name. Then a line is changed.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { phantomStudies } from '../../dicom/phantom/phantom.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { stowBody } from '../support/stow.js';
import { filmroom } from './gateway-clients.js';

const TOKEN = 'an-audited-token-0123456789';
const INSTANCES = [...phantomStudies({ seed: 3, studies: 1, slices: 3, shrink: 16 })];
const [ONE] = INSTANCES;

let gateway: GatewayProcess;
beforeAll(async () => {
  gateway = await GatewayProcess.prepare({ auth: { mode: 'token', tokens: [{ name: 'dr-house', token: TOKEN }] } });
  await gateway.start();
}, 60_000);
afterAll(async () => gateway?.destroy());

async function ask(
  path: string,
  init: { method?: string; body?: Uint8Array<ArrayBuffer>; headers?: Record<string, string> } = {},
): Promise<number> {
  const headers = { Authorization: `Bearer ${TOKEN}`, ...init.headers };
  const answer = await fetch(gateway.url + path, { ...init, headers });
  await answer.arrayBuffer();
  return answer.status;
}

const run = (...args: string[]) =>
  filmroom(args, { cwd: gateway.dir, environment: { FILMROOM_SERVER: gateway.url, FILMROOM_TOKEN: TOKEN } });
const folder = () => join(gateway.dir, 'data', 'audit');

async function records(): Promise<{ readonly text: string; readonly lines: Record<string, unknown>[] }> {
  const texts = await Promise.all(
    (await readdir(folder())).sort().map((name) => readFile(join(folder(), name), 'utf8')),
  );
  const text = texts.join('');
  return {
    text,
    lines: text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe('the audit log', () => {
  it('has everything that was done, by whom and to which study, and no name', async () => {
    if (ONE === undefined) throw new Error('there is no phantom');
    const { study, series, sop } = ONE;
    const { body, contentType } = stowBody(INSTANCES.map(({ bytes }) => bytes));
    const init = { method: 'POST', body: new Uint8Array(body), headers: { 'Content-Type': contentType } };
    expect(await ask('/dicomweb/studies', init)).toBe(200);
    expect(await ask('/dicomweb/studies?PatientName=Secret*')).toBe(204);
    for (let frame = 0; frame < 20; frame += 1) {
      expect(await ask(`/dicomweb/studies/${study}/series/${series}/instances/${sop}/frames/1`)).toBe(200);
    }
    expect(await ask(`/dicomweb/studies/${study}`, { headers: { Authorization: 'Bearer of-somebody-else' } })).toBe(
      401,
    );
    expect((await run('migrate', '--study', study, '--yes')).code).toBe(0);
    // The index knows nothing of it: a finding.
    const stray = join(gateway.dir, 'data', 'replica-1', 'c', '00');
    await mkdir(stray, { recursive: true });
    await writeFile(join(stray, '0'.repeat(64)), 'stray');
    expect((await run('scrub', '--deep')).code).toBe(0);
    expect((await run('delete', '--study', study, '--yes')).code).toBe(0);
    await gateway.kill('SIGTERM');
    const { text, lines } = await records();
    const who = 'dr-house';
    for (const expected of [
      { event: 'start' },
      { event: 'store', who, outcome: 'done', status: 200, studies: [study] },
      { event: 'query', who, keys: ['PatientName'], status: 204 },
      { event: 'retrieve', who, resource: 'frames', study, series },
      {
        event: 'refused',
        who: 'unknown',
        asked: 'retrieve',
        study,
        status: 401,
        from: expect.stringContaining('127.0.0.1') as string,
      },
      { event: 'operate', who, kind: 'migrate', studies: [study], job: expect.any(String) as string },
      { event: 'job', kind: 'migrate', outcome: 'done' },
      { event: 'job', kind: 'scrub', outcome: 'done' },
      {
        event: 'archive',
        what: 'scrub-finding',
        dcm: '110113',
        detail: expect.stringMatching(/c\/00\/0{64} on r1: unknown/) as string,
      },
      { event: 'operate', who, path: '/admin/api/deletions', studies: [study] },
      { event: 'job', kind: 'delete', outcome: 'done' },
      { event: 'stop' },
    ]) {
      expect(lines).toContainEqual(expect.objectContaining(expected));
    }
    const frames = lines.filter(({ resource }) => resource === 'frames');
    expect(frames.reduce((sum, { count }) => sum + Number(count ?? 1), 0)).toBe(20);
    expect(text).not.toMatch(/Secret|\^|an-audited-token|of-somebody-else/);
  }, 60_000);

  it('is verified, and a changed line shows', async () => {
    expect(await run('audit', 'verify', '--config', gateway.configPath)).toMatchObject({ code: 0, stderr: '' });
    const [name = ''] = (await readdir(folder())).sort();
    const path = join(folder(), name);
    await writeFile(path, (await readFile(path, 'utf8')).replace('dr-house', 'dr-cuddy'));
    const found = await run('audit', 'verify', '--path', folder());
    expect(found.code).toBe(1);
    expect(found.stderr).toMatch(/audit-.*jsonl:\d+: it does not follow the line before it/);
  });
});
