// Hot to cold: a study of 400 instances (200 MiB) that is filed already is sealed, copied to one real S3 cloud, read back and proven,
// beside `rclone crypt --transfers 16` and `restic backup` of the same files to the same cloud, and beside the bare machine: read,
// AES-256-GCM, PUT by the SDK. None of these reads back what it wrote; the product always does.
import { createCipheriv, randomBytes } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { PhantomInstance } from '../dicom/phantom/phantom.js';
import type { GatewayProcess } from '../test/support/gateway-process.js';
import { CHUNK_BYTES } from '../tiering/core/limits.js';
import { forEachLimited } from '../tiering/core/queues.js';
import { BUCKET, bareClient, type Clouds } from './support/clouds.js';
import { Corpus } from './support/corpus.js';
import { storeFiled, writeFiles } from './support/filed-study.js';
import { atLeast, compare, type Figure, perSecond, type Turn, takeTurns, timed } from './support/measure.js';
import { NO_PEERS, peersAt } from './support/peers.js';
import { type Bench, runBench } from './support/report.js';
import { CpuMeter, onOneCloud, runJob } from './support/server.js';

const ROUNDS = 4;
const BUDGET_MS = 60_000;
const INSTANCES = 400;
/** Sealed before anything is counted: a server that has run for an hour has V8's compiling behind it, and the others are compiled ahead. */
const WARM_STUDIES = 2;
/** The product's own number of chunks on their way: protect.ts. */
const PUTS_AT_ONCE = 3;
const UNIT = 'inst/s';

/** Seals and copies a file chunk by chunk: what it costs without packs, checks, manifest, index and proof. */
async function sealBare(client: S3Client, path: string, round: number): Promise<void> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const chunks = Array.from({ length: Math.ceil(size / CHUNK_BYTES) }, (_, at) => at);
    await forEachLimited(chunks, PUTS_AT_ONCE, async (chunk) => {
      const length = Math.min(CHUNK_BYTES, size - chunk * CHUNK_BYTES);
      const { buffer } = await file.read(Buffer.allocUnsafeSlow(length), 0, length, chunk * CHUNK_BYTES);
      const cipher = createCipheriv('aes-256-gcm', randomBytes(32), randomBytes(12));
      const body = Buffer.concat([cipher.update(buffer), cipher.final(), cipher.getAuthTag()]);
      await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: `bare/${round}/${chunk}`, Body: body }));
    });
  } finally {
    await file.close();
  }
}

async function measure(server: GatewayProcess, clouds: Clouds): Promise<{ figures: Figure[]; notes: string[] }> {
  const corpus = new Corpus();
  const site = clouds.site(0);
  const bare = bareClient(site);
  const cpu = { ours: new CpuMeter(), limit: new CpuMeter() };
  const rate = async (work: () => Promise<unknown>) => perSecond(INSTANCES, await timed(work));
  const files = join(server.dir, 'files');
  const whole = join(server.dir, 'whole.bin');
  let instances: readonly PhantomInstance[] = [];
  /** The same instances for everybody's turn of a round. */
  const prepare = async (round: number) => {
    if (prepared === round) return;
    prepared = round;
    instances = corpus.study();
    await storeFiled(server, instances);
    await writeFiles(files, instances);
    await writeFile(whole, Buffer.concat(instances.map(({ bytes }) => bytes)));
  };
  let prepared = -1;
  const turns: Record<string, Turn> = {
    ours: async (round) => {
      await prepare(round);
      return cpu.ours.during(server.pid, INSTANCES, () =>
        rate(() => runJob(server, 'migrate', { all: true, keepHot: true })),
      );
    },
    limit: async (round) => {
      await prepare(round);
      return cpu.limit.during(process.pid, INSTANCES, () => rate(() => sealBare(bare, whole, round)));
    },
  };
  const peers = await peersAt(site);
  for (const peer of peers) {
    turns[peer.name] = async (round) => {
      await prepare(round);
      return rate(() => peer.up(files, String(round)));
    };
  }
  const words = { claim: 'seal, copy, prove, 1 cloud', unit: UNIT };
  try {
    for (let warm = 0; warm < WARM_STUDIES; warm += 1) {
      await storeFiled(server, corpus.study());
      await runJob(server, 'migrate', { all: true, keepHot: true });
    }
    const samples = await takeTurns(ROUNDS, turns, BUDGET_MS);
    const { ours = [], limit = [] } = samples;
    const figures = peers.map(({ name }, at) =>
      compare({ ...words, against: name, target: at === 0 ? atLeast(1.5) : null }, ours, samples[name] ?? []),
    );
    figures.push(compare({ ...words, against: 'AES-256-GCM + PUT by the bare SDK', target: null }, ours, limit));
    const notes = [`seal and copy: CPU an instance: server ${cpu.ours.each}, bare ${cpu.limit.each}`];
    return { figures, notes: peers.length > 0 ? notes : [...notes, NO_PEERS] };
  } finally {
    bare.destroy();
  }
}

const bench: Bench = { name: 'seal-and-copy', run: () => onOneCloud(measure) };

if (process.argv[1] === fileURLToPath(import.meta.url)) await runBench(bench);
