// One of three real S3 clouds freezes (SIGSTOP: its connections stay open and nothing answers) while cold frames are read over several
// connections: the slowest one in a hundred afterwards beside the same before, and beside two healthy turns, which is what the machine alone
// does to that figure. The first reads after the freeze are counted apart: no connection may see more than one slow one.
import { fileURLToPath } from 'node:url';
import type { GatewayProcess } from '../test/support/gateway-process.js';
import { Clouds, NOT_INSTALLED } from './support/clouds.js';
import { Corpus } from './support/corpus.js';
import { storeAll, withClient } from './support/http-client.js';
import { atMost, compare, type Figure, timed } from './support/measure.js';
import { type Bench, runBench } from './support/report.js';
import { runJob, startServer, until } from './support/server.js';

const CLOUDS = 3;
/** Each cloud freezes twice. */
const ROUNDS = 6;
const CONNECTIONS = 4;
/** Of each connection, in one turn. */
const FRAMES = 150;
const FIRST_FRAMES = 25;
/** As cold-frame.ts: V8 goes on compiling for some 800 frames. */
const WARM_FRAMES = 300;
const ACCEPT = { Accept: 'multipart/related; type="application/octet-stream"; transfer-syntax=*' };

/** How long each frame took, in ms, by connection and in order. */
async function readers(server: GatewayProcess, next: () => string, frames: number): Promise<number[][]> {
  return Promise.all(
    Array.from({ length: CONNECTIONS }, () =>
      withClient(server.url, 1, async (client) => {
        const times: number[] = [];
        while (times.length < frames) times.push(await timed(() => client.get(next(), ACCEPT)));
        return times;
      }),
    ),
  );
}

function percentile(times: readonly number[][], share: number): number {
  const sorted = times.flat().sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function allAvailable(server: GatewayProcess): Promise<boolean> {
  const response = await fetch(`${server.url}/admin/api/status`);
  const { replicas } = (await response.json()) as { replicas: readonly { readonly state: string }[] };
  return replicas.every(({ state }) => state === 'available');
}

async function measure(server: GatewayProcess, clouds: Clouds): Promise<{ figures: Figure[]; notes: string[] }> {
  const study = new Corpus().study();
  await withClient(server.url, 4, (client) => storeAll(client, study));
  await runJob(server, 'migrate', { all: true });
  const paths = study.map(
    ({ study: uid, series, sop }) => `/dicomweb/studies/${uid}/series/${series}/instances/${sop}/frames/1`,
  );
  let asked = 0;
  const next = () => paths[(asked++ * 37) % paths.length] ?? '';
  await readers(server, next, WARM_FRAMES);
  const p99 = { before: [] as number[], healthy: [] as number[], frozen: [] as number[] };
  const median = { healthy: [] as number[], frozen: [] as number[] };
  let most = 0;
  let slowest = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    p99.before.push(percentile(await readers(server, next, FRAMES), 0.99));
    const healthy = await readers(server, next, FRAMES);
    p99.healthy.push(percentile(healthy, 0.99));
    median.healthy.push(percentile(healthy, 0.5));
    const site = clouds.site(round % CLOUDS);
    site.pause();
    try {
      const slow = 2 * percentile(healthy, 0.99);
      for (const times of await readers(server, next, FIRST_FRAMES)) {
        most = Math.max(most, times.filter((ms) => ms > slow).length);
        slowest = Math.max(slowest, ...times);
      }
      const frozen = await readers(server, next, FRAMES);
      p99.frozen.push(percentile(frozen, 0.99));
      median.frozen.push(percentile(frozen, 0.5));
    } finally {
      site.resume();
    }
    await until('the cloud that thawed is asked again', () => allAvailable(server));
  }
  const words = { unit: 'ms', target: null };
  const claim = 'cold frame, a cloud frozen';
  return {
    figures: [
      compare(
        { ...words, claim: `${claim}, p99`, against: 'the same, healthy', target: atMost(1.05) },
        p99.frozen,
        p99.healthy,
      ),
      compare({ ...words, claim: `${claim}, median`, against: 'the same, healthy' }, median.frozen, median.healthy),
      compare(
        { ...words, claim: 'cold frame, healthy, p99', against: 'the turn before (noise)' },
        p99.healthy,
        p99.before,
      ),
    ],
    notes: [
      `freeze: of the first ${FIRST_FRAMES} reads of each connection after a freeze, at most ${most} took over twice the healthy p99; the slowest ${slowest.toFixed(0)} ms`,
    ],
  };
}

const bench: Bench = {
  name: 'freeze',
  async run() {
    if (!Clouds.installed()) return { figures: [], notes: [], skipped: NOT_INSTALLED };
    const clouds = await Clouds.start(CLOUDS);
    const server = await startServer({
      hot: { volumes: [{ name: 'a', path: './data/hot' }], settle: '1s' },
      cold: { replicas: clouds.replicas(CLOUDS), writeQuorum: 2 },
      tiering: { recall: 'never' },
    });
    try {
      return await measure(server, clouds);
    } finally {
      await server.destroy();
      await clouds.close();
    }
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await runBench(bench);
