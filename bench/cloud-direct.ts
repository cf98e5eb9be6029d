// With no volume healthy: STOW of 0.5 MiB instances, sealed and put on three real S3 clouds with a write quorum of two, beside bare PUTs
// of as many bytes in objects of a chunk to the same clouds by the SDK: each to all three at once, done when two have it. The second
// reference puts to two clouds and never to the third, which the product always does.
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { GatewayProcess } from '../test/support/gateway-process.js';
import { CHUNK_BYTES } from '../tiering/core/limits.js';
import { forEachLimited } from '../tiering/core/queues.js';
import { BUCKET, bareClient, Clouds, NOT_INSTALLED } from './support/clouds.js';
import { Corpus, STUDY_INSTANCES, stowRequests } from './support/corpus.js';
import { postAll, withClient } from './support/http-client.js';
import { atLeast, compare, type Figure, perSecond, takeTurns, timed } from './support/measure.js';
import { type Bench, runBench } from './support/report.js';
import { CpuMeter, startServer } from './support/server.js';

const CLOUDS = 3;
const QUORUM = 2;
const ROUNDS = 4;
const CONNECTIONS = 4;
const PER_REQUEST = 10;
/** As many batches as the product has on their way: cloud-sink.ts. */
const OBJECTS_AT_ONCE = 4;
const UNIT = 'MiB/s';
const MIB = 1024 * 1024;

/** Resolves once `quorum` of the clouds have the object; `rest` is the end of the others. */
async function putBare(clients: readonly S3Client[], key: string, body: Uint8Array, rest: Promise<unknown>[]) {
  let stored = 0;
  await new Promise<void>((resolve, reject) => {
    for (const client of clients) {
      const sent = client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body })).then(() => {
        stored += 1;
        if (stored === QUORUM) resolve();
      });
      sent.catch(reject);
      rest.push(sent);
    }
  });
}

/** MiB a second of as many bytes in objects of a chunk, each put to all clouds and done when the quorum has it. */
export async function bareLimit(clients: readonly S3Client[], bytes: number, name: string): Promise<number> {
  const body = randomBytes(CHUNK_BYTES);
  const objects = Array.from({ length: Math.round(bytes / CHUNK_BYTES) }, (_, at) => `bare/${name}/${at}`);
  const rest: Promise<unknown>[] = [];
  const ms = await timed(async () => {
    await forEachLimited(objects, OBJECTS_AT_ONCE, (key) => putBare(clients, key, body, rest));
    await Promise.all(rest);
  });
  return perSecond((objects.length * CHUNK_BYTES) / MIB, ms);
}

async function measure(server: GatewayProcess, clouds: Clouds): Promise<{ figures: Figure[]; notes: string[] }> {
  await failVolume(server);
  const corpus = new Corpus();
  const clients = Array.from({ length: CLOUDS }, (_, at) => bareClient(clouds.site(at)));
  const cpu = { ours: new CpuMeter(), limit: new CpuMeter() };
  let bytes = 0;
  const send = async (meter: CpuMeter) => {
    const study = corpus.study();
    bytes = study.reduce((sum, one) => sum + one.bytes.length, 0);
    const requests = stowRequests(study, PER_REQUEST);
    const ms = await withClient(server.url, CONNECTIONS, (client) =>
      meter.during(server.pid, STUDY_INSTANCES, () =>
        timed(() => postAll(client, '/dicomweb/studies', requests, CONNECTIONS)),
      ),
    );
    return perSecond(bytes / MIB, ms);
  };
  try {
    await send(new CpuMeter());
    const { ours, limit, two } = await takeTurns(ROUNDS, {
      ours: () => send(cpu.ours),
      limit: (round) =>
        cpu.limit.during(process.pid, STUDY_INSTANCES, () => bareLimit(clients, bytes, `three-${round}`)),
      two: (round) => bareLimit(clients.slice(0, QUORUM), bytes, `two-${round}`),
    });
    const words = { claim: 'STOW, no volume, 3 clouds, W=2', unit: UNIT };
    return {
      figures: [
        compare({ ...words, against: 'bare PUT of 8 MiB to 3 clouds', target: atLeast(0.5) }, ours, limit),
        compare({ ...words, against: 'the same to 2 clouds alone', target: null }, ours, two),
      ],
      notes: [`cloud-direct: CPU an instance: server ${cpu.ours.each}, bare ${cpu.limit.each}`],
    };
  } finally {
    for (const client of clients) client.destroy();
  }
}

/** The only volume is out of use: as if its array had died. */
async function failVolume(server: GatewayProcess): Promise<void> {
  const response = await fetch(`${server.url}/admin/api/volumes/a/fail`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  if (!response.ok) throw new Error(`the volume could not be failed: ${response.status} ${await response.text()}`);
}

const bench: Bench = {
  name: 'cloud-direct',
  async run() {
    if (!Clouds.installed()) return { figures: [], notes: [], skipped: NOT_INSTALLED };
    const clouds = await Clouds.start(CLOUDS);
    try {
      const server = await startServer({
        cold: { replicas: clouds.replicas(CLOUDS), writeQuorum: QUORUM },
        tiering: { recall: 'never' },
      });
      try {
        return await measure(server, clouds);
      } finally {
        await server.destroy();
      }
    } finally {
      await clouds.close();
    }
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await runBench(bench);
