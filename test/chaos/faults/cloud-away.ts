// Clouds that are away, one or all of them: killed, frozen, refusing.
import type { Misbehaviour } from '../../support/chaos-proxy.js';
import type { Fault } from '../fault.js';
import { type Outage, outage, replicaSign } from '../outage.js';
import type { Site } from '../site.js';
import type { Trial } from '../trial.js';

const cloud = (one: Omit<Outage, 'kind' | 'stage' | 'needs'>): Fault =>
  outage({ kind: 'cloud', stage: 'clouds', needs: ['rgw'], ...one });

/** The first `count` clouds do this. */
async function misbehave(site: Site, count: number, fault: Misbehaviour): Promise<() => Promise<void>> {
  const proxies = site.parts.proxies.slice(0, count);
  for (const proxy of proxies) await proxy.misbehave(fault);
  return async () => {
    for (const proxy of proxies) await proxy.behave();
  };
}

const OTHERS = 'the other two serve; what it is owed is paid when it is back';

/** All clouds are away: cold studies are unavailable and never absent, hot ones are read, arrivals are taken. */
async function onlyHot(trial: Trial): Promise<void> {
  const { site, load } = trial;
  const cold = await site.coldStatuses();
  trial.expect(/^(200, )?503$/.test(cold), `cold reads answered ${cold}`);
  const bad = await site.compare(site.hot);
  trial.expect(bad.length === 0, `hot reads failed: ${bad[0]}`);
  trial.expect(load.stores.failed === 0, `stores failed: ${load.stores.first}`);
  trial.say(`cold reads ${cold}, hot reads and stores go on`);
}

const ALL_AWAY = 'cold studies 503 with Retry-After, never 404; hot reads and stores go on, nothing is evicted';

export const cloudAwayFaults: readonly Fault[] = [
  cloud({
    name: 'One object store is killed',
    number: null,
    means: 'SIGKILL of the S3 server',
    expected: OTHERS,
    inject: async ({ parts }) => {
      const site = parts.rgw?.sites[0];
      await site?.stop();
      return () => site?.start();
    },
    sign: replicaSign,
  }),
  cloud({
    name: 'One object store is frozen',
    number: null,
    means: 'SIGSTOP of the S3 server: connections stay open',
    expected: OTHERS,
    inject: ({ parts }) => {
      const site = parts.rgw?.sites[1];
      site?.pause();
      return () => site?.resume();
    },
    sign: replicaSign,
  }),
  cloud({
    name: 'One object store refuses the credentials',
    number: 48,
    means: 'it answers 403 ExpiredToken',
    expected: `unavailable, not empty; ${OTHERS}`,
    inject: (site) => misbehave(site, 1, { name: 'refuse', status: 403, code: 'ExpiredToken' }),
    sign: (view) => {
      const [replica] = view.replicas;
      return replica?.state === 'unavailable' && /ExpiredToken/.test(replica.detail ?? '')
        ? 'r1 unavailable, and why'
        : null;
    },
  }),
  cloud({
    name: 'One object store says that the clocks differ',
    number: 52,
    means: 'it answers 403 RequestTimeTooSkewed',
    expected: `said by name; ${OTHERS}`,
    inject: (site) => misbehave(site, 1, { name: 'refuse', status: 403, code: 'RequestTimeTooSkewed' }),
    sign: (view) => {
      const [replica] = view.replicas;
      return /NTP/.test(replica?.detail ?? '') ? 'r1 unavailable, told to look at NTP' : null;
    },
  }),
  cloud({
    name: 'One object store takes requests and never answers',
    number: 53,
    means: 'proxy holds every request',
    expected: OTHERS,
    inject: (site) => misbehave(site, 1, { name: 'hang' }),
    sign: replicaSign,
  }),
  cloud({
    name: 'One object store is 100 times slower',
    number: 54,
    means: 'proxy: each answer 700 ms later',
    expected: 'the faster ones are asked; nobody waits for it',
    inject: (site) => misbehave(site, 1, { name: 'latency', ms: 700 }),
    lastsMs: 3_000,
  }),
  cloud({
    name: 'All object stores ask to slow down',
    number: 47,
    means: 'they answer 503 SlowDown to every sixth request',
    expected: 'waited out; nothing fails',
    inject: (site) => {
      const storms = site.parts.proxies.map((proxy) =>
        proxy.misbehave({ name: 'refuse', status: 503, code: 'SlowDown' }, { share: 0.15 }),
      );
      return Promise.all(storms).then(() => async () => {
        for (const proxy of site.parts.proxies) await proxy.behave();
      });
    },
    lastsMs: 3_000,
  }),
  cloud({
    name: 'All object stores refuse everything',
    number: 47,
    means: 'they answer 503 SlowDown to every request',
    expected: ALL_AWAY,
    mayFail: 'reads and stores',
    inject: (site) => misbehave(site, 3, { name: 'refuse', status: 503, code: 'SlowDown' }),
    sign: (view) => (view.replicas.every(({ state }) => state === 'unavailable') ? 'all three unavailable' : null),
    meanwhile: onlyHot,
  }),
  cloud({
    name: 'All object stores are away',
    number: 55,
    means: 'nothing listens at any of them',
    expected: ALL_AWAY,
    mayFail: 'reads and stores',
    inject: (site) => misbehave(site, 3, { name: 'down' }),
    sign: (view) => (view.replicas.every(({ state }) => state === 'unavailable') ? 'all three unavailable' : null),
    meanwhile: onlyHot,
  }),
  cloud({
    name: 'One says that it has nothing, the others are away',
    number: 49,
    means: 'NoSuchKey of one for every chunk, nothing listens at two',
    expected: ALL_AWAY,
    mayFail: 'reads and stores',
    inject: async (site) => {
      const [one, ...others] = site.parts.proxies;
      const chunks = { methods: ['GET', 'HEAD'], keys: (key: string) => key.startsWith('c/') };
      await one?.misbehave({ name: 'refuse', status: 404, code: 'NoSuchKey' }, chunks);
      for (const proxy of others) await proxy.misbehave({ name: 'down' });
      return async () => {
        for (const proxy of site.parts.proxies) await proxy.behave();
      };
    },
    sign: (view) =>
      view.replicas.filter(({ state }) => state === 'unavailable').length === 2 ? 'two unavailable' : null,
    meanwhile: onlyHot,
  }),
  cloud({
    name: 'One object store is full',
    number: null,
    means: 'a quota of its user (Ceph): puts answer 403 QuotaExceeded',
    expected: 'the others are the quorum; what it is owed is paid when there is room',
    inject: async ({ parts }) => {
      const site = parts.rgw?.sites[0];
      const quota = (...words: string[]) => site?.admin('quota', ...words, '--quota-scope=user', '--uid=filmroom');
      await quota('set', '--max-objects=1');
      await quota('enable');
      return () => quota('disable');
    },
    lastsMs: 6_000,
  }),
  cloud({
    name: 'The marker of one replica is gone',
    number: null,
    means: 'every answer for its `config` is 404',
    expected: 'taken for a wrong or emptied bucket: not written to, not believed to lack anything',
    inject: async (site) => {
      const config = { keys: (key: string) => key === 'config' };
      await site.proxy(1).misbehave({ name: 'refuse', status: 404, code: 'NoSuchKey' }, config);
      return () => site.proxy(1).behave();
    },
    sign: replicaSign,
  }),
];
