// Other disks than the volume's own failure: reads that fail, slowness, replicas in folders, the audit log's disk, and a second volume.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { coverReadOnly, unmount } from '../../support/mounts.js';
import type { NbdDisk } from '../../support/nbd-disk.js';
import type { Fault } from '../fault.js';
import { type Outage, outage, replicaSign } from '../outage.js';
import type { Site } from '../site.js';
import type { Trial } from '../trial.js';
import { fillUp } from './volume.js';

const disk = (one: Omit<Outage, 'kind' | 'stage' | 'needs'> & Partial<Outage>): Fault =>
  outage({ kind: 'disk', stage: 'disks', needs: ['disk', 'mounts'], ...one });

const FORGET_EVERY_MS = 500;
const OWED = 'the other two serve; what it is owed is paid when it is back';

async function operator(site: Site, action: 'fail' | 'return'): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${site.url}/admin/api/volumes/a/${action}`, { method: 'POST', headers, body: '{}' });
  if (!answer.ok) throw new Error(`volume ${action} answered ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
}

/** While the first volume fails: the second takes what comes. */
async function secondTakes(trial: Trial): Promise<void> {
  const view = await trial.site.view();
  trial.expect(view?.ingest === 'volume', `arrivals ${view?.ingest}`);
  trial.say('arrivals to the other volume');
}

/** The kernel keeps nothing for long of what it reads. */
async function forgetOften(disk: NbdDisk, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await disk.forget();
    await sleep(FORGET_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

export const diskFaults: readonly Fault[] = [
  disk({
    name: 'Every read of the volume fails',
    number: 58,
    means: 'block device answers reads with EIO, and the kernel has kept nothing',
    expected: 'read from the replicas; nobody notices',
    inject: async ({ disks }) => {
      await disks.volume.failReads();
      const stop = new AbortController();
      const forgetting = forgetOften(disks.volume, stop.signal);
      return async () => {
        stop.abort();
        await forgetting;
        disks.volume.heal();
      };
    },
    lastsMs: 4_000,
  }),
  disk({
    name: 'The volume is slow',
    number: null,
    means: 'block device at 1 Mbit/s (nbdkit)',
    expected: 'nothing fails',
    inject: ({ disks }) => {
      disks.volume.slow('1M');
      return () => disks.volume.heal();
    },
    lastsMs: 5_000,
  }),
  disk({
    name: 'The operator takes the volume out of use',
    number: null,
    means: 'filmroom volume fail, filmroom volume return',
    expected: 'as if it had failed; back in use at once',
    stage: 'plain',
    needs: [],
    inject: async (site) => {
      await operator(site, 'fail');
      return () => operator(site, 'return');
    },
    sign: (view) => (view.ingest === 'cloud-direct' ? `volume ${view.volumes[0]?.state}, arrivals cloud-direct` : null),
  }),
  disk({
    name: 'One of two volumes fails',
    number: null,
    means: 'writes to the one with most room end with EIO',
    expected: 'arrivals go to the other volume',
    stage: 'pair',
    alone: true,
    inject: ({ disks }) => {
      disks.volume.failWrites();
      return () => disks.volume.heal();
    },
    sign: (view) => {
      const failed = view.volumes.find(({ state }) => state === 'failed');
      return failed === undefined ? null : `volume ${failed.name} failed`;
    },
    meanwhile: secondTakes,
  }),
  disk({
    name: 'One of two volumes never answers',
    number: null,
    means: 'its block device stopped (SIGSTOP)',
    expected: 'no request waits for ever; arrivals go to the other volume',
    stage: 'pair',
    alone: true,
    inject: ({ disks }) => {
      disks.volume.freeze();
      return () => disks.volume.thaw();
    },
    sign: (view) => {
      const failed = view.volumes.find(({ state }) => state !== 'healthy');
      return failed === undefined ? null : `volume ${failed.name} ${failed.state}`;
    },
    meanwhile: secondTakes,
  }),
  disk({
    name: 'A replica’s folder is full',
    number: 57,
    means: 'a file fills its file system (ENOSPC)',
    expected: 'the other two are the quorum; what it is owed is paid when there is room',
    inject: async (site) => {
      const filler = join(site.folder(2), 'filler');
      await fillUp(filler);
      return () => rmSync(filler);
    },
    lastsMs: 5_000,
  }),
  disk({
    name: 'A replica’s folder is read-only',
    number: null,
    means: 'remounted read-only',
    expected: OWED,
    inject: (site) => {
      coverReadOnly(site.folder(0));
      return () => unmount(site.folder(0));
    },
    lastsMs: 5_000,
  }),
  disk({
    name: 'A replica’s folder is gone',
    number: null,
    means: 'folder renamed away',
    expected: OWED,
    stage: 'plain',
    needs: [],
    inject: (site) => {
      const folder = site.folder(1);
      renameSync(folder, `${folder}.away`);
      return () => {
        rmSync(folder, { recursive: true, force: true });
        renameSync(`${folder}.away`, folder);
      };
    },
    sign: replicaSign,
  }),
  disk({
    name: 'Another archive’s replica is in its place',
    number: null,
    means: 'its `config` names another archive',
    expected: `not written to, not believed; ${OWED}`,
    stage: 'plain',
    needs: [],
    inject: (site) => {
      const path = join(site.folder(1), 'config');
      const was = readFileSync(path);
      const other = was
        .toString('utf8')
        .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, '00000000-0000-4000-8000-000000000000');
      rmSync(path);
      writeFileSync(path, other);
      return () => {
        rmSync(path);
        writeFileSync(path, was);
      };
    },
    sign: replicaSign,
  }),
  disk({
    name: 'The disk of the audit log is full',
    number: 57,
    means: 'a file fills its file system (ENOSPC)',
    expected: 'requests go on; status and metrics say so; nothing of it is lost',
    inject: async ({ gateway }) => {
      const filler = join(gateway.dir, 'audit/filler');
      await fillUp(filler);
      return () => rmSync(filler);
    },
    sign: (view) => (view.audit.state === 'failing' ? 'audit failing, requests go on' : null),
  }),
];
