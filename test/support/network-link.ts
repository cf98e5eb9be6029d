// A line to a server on loopback that can be cut below TCP: a network namespace with an address of its own, whose firewall drops or resets what
// comes, or loses some of it, and whose cable can be pulled. Needs root on Linux, iproute2 and iptables.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PORT = 8_000;
/** Runs inside of the namespace: whatever connects is handed out of it through a socket of the file system. */
const RELAY = `const [socket, host] = process.argv.slice(1);
require('net').createServer((from) => {
  const to = require('net').connect(socket);
  for (const [one, other] of [[from, to], [to, from]]) one.on('error', () => other.destroy()).on('close', () => other.destroy());
  from.pipe(to); to.pipe(from);
}).listen(${PORT}, host);`;

let made = 0;

export class NetworkLink {
  readonly #name: string;
  readonly #net: string;
  readonly #socket: string;
  #outside: Server | null = null;
  #relay: ChildProcess | null = null;

  private constructor(number: number) {
    this.#name = `fr${process.pid}-${number}`;
    this.#net = `10.213.${(process.pid + number) % 256}`;
    this.#socket = join(tmpdir(), `${this.#name}.sock`);
  }

  /** A line to 127.0.0.1:`port`. */
  static async start(port: number): Promise<NetworkLink> {
    made += 1;
    const link = new NetworkLink(made);
    try {
      await link.#lay(port);
    } catch (error) {
      await link.close();
      throw error;
    }
    return link;
  }

  get endpoint(): string {
    return `http://${this.#net}.2:${PORT}`;
  }

  /** Packets vanish: nobody is told. */
  drop(): void {
    this.#firewall('-j', 'DROP');
  }

  /** Every packet is answered with a reset. */
  reset(): void {
    this.#firewall('-j', 'REJECT', '--reject-with', 'tcp-reset');
  }

  /** So many of a hundred packets vanish. */
  lose(percent: number): void {
    this.#firewall('-m', 'statistic', '--mode', 'random', '--probability', String(percent / 100), '-j', 'DROP');
  }

  /** The cable is pulled on this side. */
  unplug(): void {
    ip('link', 'set', this.#outer, 'down');
  }

  mend(): void {
    ip('netns', 'exec', this.#name, 'iptables', '-F');
    ip('link', 'set', this.#outer, 'up');
  }

  async close(): Promise<void> {
    this.#relay?.kill('SIGKILL');
    try {
      ip('netns', 'delete', this.#name);
    } catch {
      // It was not made.
    }
    this.#outside?.close();
    rmSync(this.#socket, { force: true });
  }

  get #outer(): string {
    return `${this.#name}o`;
  }

  async #lay(port: number): Promise<void> {
    ip('netns', 'add', this.#name);
    const inner = `${this.#name}i`;
    ip('link', 'add', this.#outer, 'type', 'veth', 'peer', 'name', inner);
    ip('link', 'set', inner, 'netns', this.#name);
    ip('addr', 'add', `${this.#net}.1/30`, 'dev', this.#outer);
    ip('link', 'set', this.#outer, 'up');
    ip('-n', this.#name, 'addr', 'add', `${this.#net}.2/30`, 'dev', inner);
    ip('-n', this.#name, 'link', 'set', inner, 'up');
    ip('-n', this.#name, 'link', 'set', 'lo', 'up');
    this.#outside = createServer((from) => joined(from, connect(port, '127.0.0.1')));
    this.#outside.listen(this.#socket);
    await once(this.#outside, 'listening');
    const words = ['netns', 'exec', this.#name, process.execPath, '-e', RELAY, this.#socket, `${this.#net}.2`];
    this.#relay = spawn('ip', words, { stdio: 'ignore' });
    for (let tries = 0; tries < 200; tries += 1) {
      if (await reachable(`${this.#net}.2`)) return;
      await sleep(25);
    }
    throw new Error('nothing answers in the network namespace');
  }

  #firewall(...rule: readonly string[]): void {
    ip('netns', 'exec', this.#name, 'iptables', '-A', 'INPUT', '-p', 'tcp', '--dport', String(PORT), ...rule);
  }
}

function ip(...words: readonly string[]): void {
  execFileSync('ip', words, { stdio: 'pipe', timeout: 10_000 });
}

/** Both ends as one connection. */
function joined(from: Socket, to: Socket): void {
  for (const [one, other] of [
    [from, to],
    [to, from],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
  from.pipe(to);
  to.pipe(from);
}

function reachable(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(PORT, host);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
