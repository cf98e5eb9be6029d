// A process that appends to a tray and commits a pack, tells its parent what it has synced, and goes
// on until it is killed. Run by the kill test of tiering/hot/local-volume.test.ts.
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { parseVolumeName } from '../../tiering/core/ids.js';
import { openLocalVolume } from '../../tiering/hot/local-volume.js';
import { packIdNumbered, patternBytes } from './volume-bytes.js';

const volume = await openLocalVolume({
  name: parseVolumeName('a'),
  path: process.argv[2] ?? '',
  archiveId: 'archive-1',
  ownerEpoch: 3,
  create: true,
  clock: systemClock,
  random: systemRandom,
});
const tray = await volume.createTray(packIdNumbered(1));
const pack = await volume.createPack(packIdNumbered(2));
await pack.append([patternBytes(5000)]);
await pack.commit();
process.send?.({ packed: true });
const unfinished = await volume.createPack(packIdNumbered(3));
await unfinished.append([patternBytes(5000)]);
for (let n = 1; ; n += 1) {
  await tray.append([patternBytes(1000, n)]);
  await tray.sync();
  process.send?.({ synced: tray.bytes });
}
