// The real server as a child process, started as an operator starts it, so that it can be killed, asked
// over HTTP, and looked at from outside (memory, descriptors). Ends only what it started.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';

/** The command as npm installs it, from dist/test/support. */
export const CLI = fileURLToPath(new URL('../../tools/filmroom.cjs', import.meta.url));

export class GatewayProcess {
  readonly dir: string;
  readonly url: string;
  /** Of the next start, over this process's own. */
  environment: Readonly<Record<string, string>> = {};
  /** What the next start runs the server by: words before the command (`ip netns exec NAME`). */
  wrapper: readonly string[] = [];
  #child: ChildProcess | null = null;
  #output = '';

  private constructor(dir: string, port: number) {
    this.dir = dir;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Prepares a server with its data under a new temporary directory. `config` is merged over the embedded default's sections. */
  static async prepare(config: Record<string, unknown> = {}): Promise<GatewayProcess> {
    const dir = await mkdtemp(join(tmpdir(), 'filmroom-gateway-'));
    const port = await freePort();
    const gateway = new GatewayProcess(dir, port);
    await writeFile(gateway.configPath, stringify({ http: { host: '127.0.0.1', port }, ...config }));
    return gateway;
  }

  get configPath(): string {
    return join(this.dir, 'filmroom.yaml');
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the gateway is not running');
    return pid;
  }

  /** Everything that it wrote to its terminal since it was last started. */
  get output(): string {
    return this.#output;
  }

  /** Starts it and waits until /readyz answers 200. */
  async start(timeoutMs = 30_000, options: readonly string[] = []): Promise<void> {
    // A second one would leave the first to nobody: it answers on the same port, and is never ended.
    if (this.#child !== null) throw new Error('the gateway runs already');
    this.#output = '';
    const words = [...this.wrapper, process.execPath, CLI, 'serve', '--config', this.configPath, ...options];
    const child = spawn(words[0] ?? process.execPath, words.slice(1), {
      cwd: this.dir,
      env: { ...process.env, ...this.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.#output = (this.#output + data.toString()).slice(-100_000);
      });
    }
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      if (child.exitCode !== null) break;
      const ready = await fetch(`${this.url}/readyz`).then(
        (response) => response.ok,
        () => false,
      );
      if (ready) return;
      await sleep(20);
    }
    await this.kill('SIGKILL');
    throw new Error(`the gateway did not become ready:\n${this.#output}`);
  }

  /** Signals it (and the process that it runs in, should it have started one) and waits for its end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    for (const pid of await childrenOf(child.pid)) process.kill(pid, signal);
    child.kill(signal);
    await once(child, 'exit');
  }

  async restart(): Promise<void> {
    await this.kill('SIGTERM');
    await this.start();
  }

  /** Resident memory in bytes, of the process that serves. */
  async residentBytes(): Promise<number> {
    let most = 0;
    for (const pid of [this.pid, ...(await childrenOf(this.pid))]) {
      const status = await readFile(`/proc/${pid}/status`, 'utf8');
      most = Math.max(most, Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024);
    }
    return most;
  }

  /** Runs a job through the admin API to its end; resolves with what the API says of it then. */
  async job(kind: string, body: Record<string, unknown>, signal?: AbortSignal): Promise<JobAnswer> {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ kind, ...body }),
    };
    const begun = await fetch(`${this.url}/admin/api/jobs`, { ...init, signal: signal ?? null });
    if (begun.status !== 202) throw new Error(`job refused: ${begun.status} ${await begun.text()}`);
    const { id } = (await begun.json()) as { id: string };
    for (;;) {
      const answer = (await (
        await fetch(`${this.url}/admin/api/jobs/${id}`, { signal: signal ?? null })
      ).json()) as JobAnswer;
      if (answer.state !== 'running' && answer.state !== 'queued') return answer;
      await sleep(20, undefined, signal === undefined ? {} : { signal });
    }
  }

  async destroy(): Promise<void> {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }
}

export interface JobAnswer {
  readonly state: string;
  readonly report?: Record<string, unknown>;
  readonly [key: string]: unknown;
}

async function childrenOf(pid: number | undefined): Promise<number[]> {
  if (pid === undefined) return [];
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.trim().split(/\s+/).filter(Boolean).map(Number);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
