// Keys: the wrong keyring, none, one that anybody may read, a token that is away, a random source that repeats itself; and manifests that
// were set back to what they were.
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { filmroom } from '../../e2e/gateway-clients.js';
import type { Fault } from '../fault.js';
import type { Site } from '../site.js';
import { objectsOf, replace, type StoredObject } from '../stored-objects.js';

type Rest = Pick<Fault, 'name' | 'number' | 'means' | 'expected' | 'attempt'> & Partial<Fault>;

const key = (one: Rest): Fault => ({
  ...{ kind: 'object', stage: 'plain', needs: [], mayFail: 'reads and stores', alone: false },
  ...one,
});

const keyring = (site: Site) => join(site.gateway.dir, 'keyring.json');

/** A start that must be refused. */
async function refused(site: Site): Promise<string> {
  const { code, stderr } = await filmroom(['serve', '--config', site.gateway.configPath]);
  if (code === 0) throw new Error('it was served all the same');
  const why = stderr.split('\n').find((line) => line !== '' && !line.startsWith('{')) ?? 'nothing';
  return `exit code ${code}: ${why.replaceAll(`${site.gateway.dir}/`, '').slice(0, 120)}`;
}

/** Random bytes that are always the same, before anything of the server is loaded. */
const REPEATING = `import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
crypto.randomBytes = (count) => Buffer.alloc(count, 7);
syncBuiltinESMExports();
`;

export const keyFaults: readonly Fault[] = [
  key({
    name: 'An old keyring is in its place',
    restarts: true,
    number: 39,
    means: 'keys rotated, then the keyring from before put back',
    expected: 'cold studies 500, said to be another key’s; never taken for damage, nothing is repaired for it',
    attempt: async (trial) => {
      const { site } = trial;
      const [old, now] = [`${keyring(site)}.old`, `${keyring(site)}.now`];
      copyFileSync(keyring(site), old);
      await site.job('rotate-keys');
      await site.gateway.kill('SIGTERM');
      renameSync(keyring(site), now);
      renameSync(old, keyring(site));
      await site.gateway.start(120_000);
      await trial.detected(async () => `cold reads ${await site.coldStatuses()}`);
      trial.expect(trial.seen === 'cold reads 500', trial.seen);
      const { findings } = await site.scrub();
      trial.expect(
        findings.every(({ fault }) => fault === 'unknown'),
        'a scrub took it for damage',
      );
      trial.expect((await site.compare(site.hot)).length === 0, 'hot studies are not read');
      trial.say('scrub finds no damage, hot reads go on');
      await site.gateway.kill('SIGTERM');
      renameSync(now, keyring(site));
      await trial.startAgain();
    },
  }),
  key({
    name: 'The keyring is gone at a start',
    restarts: true,
    number: 39,
    means: 'its file renamed away while the server is down',
    expected: 'refused; no new key is made beside data',
    attempt: async (trial) => {
      const { site } = trial;
      await site.gateway.kill('SIGTERM');
      renameSync(keyring(site), `${keyring(site)}.away`);
      try {
        await trial.detected(() => refused(site));
      } finally {
        renameSync(`${keyring(site)}.away`, keyring(site));
      }
      await trial.startAgain();
    },
  }),
  key({
    name: 'Anybody may read the keyring',
    restarts: true,
    number: null,
    means: 'mode 0644 at a start',
    expected: 'refused, and how to mend it',
    attempt: async (trial) => {
      const { site } = trial;
      await site.gateway.kill('SIGTERM');
      chmodSync(keyring(site), 0o644);
      try {
        await trial.detected(() => refused(site));
      } finally {
        chmodSync(keyring(site), 0o600);
      }
      await trial.startAgain();
    },
  }),
  key({
    name: 'A key that is still needed is to be removed',
    number: 43,
    means: 'filmroom keys remove of the key that packs are wrapped under',
    expected: 'refused; nothing is changed',
    mayFail: 'nothing',
    attempt: async (trial) => {
      const { site } = trial;
      const { report } = await site.job('list-keys');
      const [current] = ((report?.['keys'] ?? []) as { readonly id: string; readonly current: boolean }[]).filter(
        (one) => one.current,
      );
      const answer = await site.gateway.job('remove-key', { key: current?.id });
      await trial.detected(async () => `${answer.state}, the key stays`);
      trial.expect(answer.state === 'failed', `the job ended ${answer.state}`);
      await trial.lasts(0);
    },
  }),
  key({
    name: 'All replicas are set back to older manifests',
    number: 42,
    means: 'newest manifests deleted everywhere, older generations put back',
    expected: 'told by a scrub; nothing old is served; written anew by a repair',
    mayFail: 'nothing',
    attempt: async (trial) => {
      const { site } = trial;
      const all = () => [0, 1, 2].flatMap((at) => objectsOf(site, at, 'm'));
      const old: readonly StoredObject[] = all();
      for (const one of old) replace(one, null);
      await site.scrub();
      await site.repair();
      const packs = new Set(old.map(({ path }) => dirname(path)));
      const newer = old.flatMap(({ path }) => newest(dirname(path)));
      trial.mark();
      for (const path of newer) replace({ path, key: '', bytes: Buffer.alloc(0) }, null);
      for (const { path, bytes } of old) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
      }
      await trial.detected(async () => {
        const { findings } = await site.scrub();
        const missing = findings.filter(({ fault }) => fault === 'missing').length;
        return missing >= packs.size ? `${missing} found missing` : null;
      });
      const bad = await site.compare([...site.cold, ...site.hot]);
      trial.expect(bad.length === 0, `changed: ${bad[0]}`);
      trial.mark();
      await trial.recovered(async () => {
        await site.repair();
        const { findings } = await site.scrub();
        return findings.every(({ fault }) => fault === 'unknown');
      });
      trial.say('written anew by one repair');
    },
  }),
  key({
    name: 'The random source repeats itself',
    number: 44,
    means: 'a server whose crypto.randomBytes gives the same bytes for ever',
    expected: 'nothing is sealed or sent; hot studies are read; all is protected once it is right',
    alone: true,
    attempt: async (trial) => {
      const { site } = trial;
      const preload = join(site.gateway.dir, 'repeating.mjs');
      writeFileSync(preload, REPEATING);
      await site.gateway.kill('SIGTERM');
      const before = objectsOf(site, 0, 'c').length;
      site.gateway.environment = { NODE_OPTIONS: `--import=${preload}` };
      await site.gateway.start(120_000);
      const one = site.nextPhantom();
      await site.store([one]);
      site.stored.push(one);
      const job = await site.gateway.job('migrate', { studies: [one.study] });
      await trial.detected(async () => {
        const codes = ((job.report?.['failures'] ?? []) as { readonly code: string }[]).map(({ code }) => code);
        return `migrate ${job.state} (${[...new Set(codes)].join(', ')})`;
      });
      trial.expect(job.state === 'failed' || job.state === 'partly', `the job ended ${job.state}`);
      trial.expect(objectsOf(site, 0, 'c').length === before, 'something was sent');
      trial.expect((await site.compare([...site.hot, one])).length === 0, 'hot studies are not read');
      await site.gateway.kill('SIGTERM');
      site.gateway.environment = {};
      await trial.startAgain();
    },
  }),
];

/** The manifests that lie in a pack's folder. */
function newest(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}
