// What happens to the lines to the clouds: cut, brown-out, flapping, names, certificates, keys, throttling. Two of three clouds are behind the line, so
// that with it the write quorum is gone: hot reads and stores go on, nothing is given up on the volume, the status says what is owed to
// whom, since when and why, and all is paid back, oldest first, when the line is mended.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { phantomStudies } from '../../dicom/phantom/phantom.js';
import { storeBytes } from '../support/archive-rig.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { NarrowLink } from '../support/narrow-link.js';
import { buildPart10 } from '../support/part10-builder.js';
import { stow } from '../support/stow.js';
import { TlsFront } from '../support/tls-front.js';
import { allClouds, type CloudArchive, cloud, describeClouds, isChunk, NAMES, warm } from './clouds-misbehave-rig.js';
import { makeReplicas } from './gateway-clients.js';

const KIB = 1024;
const WAIT = { timeout: 60_000, interval: 50 };
const BEHIND = [0, 1];
const AWAY = ['unavailable', 'unavailable', 'available'];
const PHANTOMS = [...phantomStudies({ seed: 31, studies: 5, slices: 2, shrink: 8 })];
/** Small, and yet seconds on a line of 50 kB/s. */
const STUDIES = [...new Set(PHANTOMS.map(({ study }) => study))].map((study) =>
  PHANTOMS.filter((one) => one.study === study),
);

/** Everything that is whole on the quorum leaves the volume at once: what stays, stays because it is not. */
const HASTY = {
  settleMs: 50,
  fileAfterMs: 50,
  protectAfterMs: 100,
  evictMinAgeMs: 0,
  highWater: 0.0001,
  lowWater: 0,
  moverIntervalMs: 50,
  probeIntervalMs: 200,
  recall: 'never',
} as const;

interface Line {
  readonly endpoints?: Readonly<Record<string, string>>;
  readonly ca?: string;
  /** What the status says of it. */
  readonly why: RegExp;
  readonly fail: () => Promise<unknown>;
  readonly mend: () => Promise<unknown>;
  readonly close?: () => Promise<unknown>;
}

async function states(one: CloudArchive) {
  const { replicas, index } = await one.archive.status();
  return { replicas, hot: index.studies.hot, cold: index.studies.cold, debt: [...index.debt.values()] };
}

/** A life over a line that fails and is mended. */
async function livesThrough({ endpoints = {}, ca, why, fail, mend, close }: Line): Promise<void> {
  const [before = [], ...during] = STUDIES;
  const one = await warm({ policy: HASTY, endpoints, ...(ca === undefined ? {} : { ca }) });
  try {
    await one.store(before);
    await expect.poll(async () => (await states(one)).cold, WAIT).toBe(1);
    await fail();
    const beganMs = Date.now();
    for (const study of during) {
      await one.store(study);
      await one.expectEqual(study);
    }
    // What is cold is read from the third cloud.
    await one.expectEqual(before);
    const reasons = async () => {
      const { replicas, debt } = await states(one);
      return BEHIND.every((at) => (debt[at]?.packs ?? 0) > 0 && why.test(replicas[at]?.detail ?? ''));
    };
    await expect.poll(reasons, WAIT).toBe(true);
    const { hot, debt, replicas } = await states(one);
    expect(hot, 'nothing is evicted').toBe(during.length);
    for (const at of BEHIND) {
      expect(debt[at]?.oldestMs).toBeGreaterThan(beganMs - 60_000);
      const { state, unavailableSinceMs } = replicas[at] ?? expect.fail('no such replica');
      if (state === 'unavailable') expect(unavailableSinceMs).toBeGreaterThanOrEqual(beganMs - 1_000);
    }
    for (const study of during) await one.expectEqual(study);
    await mend();
    await expect.poll(() => one.debts(), WAIT).toEqual([0, 0, 0]);
    await expect.poll(async () => (await states(one)).hot, WAIT).toBe(0);
    for (const study of STUDIES) await one.expectEqual(study);
    expect((await states(one)).replicas.map(({ detail }) => detail)).toEqual([null, null, null]);
  } finally {
    await mend();
    await one.destroy();
    await close?.();
  }
}

const each = (work: (at: number) => Promise<unknown>) => Promise.all(BEHIND.map(work));
const named = (endpoints: readonly string[]) =>
  Object.fromEntries(endpoints.map((endpoint, at) => [`r${at + 1}`, endpoint]));

describeClouds('lines to the clouds', lines);

function lines(): void {
  const upstream = (at: number) => allClouds().rgw.sites[at]?.endpoint ?? expect.fail('no such cloud');

  async function narrow(): Promise<NarrowLink[]> {
    return Promise.all(BEHIND.map((at) => NarrowLink.start(upstream(at))));
  }

  it('cut: what is owed is paid oldest first', async () => {
    const down = () => each((at) => cloud(at).misbehave({ name: 'down' }));
    let mended = false;
    const mend = async () => {
      if (!mended) for (const at of BEHIND) cloud(at).forget();
      mended = true;
      await allClouds().behave();
    };
    await livesThrough({ why: /ECONNREFUSED|cut/, fail: down, mend });
    for (const at of BEHIND) {
      const manifests = cloud(at).seen.flatMap(({ method, key }) =>
        method === 'PUT' && key.startsWith('m/') ? [key] : [],
      );
      expect(manifests.length).toBeGreaterThanOrEqual(STUDIES.length - 1);
      // The name of a manifest begins with its pack's id, and that with the time at which it was made. What is filed in one round is of one age.
      const madeMs = manifests.map((name) => Number.parseInt(name.slice(2).replaceAll('-', '').slice(0, 12), 16));
      for (const [n, ms] of madeMs.entries()) expect(ms).toBeGreaterThan((madeMs[n - 1] ?? 0) - 500);
    }
  });

  it('that fails again and again: what has been tried so often that its next try is minutes away is paid when the line is back', async () => {
    const [study = []] = STUDIES;
    const one = await warm({ policy: HASTY });
    const failures = () => one.rig.events.filter(({ event }) => event === 'protect-failed').length;
    const down = async () => {
      await each((at) => cloud(at).misbehave({ name: 'down' }));
      await expect.poll(async () => (await states(one)).replicas.map(({ state }) => state), WAIT).toEqual(AWAY);
    };
    try {
      // Good enough for a look, and not for a chunk.
      const bad = () =>
        each((at) => cloud(at).misbehave({ name: 'cut-request', afterBytes: 1 }, { methods: ['PUT'], keys: isChunk }));
      await bad();
      await one.store(study);
      // Each failure doubles the wait: 2 s at first, over two minutes now.
      for (let flap = 1; flap <= 7; flap += 1) {
        await expect.poll(failures, WAIT).toBeGreaterThanOrEqual(flap);
        await down();
        await allClouds().behave();
        if (flap < 7) await bad();
      }
      await expect.poll(() => one.debts(), WAIT).toEqual([0, 0, 0]);
      await one.expectEqual(study);
    } finally {
      await one.destroy();
    }
  }, 300_000);

  it('brown-out: 50 kB/s, slow but alive', async () => {
    const links = await narrow();
    const rate = (bytesPerSecond: number | null) => {
      for (const link of links) link.bytesPerSecond = bytesPerSecond;
      return Promise.resolve();
    };
    // Everything gets through, some day: there is nothing to complain of but what is owed.
    await livesThrough({
      endpoints: named(links.map(({ endpoint }) => endpoint)),
      why: /^/,
      fail: () => rate(50 * KIB),
      mend: () => rate(null),
      close: () => Promise.all(links.map((link) => link.cut())),
    });
  });

  it('flapping: up and down every two seconds', async () => {
    const links = await narrow();
    let flapping = false;
    let ended: Promise<void> = Promise.resolve();
    const flap = async () => {
      while (flapping) {
        await Promise.all(links.map((link) => link.cut()));
        await sleep(2_000);
        await Promise.all(links.map((link) => link.mend()));
        if (flapping) await sleep(2_000);
      }
    };
    const [study = [], ...others] = STUDIES;
    const one = await warm({ policy: HASTY, endpoints: named(links.map(({ endpoint }) => endpoint)) });
    try {
      flapping = true;
      ended = flap();
      for (const some of [study, ...others]) {
        await one.store(some);
        await one.expectEqual(some);
        await sleep(1_000);
      }
      for (const some of STUDIES) await one.expectEqual(some);
      flapping = false;
      await ended;
      await expect.poll(() => one.debts(), WAIT).toEqual([0, 0, 0]);
      await expect.poll(async () => (await states(one)).hot, WAIT).toBe(0);
      for (const some of STUDIES) await one.expectEqual(some);
    } finally {
      flapping = false;
      await ended;
      await one.destroy();
      for (const link of links) await link.cut();
    }
  });

  it('a debt that is paid over a thin line leaves it to who reads: how much slower cold images are meanwhile', async () => {
    const thin = await Promise.all(NAMES.map((_, at) => NarrowLink.start(upstream(at))));
    const one = await warm({
      policy: { ...HASTY, uploadBytesPerSecond: 2 * KIB * KIB },
      endpoints: named(thin.map(({ endpoint }) => endpoint)),
    });
    const [study = []] = STUDIES;
    const medianMs = async (reads: number) => {
      const times: number[] = [];
      for (let read = 0; read < reads; read += 1) {
        const began = performance.now();
        await one.expectEqual(study.slice(0, 1));
        times.push(performance.now() - began);
      }
      return times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;
    };
    try {
      await one.store(study);
      await expect.poll(async () => (await states(one)).cold, WAIT).toBe(1);
      for (const link of thin) link.bytesPerSecond = 4 * KIB * KIB;
      const alone = await medianMs(40);
      const late = Array.from({ length: 8 }, (_, at) =>
        buildPart10({
          study: '1.2.9',
          series: '1.2.9.1',
          sop: `1.2.9.1.${at}`,
          elements: [['FFFCFFFC', 'OB', Buffer.alloc(KIB * KIB, at)]],
        }),
      );
      for (const bytes of late) expect(await storeBytes(one.archive, bytes)).toMatchObject({ status: 'stored' });
      await expect.poll(async () => Math.max(...(await one.debts())), WAIT).toBeGreaterThan(0);
      const meanwhile = await medianMs(40);
      process.stdout.write(
        `cold instance over 4 MiB/s: ${alone.toFixed(1)} ms alone, ${meanwhile.toFixed(1)} ms while a debt is paid: ${(meanwhile / alone).toFixed(2)}\n`,
      );
      for (const link of thin) link.bytesPerSecond = null;
      await expect.poll(() => one.debts(), WAIT).toEqual([0, 0, 0]);
    } finally {
      await one.destroy();
      for (const link of thin) await link.cut();
    }
  });

  it('TLS expiry: the certificate of a real endpoint runs out while it is used', async () => {
    const fronts = await Promise.all(BEHIND.map((at) => TlsFront.start(upstream(at))));
    const show = (which: 'good' | 'expired') => {
      for (const front of fronts) front.show(which);
      return Promise.resolve();
    };
    await livesThrough({
      endpoints: named(fronts.map(({ endpoint }) => endpoint)),
      ca: fronts.map(({ ca }) => ca).join('\n'),
      why: /TLS certificate has expired/,
      fail: () => show('expired'),
      mend: () => show('good'),
      close: () => Promise.all(fronts.map((front) => front.close())),
    });
  });

  it('expired credentials: the account behind the access key is suspended there', async () => {
    const users = async (at: number) =>
      JSON.parse((await allClouds().rgw.sites[at]?.admin('user', 'list')) ?? '[]') as string[];
    const all = (verb: 'suspend' | 'enable') =>
      each(async (at) => {
        for (const uid of await users(at)) await allClouds().rgw.sites[at]?.admin('user', verb, `--uid=${uid}`);
      });
    await livesThrough({ why: /access key is refused/, fail: () => all('suspend'), mend: () => all('enable') });
  });

  it.each([
    [503, 'SlowDown'],
    [429, 'TooManyRequests'],
  ])('throttling: %i %s', async (status, code) => {
    await livesThrough({
      why: /asked too much/,
      fail: () => each((at) => cloud(at).misbehave({ name: 'refuse', status, code })),
      mend: () => allClouds().behave(),
    });
  });

  it.skipIf(process.getuid?.() !== 0)(
    'DNS: the name of a cloud stops resolving (needs root, for a hosts file of its own)',
    async () => {
      const dir = await mkdtemp(join(tmpdir(), 'filmroom-hosts-'));
      const hosts = join(dir, 'hosts');
      // Two letters: what could be a bucket's name Ceph takes for one.
      const names = BEHIND.map((at) => `c${at + 1}`);
      const known = `127.0.0.1 localhost ${names.join(' ')}\n`;
      await writeFile(hosts, known);
      const links = await narrow();
      const replicas = await makeReplicas(allClouds().rgw, 'links-gateway');
      const gateway = await GatewayProcess.prepare({
        hot: { volumes: [{ name: 'a', path: './data/hot' }], settle: '1s' },
        cold: {
          writeQuorum: 2,
          replicas: replicas.map((replica, at) =>
            BEHIND.includes(at)
              ? { ...replica, endpoint: `http://${names[at]}:${new URL(links[at]?.endpoint ?? '').port}` }
              : { ...replica, endpoint: upstream(at) },
          ),
        },
        tiering: { protectAfter: '1s', recall: 'never' },
      });
      gateway.wrapper = ['unshare', '--mount', 'sh', '-c', `mount --bind ${hosts} /etc/hosts && exec "$@"`, 'sh'];
      const replicasNow = async () => {
        const response = await fetch(`${gateway.url}/admin/api/status`);
        const { replicas: now } = (await response.json()) as {
          replicas: {
            state: string;
            detail: string | null;
            unavailableSeconds: number | null;
            debt: { packs: number };
          }[];
        };
        return now;
      };
      try {
        await gateway.start();
        await writeFile(hosts, '127.0.0.1 localhost\n');
        // Connections that are open need no name: they end as connections do.
        for (const link of links) {
          await link.cut();
          await link.mend();
        }
        const bytes = (STUDIES[0] ?? []).map((one) => one.bytes);
        expect((await stow(gateway.url, bytes)).status).toBe(200);
        const owed = async () =>
          (await replicasNow()).map(
            ({ detail, debt, unavailableSeconds }) =>
              debt.packs > 0 && unavailableSeconds !== null && /does not resolve/.test(detail ?? ''),
          );
        await expect.poll(owed, WAIT).toEqual([true, true, false]);
        await writeFile(hosts, known);
        await expect.poll(async () => (await replicasNow()).map(({ debt }) => debt.packs), WAIT).toEqual([0, 0, 0]);
        expect((await replicasNow()).map(({ detail }) => detail)).toEqual([null, null, null]);
      } finally {
        await gateway.destroy();
        for (const link of links) await link.cut();
        await rm(dir, { recursive: true, force: true });
      }
    },
  );
}
