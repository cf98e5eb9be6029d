// The product's server for a benchmark, a child process with the file threads that the `filmroom` command gives it, and the
// conversations with it that several benchmarks have.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayProcess } from '../../test/support/gateway-process.js';
import { Clouds, NOT_INSTALLED } from './clouds.js';

/** What tools/filmroom.cts sets; the test support starts the command line below it. */
process.env['UV_THREADPOOL_SIZE'] ??= '64';

const PATIENCE_MS = 60_000;

export interface Status {
  readonly studies: { readonly total: number; readonly protected: number; readonly cold: number };
  readonly instances: number;
  readonly unprotected: { readonly instances: number };
}

/** @param config merged over the embedded default: one volume, two directory replicas. */
export async function startServer(config: Record<string, unknown> = {}): Promise<GatewayProcess> {
  const server = await GatewayProcess.prepare(config);
  try {
    await server.start();
  } catch (error) {
    await server.destroy();
    throw error;
  }
  return server;
}

export async function statusOf(server: GatewayProcess): Promise<Status> {
  const response = await fetch(`${server.url}/admin/api/status`);
  if (!response.ok) throw new Error(`status answered ${response.status}`);
  return (await response.json()) as Status;
}

/** Polls until it holds. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${PATIENCE_MS} ms`);
    await sleep(50);
  }
}

/** A job that must end well. */
export async function runJob(server: GatewayProcess, kind: string, body: Record<string, unknown>): Promise<void> {
  const answer = await server.job(kind, body);
  const failures = answer.report?.['failures'];
  if (answer.state !== 'done' || (Array.isArray(failures) && failures.length > 0)) {
    throw new Error(`${kind} ended badly: ${JSON.stringify(answer).slice(0, 1000)}`);
  }
}

/** Clock ticks a second in /proc: USER_HZ, the same on every Linux. */
const TICKS_PER_SECOND = 100;

/** CPU that the process has used so far, all threads, user and system, in ms. Unlike a rate, it hardly depends on the neighbours. */
export async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The second field is the program's name, which may hold spaces: fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** Adds up what some process used of the CPU while some work went on. */
export class CpuMeter {
  #ms = 0;
  #count = 0;

  /** @param count things done by `work`. */
  async during<T>(pid: number, count: number, work: () => Promise<T>): Promise<T> {
    const before = await cpuMs(pid);
    const value = await work();
    this.#ms += (await cpuMs(pid)) - before;
    this.#count += count;
    return value;
  }

  /** CPU of one thing, in ms. */
  get each(): string {
    return `${(this.#ms / this.#count).toFixed(2)} ms`;
  }
}

/** Runs a measurement on a server whose one replica is a real S3 cloud. */
export async function onOneCloud<T>(
  measure: (server: GatewayProcess, clouds: Clouds) => Promise<T>,
): Promise<T | { readonly figures: readonly []; readonly notes: readonly []; readonly skipped: string }> {
  if (!Clouds.installed()) return { figures: [], notes: [], skipped: NOT_INSTALLED };
  const clouds = await Clouds.start(1);
  try {
    const server = await startServer({
      hot: { volumes: [{ name: 'a', path: './data/hot' }], settle: '1s' },
      cold: { replicas: clouds.replicas(1), writeQuorum: 1 },
    });
    try {
      return await measure(server, clouds);
    } finally {
      await server.destroy();
    }
  } finally {
    await clouds.close();
  }
}
