// The volume's disk: it fails, fills, freezes, is gone. Protected studies must be read as ever, arrivals be taken elsewhere, and what was on it
// must be there again when it is.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coverReadOnly, setImmutable, unmount } from '../../support/mounts.js';
import type { Fault } from '../fault.js';
import { type Outage, outage, volumeSign } from '../outage.js';

type Rest = Omit<Outage, 'kind' | 'stage' | 'needs'> & Partial<Pick<Outage, 'stage' | 'needs'>>;
const disk = (one: Rest): Fault => outage({ kind: 'disk', stage: 'disks', needs: ['disk', 'mounts'], ...one });

const ELSEWHERE = 'arrivals go straight to the replicas, reads go on; all is there when it is back';

/** Writes until there is no room left, in a process of its own: a disk may take minutes, and whoever waits for an answer must not wait for it. */
export async function fillUp(file: string): Promise<void> {
  await once(spawn('dd', ['if=/dev/zero', `of=${file}`, 'bs=64k'], { stdio: 'ignore' }), 'exit');
}

export const volumeFaults: readonly Fault[] = [
  disk({
    name: 'Every write to the volume fails',
    number: 58,
    means: 'block device answers writes with EIO (nbdkit)',
    expected: ELSEWHERE,
    inject: ({ disks }) => {
      disks.volume.failWrites();
      return () => disks.volume.heal();
    },
    sign: volumeSign,
  }),
  disk({
    name: 'The volume is full',
    number: 57,
    means: 'a file fills its file system (ENOSPC)',
    expected: ELSEWHERE,
    inject: async ({ volume }) => {
      await fillUp(join(volume, 'filler'));
      return () => rmSync(join(volume, 'filler'));
    },
    sign: (view) => (view.ingest === 'volume' ? null : `arrivals ${view.ingest}`),
  }),
  disk({
    name: 'The volume is read-only',
    number: null,
    means: 'remounted read-only',
    expected: ELSEWHERE,
    inject: ({ volume }) => {
      coverReadOnly(volume);
      return () => unmount(volume);
    },
    sign: volumeSign,
  }),
  disk({
    name: 'The volume is not mounted',
    number: null,
    means: 'unmounted; its empty mount point is left',
    expected: `nothing is written to the mount point; ${ELSEWHERE}`,
    inject: ({ disks }) => {
      disks.volume.unmount();
      return () => disks.volume.mount();
    },
    sign: volumeSign,
  }),
  disk({
    name: 'The volume never answers',
    number: null,
    means: 'block device stopped (SIGSTOP): calls hang',
    expected: `no request waits for ever; ${ELSEWHERE}`,
    inject: ({ disks }) => {
      disks.volume.freeze();
      return () => disks.volume.thaw();
    },
    sign: volumeSign,
  }),
  disk({
    name: 'The volume flaps',
    number: null,
    means: 'writes fail with EIO for 1.5 s of every 3 s',
    expected: 'trusted later each time; nothing is lost',
    inject: ({ disks }) => {
      let failing = true;
      disks.volume.failWrites();
      const toggle = setInterval(() => {
        failing = !failing;
        if (failing) disks.volume.failWrites();
        else disks.volume.heal();
      }, 1_500);
      return () => {
        clearInterval(toggle);
        disks.volume.heal();
      };
    },
    lastsMs: 8_000,
    sign: volumeSign,
  }),
  disk({
    name: 'The volume folder is gone',
    number: null,
    means: 'folder renamed away',
    expected: ELSEWHERE,
    stage: 'plain',
    needs: [],
    inject: ({ volume }) => {
      renameSync(volume, `${volume}.away`);
      return () => {
        rmSync(volume, { recursive: true, force: true });
        renameSync(`${volume}.away`, volume);
      };
    },
    sign: volumeSign,
  }),
  disk({
    name: 'Another archive’s volume is in its place',
    number: null,
    means: 'identity file names another archive',
    expected: `nothing is written to it; ${ELSEWHERE}`,
    stage: 'plain',
    needs: [],
    inject: ({ volume }) => {
      const path = join(volume, 'volume.json');
      const was = readFileSync(path, 'utf8');
      const other = { ...(JSON.parse(was) as object), archiveId: '00000000-0000-4000-8000-000000000000' };
      writeFileSync(path, JSON.stringify(other));
      return () => writeFileSync(path, was);
    },
    sign: volumeSign,
  }),
  disk({
    name: 'No file can be made on the volume',
    number: null,
    means: 'chattr +i on its folders (EPERM)',
    expected: ELSEWHERE,
    needs: ['disk', 'mounts', 'immutable'],
    inject: ({ volume }) => {
      const folders = ['', 'trays', 'tmp', 'packs'].map((name) => join(volume, name));
      for (const folder of folders) setImmutable(folder, true);
      return () => folders.forEach((folder) => void setImmutable(folder, false));
    },
    sign: volumeSign,
  }),
];
