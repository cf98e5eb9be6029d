// Drills that are held by themselves: on a real archive, whose clock the test sets to the hours and days that it is about. A minute between two
// looks takes it a few milliseconds.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, storeBytes } from '../../../test/support/archive-rig.js';
import { type Clock, systemClock } from '../../core/clock.js';
import { parseVolumeName } from '../../core/ids.js';
import type { Archive } from '../archive.js';
import type { ArchiveEvent } from '../context.js';
import { openArchive } from '../open-archive.js';

const PHANTOMS = [...phantomStudies({ seed: 43, studies: 1, slices: 2, shrink: 16 })];
const A = parseVolumeName('a');
const DAY_MS = 24 * 3_600_000;
const MINUTE_MS = 60_000;
const WAIT = { timeout: 60_000, interval: 50 };

let rig: ArchiveRig;
let archive: Archive;
let events: ArchiveEvent[];
/** What the clock on the wall says. */
let nowMs: number;
let minutes: number;

const clock: Clock = {
  nowMs: () => nowMs,
  monotonicMs: () => systemClock.monotonicMs(),
  sleep: async (ms, signal) => {
    await systemClock.sleep(ms === MINUTE_MS ? 10 : ms, signal);
    if (ms === MINUTE_MS) minutes += 1;
  },
};

const at = (day: number, hour: number) => new Date(2026, 0, day, hour, 30).getTime();

beforeEach(async () => {
  rig = await ArchiveRig.create();
  await rig.open();
  for (const { bytes } of PHANTOMS) await storeBytes(rig.archive, bytes);
  await rig.archive.migrate({ all: true }, { keepHot: true });
  await rig.close();
  events = [];
  minutes = 0;
  nowMs = at(5, 14);
  const parts = await rig.parts();
  const drills = [{ what: 'replica', name: null, everyMs: 30 * DAY_MS, forMs: 400 }] as const;
  const log = (event: ArchiveEvent) => events.push(event);
  archive = await openArchive({ ...parts, clock, log, policy: { ...parts.policy, drills } });
});
afterEach(async () => {
  await archive.close();
  await rig.destroy();
});

const held = () => events.flatMap(({ event, detail }) => (event === 'drill-ended' ? [detail] : []));

/** Some minutes of the archive's own, in which it looked again and again whether one is due. */
async function someMinutes(): Promise<void> {
  const from = minutes;
  await expect.poll(() => minutes - from, WAIT).toBeGreaterThan(30);
}

it('are held at night alone, each once in its time, the replica first whose drill is longest ago', async () => {
  await someMinutes();
  nowMs = at(5, 5);
  await someMinutes();
  expect(held(), 'by day, and from five on').toEqual([]);
  nowMs = at(6, 1);
  await expect.poll(held, WAIT).toEqual(['replica r1: passed', 'replica r2: passed']);
  await someMinutes();
  for (const day of [7, 20]) {
    nowMs = at(day, 3);
    await someMinutes();
  }
  expect(held()).toHaveLength(2);
  nowMs = at(6 + 31, 14);
  await someMinutes();
  expect(held(), 'due, and by day').toHaveLength(2);
  nowMs = at(6 + 31, 2);
  await expect.poll(() => held()[2], WAIT).toBe('replica r1: passed');
  expect((await archive.status()).index.instances).toBe(PHANTOMS.length);
}, 300_000);

it('are not held while something is not well, which is told once, nor while images come in', async () => {
  await archive.failVolume(A);
  nowMs = at(6, 2);
  await someMinutes();
  expect(held()).toEqual([]);
  const told = events.filter(({ event }) => event === 'drill-not-held');
  expect(told).toMatchObject([{ detail: expect.stringContaining('volume a is failed') as string }]);
  nowMs = at(6, 14);
  await archive.returnVolume(A);
  let coming = true;
  const sender = (async () => {
    const bytes = PHANTOMS[0]?.bytes ?? expect.fail('no phantom');
    while (coming) {
      await storeBytes(archive, bytes);
      await systemClock.sleep(20);
    }
  })();
  await systemClock.sleep(50);
  nowMs = at(7, 2);
  await someMinutes();
  expect(held(), 'images come in').toEqual([]);
  coming = false;
  await sender;
  await expect.poll(() => held()[0], WAIT).toBe('replica r1: passed');
}, 300_000);
