// Disks that break for real under a server's volume and are mended again: gone, read-only, full, failing with EIO. Root only; uses
// mount alone.
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { coverReadOnly, mountImage, mountTmpfs, unmount } from '../support/mounts.js';

export interface BreakableDisk {
  /** Whether what lies on it can still be read while it is broken. */
  readonly readable: boolean;
  /** Makes the file system at the path where the volume will be. */
  prepare(path: string): void;
  break(path: string): void;
  mend(path: string): void;
  /** Takes away what was mounted. Safe to call after a failure of any of the others. */
  dispose(path: string): void;
}

const nothing = () => undefined;

/** Writes until there is no room left. */
function fill(file: string): void {
  try {
    execFileSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=64k'], { stdio: 'ignore' });
  } catch {
    // That it ends with ENOSPC is the point.
  }
}

function quietly(...paths: readonly string[]): void {
  for (const path of paths) {
    try {
      unmount(path);
    } catch {
      // Not mounted any more.
    }
  }
}

/** The folder is not there any more, and later it is again, as it was. */
const gone: BreakableDisk = {
  readable: false,
  prepare: nothing,
  break: (path) => renameSync(path, `${path}.away`),
  mend: (path) => {
    rmSync(path, { recursive: true, force: true });
    renameSync(`${path}.away`, path);
  },
  dispose: nothing,
};

const readOnly: BreakableDisk = {
  readable: true,
  prepare: nothing,
  break: coverReadOnly,
  mend: unmount,
  dispose: (path) => quietly(path),
};

const full: BreakableDisk = {
  readable: true,
  prepare: (path) => {
    mkdirSync(path);
    mountTmpfs(path, '64m');
  },
  break: (path) => fill(join(path, 'filler')),
  mend: (path) => rmSync(join(path, 'filler')),
  dispose: (path) => quietly(path),
};

/**
 * An image in an image on a tmpfs: when the tmpfs is full, the inner device cannot flush and every fsync fails with EIO, while the file
 * system on it still looks as if it had room.
 */
const failing: BreakableDisk = {
  readable: true,
  prepare: (path) => {
    const [backing, middle] = [layer(path, 'backing'), layer(path, 'middle')];
    for (const folder of [backing, middle, path]) mkdirSync(folder);
    mountTmpfs(backing, '48m');
    mountImage(join(backing, 'image'), '512m', middle);
    mountImage(join(middle, 'image'), '384m', path);
  },
  break: (path) => fill(join(layer(path, 'backing'), 'filler')),
  mend: (path) => rmSync(join(layer(path, 'backing'), 'filler')),
  dispose: (path) => quietly(path, layer(path, 'middle'), layer(path, 'backing')),
};

function layer(path: string, name: string): string {
  return join(dirname(path), name);
}

export const BREAKABLE_DISKS: readonly (readonly [what: string, disk: BreakableDisk])[] = [
  ['gone', gone],
  ['read-only', readOnly],
  ['full', full],
  ['failing with EIO', failing],
];
