// A timed volume is a volume: the contract, through the decorator.
import { describe, expect, it } from 'vitest';
import { describeVolume } from '../../../test/contract/volume.js';
import { packIdNumbered, patternBytes } from '../../../test/support/volume-bytes.js';
import { systemClock } from '../../core/clock.js';
import { parseVolumeName } from '../../core/ids.js';
import { MemoryVolume } from '../../hot/memory-volume.js';
import { measured } from './measured-volume.js';
import { Pulse } from './pulse.js';

const name = parseVolumeName('timed');

describeVolume('measured', async () => {
  const inner = new MemoryVolume({ name });
  const open = () => measured(inner, new Pulse(systemClock));
  return {
    volume: open(),
    reopen: async () => {
      await inner.close();
      inner.reopen();
      return open();
    },
    dispose: () => inner.close(),
  };
});

describe('a measured volume', () => {
  it('tells of reads, tray writes, syncs and probes, and of those that fail', async () => {
    const inner = new MemoryVolume({ name });
    const pulse = new Pulse(systemClock);
    const volume = measured(inner, pulse);
    const id = packIdNumbered(1);
    const tray = await volume.createTray(id);
    for (let n = 0; n < 5; n += 1) {
      await tray.append([patternBytes(100)]);
      await tray.sync();
      await volume.read({ id, kind: 'tray' }, 0, 100);
      await volume.probe();
    }
    for (const ms of Object.values(pulse.latencies())) expect(ms).toBeGreaterThan(0);
    expect(pulse.look()).toEqual({ slow: null, trend: null });
    inner.setFault((step) => (step === 'read' ? 'UNAVAILABLE' : undefined));
    for (let n = 0; n < 3; n += 1) {
      await expect(volume.read({ id, kind: 'tray' }, 0, 100)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    }
    expect(pulse.look().trend).toBe('3 calls failed within the last minutes');
  });
});
