// What the jobs take of the line to the replicas, by a clock on which time passes only while they wait for a rate: every byte that is read to
// prove, to bring back and to mend is paid for, and what readers read is not.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { phantomStudies } from '../../../dicom/phantom/phantom.js';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { scopeOf } from '../../../test/support/removal-rig.js';
import { systemClock } from '../../core/clock.js';
import { parseReplicaName } from '../../core/ids.js';
import type { PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { readInstance } from '../reading/instance-reader.js';
import { repair } from '../recovery/repair.js';
import { evictPack } from './evict.js';
import { protectPack } from './protect.js';
import { recallPack } from './recall.js';

const PHANTOMS = [...phantomStudies({ seed: 61, studies: 1, slices: 3, shrink: 8 })];
const R1 = parseReplicaName('r1');
const BYTES_PER_SECOND = 1_000;
const MONTH_MS = 31 * 24 * 3_600_000;

let rig: ArchiveRig;
let ctx: ArchiveContext;
let passedMs: number;

beforeEach(async () => {
  rig = await ArchiveRig.create();
  await rig.open();
  for (const { bytes } of PHANTOMS) await storeBytes(rig.archive, bytes);
  await rig.archive.migrate({ all: true }, { keepHot: true });
  await rig.close();
  passedMs = 0;
  const clock = {
    nowMs: () => systemClock.nowMs() + MONTH_MS,
    monotonicMs: () => passedMs,
    sleep: async (ms: number) => {
      passedMs += ms;
    },
  };
  ctx = await rig.context({ clock, policy: { downloadBytesPerSecond: BYTES_PER_SECOND } });
});
afterEach(() => rig.destroy());

async function onlyPack(): Promise<PackRecord> {
  for await (const record of ctx.index.packs({ kind: 'pack' })) return record;
  return expect.fail('no pack');
}

/** Bytes that were paid for since the last time this was asked. */
let paidMs = 0;
function paid(): number {
  const bytes = ((passedMs - paidMs) * BYTES_PER_SECOND) / 1_000;
  paidMs = passedMs;
  return Math.round(bytes);
}

it('a proof before an eviction, a recall and a repair are paid for; a reader is not', async () => {
  paidMs = 0;
  const { id, bytes, seal, manifest } = await onlyPack();
  const names = [...(seal?.chunks.map(({ name }) => name) ?? []), manifest?.name ?? null];
  let sealed = 0;
  for (const name of names) sealed += (await ctx.replicas.store(R1).head(name ?? expect.fail())).bytes;
  const manifestBytes = (await ctx.replicas.store(R1).head(manifest?.name ?? expect.fail())).bytes;
  // Its proofs are a month old: every object is read again from both replicas.
  await evictPack(ctx, id);
  expect(paid()).toBe(2 * sealed);
  for (const phantom of PHANTOMS) {
    const record = await ctx.index.instance(scopeOf(phantom));
    const stored = await readAll(readInstance(ctx, record, undefined, undefined, { onCold: () => undefined }));
    expect(Buffer.compare(stored, phantom.bytes)).toBe(0);
  }
  expect(paid()).toBe(0);
  // A debt: each chunk from the other one, and read back with the manifest.
  await ctx.catalog.change(id, (index) => index.removePlacement(id, R1));
  expect(await protectPack(ctx, id)).toHaveLength(2);
  expect(paid()).toBe(2 * sealed - manifestBytes);
  await recallPack(ctx, id);
  expect(paid()).toBe(bytes);
  const [chunk] = seal?.chunks ?? [];
  const name = chunk?.name ?? expect.fail();
  const r1 = ctx.replicas.store(R1);
  const { bytes: length } = await r1.head(name);
  await r1.delete(name);
  await ctx.damage.note(id, 0, R1, 'missing');
  expect(await repair(ctx, {})).toMatchObject({ failures: [] });
  // From the other one, and read back from this one.
  expect(paid()).toBe(2 * length);
});
