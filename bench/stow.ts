// STOW-RS of 0.5 MiB instances, beside SHA-256 + write + fdatasync of the same bytes: a burst (one study of 400 instances, sent over
// four connections, ten instances a request), and sustained, with the packer filing and the movers sealing, copying and proving what
// came before.
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { GatewayProcess } from '../test/support/gateway-process.js';
import { BareServer } from './support/bare-server.js';
import { Corpus, STUDY_INSTANCES, stowRequests } from './support/corpus.js';
import { hashWriteSync } from './support/disk-limit.js';
import { postAll, withClient } from './support/http-client.js';
import { atLeast, compare, type Figure, perSecond, takeTurns, timed } from './support/measure.js';
import { type Bench, runBench } from './support/report.js';
import { CpuMeter, startServer, statusOf } from './support/server.js';

const BURST_ROUNDS = 5;
const SUSTAINED_ROUNDS = 3;
const SUSTAINED_STUDIES = 3;
/** Half a second each. */
const CATCH_UP_TRIES = 120;
const CONNECTIONS = 4;
const PER_REQUEST = 10;
const STUDIES_PATH = '/dicomweb/studies';
const UNIT = 'inst/s';
const NO_HTTP = 'SHA-256 + write + fdatasync, no HTTP';

interface Part {
  readonly figures: readonly Figure[];
  readonly notes: readonly string[];
}

/** Sends a new study; resolves with instances a second. */
async function sendStudy(corpus: Corpus, url: string, path: string, pid: number, cpu: CpuMeter): Promise<number> {
  const requests = stowRequests(corpus.study(), PER_REQUEST);
  const ms = await withClient(url, CONNECTIONS, (client) =>
    cpu.during(pid, STUDY_INSTANCES, () => timed(() => postAll(client, path, requests, CONNECTIONS))),
  );
  return perSecond(STUDY_INSTANCES, ms);
}

function limitOf(corpus: Corpus, server: GatewayProcess, cpu: CpuMeter): Promise<number> {
  const instances = corpus.study().map(({ bytes }) => bytes);
  return cpu.during(process.pid, STUDY_INSTANCES, () => hashWriteSync(server.dir, instances));
}

async function burst(server: GatewayProcess, corpus: Corpus): Promise<Part> {
  const bare = await BareServer.start(server.dir);
  const cpu = { ours: new CpuMeter(), limit: new CpuMeter(), sink: new CpuMeter() };
  try {
    await sendStudy(corpus, server.url, STUDIES_PATH, server.pid, new CpuMeter());
    const { ours, limit, sink } = await takeTurns(BURST_ROUNDS, {
      ours: () => sendStudy(corpus, server.url, STUDIES_PATH, server.pid, cpu.ours),
      limit: () => limitOf(corpus, server, cpu.limit),
      sink: async () => {
        await bare.empty();
        return sendStudy(corpus, bare.url, '/sink', bare.pid, cpu.sink);
      },
    });
    const words = { claim: 'STOW burst, 0.5 MiB', unit: UNIT };
    return {
      figures: [
        compare({ ...words, against: NO_HTTP, target: atLeast(0.5) }, ours, limit),
        compare({ ...words, against: 'the same behind a bare node:http', target: null }, ours, sink),
      ],
      notes: [`burst: CPU an instance: server ${cpu.ours.each}, limit ${cpu.limit.each}, bare server ${cpu.sink.each}`],
    };
  } finally {
    await bare.stop();
  }
}

async function sustained(server: GatewayProcess, corpus: Corpus): Promise<Part> {
  const shares: string[] = [];
  const cpu = { ours: new CpuMeter(), limit: new CpuMeter() };
  const send = async () => {
    const before = await statusOf(server);
    let seconds = 0;
    for (let study = 0; study < SUSTAINED_STUDIES; study += 1) {
      seconds += STUDY_INSTANCES / (await sendStudy(corpus, server.url, STUDIES_PATH, server.pid, cpu.ours));
    }
    const after = await statusOf(server);
    const sent = after.instances - before.instances;
    shares.push(((sent - (after.unprotected.instances - before.unprotected.instances)) / sent).toFixed(2));
    return (SUSTAINED_STUDIES * STUDY_INSTANCES) / seconds;
  };
  const { ours, limit } = await takeTurns(SUSTAINED_ROUNDS, {
    // The movers are at work when a round begins, as they are in the middle of a day.
    ours: send,
    limit: async () => {
      await caughtUp(server);
      return limitOf(corpus, server, cpu.limit);
    },
  });
  await caughtUp(server);
  return {
    figures: [
      compare(
        { claim: 'STOW sustained, movers at work', unit: UNIT, target: atLeast(0.3), against: NO_HTTP },
        ours,
        limit,
      ),
    ],
    notes: [
      `sustained: protected on both replicas over new, in each round: ${shares.join(', ')}`,
      `sustained: CPU an instance, movers included: server ${cpu.ours.each}, limit ${cpu.limit.each}`,
    ],
  };
}

/** Waits until the movers have filed, copied and proven everything. */
async function caughtUp(server: GatewayProcess): Promise<void> {
  for (let tries = 0; tries < CATCH_UP_TRIES; tries += 1) {
    if ((await statusOf(server)).unprotected.instances === 0) return;
    await sleep(500);
  }
  throw new Error('the movers did not catch up within a minute');
}

const bench: Bench = {
  name: 'stow',
  async run() {
    const server = await startServer({
      hot: { volumes: [{ name: 'a', path: './data/hot' }], settle: '1s' },
      // What these intervals would begin minutes later begins at once, beside the ingest that is measured.
      tiering: { protectAfter: '1s' },
    });
    try {
      const corpus = new Corpus();
      const parts = [await burst(server, corpus), await sustained(server, corpus)];
      return { figures: parts.flatMap(({ figures }) => figures), notes: parts.flatMap(({ notes }) => notes) };
    } finally {
      await server.destroy();
    }
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await runBench(bench);
