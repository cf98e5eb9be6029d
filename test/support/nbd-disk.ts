// A disk that breaks on command: an ext4 file system on a loop device over nbdfuse over nbdkit, whose filters fail reads or writes with EIO
// while a file is there, and slow it down to what another file says. Frozen, it is a disk that never answers. Needs root on Linux and
// Debian's nbdkit, libnbd-bin and fuse3.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { canMount, unmount } from './mounts.js';

const PROGRAMS = ['nbdkit', 'nbdfuse', 'fusermount3', 'losetup', 'mkfs.ext4', 'truncate'];

/** Why no such disk can be made here, or null. */
export const NO_NBD_DISK =
  canMount && existsSync('/dev/fuse') && PROGRAMS.every((program) => spawnSync('which', [program]).status === 0)
    ? null
    : 'needs root on Linux, nbdkit, libnbd-bin, fuse3';

export interface NbdDiskOptions {
  /** As truncate takes it. */
  readonly size: string;
  /** ext4's journal: with it the file system turns itself read-only at the first write of its own that fails. */
  readonly journal?: boolean;
}

function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe', timeout: 20_000 });
}

export class NbdDisk {
  /** Where its file system is mounted. */
  readonly path: string;
  readonly #dir: string;
  #server: ChildProcess | null = null;
  #fuse: ChildProcess | null = null;
  #device = '';

  private constructor(dir: string, path: string) {
    this.#dir = dir;
    this.path = path;
  }

  /** Makes one whose parts lie in the new folder `dir`, and mounts it at `path`, which is made. */
  static async create(dir: string, path: string, options: NbdDiskOptions): Promise<NbdDisk> {
    const disk = new NbdDisk(dir, path);
    mkdirSync(join(dir, 'fuse'), { recursive: true });
    mkdirSync(path, { recursive: true });
    try {
      run('truncate', '-s', options.size, disk.#part('image'));
      const journal = options.journal === true ? [] : ['-O', '^has_journal'];
      run('mkfs.ext4', '-q', '-F', ...journal, '-E', 'nodiscard', disk.#part('image'));
      await disk.#plugIn();
      disk.mount();
    } catch (error) {
      await disk.dispose();
      throw error;
    }
    return disk;
  }

  mount(): void {
    run('mount', this.#device, this.path);
  }

  /** Takes the file system from its place; files that are open stay so. */
  unmount(): void {
    unmount(this.path);
  }

  /** Every read that the kernel has not kept ends with EIO. */
  async failReads(): Promise<void> {
    writeFileSync(this.#part('fail-reads'), '');
    await this.forget();
  }

  /** Every write that reaches the disk ends with EIO: those of fsync, and later ones of the kernel by itself. */
  failWrites(): void {
    writeFileSync(this.#part('fail-writes'), '');
  }

  /** Both of the above. */
  async fail(): Promise<void> {
    this.failWrites();
    await this.failReads();
  }

  /** Bits a second, each way, as nbdkit's rate filter takes it: `64k`. */
  slow(rate: string): void {
    writeFileSync(this.#part('rate'), rate);
  }

  /** No call to the disk returns any more. */
  freeze(): void {
    this.#server?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#server?.kill('SIGCONT');
  }

  /** Makes the kernel ask the disk again for what it has read before, which may take it a while. */
  async forget(): Promise<void> {
    const [forgotten] = (await once(spawn('sh', ['-c', 'echo 3 > /proc/sys/vm/drop_caches']), 'exit')) as [number];
    if (forgotten !== 0) throw new Error('the kernel keeps what it has read');
  }

  /** No fault any more. */
  heal(): void {
    for (const name of ['fail-reads', 'fail-writes']) rmSync(this.#part(name), { force: true });
    // Without the file nbdkit goes on at the rate that it read last; 0 is as fast as it can.
    if (existsSync(this.#part('rate'))) this.slow('0');
    this.thaw();
  }

  /**
   * The power of the disk fails: what the kernel had not been told to write is gone. It comes back with what was written and synced, in its
   * place again. Whoever has files open on it must be gone.
   */
  async losePower(): Promise<void> {
    this.#server?.kill('SIGKILL');
    await this.#pullOut();
    await this.#plugIn();
    await once(spawn('e2fsck', ['-fy', this.#device], { stdio: 'ignore', timeout: 20_000 }), 'exit');
    this.mount();
  }

  async dispose(): Promise<void> {
    this.heal();
    await this.#pullOut();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #part(name: string): string {
    return join(this.#dir, name);
  }

  async #plugIn(): Promise<void> {
    const faults = ['pread', 'pwrite'].flatMap((call) => [
      ...[`error-${call}=EIO`, `error-${call}-rate=100%`],
      `error-${call}-file=${this.#part(call === 'pread' ? 'fail-reads' : 'fail-writes')}`,
    ]);
    const socket = this.#part('socket');
    rmSync(socket, { force: true });
    const words = ['-f', '-U', socket, '--filter=error', '--filter=rate', 'file', this.#part('image'), ...faults];
    this.#server = spawn('nbdkit', [...words, `rate-file=${this.#part('rate')}`], { stdio: 'ignore' });
    await appears(socket);
    this.#fuse = spawn('nbdfuse', [this.#part('fuse/disk'), '--unix', socket], { stdio: 'ignore' });
    await appears(this.#part('fuse/disk'));
    this.#device = run('losetup', '--show', '-f', this.#part('fuse/disk')).trim();
  }

  async #pullOut(): Promise<void> {
    quietly(() => this.unmount());
    if (this.#device !== '') quietly(() => run('losetup', '-d', this.#device));
    quietly(() => run('fusermount3', '-u', '-z', this.#part('fuse')));
    for (const child of [this.#fuse, this.#server]) {
      if (child === null || child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    this.#server = null;
    this.#fuse = null;
    this.#device = '';
  }
}

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // It is not there any more.
  }
}

async function appears(path: string): Promise<void> {
  // A machine that does much else may take its time to start nbdkit.
  for (let tries = 0; tries < 6_000 && !existsSync(path); tries++) await sleep(10);
  if (!existsSync(path)) throw new Error(`${path} did not appear`);
}
