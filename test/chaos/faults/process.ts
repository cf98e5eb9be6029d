// The process itself: killed, stopped, told to end, out of descriptors, started twice, its disk without power.
import { execFileSync } from 'node:child_process';
import { appendFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { filmroom } from '../../e2e/gateway-clients.js';
import { stow } from '../../support/stow.js';
import type { Allowed, Fault } from '../fault.js';
import type { Site } from '../site.js';
import type { Trial } from '../trial.js';

type Rest = Pick<Fault, 'name' | 'number' | 'means' | 'expected' | 'attempt'> &
  Partial<Pick<Fault, 'stage' | 'needs' | 'mayFail' | 'alone'>>;

const process_ = (one: Rest): Fault => {
  const mayFail: Allowed = 'reads and stores';
  return { kind: 'process', stage: 'plain', needs: [], alone: false, mayFail, ...one };
};

const WHILE_DOWN = 'requests fail while it is down; nothing acknowledged is lost';

/** Kills it at a moment of running work, again and again. */
function killedDuring(kind: 'migrate' | 'recall' | 'rotate-keys', times: number) {
  return async (trial: Trial) => {
    const { site } = trial;
    for (let round = 1; round <= times; round += 1) {
      const job = site.gateway.job(kind, kind === 'rotate-keys' ? {} : { all: true }).catch(() => undefined);
      await sleep(40 * round);
      await site.gateway.kill();
      await job;
      await trial.startAgain();
    }
    if (kind === 'recall') await site.job('migrate', { all: true });
    if (kind === 'rotate-keys') await site.job('rotate-keys', { resume: true });
    trial.say(`killed ${times} times, whole each time`);
  };
}

/** Instances that are acknowledged or not, of several stores at once. */
async function storeMany(site: Site, count: number): Promise<{ readonly answers: readonly number[] }> {
  const answers = await Promise.all(
    Array.from({ length: count }, async () => {
      const one = site.nextPhantom();
      try {
        const answer = await stow(site.url, [one.bytes], AbortSignal.timeout(30_000));
        if (answer.stored.includes(one.sop)) site.stored.push(one);
        return answer.status;
      } catch {
        return 0;
      }
    }),
  );
  return { answers };
}

export const processFaults: readonly Fault[] = [
  process_({
    name: 'The process is killed while it takes studies',
    number: 59,
    means: 'SIGKILL in the middle of 20 stores, 3 times',
    expected: WHILE_DOWN,
    attempt: async (trial) => {
      const { site } = trial;
      for (let round = 1; round <= 3; round += 1) {
        const storing = storeMany(site, 20);
        await sleep(15 * round);
        await site.gateway.kill();
        await storing;
        await trial.startAgain();
      }
      trial.say('killed 3 times, whole each time');
    },
  }),
  process_({
    name: 'The process is killed while it migrates',
    number: 59,
    means: 'SIGKILL 40, 80 and 120 ms into a migrate',
    expected: WHILE_DOWN,
    attempt: killedDuring('migrate', 3),
  }),
  process_({
    name: 'The process is killed while it recalls',
    number: 59,
    means: 'SIGKILL 40 and 80 ms into a recall of everything',
    expected: WHILE_DOWN,
    attempt: killedDuring('recall', 2),
  }),
  process_({
    name: 'The process is killed while keys rotate',
    number: 43,
    means: 'SIGKILL 40, 80 and 120 ms into a rotation',
    expected: 'all is readable throughout, under the old key or the new; the rotation is gone on with',
    attempt: killedDuring('rotate-keys', 3),
  }),
  process_({
    name: 'The end of a tray is torn',
    number: 60,
    means: 'SIGKILL, then half a member of noise behind the last tray, and a file left in tmp',
    expected: 'what was never acknowledged is ignored; nothing else is touched',
    attempt: async (trial) => {
      const { site } = trial;
      await trial.lasts(0);
      await site.gateway.kill();
      const trays = readdirSync(join(site.volume, 'trays')).sort();
      const last = trays.pop();
      trial.expect(last !== undefined, 'there is no tray');
      appendFileSync(join(site.volume, 'trays', last ?? ''), Buffer.alloc(777, 0x5a));
      writeFileSync(join(site.volume, 'tmp', 'left-behind.tar'), Buffer.alloc(5_000));
      await trial.startAgain();
      trial.say('ignored; nothing is lost');
    },
  }),
  process_({
    name: 'The power fails',
    number: 60,
    means: 'SIGKILL of server and block device: what was not synced is gone',
    expected: WHILE_DOWN,
    stage: 'disks',
    needs: ['disk', 'mounts'],
    attempt: async (trial) => {
      const { site } = trial;
      const storing = storeMany(site, 20);
      await sleep(60);
      const killed = site.gateway.kill();
      const power = site.disks.volume.losePower();
      await Promise.all([killed, power, storing]);
      await trial.startAgain();
      trial.say('nothing acknowledged is lost');
    },
  }),
  process_({
    name: 'The process stands still for 5 s',
    number: 63,
    means: 'SIGSTOP, SIGCONT',
    expected: 'not healthy meanwhile; requests wait and succeed',
    mayFail: 'nothing',
    attempt: async (trial) => {
      const { site } = trial;
      process.kill(site.gateway.pid, 'SIGSTOP');
      try {
        await trial.detected(async () => {
          const ready = await fetch(`${site.url}/readyz`, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
          return ready === null ? 'readiness probe not answered' : null;
        });
        await sleep(4_000);
      } finally {
        process.kill(site.gateway.pid, 'SIGCONT');
      }
      trial.mark();
      await trial.recovered(() => site.whole());
      await trial.lasts(0);
    },
  }),
  process_({
    name: 'No descriptor is left',
    number: 63,
    means: 'prlimit: no more than are open now (EMFILE), for 3 s',
    expected: 'requests fail alone; it serves as before once there are some',
    needs: ['prlimit'],
    attempt: async (trial) => {
      const { site } = trial;
      const pid = String(site.gateway.pid);
      const limit = (count: number | string) => execFileSync('prlimit', ['--pid', pid, `--nofile=${count}:`]);
      const before = execFileSync('prlimit', ['--pid', pid, '--nofile', '--raw', '--noheadings', '-o', 'SOFT'], {
        encoding: 'utf8',
      });
      limit(readdirSync(`/proc/${pid}/fd`).length);
      try {
        await sleep(3_000);
        trial.say(`meanwhile ${trial.load.failures} failed`);
      } finally {
        limit(before.trim());
      }
      trial.mark();
      await trial.recovered(() => site.whole());
      await trial.lasts(0);
    },
  }),
  process_({
    name: 'It is told to end in the middle of stores',
    number: 64,
    means: 'SIGTERM while 20 stores are on their way',
    expected: 'each is finished or fails cleanly; it ends by itself',
    attempt: async (trial) => {
      const { site } = trial;
      const storing = storeMany(site, 20);
      await sleep(20);
      await site.gateway.kill('SIGTERM');
      const { answers } = await storing;
      trial.expect(site.gateway.output.includes('stopped'), 'it did not end in order');
      trial.say(`${answers.filter((status) => status === 200).length} of ${answers.length} finished, ended in order`);
      await trial.startAgain();
    },
  }),
  process_({
    name: 'It is told twice to end',
    number: 64,
    means: 'SIGTERM, SIGTERM, with a body on its way',
    expected: 'the second ends it at once; nothing acknowledged is lost',
    attempt: async (trial) => {
      const { site } = trial;
      const storing = storeMany(site, 20);
      await sleep(20);
      process.kill(site.gateway.pid, 'SIGTERM');
      await sleep(30);
      await site.gateway.kill('SIGTERM');
      await storing;
      await trial.startAgain();
      trial.say('ended at once, whole after the start');
    },
  }),
  process_({
    name: 'A second server is started over the same archive',
    number: 56,
    means: 'filmroom serve with the same configuration',
    expected: 'it refuses to start and says why; the first goes on',
    mayFail: 'nothing',
    attempt: async (trial) => {
      const { site } = trial;
      const second = await filmroom(['serve', '--config', site.gateway.configPath]);
      await trial.detected(
        async () =>
          `exit code ${second.code}: ${/lock|held|use/i.exec(second.stderr)?.[0] ?? second.stderr.slice(0, 80)}`,
      );
      trial.expect(second.code === 1, `the second ended with ${second.code}`);
      await trial.lasts(0);
    },
  }),
  process_({
    name: 'Two migrates of the same at once',
    number: 56,
    means: 'three migrate jobs of everything, begun together',
    expected: 'one copy of each pack',
    mayFail: 'nothing',
    attempt: async (trial) => {
      const { site } = trial;
      const reports = await Promise.all([1, 2, 3].map(() => site.gateway.job('migrate', { all: true, keepHot: true })));
      await trial.detected(async () => `three jobs ${[...new Set(reports.map(({ state }) => state))].join(', ')}`);
      trial.expect(
        reports.every(({ state }) => state === 'done'),
        `they ended ${reports.map(({ state }) => state).join(', ')}`,
      );
      await trial.lasts(0);
    },
  }),
];
