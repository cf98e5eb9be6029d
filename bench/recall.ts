// Cold to hot: an evicted study of 400 instances (200 MiB) is recalled from one real S3 cloud, opened, every member's SHA-256 checked, written,
// synced, and renamed into place, beside `rclone copy` out of its encrypted remote and `restic restore` of the same files from the same cloud.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GatewayProcess } from '../test/support/gateway-process.js';
import type { Clouds } from './support/clouds.js';
import { Corpus } from './support/corpus.js';
import { storeFiled, writeFiles } from './support/filed-study.js';
import { atLeast, compare, type Figure, perSecond, type Turn, takeTurns, timed } from './support/measure.js';
import { NO_PEERS, peersAt } from './support/peers.js';
import { type Bench, runBench } from './support/report.js';
import { CpuMeter, onOneCloud, runJob } from './support/server.js';

const ROUNDS = 4;
const BUDGET_MS = 60_000;
const INSTANCES = 400;
/** Before anything is counted: a server that has run for an hour has V8's compiling behind it, and the others are compiled ahead. */
const WARM_RECALLS = 3;

async function measure(server: GatewayProcess, clouds: Clouds): Promise<{ figures: Figure[]; notes: string[] }> {
  const corpus = new Corpus();
  const peers = await peersAt(clouds.site(0));
  const cpu = new CpuMeter();
  const files = join(server.dir, 'files');
  const back = join(server.dir, 'back');
  const rate = async (work: () => Promise<unknown>) => perSecond(INSTANCES, await timed(work));
  let prepared = -1;
  let study = '';
  /** The same instances for everybody's turn of a round, all of them away. */
  const prepare = async (round: number) => {
    if (prepared === round) return;
    prepared = round;
    const instances = corpus.study();
    study = instances[0]?.study ?? '';
    await storeFiled(server, instances);
    await runJob(server, 'migrate', { all: true });
    await writeFiles(files, instances);
    for (const peer of peers) await peer.up(files, String(round));
  };
  const turns: Record<string, Turn> = {
    ours: async (round) => {
      await prepare(round);
      return cpu.during(server.pid, INSTANCES, () => rate(() => runJob(server, 'recall', { studies: [study] })));
    },
  };
  for (const peer of peers) {
    turns[peer.name] = async (round) => {
      await prepare(round);
      await rm(back, { recursive: true, force: true });
      return rate(() => peer.down(String(round), back));
    };
  }
  await prepare(0);
  for (let warm = 0; warm < WARM_RECALLS; warm += 1) {
    await runJob(server, 'recall', { studies: [study] });
    await runJob(server, 'migrate', { all: true });
  }
  const samples = await takeTurns(ROUNDS, turns, BUDGET_MS);
  const words = { claim: 'recall, 1 cloud', unit: 'inst/s' };
  const figures = peers.map(({ name }, at) =>
    compare(
      { ...words, against: name, target: at === 0 ? atLeast(1.2) : null },
      samples['ours'] ?? [],
      samples[name] ?? [],
    ),
  );
  const notes = [`recall: CPU an instance: server ${cpu.each}`];
  return { figures, notes: peers.length > 0 ? notes : [...notes, NO_PEERS] };
}

const bench: Bench = { name: 'recall', run: () => onOneCloud(measure) };

if (process.argv[1] === fileURLToPath(import.meta.url)) await runBench(bench);
