// What this machine has of what faults are made with. .ci/run installs all of it and has root.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canMount, setImmutable } from '../support/mounts.js';
import { NO_NBD_DISK } from '../support/nbd-disk.js';
import { rgwInstalled } from '../support/rgw.js';
import type { Fault, Need } from './fault.js';

const there = (...programs: readonly string[]) =>
  programs.every((program) => spawnSync('which', [program]).status === 0);

function immutableWorks(): boolean {
  const path = mkdtempSync(join(tmpdir(), 'filmroom-immutable-'));
  const file = join(path, 'file');
  writeFileSync(file, '');
  try {
    return setImmutable(file, true) && setImmutable(file, false);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

const CHECKS: Readonly<Record<Need, { readonly says: string; readonly has: () => boolean }>> = {
  rgw: { says: 'radosgw, ceph-mon, ceph-osd, ceph-common', has: rgwInstalled },
  mounts: { says: 'root on Linux, for mount', has: () => canMount },
  disk: { says: 'root on Linux, nbdkit, libnbd-bin, fuse3', has: () => NO_NBD_DISK === null },
  immutable: { says: 'root on Linux, and chattr on the file system of the temporary folder', has: immutableWorks },
  namespaces: { says: 'root on Linux, iproute2, iptables', has: () => canMount && there('ip', 'iptables') },
  openssl: { says: 'openssl', has: () => there('openssl') },
  prlimit: { says: 'prlimit', has: () => there('prlimit') },
};

const known = new Map<Need, boolean>();

/** Why the fault cannot be tried on this machine, or null. */
export function lacks({ needs }: Pick<Fault, 'needs'>): string | null {
  const missing = needs.filter((need) => {
    const has = known.get(need) ?? CHECKS[need].has();
    known.set(need, has);
    return !has;
  });
  return missing.length === 0 ? null : `needs ${missing.map((need) => CHECKS[need].says).join('; ')}`;
}
