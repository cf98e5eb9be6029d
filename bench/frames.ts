// Frames of 0.5 MiB from hot studies, eight requests at a time and one at a time, beside a bare node:http server: the same bytes from
// memory, and from a file by pread.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { forEachLimited } from '../tiering/core/queues.js';
import { BareServer } from './support/bare-server.js';
import { Corpus } from './support/corpus.js';
import { storeAll, withClient } from './support/http-client.js';
import { atLeast, compare, type Figure, perSecond, takeTurns, timed } from './support/measure.js';
import { type Bench, runBench } from './support/report.js';
import { CpuMeter, runJob, startServer } from './support/server.js';

const ROUNDS = 5;
const FRAMES = 800;
const ACCEPT = { Accept: 'multipart/related; type="application/octet-stream"; transfer-syntax=*' };

const bench: Bench = {
  name: 'frames',
  async run() {
    const server = await startServer();
    const study = new Corpus().study();
    const source = join(server.dir, 'frames.bin');
    await writeFile(source, Buffer.concat(study.map(({ bytes }) => bytes)));
    const bare = await BareServer.start(server.dir, source);
    try {
      await withClient(server.url, 4, (client) => storeAll(client, study));
      await runJob(server, 'migrate', { all: true, keepHot: true });
      const paths = study.map(
        ({ study, series, sop }) => `/dicomweb/studies/${study}/series/${series}/instances/${sop}/frames/1`,
      );
      const { bytes } = await withClient(server.url, 1, (client) => client.get(paths[0] ?? '', ACCEPT));
      const figures: Figure[] = [];
      const notes: string[] = [];
      for (const width of [8, 1]) {
        const cpu = { ours: new CpuMeter(), memory: new CpuMeter(), file: new CpuMeter() };
        const many = (url: string, pathOf: (at: number) => string, pid: number, meter: CpuMeter) =>
          withClient(url, width, async (client) => {
            const numbers = Array.from({ length: FRAMES }, (_, at) => at);
            const get = async (at: number) => void (await client.get(pathOf(at), ACCEPT));
            const ms = await meter.during(pid, FRAMES, () => timed(() => forEachLimited(numbers, width, get)));
            return perSecond(FRAMES, ms);
          });
        const { ours, memory, file } = await takeTurns(
          ROUNDS,
          {
            // A stride coprime to the count: neighbours in time are not neighbours on disk.
            ours: () => many(server.url, (at) => paths[(at * 37) % paths.length] ?? '', server.pid, cpu.ours),
            memory: () => many(bare.url, () => `/memory?bytes=${bytes}`, bare.pid, cpu.memory),
            file: () => many(bare.url, () => `/file?bytes=${bytes}`, bare.pid, cpu.file),
          },
          8_000,
        );
        const words = { claim: `frame hot, ${width === 1 ? 'one by one' : `${width} at a time`}`, unit: 'frames/s' };
        figures.push(
          compare({ ...words, against: 'bare node:http from memory', target: atLeast(0.5) }, ours, memory),
          compare({ ...words, against: 'bare node:http by pread', target: null }, ours, file),
        );
        const spent = `server ${cpu.ours.each}, bare from memory ${cpu.memory.each}, by pread ${cpu.file.each}`;
        notes.push(`${words.claim}: CPU a frame: ${spent}`);
      }
      return { figures, notes };
    } finally {
      await bare.stop();
      await server.destroy();
    }
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await runBench(bench);
