// A server is lost with its index and its hot tier: 100,000 instances are made searchable again from one replica and the keyring, by the command that an
// operator types. Every answer of QIDO before and after is compared. FILMROOM_REBUILD_INSTANCES: another number.
import { fileURLToPath } from 'node:url';
import { coldArchive, dumpQido, loseAllButOneReplica, rebuildOffline } from '../test/support/rebuild-drill.js';
import { type Bench, runBench } from './support/report.js';

const INSTANCES = Number(process.env['FILMROOM_REBUILD_INSTANCES'] ?? 100_000);

const bench: Bench = {
  name: 'rebuild',
  async run() {
    const gateway = await coldArchive(INSTANCES);
    try {
      const before = await dumpQido(gateway.url);
      await loseAllButOneReplica(gateway);
      const { code, seconds, peakBytes, report } = await rebuildOffline(gateway);
      if (code !== 0) throw new Error(`rebuild-index ended with ${code}`);
      await gateway.start();
      const after = await dumpQido(gateway.url);
      if (after.sha256 !== before.sha256) throw new Error('the answers differ from those before');
      return {
        figures: [],
        notes: [
          `${report.instances} instances of ${before.studies} studies from ${report.packs} packs of one replica in ${seconds.toFixed(1)} s: ${report.perSecond} instances/s`,
          `peak memory ${(peakBytes / 2 ** 20).toFixed(0)} MiB`,
          `QIDO with all fields, ${before.instances} instances, ${(before.bytes / 2 ** 20).toFixed(0)} MiB of answers: byte by byte as before, SHA-256 ${after.sha256}`,
        ],
      };
    } finally {
      await gateway.destroy();
    }
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await runBench(bench);
