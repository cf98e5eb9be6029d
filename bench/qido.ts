// QIDO-RS over 2,000 studies of one or two small instances, beside a bare node:http server that sends as many bytes from memory:
// a page of studies, a patient name with a wildcard, the series of a study, the instances of a series of 200.
import { fileURLToPath } from 'node:url';
import { type PhantomInstance, phantomCt } from '../dicom/phantom/phantom.js';
import { forEachLimited } from '../tiering/core/queues.js';
import { BareServer } from './support/bare-server.js';
import { stowRequests } from './support/corpus.js';
import { type Client, postAll, withClient } from './support/http-client.js';
import { compare, type Figure, perSecond, takeTurns, timed } from './support/measure.js';
import { type Bench, runBench } from './support/report.js';
import { CpuMeter, startServer } from './support/server.js';

const STUDIES = 2_000;
const ROUNDS = 5;
const WIDTH = 8;
const JSON_ACCEPT = { Accept: 'application/dicom+json' };
/** phantomCt's own numbers. */
const PER_STUDY = 400;
const PER_SERIES = 200;
const SMALL = { seed: 7, rows: 8, columns: 8 };

/** One instance of each study, and the first series of the first study whole. */
function* smallInstances(): Generator<PhantomInstance> {
  for (let at = 0; at < PER_SERIES; at += 1) yield phantomCt({ ...SMALL, index: at });
  for (let study = 1; study < STUDIES; study += 1) yield phantomCt({ ...SMALL, index: study * PER_STUDY });
}

interface Query {
  readonly claim: string;
  readonly path: (round: number) => string;
  readonly count: number;
}

const bench: Bench = {
  name: 'qido',
  async run() {
    const server = await startServer();
    const bare = await BareServer.start(server.dir);
    try {
      const instances = [...smallInstances()];
      await withClient(server.url, 4, (client) =>
        postAll(client, '/dicomweb/studies', stowRequests(instances, 100), 4),
      );
      const [first] = instances;
      const studies = instances.slice(PER_SERIES).map(({ study }) => study);
      const queries: readonly Query[] = [
        { claim: 'QIDO 50 studies of 2,000', path: (at) => `/studies?limit=50&offset=${(at % 30) * 50}`, count: 200 },
        { claim: 'QIDO name with a wildcard', path: () => '/studies?PatientName=Wa*&limit=50', count: 200 },
        {
          claim: 'QIDO one study by UID',
          path: (at) => `/studies?StudyInstanceUID=${studies[(at * 37) % studies.length]}`,
          count: 400,
        },
        {
          claim: 'QIDO series of a study',
          path: (at) => `/studies/${studies[(at * 37) % studies.length]}/series`,
          count: 400,
        },
        {
          claim: 'QIDO 200 instances',
          path: () => `/studies/${first?.study}/series/${first?.series}/instances`,
          count: 100,
        },
      ];
      const figures: Figure[] = [];
      const notes: string[] = [];
      for (const query of queries) {
        const { bytes } = await withClient(server.url, 1, (client) =>
          client.get(`/dicomweb${query.path(0)}`, JSON_ACCEPT),
        );
        const cpu = { ours: new CpuMeter(), limit: new CpuMeter() };
        const ask = (url: string, pathOf: (at: number) => string, pid: number, meter: CpuMeter) =>
          withClient(url, WIDTH, (client) => askMany(client, pathOf, query.count, pid, meter));
        const { ours, limit } = await takeTurns(
          ROUNDS,
          {
            ours: () => ask(server.url, (at) => `/dicomweb${query.path(at)}`, server.pid, cpu.ours),
            limit: () => ask(bare.url, () => `/memory?bytes=${bytes}`, bare.pid, cpu.limit),
          },
          4_000,
        );
        figures.push(
          compare(
            { claim: query.claim, against: 'bare node:http from memory', unit: 'req/s', target: null },
            ours,
            limit,
          ),
        );
        notes.push(
          `${query.claim}: ${bytes} bytes; CPU a request: server ${cpu.ours.each}, bare server ${cpu.limit.each}`,
        );
      }
      return { figures, notes };
    } finally {
      await bare.stop();
      await server.destroy();
    }
  },
};

async function askMany(
  client: Client,
  pathOf: (at: number) => string,
  count: number,
  pid: number,
  cpu: CpuMeter,
): Promise<number> {
  const numbers = Array.from({ length: count }, (_, at) => at);
  const get = async (at: number) => void (await client.get(pathOf(at), JSON_ACCEPT));
  return perSecond(count, await cpu.during(pid, count, () => timed(() => forEachLimited(numbers, WIDTH, get))));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runBench(bench);
