// The run-book of docs/operations.md, rehearsed: one archive goes through each disaster in turn, and what the document says to type is typed, word by word, by a shell.
// After each, every instance is found and comes back to the byte.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { phantomStudies } from '../../dicom/phantom/phantom.js';
import { CLI, freePort } from '../support/gateway-process.js';
import { retrieve, stow } from '../support/stow.js';

const DOCUMENT = fileURLToPath(new URL('../../../docs/operations.md', import.meta.url));
const INSTANCES = [...phantomStudies({ seed: 41, studies: 2, slices: 3, shrink: 16 })];
const STEP_MS = 60_000;

let dir: string;
let safe: string;
let port: number;
let book: ReadonlyMap<string, readonly string[]>;
let server: ChildProcess | null = null;
let said = '';

beforeAll(async () => {
  book = commandsByHeading(await readFile(DOCUMENT, 'utf8'));
  const root = await mkdtemp(join(tmpdir(), 'filmroom-run-book-'));
  dir = join(root, 'server');
  safe = join(root, 'safe');
  port = await freePort();
  for (const folder of [dir, safe, join(root, 'bin')]) await mkdir(folder);
  const command = join(root, 'bin', 'filmroom');
  await writeFile(command, `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`);
  await chmod(command, 0o755);
  await writeFile(
    join(dir, 'filmroom.yaml'),
    [
      `http: { host: 127.0.0.1, port: ${port} }`,
      'index: { url: "sqlite:./data/index/filmroom.db" }',
      'hot:',
      '  volumes:',
      '    - { name: a, path: ./data/hot }',
      'cold:',
      '  keyring: ./data/keyring.json',
      '  writeQuorum: 2',
      '  replicas:',
      '    - { name: r1, url: "file:./data/replica-1" }',
      '    - { name: r2, url: "file:./data/replica-2" }',
      '',
    ].join('\n'),
  );
  await serve(['filmroom.yaml'].flatMap((file) => ['--config', file]));
  const { stored } = await stow(
    url(),
    INSTANCES.map(({ bytes }) => bytes),
  );
  expect(stored).toHaveLength(INSTANCES.length);
  await type('filmroom migrate --all --keep-hot --yes');
  await cp(join(dir, 'filmroom.yaml'), join(safe, 'filmroom.yaml'));
  await cp(join(dir, 'data', 'keyring.json'), join(safe, 'keyring.json'));
}, STEP_MS);

afterAll(async () => {
  await stop();
  await rm(join(dir, '..'), { recursive: true, force: true });
});

/** The lines of every block under each heading of the run-book. */
function commandsByHeading(text: string): ReadonlyMap<string, readonly string[]> {
  const [, section = ''] = /^## Run-book for disasters$([\s\S]*?)^## /m.exec(text) ?? [];
  const found = new Map<string, readonly string[]>();
  for (const part of section.split(/^### /m).slice(1)) {
    const heading = part.slice(0, part.indexOf('\n'));
    const blocks = [...part.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
    found.set(heading, blocks.join('').split('\n').filter(Boolean));
  }
  return found;
}

const url = () => `http://127.0.0.1:${port}`;
const environment = () => ({
  ...process.env,
  PATH: `${join(dir, '..', 'bin')}:${process.env['PATH'] ?? ''}`,
  SAFE: safe,
  FILMROOM_SERVER: url(),
});

async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const child = server;
  server = null;
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

/** Starts the server and waits until it is whole. */
async function serve(options: readonly string[]): Promise<void> {
  await stop();
  const child = spawn(process.execPath, [CLI, 'serve', ...options], { cwd: dir, env: environment() });
  server = child;
  said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
  const deadline = performance.now() + STEP_MS;
  for (;;) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`the server is not ready:\n${said}`);
    const ready = await fetch(`${url()}/readyz`).then(
      async (answer) => (answer.ok ? answer.text() : ''),
      () => '',
    );
    if (ready === 'ready\n') return;
    await sleep(50);
  }
}

async function type(line: string): Promise<void> {
  const [command, verb, ...options] = line.split(' ');
  if (command === 'filmroom' && verb === 'serve') return serve(options);
  const shell = spawn('sh', ['-euc', line], { cwd: dir, env: environment(), timeout: STEP_MS });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const [code] = (await once(shell, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${line} ended with ${code}:\n${output}\n${said.slice(-5_000)}`);
}

async function follow(heading: string): Promise<void> {
  const lines = book.get(heading) ?? [];
  expect(lines, heading).not.toEqual([]);
  for (const line of lines) await type(line);
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function expectEverything(): Promise<void> {
  for (const one of INSTANCES) expect(sha256(await retrieve(url(), one))).toBe(sha256(one.bytes));
  const status = (await (await fetch(`${url()}/admin/api/status`)).json()) as Record<string, unknown>;
  expect(status).toMatchObject({ instances: INSTANCES.length, unprotected: { instances: 0 }, rebuild: null });
}

const lose = (...names: readonly string[]) =>
  Promise.all(names.map((name) => rm(join(dir, name), { recursive: true, force: true })));

/** In the order of the document: each finds the archive as the one before left it. */
describe('the run-book', () => {
  it.each<readonly [heading: string, disaster: () => Promise<unknown>]>([
    ['The index is lost', () => lose('data/index')],
    ['The server is lost', () => lose('data/index', 'data/hot', 'data/keyring.json', 'data/audit', 'filmroom.yaml')],
    ['A volume is lost', () => lose('data/hot')],
    ['One replica is lost', () => lose('data/replica-2')],
    ['All replicas are lost', () => lose('data/replica-1', 'data/replica-3')],
    ['A copy of the keyring is lost', () => rm(join(safe, 'keyring.json'))],
  ])(
    '%s: what it says is typed, and everything is there',
    async (heading, disaster) => {
      await stop('SIGKILL');
      await disaster();
      await follow(heading);
      await expectEverything();
    },
    3 * STEP_MS,
  );

  it(
    'Leaving: one replica and the keyring give everything back as files',
    async () => {
      await stop();
      await lose('data/index', 'data/hot-b');
      await follow('Leaving');
      const files = await readdir(join(dir, 'everything'), { recursive: true, withFileTypes: true });
      const hashes = files
        .filter((one) => one.isFile())
        .map(async (one) => sha256(await readFile(join(one.parentPath, one.name))));
      expect((await Promise.all(hashes)).sort()).toEqual(INSTANCES.map(({ bytes }) => sha256(bytes)).sort());
    },
    STEP_MS,
  );

  it('is rehearsed whole: every heading is one of these', () => {
    expect([...book.keys()]).toHaveLength(7);
  });
});
