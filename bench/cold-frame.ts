// A frame of 0.5 MiB whose study lies sealed on two of three real S3 clouds and nowhere else, beside a ranged GET of as many bytes from
// the same bucket by the bare SDK client: latency one by one, and eight at a time. Every frame is asked for once.
import { fileURLToPath } from 'node:url';
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { forEachLimited } from '../tiering/core/queues.js';
import { BUCKET, bareClient, Clouds, NOT_INSTALLED } from './support/clouds.js';
import { Corpus } from './support/corpus.js';
import { type Client, storeAll, withClient } from './support/http-client.js';
import { atMost, compare, type Figure, median, takeTurns, timed } from './support/measure.js';
import { type Bench, runBench } from './support/report.js';
import { CpuMeter, runJob, startServer } from './support/server.js';

const ROUNDS = 5;
/** Asked for before anything is counted: V8 goes on compiling for some 800 frames, which a server that has run for an hour has behind it. */
const WARM_FRAMES = 800;
const FRAMES_PER_ROUND = 40;
/** Enough that no frame is asked for twice. */
const STUDIES = 4;
const ACCEPT = { Accept: 'multipart/related; type="application/octet-stream"; transfer-syntax=*' };
const FRAME_BYTES = 512 * 512 * 2;
/** Sealed chunks of a whole 8 MiB, so that a range anywhere in the first 8 MiB exists. */
const CHUNK_BYTES = 8 * 1024 * 1024;

interface Raw {
  readonly key: string;
  readonly range: string;
}

/** Ranges of a frame's length spread over the chunks. */
async function rawRanges(client: S3Client): Promise<readonly Raw[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: 'c/' }));
  const keys = Contents.filter(({ Size = 0 }) => Size >= CHUNK_BYTES).map(({ Key = '' }) => Key);
  const perChunk = CHUNK_BYTES / FRAME_BYTES;
  return Array.from({ length: keys.length * perChunk }, (_, at) => {
    const start = Math.floor(at / keys.length) * FRAME_BYTES;
    return { key: keys[at % keys.length] ?? '', range: `bytes=${start}-${start + FRAME_BYTES - 1}` };
  });
}

async function rawGet(client: S3Client, { key, range }: Raw): Promise<void> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: key, Range: range }));
  const bytes = await Body?.transformToByteArray();
  if (bytes?.length !== FRAME_BYTES) throw new Error(`a raw range came back with ${bytes?.length} bytes`);
}

async function getFrame(client: Client, path: string): Promise<void> {
  const { bytes } = await client.get(path, ACCEPT);
  if (bytes < FRAME_BYTES) throw new Error(`a frame came back with ${bytes} bytes`);
}

/** Median latency in ms. */
async function latency<T>(items: readonly T[], width: number, get: (item: T) => Promise<void>): Promise<number> {
  const times: number[] = [];
  await forEachLimited(items, width, async (item) => void times.push(await timed(() => get(item))));
  return median(times);
}

const bench: Bench = {
  name: 'cold-frame',
  async run() {
    if (!Clouds.installed()) return { figures: [], notes: [], skipped: NOT_INSTALLED };
    const clouds = await Clouds.start(3);
    const cold = { replicas: clouds.replicas(2), writeQuorum: 2 };
    const server = await startServer({ cold, tiering: { recall: 'never' } });
    const raw = bareClient(clouds.site(0));
    try {
      const corpus = new Corpus();
      const study = Array.from({ length: STUDIES }, () => corpus.study()).flat();
      await withClient(server.url, 4, (client) => storeAll(client, study));
      await runJob(server, 'migrate', { all: true });
      // A stride coprime to the count: neighbours in time are not neighbours in a chunk.
      const paths = study.map((_, at) => {
        const one = study[(at * 37) % study.length];
        return `/dicomweb/studies/${one?.study}/series/${one?.series}/instances/${one?.sop}/frames/1`;
      });
      const ranges = await rawRanges(raw);
      const figures: Figure[] = [];
      const notes: string[] = [];
      let asked = 0;
      const next = <T>(items: readonly T[]) => {
        const at = asked % items.length;
        return Array.from({ length: FRAMES_PER_ROUND }, (_, more) => items[(at + more) % items.length] as T);
      };
      await withClient(server.url, 8, (client) =>
        forEachLimited(paths.splice(0, WARM_FRAMES), 8, (path) => getFrame(client, path)),
      );
      await forEachLimited(
        Array.from({ length: WARM_FRAMES }, (_, at) => ranges[at % ranges.length] as Raw),
        8,
        (one) => rawGet(raw, one),
      );
      for (const width of [1, 8]) {
        const cpu = { ours: new CpuMeter(), limit: new CpuMeter() };
        const contenders = {
          ours: () => {
            asked += FRAMES_PER_ROUND;
            return withClient(server.url, width, (client) =>
              cpu.ours.during(server.pid, FRAMES_PER_ROUND, () =>
                latency(next(paths), width, (path) => getFrame(client, path)),
              ),
            );
          },
          limit: () =>
            cpu.limit.during(process.pid, FRAMES_PER_ROUND, () =>
              latency(next(ranges), width, (one) => rawGet(raw, one)),
            ),
        };
        const { ours, limit } = await takeTurns(ROUNDS, contenders, 8_000);
        const claim = `frame cold, ${width === 1 ? 'one by one' : `${width} at a time`}`;
        figures.push(
          compare({ claim, against: 'ranged GET by the bare SDK', unit: 'ms', target: atMost(2) }, ours, limit),
        );
        notes.push(`${claim}: CPU a frame: server ${cpu.ours.each}, bare client ${cpu.limit.each}`);
      }
      return { figures, notes };
    } finally {
      raw.destroy();
      await server.destroy();
      await clouds.close();
    }
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await runBench(bench);
