// Real S3 servers for tests: N Ceph RADOS Gateways on loopback, each its own cloud, which can be killed,
// frozen and started again one by one. start-radosgw.sh does the starting; it also runs by hand.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** The scripts stay in the source tree: this file runs from dist/test/support. */
const SCRIPTS = fileURLToPath(new URL('../../../test/support/', import.meta.url));

export interface RgwSite {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  /** SIGKILL: connections are cut, then refused. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** radosgw-admin for this site. */
  admin(...words: readonly string[]): Promise<string>;
}

export interface Rgw {
  readonly sites: readonly RgwSite[];
  close(): Promise<void>;
}

/** Whether the Debian packages are there; suites are skipped by name where they are not. */
export function rgwInstalled(): boolean {
  return ['radosgw', 'radosgw-admin', 'ceph-mon', 'ceph-osd', 'ceph', 'monmaptool'].every(
    (program) => spawnSync('which', [program]).status === 0,
  );
}

/** About 2 s for three sites. */
export async function startRgw({ sites }: { readonly sites: number }): Promise<Rgw> {
  const dir = await mkdtemp(join(tmpdir(), 'filmroom-rgw-'));
  watch(dir);
  const monitor = await freePort(true);
  const ports: number[] = [];
  while (ports.length < sites) {
    const port = await freePort(false);
    if (port !== monitor && port !== monitor + 1 && !ports.includes(port)) ports.push(port);
  }
  const words = [join(dir, 'ceph'), String(monitor), ...ports.map(String)];
  const { stdout } = await run(join(SCRIPTS, 'start-radosgw.sh'), words, { timeout: 120_000 });
  const lines = stdout.trim().split('\n');
  return {
    sites: lines.map((line, at) => siteOf(join(dir, 'ceph'), at + 1, line)),
    close: async () => {
      await run(join(SCRIPTS, 'stop-radosgw.sh'), [join(dir, 'ceph')]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function siteOf(dir: string, number: number, line: string): RgwSite {
  const [endpoint = '', accessKeyId = '', secretAccessKey = '', region = ''] = line.split(' ');
  const pidFile = join(dir, 'pids', `client.rgw.${number}`);
  const signal = (name: NodeJS.Signals) => {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== 'radosgw') throw new Error(`${pid} is no gateway`);
    process.kill(pid, name);
    return pid;
  };
  return {
    endpoint,
    accessKeyId,
    secretAccessKey,
    region,
    stop: async () => {
      const pid = signal('SIGKILL');
      // Where nobody reaps it, a dead process stays as a zombie.
      while (/^State:\s[^ZX]/m.test(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))) await pause(10);
      await rm(pidFile, { force: true });
    },
    start: async () => {
      await run(join(dir, `start-${number}`), [], { timeout: 60_000 });
      while (
        !(await fetch(endpoint).then(
          () => true,
          () => false,
        ))
      )
        await pause(20);
    },
    pause: () => {
      const pid = signal('SIGSTOP');
      // Each thread stops at its own next turn: a busy machine lets one more request through before.
      while (!allStopped(pid)) sleepSync(5);
    },
    resume: () => void signal('SIGCONT'),
    admin: async (...words) => (await run(join(dir, `admin-${number}`), [...words])).stdout,
  };
}

function allStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((task) => {
    const path = `/proc/${pid}/task/${task}/status`;
    return /^State:\s[TZX]/m.test(readFileSync(path, 'utf8'));
  });
}

function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Ends the servers of a test process that was killed before it could. */
function watch(dir: string): void {
  const script =
    'while kill -0 "$1" 2> /dev/null; do sleep 1; [ -d "$2" ] || exit 0; done; "$3" "$2/ceph"; rm -rf "$2"';
  const words = ['-c', script, 'sh', String(process.pid), dir, join(SCRIPTS, 'stop-radosgw.sh')];
  spawn('sh', words, { detached: true, stdio: 'ignore' }).unref();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A port that nothing listens on; with `pair`, the one after it is free too. */
async function freePort(pair: boolean): Promise<number> {
  for (;;) {
    const port = await tryPort(0);
    if (port !== undefined && (!pair || (await tryPort(port + 1)) !== undefined)) return port;
  }
}

function tryPort(wanted: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}
