// Starts and ends the bare server of bare-server-main.ts.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./bare-server-main.js', import.meta.url));

export class BareServer {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #sink: string;

  private constructor(url: string, child: ChildProcess, sink: string) {
    this.url = url;
    this.#child = child;
    this.#sink = sink;
  }

  /** @param source the file that GET /file reads. */
  static async start(dir: string, source = ''): Promise<BareServer> {
    const sink = join(dir, 'sink.bin');
    const child = spawn(process.execPath, [MAIN, sink, source], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    return new BareServer(line.toString().trim(), child, sink);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the bare server is not running');
    return this.#child.pid;
  }

  /** Frees what the sink holds, between rounds. */
  async empty(): Promise<void> {
    await truncate(this.#sink);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}
