// A process that writes to an index until it is killed, saying on standard output what it was told: `committed N`
// and `durable N`, N the highest seq. Arguments: path of the index, first seq.

import { openSqliteIndex } from '../../tiering/index/sqlite/open-sqlite-index.js';
import { arrival, newPack, packId } from '../contract/index-samples.js';

const BATCH = 3;
const [path = '', first = '1'] = process.argv.slice(2);
const say = (line: string) =>
  new Promise<void>((resolve) => {
    process.stdout.write(`${line}\n`, () => resolve());
  });

const index = await openSqliteIndex({ path });
if ((await index.pack(packId(1))) === undefined) await index.addPack(newPack(1));
await say('open');
for (let seq = Number(first); ; seq += BATCH) {
  const instances = Array.from({ length: BATCH }, (_, n) =>
    arrival({ study: 1 + ((seq + n) % 5), series: 1, instance: seq + n, seq: seq + n, pack: 1 }),
  );
  const last = seq + BATCH - 1;
  await index.commitArrivals({ pack: packId(1), indexedTo: last, instances });
  await say(`committed ${last}`);
  if (last % 7 === 0) {
    await index.commitDurable();
    await say(`durable ${last}`);
  }
}
