// The index: its disk full, failing, frozen, read-only; its file damaged, old or gone. Never served blindly: detected, refused, made again.
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusView } from '../../../gateway/admin/status.js';
import { filmroom } from '../../e2e/gateway-clients.js';
import { coverReadOnly, unmount } from '../../support/mounts.js';
import { stow } from '../../support/stow.js';
import type { Fault } from '../fault.js';
import { type Outage, outage } from '../outage.js';
import type { Site } from '../site.js';
import type { Trial } from '../trial.js';
import { slice } from './requests.js';
import { fillUp } from './volume.js';

const disk = (one: Omit<Outage, 'kind' | 'stage' | 'needs'>): Fault =>
  outage({ kind: 'index', stage: 'disks', needs: ['disk', 'mounts'], ...one });

/** Whether it takes anything, and why not. */
function stoppedSign(view: StatusView): string | null {
  return view.stopped === null ? null : `takes nothing: ${view.stopped.reason.slice(0, 100)}`;
}

/** Sends small instances until some are refused, or 3,000 were taken. */
async function storeMuch(trial: Trial): Promise<void> {
  const { site } = trial;
  const study = '2.25.761';
  let taken = 0;
  for (let at = 0; at < 3_000; at += 100) {
    const parts = Array.from({ length: 100 }, (_, n) => slice(study, at + n, 'x'.repeat(2_000)));
    const { stored, status } = await stow(site.url, parts);
    taken += stored.length;
    for (const sop of stored) {
      const bytes = parts[Number(sop.split('.').pop()) - at] ?? new Uint8Array();
      site.stored.push({ study, series: `${study}.1`, sop, bytes, fileName: sop });
    }
    if (stored.length < parts.length) {
      trial.say(`${taken} taken, then ${status}`);
      return;
    }
  }
  trial.say(`${taken} taken, none refused`);
}

const file = (site: Site) => join(site.index, 'filmroom.db');

/** What a start says that is refused; null when it is served. */
async function refusal(site: Site): Promise<string | null> {
  const { code, stderr } = await filmroom(['serve', '--config', site.gateway.configPath]);
  if (code !== 1) throw new Error(`it was served all the same, and ended with ${code}`);
  const why = stderr.split('\n').find((line) => line !== '' && !line.startsWith('{')) ?? 'nothing';
  return `exit code 1: ${why.replaceAll(site.gateway.dir, '').slice(0, 120)}`;
}

/** Starts the server over what is left of its index: what it says when it refuses, or stops all writing; null when it serves as before. */
async function comesUp(site: Site): Promise<string | null> {
  try {
    await site.gateway.start(120_000);
  } catch (error) {
    const why = (error as Error).message.split('\n').find((line) => line.startsWith('filmroom: ')) ?? 'nothing said';
    return `refused: ${why.replaceAll(`${site.gateway.dir}/`, '').slice(10, 130)}`;
  }
  // The file is checked in the background.
  for (let tries = 0; tries < 20; tries += 1) {
    const stopped = (await site.view())?.stopped;
    if (stopped?.restart === true) return `serves nothing new: ${stopped.reason.slice(0, 110)}`;
    await sleep(500);
  }
  return null;
}

/** Damages the index of a server that is down; it must be refused, or be whole all the same, and be made again where it was refused. */
function damaged(
  name: string,
  means: string,
  expected: string,
  harm: (site: Site, kept: string) => void,
  options: { readonly end?: NodeJS.Signals; readonly late?: boolean; readonly mayServe?: boolean } = {},
): Fault {
  const attempt = async (trial: Trial) => {
    const { site } = trial;
    const kept = join(site.gateway.dir, 'index-kept');
    rmSync(kept, { recursive: true, force: true });
    await site.gateway.kill(options.end ?? 'SIGTERM');
    cpSync(site.index, kept, { recursive: true });
    if (options.late === true) {
      // It goes on after the copy was taken: what comes now, the copy does not know.
      await site.gateway.start(120_000);
      const late = [1, 2, 3].map(() => site.nextPhantom());
      await site.store(late);
      site.stored.push(...late);
      await sleep(3_000);
      await site.gateway.kill('SIGTERM');
    }
    harm(site, kept);
    trial.mark();
    const said = await comesUp(site);
    await trial.detected(async () => said ?? 'served as before');
    trial.expect(said !== null || options.mayServe === true, 'it was served all the same');
    trial.mark();
    if (said !== null) {
      await site.gateway.kill();
      await site.gateway.start(120_000, ['--rebuild']);
      trial.say('rebuilt');
    }
    await trial.recovered(async () => (await site.view())?.rebuild === null && (await site.whole()));
    const bad = await site.compare([...site.cold, ...site.hot, ...site.stored, ...trial.load.stored]);
    trial.expect(bad.length === 0, `changed: ${bad[0]}`);
    await trial.lasts(0);
  };
  const fixed = { name, means, expected, number: 61, kind: 'index', stage: 'plain', needs: [] } as const;
  return { ...fixed, mayFail: 'reads and stores', alone: true, attempt };
}

export const indexFaults: readonly Fault[] = [
  disk({
    name: 'The disk of the index is full',
    number: 57,
    means: 'a file fills its file system (ENOSPC)',
    expected: 'reads go on; stores 503 until there is room, nothing acknowledged is lost',
    mayFail: 'stores',
    inject: async ({ index }) => {
      await fillUp(join(index, 'filler'));
      return () => rmSync(join(index, 'filler'));
    },
    sign: stoppedSign,
    // The log has room of its own for a while: more is sent than that.
    meanwhile: storeMuch,
  }),
  disk({
    name: 'Every write to the index fails',
    number: 61,
    means: 'block device answers writes with EIO',
    expected:
      'told; nothing acknowledged is lost; goes on by itself once the disk is well: all of the log is written and synced again first',
    mayFail: 'reads and stores',
    inject: ({ disks }) => {
      disks.index.failWrites();
      return () => disks.index.heal();
    },
    sign: (view) => {
      if (view.stopped?.restart === true) throw new Error(`only a restart ends it: ${view.stopped.reason}`);
      return stoppedSign(view);
    },
  }),
  {
    name: 'What the index could not sync is dropped from memory',
    number: 58,
    kind: 'index',
    means: 'block device answers writes with EIO; once a sync has failed, the page cache is dropped',
    expected:
      'not believed when the disk is well again; where something is lacking, told that only a restart helps, and the restart does',
    stage: 'disks',
    needs: ['disk', 'mounts'],
    mayFail: 'reads and stores',
    alone: true,
    attempt: async (trial) => {
      const { site } = trial;
      const { index } = site.disks;
      index.failWrites();
      try {
        await trial.detected(async () => {
          const view = await site.view();
          return view === null ? null : stoppedSign(view);
        });
        await index.forget();
      } finally {
        index.heal();
        trial.mark();
      }
      let restarted = false;
      await trial.recovered(async () => {
        const view = await site.view();
        if (!restarted && view?.stopped?.restart === true) {
          restarted = true;
          trial.say(`for good: ${view.stopped.reason.slice(39, 140)}`);
          await site.gateway.kill('SIGTERM');
          const refused = await comesUp(site);
          if (refused !== null) throw new Error(refused);
        }
        return site.whole();
      });
      trial.say(restarted ? 'whole after a restart' : 'it had all of it, and went on by itself');
      await trial.lasts(0);
    },
  },
  disk({
    name: 'The index never answers',
    number: 63,
    means: 'its block device stopped for 8 s (SIGSTOP)',
    expected: 'not ready meanwhile, requests wait or fail; whole again after',
    mayFail: 'reads and stores',
    inject: ({ disks }) => {
      disks.index.freeze();
      const thaw = setTimeout(() => disks.index.thaw(), 8_000);
      return () => {
        clearTimeout(thaw);
        disks.index.thaw();
      };
    },
    lastsMs: 9_000,
  }),
  {
    name: 'The index cannot be written at a start',
    number: 61,
    kind: 'index',
    means: 'its folder mounted read-only, then a start',
    expected: 'refused, and why; serves when it is writable',
    stage: 'disks',
    needs: ['disk', 'mounts'],
    mayFail: 'reads and stores',
    alone: false,
    attempt: async (trial) => {
      const { site } = trial;
      await site.gateway.kill('SIGTERM');
      coverReadOnly(site.index);
      try {
        await trial.detected(() => refusal(site));
      } finally {
        unmount(site.index);
      }
      trial.mark();
      await site.gateway.start(120_000);
      await trial.recovered(() => site.whole());
      await trial.lasts(0);
    },
  },
  damaged(
    'The index is gone',
    'its folder emptied while the server is down',
    'refused beside an archive with data; serve --rebuild makes it again',
    (site) => rmSync(site.index, { recursive: true }),
  ),
  damaged('The index is cut', 'its file cut to a third', 'refused; serve --rebuild makes it again', (site) =>
    truncateSync(file(site), Math.floor(readFileSync(file(site)).length / 3)),
  ),
  damaged(
    'Bytes of the index change',
    '16 pages of its file overwritten',
    'found out, nothing new is taken; serve --rebuild makes it again',
    (site) => {
      const bytes = readFileSync(file(site));
      for (let page = 1; page <= 16; page += 1) bytes.fill(0xa5, page * 4_096 + 8, page * 4_096 + 600);
      writeFileSync(file(site), bytes);
      for (const name of ['-wal', '-shm']) rmSync(file(site) + name, { force: true });
    },
  ),
  damaged(
    'An older copy of the index is put back',
    'a copy from before the last stores',
    'refused: it knows less than the volumes do; serve --rebuild makes it again',
    (site, kept) => {
      rmSync(site.index, { recursive: true });
      cpSync(kept, site.index, { recursive: true });
    },
    { late: true },
  ),
  damaged(
    'The log of the index is lost',
    'SIGKILL, then its -wal removed',
    'refused, or what it had is read from the trays again',
    (site) => {
      for (const name of ['-wal', '-shm']) rmSync(file(site) + name, { force: true });
    },
    { end: 'SIGKILL', mayServe: true },
  ),
];
