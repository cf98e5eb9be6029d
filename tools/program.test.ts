import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { statusView } from '../gateway/admin/status.js';
import { NO_AUDIT } from '../gateway/audit/audit.js';
import { HEALTHY } from '../test/support/scripted-archive.js';
import type { ExitCode } from './exit.js';
import { runProgram } from './program.js';

// The tests run from dist/tools; the vectors stay where they are in the sources.
const VECTORS = join(import.meta.dirname, '..', '..', 'test', 'vectors');
const folder = mkdtempSync(join(tmpdir(), 'filmroom-cli-'));
let server: Server | undefined;
afterEach(() => server?.close());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `filmroom` in this process, away from its streams. */
async function filmroom(args: readonly string[], environment: Record<string, string> = {}) {
  let stdout = '';
  let stderr = '';
  let code: ExitCode | undefined;
  const io = {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
    environment,
    cwd: folder,
    signal: new AbortController().signal,
    exit: (given: ExitCode) => {
      code = given;
    },
  };
  await runProgram(io, args, '1.2.3');
  return { stdout, stderr, code };
}

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly authorization: string | undefined;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString('utf8');
}

/** A server that answers the admin API from a table; what it was asked is in `seen`. */
async function startServer(answers: Record<string, { status?: number; body: unknown; type?: string }>) {
  const seen: Seen[] = [];
  server = createServer((request, response) => {
    void (async () => {
      const text = await bodyOf(request);
      const { method = '', url = '', headers } = request;
      const json = headers['content-type'] === 'application/json';
      seen.push({
        method,
        path: url,
        body: json ? JSON.parse(text) : text.length,
        authorization: headers.authorization,
      });
      const {
        status = 200,
        body,
        type = 'application/json',
      } = answers[`${method} ${url}`] ?? {
        status: 404,
        body: { detail: 'nothing here' },
      };
      response.writeHead(status, { 'Content-Type': type });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    })();
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const job = (state: string, more: object = {}) => ({
  id: 'j1',
  kind: 'migrate',
  state,
  createdAt: '2026-01-01T00:00:00Z',
  finishedAt: null,
  progress: null,
  report: null,
  error: null,
  ...more,
});

function jobAnswers(done: object) {
  const progress = { step: 'sealing', packsDone: 1, packsTotal: 2, bytesDone: 1, bytesTotal: 2 };
  const events = `event: progress\ndata: ${JSON.stringify(job('running', { progress }))}\n\nevent: done\ndata: ${JSON.stringify(done)}\n\n`;
  return {
    'POST /admin/api/jobs': { status: 202, body: { id: 'j1' } },
    'GET /admin/api/jobs/j1/events': { body: events, type: 'text/event-stream' },
  };
}

describe('the command line', () => {
  it('says what it can do, and its version', async () => {
    const help = await filmroom(['--help']);
    expect(help.code).toBe(0);
    for (const name of [
      'serve',
      'init',
      'doctor',
      'sample',
      'status',
      'migrate',
      'recall',
      'repatriate',
      'scrub',
      'repair',
      'rebuild-index',
      'report',
      'extract',
      'import',
      'jobs',
      'keys',
      'replica',
      'config',
    ]) {
      expect(help.stdout).toContain(`  ${name} `);
    }
    expect(await filmroom(['--version'])).toMatchObject({ code: 0, stdout: '1.2.3\n' });
  });

  it.each([
    [['bogus'], "unknown command 'bogus'"],
    [['status', '--bogus'], "unknown option '--bogus'"],
    [['status', 'extra'], 'too many arguments'],
    [['migrate', '--yes'], 'which studies?'],
    [['migrate', '--study', '../x'], 'Not a Study Instance UID'],
    [['migrate', '--study', '1.2', '--all'], 'cannot be used with'],
    [['migrate', '--study', '1.2', '--older-than', '9d'], 'cannot be used with'],
    [['migrate', '--older-than', '90'], 'a duration is a number with its unit'],
    [['recall', '--query', 'PatientID'], 'Must be Key=Value'],
    [['status', '--server', 'nowhere'], '--server must be a URL'],
    [['sample'], "required option '--out <dir>'"],
    [['sample', '--out', 'x', '--seed', '-1'], 'whole number'],
    [['extract', '--replica', 'file:x', '--out', 'y'], "required option '--keyring <path>'"],
    [['extract', '--replica', 'file:x', '--keyring', 'none.json', '--out', 'y'], 'none.json cannot be read (ENOENT)'],
    [['config', 'check', 'none.yaml'], 'none.yaml: cannot be read (ENOENT)'],
    [['serve', '--config', 'none.yaml'], 'none.yaml: cannot be read (ENOENT)'],
    [['replica', 'test', 'r9'], 'it has: r1, r2'],
  ])('refuses %j with exit code 2 and nothing on standard output', async (args, message) => {
    expect(await filmroom(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });

  it('fails with exit code 1 when no server answers, and says so in JSON too', async () => {
    const { code, stdout, stderr } = await filmroom(['status', '--json', '--server', 'http://127.0.0.1:1']);
    expect([code, stderr.includes('is it running?')]).toEqual([1, true]);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'UNAVAILABLE' } });
  });
});

describe('commands that talk to the server', () => {
  it('show the status, with the token of the environment', async () => {
    const view = statusView(HEALTHY, [], Date.now(), NO_AUDIT.state());
    const { url, seen } = await startServer({ 'GET /admin/api/status': { body: view } });
    const shown = await filmroom(['status', '--server', `${url}/`], { FILMROOM_TOKEN: 'sesame' });
    expect(shown).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('2 studies hot (2.0 KiB), 1 of them protected'),
    });
    expect(shown.stdout).toMatch(
      /r2 +unavailable for 1 min \d+ s +1 pack, 512 B, the oldest \d+ s old +did not answer/,
    );
    expect(seen[0]?.authorization).toBe('Bearer sesame');
    const { stdout } = await filmroom(['status', '--json'], { FILMROOM_SERVER: url });
    expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(view)));
  });

  it('migrate shows its plan and does nothing without --yes', async () => {
    const plan = { studies: 2, instances: 9, bytes: 1536, online: 2, more: false };
    const { url, seen } = await startServer({ 'POST /admin/api/plan': { body: plan } });
    const shown = await filmroom(['migrate', '--study', '1.2', '--study', '1.3', '--server', url]);
    expect(shown).toMatchObject({ code: 2, stderr: expect.stringContaining('Plan: 2 studies, 9 instances, 1.5 KiB.') });
    expect(seen).toMatchObject([{ path: '/admin/api/plan', body: { studies: ['1.2', '1.3'] } }]);
  });

  it.each([
    ['done', { packs: 2, failures: [] }, 0],
    ['partly', { packs: 1, failures: [{ item: 'p', code: 'UNAVAILABLE', detail: 'r2 is down' }] }, 3],
    ['failed', { packs: 0, failures: [{ item: 'p', code: 'UNAVAILABLE', detail: 'r2 is down' }] }, 1],
    ['cancelled', null, 1],
  ])('a job that is %s ends with its exit code', async (state, report, code) => {
    const { url, seen } = await startServer(jobAnswers(job(state, { report })));
    const ended = await filmroom([
      'migrate',
      '--query',
      'PatientID=1',
      '--older-than',
      '90d',
      '--yes',
      '--json',
      '--server',
      url,
    ]);
    expect(ended.code).toBe(code);
    expect(JSON.parse(ended.stdout)).toMatchObject({ id: 'j1', state, ...report });
    expect(ended.stderr).toContain('migrate sealing: 1 of 2');
    if (code === 3) expect(ended.stderr).toContain('p: UNAVAILABLE: r2 is down');
    expect(seen[0]?.body).toEqual({ kind: 'migrate', query: { PatientID: '1' }, olderThan: '90d', keepHot: false });
  });

  it('need no --yes where nothing is deleted', async () => {
    const { url, seen } = await startServer(jobAnswers(job('done', { report: {} })));
    expect((await filmroom(['migrate', '--all', '--keep-hot', '--server', url])).code).toBe(0);
    expect((await filmroom(['recall', '--all', '--server', url])).code).toBe(0);
    expect((await filmroom(['repatriate', '--all', '--server', url])).code).toBe(0);
    expect((await filmroom(['scrub', '--deep', '--server', url])).code).toBe(0);
    expect((await filmroom(['repair', '--server', url])).code).toBe(0);
    expect(seen.filter((one) => one.method === 'POST').map((one) => one.body)).toEqual([
      { kind: 'migrate', all: true, keepHot: true },
      { kind: 'recall', all: true },
      { kind: 'repatriate', all: true },
      { kind: 'scrub', deep: true },
      { kind: 'repair' },
    ]);
  });

  it('rotate keys and remove one only with --yes, and say what they would do without', async () => {
    const report = {
      key: 'k2',
      resumed: false,
      packs: 3,
      rewrapped: 4,
      resealed: 3,
      bytes: 6144,
      removed: 12,
      failures: [],
      unavailable: ['r2'],
    };
    const { url, seen } = await startServer(jobAnswers(job('partly', { kind: 'rotate-keys', report })));
    const planned = await filmroom(['keys', 'rotate', '--server', url]);
    expect(planned).toMatchObject({ code: 2, stdout: '' });
    expect(planned.stderr).toContain('Nothing was done. Give --yes');
    expect((await filmroom(['keys', 'remove', 'k1', '--server', url])).code).toBe(2);
    expect(seen).toEqual([]);
    const rotated = await filmroom(['keys', 'rotate', '--resume', '--server', url]);
    expect(rotated).toMatchObject({ code: 3 });
    expect(rotated.stdout).toContain('4 wrapped anew under k2, 12 older objects removed');
    expect(rotated.stderr).toContain('r2: did not answer');
    expect((await filmroom(['keys', 'rotate', '--yes', '--json', '--server', url])).stdout).toContain('"key": "k2"');
    const resealed = await filmroom(['keys', 'rotate', '--reseal', '--resume', '--server', url]);
    expect(resealed.stdout).toContain('3 packs sealed anew, 6.0 KiB sent');
    expect(resealed.stderr).toContain('run filmroom keys rotate --reseal --resume when it is back');
    await filmroom(['keys', 'remove', 'k1', '--yes', '--server', url]);
    expect(seen.filter((one) => one.method === 'POST').map((one) => one.body)).toEqual([
      { kind: 'rotate-keys', resume: true },
      { kind: 'rotate-keys', resume: false },
      { kind: 'rotate-keys', resume: true, reseal: true },
      { kind: 'remove-key', key: 'k1' },
    ]);
  });

  it('split a keyring into shares, and open a bucket with what enough of them give (the run-book)', async () => {
    const dir = mkdtempSync(join(folder, 'shares-'));
    const ring = join(dir, 'keyring.json');
    writeFileSync(ring, readFileSync(join(VECTORS, 'keyring.json')), { mode: 0o600 });
    const split = [
      'keys',
      'export',
      '--keyring',
      ring,
      '--shares',
      '5',
      '--threshold',
      '3',
      '--out',
      join(dir, 'shares'),
    ];
    expect(await filmroom(split)).toMatchObject({ code: 0 });
    const shares = readdirSync(join(dir, 'shares')).map((name) => join(dir, 'shares', name));
    expect(shares).toHaveLength(5);
    for (const share of shares) expect(statSync(share).mode & 0o777).toBe(0o600);
    expect(await filmroom(split)).toMatchObject({ code: 2 });
    const joined = join(dir, 'again', 'keyring.json');
    mkdirSync(join(dir, 'again'));
    expect(await filmroom(['keys', 'import', '--out', joined, ...shares.slice(3)])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('2 different shares were given; 3 are needed') as string,
    });
    expect(await filmroom(['keys', 'import', '--out', joined, ...shares.slice(2)])).toMatchObject({ code: 0 });
    expect(statSync(joined).mode & 0o777).toBe(0o600);
    expect((await filmroom(['keys', 'import', '--out', joined, ...shares])).code).not.toBe(0);
    for (const bucket of ['bucket', 'bucket-sm4']) {
      const out = join(dir, `out-${bucket}`);
      const replica = `file:${join(VECTORS, bucket)}`;
      const extracted = await filmroom(['extract', '--replica', replica, '--keyring', joined, '--out', out, '--json']);
      expect(JSON.parse(extracted.stdout)).toMatchObject({ instances: 2, failures: [] });
    }
  });

  it('list keys with what each replica holds under them', async () => {
    const use = (id: string, current: boolean, manifests: number) => ({
      id,
      createdAt: current ? '2026-01-02T03:04:05.000Z' : null,
      current,
      replicas: [{ name: 'r1', manifests, tombstones: 1 }],
      index: { packs: manifests, tombstones: 1 },
    });
    const report = {
      archiveId: 'a',
      keys: [use('k1', false, 2), use('k2', true, 3)],
      objects: 7,
      unreadable: [],
      unavailable: [],
    };
    const { url } = await startServer(jobAnswers(job('done', { kind: 'list-keys', report })));
    const { code, stdout } = await filmroom(['keys', 'list', '--server', url]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/KEY +MADE +r1 +INDEX/);
    expect(stdout).toMatch(/k1 \(not in the keyring\) +2 \+ 1 +2 \+ 1/);
    expect(stdout).toMatch(/k2 \(current\) +2026-01-02 +3 \+ 1/);
  });

  it('give the words of a refusal', async () => {
    const { url } = await startServer({
      'POST /admin/api/jobs': { status: 503, body: { detail: '32 jobs are waiting' } },
    });
    expect(await filmroom(['repair', '--server', url])).toMatchObject({
      code: 1,
      stderr: 'filmroom: 32 jobs are waiting\n',
    });
  });

  it('import sends DICOM files, skips others, and tells which were refused', async () => {
    const input = mkdtempSync(join(folder, 'in-'));
    const dicom = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), Buffer.alloc(100)]);
    writeFileSync(join(input, 'a.dcm'), dicom);
    writeFileSync(join(input, 'DICOMDIR'), dicom);
    writeFileSync(join(input, 'notes.txt'), 'no DICOM');
    const accepted = await startServer({ 'POST /dicomweb/studies': { body: {} } });
    expect(await filmroom(['import', input, '--json', '--server', accepted.url])).toMatchObject({ code: 0 });
    expect(accepted.seen.map((one) => one.body)).toEqual([dicom.length]);
    server?.close();
    const failed = { '00081198': { vr: 'SQ', Value: [{ '00081197': { vr: 'US', Value: [0xc000] } }] } };
    const refusing = await startServer({ 'POST /dicomweb/studies': { status: 409, body: failed } });
    const refused = await filmroom(['import', input, '--json', '--server', refusing.url]);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      stored: 0,
      skipped: 2,
      refused: [{ file: 'a.dcm', status: 409, reason: 'failure reason C000H' }],
    });
  });
});

describe('commands that need no server', () => {
  it('init writes a configuration that is good, and a keyring that only its owner reads', async () => {
    expect((await filmroom(['init', 'new/filmroom.yaml'])).code).toBe(0);
    expect(statSync(join(folder, 'new/data/keyring.json')).mode & 0o777).toBe(0o600);
    expect(await filmroom(['config', 'check', join(folder, 'new/filmroom.yaml')])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('a pack is protected once 2 of 2 replicas have it'),
    });
    const before = readFileSync(join(folder, 'new/data/keyring.json'), 'utf8');
    expect((await filmroom(['init', 'new/filmroom.yaml'])).code).toBe(2);
    expect(readFileSync(join(folder, 'new/data/keyring.json'), 'utf8')).toBe(before);
  });

  it('doctor says what is unwise, and fails for a keyring that others can read', async () => {
    await filmroom(['init', 'sick/filmroom.yaml']);
    const config = join(folder, 'sick/filmroom.yaml');
    const well = await filmroom(['doctor', '--config', config]);
    expect(well).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/warn +index +is on the same disk as volume a/),
    });
    writeFileSync(join(folder, 'sick/data/open.json'), '{}', { mode: 0o644 });
    writeFileSync(config, readFileSync(config, 'utf8').replace('keyring.json', 'open.json'));
    const sick = await filmroom(['doctor', '--config', config, '--json']);
    expect(sick.code).toBe(1);
    const { findings } = JSON.parse(sick.stdout) as { findings: { level: string; subject: string; detail: string }[] };
    expect(findings.find((one) => one.subject === 'keyring')).toMatchObject({
      level: 'fail',
      detail: expect.stringContaining('chmod 600'),
    });
  });

  it('sample writes the same files for the same seed', async () => {
    const one = await filmroom(['sample', '--out', 's1', '--seed', '7', '--json']);
    const two = await filmroom(['sample', '--out', 's2', '--seed', '7', '--json']);
    expect([one.code, two.code]).toEqual([0, 0]);
    const files = readdirSync(join(folder, 's1'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.dcm'),
    );
    expect(files.length).toBe((JSON.parse(one.stdout) as { instances: number }).instances);
    for (const name of files) {
      expect(readFileSync(join(folder, 's1', name)).equals(readFileSync(join(folder, 's2', name)))).toBe(true);
    }
  });
});
