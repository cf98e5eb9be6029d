// Metadata of a study of 1,001 instances in one request, gzipped, warm: just stored (rows of the index), filed and cold (the bundles of
// its packs), beside a bare node:http server that sends as many bytes from memory. Issue 3 wants under 300 ms.
import { fileURLToPath } from 'node:url';
import { phantomStudies } from '../dicom/phantom/phantom.js';
import { BareServer } from './support/bare-server.js';
import { stowRequests } from './support/corpus.js';
import { type Client, postAll, withClient } from './support/http-client.js';
import { compare, type Figure, median, takeTurns, timed } from './support/measure.js';
import { type Bench, runBench } from './support/report.js';
import { runJob, startServer } from './support/server.js';

const ROUNDS = 7;
const SLICES = 500;
const ACCEPT = { Accept: 'application/dicom+json', 'Accept-Encoding': 'gzip' };

async function measure(client: Client, bare: BareServer, path: string, state: string): Promise<[Figure, string]> {
  const { bytes } = await client.get(path, ACCEPT);
  const { ours, limit } = await withClient(bare.url, 1, (other) =>
    takeTurns(ROUNDS, {
      ours: () => timed(() => client.get(path, ACCEPT)),
      limit: () => timed(() => other.get(`/memory?bytes=${bytes}`)),
    }),
  );
  const claim = `metadata of 1,001 instances, ${state}`;
  const figure = compare({ claim, against: 'bare node:http from memory', unit: 'ms', target: null }, ours, limit);
  return [figure, `${claim}: ${bytes} bytes gzipped, median ${median(ours).toFixed(0)} ms of 300`];
}

const bench: Bench = {
  name: 'metadata',
  async run() {
    const server = await startServer({ tiering: { recall: 'never' } });
    const bare = await BareServer.start(server.dir);
    try {
      const study = [...phantomStudies({ seed: 11, studies: 1, slices: SLICES, shrink: 64 })];
      const path = `/dicomweb/studies/${study[0]?.study}/metadata`;
      return await withClient(server.url, 4, async (client) => {
        await postAll(client, '/dicomweb/studies', stowRequests(study, 100), 4);
        const fresh = await measure(client, bare, path, 'just stored');
        await runJob(server, 'migrate', { all: true });
        const cold = await measure(client, bare, path, 'cold');
        return { figures: [fresh[0], cold[0]], notes: [fresh[1], cold[1]] };
      });
    } finally {
      await bare.stop();
      await server.destroy();
    }
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await runBench(bench);
