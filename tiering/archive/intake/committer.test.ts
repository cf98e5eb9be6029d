// Trays that end and volumes that do not answer, under arrivals: nobody notices either.
import { rename } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { type Ailing, ailing } from '../../../test/support/ailing-volume.js';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { but } from '../../../test/support/but.js';
import { cutPower, keepIndex } from '../../../test/support/power-cut.js';
import { scopeOf } from '../../../test/support/removal-rig.js';
import { ArchiveError } from '../../core/errors.js';
import type { PackId } from '../../core/ids.js';
import type { ArrivalBatch, Index, TombstoneRecord } from '../../index/index.js';
import type { Archive } from '../archive.js';
import { openArchive } from '../open-archive.js';

const PHANTOMS = [...phantomStudies({ seed: 71, studies: 2, slices: 20, shrink: 32 })];
/** Longer than anybody has patience, shorter than a test. */
const STUCK_MS = 6_000;

let rig: ArchiveRig;
let archive: Archive;
afterEach(async () => {
  await archive.close();
  await rig.destroy();
});

async function open(
  volumes: readonly string[],
  { probeIntervalMs = 3_600_000, frail = (index: Index) => index } = {},
): Promise<Ailing> {
  rig = await ArchiveRig.create({ volumes, policy: { probeIntervalMs } });
  const control: Ailing = { ailment: () => undefined, ailed: 0 };
  const parts = await rig.parts();
  const sick = parts.volumes.map((one) => ({ name: one.name, open: async () => ailing(await one.open(), control) }));
  archive = await openArchive({ ...parts, index: frail(parts.index), volumes: sick });
  return control;
}

async function expectEqual(): Promise<void> {
  for (const phantom of PHANTOMS) {
    const bytes = await readAll(archive.read(await archive.instance(scopeOf(phantom))));
    expect(Buffer.compare(bytes, phantom.bytes)).toBe(0);
  }
}

it('a migrate that ends the tray again and again fails no batch', async () => {
  const control = await open(['a']);
  const [before, ...others] = PHANTOMS;
  if (before === undefined) expect.fail();
  expect(await storeBytes(archive, before.bytes)).toMatchObject({ status: 'stored' });
  // Time for the next batch to begin while a tray that is to end still syncs the one before.
  control.ailment = (call) => (call === 'sync' ? 15 : undefined);
  let storing = true;
  const ending = (async () => {
    // Of one study, filed the first time: hardly more than the end of a tray.
    while (storing) await archive.migrate({ studies: [scopeOf(before).study] }, { keepHot: true });
  })();
  const lanes = [0, 1, 2].map(async (lane) => {
    for (let at = lane; at < others.length; at += 3) {
      const bytes = others[at]?.bytes ?? expect.fail();
      expect(await storeBytes(archive, bytes)).toMatchObject({ status: 'stored' });
    }
  });
  await Promise.all(lanes);
  storing = false;
  await ending;
  expect(rig.events.filter(({ event }) => event === 'tray-failed' || event === 'volume-state')).toEqual([]);
  await expectEqual();
});

it('a volume that does not answer is left before the deadline of its calls, and what it wrote late is of no account', async () => {
  const control = await open(['a']);
  let pending = 0;
  control.ailment = (call) => {
    if (call === 'read') return undefined;
    pending += 1;
    setTimeout(() => {
      pending -= 1;
    }, STUCK_MS);
    return STUCK_MS;
  };
  const outcomes = await Promise.all(PHANTOMS.map(({ bytes }) => storeBytes(archive, bytes)));
  for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'stored' });
  expect(pending).toBeGreaterThan(0);
  expect(await archive.status()).toMatchObject({ ingest: 'cloud-direct' });
  await expectEqual();
  control.ailment = () => undefined;
  await expect.poll(() => pending, { timeout: 15_000 }).toBe(0);
  await expectEqual();
});

it('what failed for the index and its volume at once stays failed: nothing is answered before the index knows where the tray ends', async () => {
  let failing = false;
  const unlessFailing =
    <A extends unknown[], T>(work: (...args: A) => Promise<T>) =>
    (...args: A) =>
      failing ? Promise.reject(new ArchiveError('UNAVAILABLE', 'the index was made to fail')) : work(...args);
  const frail = (index: Index) =>
    but<Index>(index, {
      closeTray: unlessFailing((id: PackId, bytes: number) => index.closeTray(id, bytes)),
      setSetting: unlessFailing((name: string, value: string) => index.setSetting(name, value)),
      bury: unlessFailing((records: readonly TombstoneRecord[]) => index.bury(records)),
    });
  const control = await open(['a'], { probeIntervalMs: 200, frail });
  const one = PHANTOMS[0] ?? expect.fail();
  expect(await storeBytes(archive, one.bytes)).toMatchObject({ status: 'stored' });
  // Appended, and then nothing goes on: neither disk says where the tray ends.
  control.ailment = (call) => (call === 'append' ? undefined : 'EIO');
  failing = true;
  await expect(archive.remove(scopeOf(one))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(rig.events.map(({ event }) => event)).toContain('tray-end-not-stated');
  await expect(storeBytes(archive, one.bytes)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  failing = false;
  await expect.poll(async () => (await archive.status()).stopped, { timeout: 20_000 }).toBeNull();
  expect(await storeBytes(archive, one.bytes)).toMatchObject({ status: 'duplicate' });
  await archive.close();
  control.ailment = () => undefined;
  archive = await rig.open();
  const bytes = await readAll(archive.read(await archive.instance(scopeOf(one))));
  expect(Buffer.compare(bytes, one.bytes)).toBe(0);
});

it('what no place takes is told to have failed when the end of the tray in which it lies is durable', async () => {
  const steps: string[] = [];
  const frail = (index: Index) =>
    but<Index>(index, {
      closeTray: async (id: PackId, bytes: number) => {
        await index.closeTray(id, bytes);
        steps.push('ended');
      },
      commitDurable: async () => {
        const endings = steps.filter((step) => step === 'ended').length;
        await index.commitDurable();
        steps.push(`durable ${endings}`);
      },
      bury: async () => Promise.reject(new ArchiveError('UNAVAILABLE', 'the index was made to fail')),
    });
  const control = await open(['a'], { probeIntervalMs: 200, frail });
  const [one, other] = PHANTOMS;
  if (one === undefined || other === undefined) expect.fail();
  expect(await storeBytes(archive, one.bytes)).toMatchObject({ status: 'stored' });
  for (const name of rig.replicaNames) await rename(rig.path(name), rig.path(`${name}-away`));
  const away = async () => (await archive.status()).replicas.every(({ state }) => state === 'unavailable');
  await expect.poll(away, { timeout: 20_000 }).toBe(true);
  control.ailment = (call) => (call === 'append' ? undefined : 'EIO');
  // This one goes from the tray to the cloud, and the delete from the tray to the index alone.
  expect(await storeBytes(archive, other.bytes)).toMatchObject({ status: 'refused', code: 'UNAVAILABLE' });
  steps.push('told');
  control.ailment = () => undefined;
  await expect.poll(async () => (await archive.status()).ingest, { timeout: 20_000 }).toBe('volume');
  expect(await storeBytes(archive, other.bytes)).toMatchObject({ status: 'stored' });
  control.ailment = (call) => (call === 'append' ? undefined : 'EIO');
  await expect(archive.remove(scopeOf(one))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  steps.push('told');
  control.ailment = () => undefined;
  for (const at of steps.flatMap((step, index) => (step === 'told' ? [index] : []))) {
    const before = steps.slice(0, at);
    const endings = before.filter((step) => step === 'ended').length;
    expect(endings).toBeGreaterThan(0);
    expect(before, steps.join(', ')).toContain(`durable ${endings}`);
  }
  expect(steps.filter((step) => step === 'ended').length).toBeGreaterThan(1);
});

it('a batch that is being indexed when the next one fails is part of its tray, and no power cut takes it away', async () => {
  const held: (() => void)[] = [];
  let holding = false;
  const frail = (index: Index) =>
    but<Index>(index, {
      commitArrivals: async (batch: ArrivalBatch) => {
        await index.commitArrivals(batch);
        if (holding) await new Promise<void>((resolve) => held.push(resolve));
      },
    });
  const control = await open(['a'], { probeIntervalMs: 200, frail });
  const [first, second, third] = PHANTOMS;
  if (first === undefined || second === undefined || third === undefined) expect.fail();
  expect(await storeBytes(archive, first.bytes)).toMatchObject({ status: 'stored' });
  await keepIndex(rig);
  holding = true;
  const indexing = storeBytes(archive, second.bytes);
  await expect.poll(() => held.length).toBe(1);
  holding = false;
  control.ailment = (call) => {
    if (call !== 'append') return undefined;
    control.ailment = () => undefined;
    return 'EIO';
  };
  const failing = storeBytes(archive, third.bytes);
  await expect.poll(() => rig.events.map(({ event }) => event)).toContain('tray-failed');
  for (const release of held) release();
  expect(await Promise.all([indexing, failing])).toMatchObject([{ status: 'stored' }, { status: 'stored' }]);
  await cutPower(rig, () => archive.close());
  archive = await rig.open();
  for (const one of [first, second, third]) {
    const bytes = await readAll(archive.read(await archive.instance(scopeOf(one))));
    expect(Buffer.compare(bytes, one.bytes)).toBe(0);
  }
});
