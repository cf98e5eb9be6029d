// A whole study of 400 instances (200 MiB) by WADO-RS multipart, hot, beside a bare node:http server that sends as many bytes
// from memory, in pieces of an instance. One reader, then four at once.
import { fileURLToPath } from 'node:url';
import { BareServer } from './support/bare-server.js';
import { Corpus, STUDY_INSTANCES } from './support/corpus.js';
import { storeAll, withClient } from './support/http-client.js';
import { atLeast, compare, type Figure, perSecond, takeTurns, timed } from './support/measure.js';
import { type Bench, runBench } from './support/report.js';
import { CpuMeter, runJob, startServer } from './support/server.js';

const ROUNDS = 5;
const MIB = 1024 * 1024;
const ACCEPT = { Accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' };

const bench: Bench = {
  name: 'retrieve',
  async run() {
    const server = await startServer();
    const bare = await BareServer.start(server.dir);
    try {
      const study = new Corpus().study();
      const path = `/dicomweb/studies/${study[0]?.study}`;
      await withClient(server.url, 4, (client) => storeAll(client, study));
      await runJob(server, 'migrate', { all: true, keepHot: true });
      const { bytes } = await withClient(server.url, 1, (client) => client.get(path, ACCEPT));
      const barePath = `/memory?bytes=${bytes}&piece=${Math.ceil(bytes / STUDY_INSTANCES)}`;
      const figures: Figure[] = [];
      const notes: string[] = [];
      for (const readers of [1, 4]) {
        const cpu = { ours: new CpuMeter(), limit: new CpuMeter() };
        const read = (url: string, from: string, pid: number, meter: CpuMeter) =>
          withClient(url, readers, async (client) => {
            const all = () => Promise.all(Array.from({ length: readers }, () => client.get(from, ACCEPT)));
            const ms = await meter.during(pid, readers * STUDY_INSTANCES, () => timed(all));
            return perSecond((readers * bytes) / MIB, ms);
          });
        const { ours, limit } = await takeTurns(
          ROUNDS,
          {
            ours: () => read(server.url, path, server.pid, cpu.ours),
            limit: () => read(bare.url, barePath, bare.pid, cpu.limit),
          },
          10_000,
        );
        const claim = `study of 400 hot, ${readers === 1 ? 'one reader' : `${readers} readers`}`;
        const against = 'bare node:http from memory';
        figures.push(compare({ claim, against, unit: 'MiB/s', target: atLeast(0.5) }, ours, limit));
        notes.push(`${claim}: CPU an instance: server ${cpu.ours.each}, bare server ${cpu.limit.each}`);
      }
      return { figures, notes };
    } finally {
      await bare.stop();
      await server.destroy();
    }
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await runBench(bench);
