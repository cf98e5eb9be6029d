// The reference model against the contract, and what only the model can do: crash and fail on demand.
import { describe, expect, it } from 'vitest';
import { describeVolume, expectCode } from '../../test/contract/volume.js';
import { packIdNumbered, patternBytes } from '../../test/support/volume-bytes.js';
import { parseVolumeName } from '../core/ids.js';
import { MemoryVolume } from './memory-volume.js';

const name = parseVolumeName('model');

describeVolume('memory', async () => {
  const volume = new MemoryVolume({ name });
  return {
    volume,
    reopen: async () => {
      await volume.close();
      volume.reopen();
      return volume;
    },
    dispose: () => volume.close(),
  };
});

describe('MemoryVolume', () => {
  const id = packIdNumbered(1);

  it('a crash loses what was not synced and kills the appender', async () => {
    const volume = new MemoryVolume({ name });
    const tray = await volume.createTray(id);
    await tray.append([patternBytes(100)]);
    await tray.sync();
    await tray.append([patternBytes(50)]);
    volume.crash((unsynced) => unsynced / 2);
    expect(await volume.size({ id, kind: 'tray' })).toBe(125);
    await expectCode(tray.append([patternBytes(1)]), 'UNAVAILABLE');
    volume.crash();
    expect(await volume.size({ id, kind: 'tray' })).toBe(125);
  });

  it('a tray is poisoned by the first fault and the volume heals', async () => {
    const volume = new MemoryVolume({ name });
    const tray = await volume.createTray(id);
    volume.setFault((step) => (step === 'sync' ? 'UNAVAILABLE' : undefined));
    await tray.append([patternBytes(100)]);
    await expectCode(tray.sync(), 'UNAVAILABLE');
    volume.setFault(undefined);
    await expectCode(tray.sync(), 'UNAVAILABLE');
    await (await volume.createTray(packIdNumbered(2))).sync();
  });

  it('a full volume says FULL and works again when something is removed', async () => {
    const volume = new MemoryVolume({ name, bytesTotal: 1000 });
    const tray = await volume.createTray(id);
    await tray.append([patternBytes(900)]);
    await expectCode(tray.append([patternBytes(101)]), 'FULL');
    await volume.remove({ id, kind: 'tray' });
    await (await volume.createTray(packIdNumbered(2))).append([patternBytes(900)]);
  });
});
