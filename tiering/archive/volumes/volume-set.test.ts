// Where new bytes go among volumes that do well, are slow, or fail; and what is told of them. On the model of a volume and a clock of the test's own.
import { beforeEach, describe, expect, it } from 'vitest';
import { packIdNumbered, patternBytes } from '../../../test/support/volume-bytes.js';
import type { Clock } from '../../core/clock.js';
import { ArchiveError } from '../../core/errors.js';
import { parseVolumeName } from '../../core/ids.js';
import { MemoryVolume } from '../../hot/memory-volume.js';
import type { VolumeEvent } from './member.js';
import { VolumeSet } from './volume-set.js';

const A = parseVolumeName('a');
const B = parseVolumeName('b');
const ID = packIdNumbered(1);

let nowMs = 0;
/** What one read of volume a takes. */
let readMs = 1;
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: async () => undefined };
let events: VolumeEvent[];
let disks: { readonly a: MemoryVolume; readonly b: MemoryVolume };
let set: VolumeSet;

beforeEach(async () => {
  nowMs = 0;
  readMs = 1;
  events = [];
  // The larger one is preferred while both do well.
  disks = { a: new MemoryVolume({ name: A, bytesTotal: 2 ** 31 }), b: new MemoryVolume({ name: B }) };
  disks.a.setFault((step) => {
    if (step === 'read') nowMs += readMs;
    return undefined;
  });
  const source = (volume: MemoryVolume) => ({
    name: volume.name,
    open: async () => {
      volume.reopen();
      return volume;
    },
  });
  set = new VolumeSet([source(disks.a), source(disks.b)], {
    onDeletes: async () => undefined,
    onReturn: async () => undefined,
    log: (event) => events.push(event),
    clock,
  });
  await set.open();
  const tray = await set.readable(A)?.createTray(ID);
  await tray?.append([patternBytes(10)]);
  await tray?.sync();
});

/** A minute of reads from volume a, with a probe every five seconds. */
async function minute(ms: number): Promise<void> {
  readMs = ms;
  for (let round = 0; round < 12; round += 1) {
    for (let n = 0; n < 6; n += 1) await set.readable(A)?.read({ id: ID, kind: 'tray' }, 0, 10);
    nowMs += 5_000;
    await set.probe();
  }
}

const stateOf = (name: string) => set.state().find((one) => one.name === name);

describe('a volume that becomes slow', () => {
  it('is told of while it gets worse, then left by arrivals for a healthy one, and taken again when it is quick', async () => {
    await minute(2);
    expect(set.writable(1)?.name).toBe(A);
    await minute(120);
    expect(stateOf(A)).toMatchObject({ state: 'healthy', trend: expect.stringContaining('reads take') as string });
    expect(events).toMatchObject([{ level: 'warn', event: 'volume-trend' }]);
    expect(set.canTake(A, 1, false)).toBe(true);
    await minute(900);
    expect(stateOf(A)?.state).toBe('slow');
    expect(set.readable(A)).not.toBeNull();
    expect(set.writable(1)?.name).toBe(B);
    expect(set.canTake(A, 1, false)).toBe(false);
    await minute(2);
    await minute(2);
    expect(stateOf(A)).toMatchObject({ state: 'healthy', trend: null });
    expect(set.writable(1)?.name).toBe(A);
    expect(events.map(({ event, level }) => `${event} ${level}`)).toEqual([
      'volume-trend warn',
      'volume-state warn',
      'volume-trend info',
      'volume-state info',
    ]);
  });

  it('still takes arrivals where no other one can', async () => {
    const patience = set.patienceMs(A);
    set.lags(A);
    expect(set.patienceMs(A)).toBeLessThan(patience);
    expect(stateOf(A)?.state).toBe('slow');
    disks.b.setFault(() => 'UNAVAILABLE');
    set.report(B, new ArchiveError('UNAVAILABLE', 'EIO'));
    await set.settled(B);
    expect(stateOf(B)?.state).toBe('failed');
    expect(set.writable(1)?.name).toBe(A);
    expect(set.canTake(A, 1, false)).toBe(true);
  });
});

describe('a volume that fails again and again', () => {
  it('is trusted later each time, and told of once for each change', async () => {
    const probes: number[] = [];
    for (let n = 0; n < 4; n += 1) {
      // Who waits for it is told of each return, and of no other change.
      expect(set.standbys().get(A)).toEqual({ state: 'well', returns: n });
      disks.a.setFault(() => 'UNAVAILABLE');
      set.report(A, new ArchiveError('UNAVAILABLE', 'EIO'));
      await set.settled(A);
      expect(set.standbys().get(A)).toEqual({ state: 'away', returns: n });
      for (let more = 0; more < 3; more += 1) await set.probe();
      disks.a.setFault(undefined);
      let needed = 0;
      while (stateOf(A)?.state === 'failed') {
        await set.probe();
        needed += 1;
      }
      probes.push(needed);
    }
    // Looked at where it lies and then on a fresh open: the first good probe is two.
    expect(probes).toEqual([1, 1, 2, 4].map((least) => expect.toSatisfy((n: number) => n >= least && n <= 2 * least)));
    const told = events.filter(({ event }) => event === 'volume-state').map(({ detail }) => detail.split(':')[0]);
    expect(told.filter((detail) => detail === 'a is failed')).toHaveLength(4);
    expect(told.filter((detail) => detail === 'a is healthy')).toHaveLength(4);
  });
});
