// Real file systems for fault tests: small, full, read-only, gone. Needs root on Linux; suites that
// use it are skipped by name elsewhere.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: 'pipe', timeout: 20_000 });
}

/** Whether this process may mount. */
export const canMount = ((): boolean => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const path = mkdtempSync(join(tmpdir(), 'filmroom-mount-'));
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path);
    run('umount', path);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
})();

export function mountTmpfs(path: string, size: string): void {
  run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path);
}

/** Shows directory `from` at `path` as well. */
export function mountBind(from: string, path: string): void {
  run('mount', '--bind', from, path);
}

/** Makes an ext4 file system of `size` in the sparse file `image` and mounts it. */
export function mountImage(image: string, size: string, path: string): void {
  run('truncate', '-s', size, image);
  run('mkfs.ext4', '-q', '-F', '-O', '^has_journal', '-E', 'nodiscard', image);
  run('mount', '-o', 'loop', image, path);
}

/** Shows what is at `path` there as read-only from now on, also with files open for writing below; `unmount` undoes it. */
export function coverReadOnly(path: string): void {
  // Made read-only aside: in its place, a file could be opened for writing between the two steps, and the second be refused.
  const aside = mkdtempSync(join(tmpdir(), 'filmroom-read-only-'));
  mountBind(path, aside);
  try {
    run('mount', '-o', 'remount,bind,ro', aside);
    mountBind(aside, path);
  } finally {
    unmount(aside);
    rmdirSync(aside);
  }
}

/** Takes the file system away, open files or not. */
export function unmount(path: string): void {
  run('umount', '-l', path);
}

/** Sets or clears the immutable attribute; false where the file system has none. */
export function setImmutable(path: string, on: boolean): boolean {
  try {
    run('chattr', on ? '+i' : '-i', path);
    return true;
  } catch {
    return false;
  }
}

export function makePipe(path: string): void {
  run('mkfifo', path);
}
