// What goes on around damage: scrubs that are stopped and gone on with, that begin by themselves, what lies on replicas and is nobody's,
// what is thrown away, and what only its sender can bring back.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { ArchiveRig } from '../../../test/support/archive-rig.js';
import { readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { flipped } from '../../../test/support/chaos-proxy.js';
import { memoryRig, objectsOf } from '../../../test/support/injected-faults.js';
import {
  away,
  back,
  destroyRigs,
  files,
  first,
  found,
  PHANTOMS,
  rebuilt,
  rigOf,
  rigs,
  scopeOf,
  WAIT,
} from '../../../test/support/removal-rig.js';
import { parseObjectKey, parseStudyUid } from '../../core/ids.js';
import { collectGarbage } from './garbage.js';

afterEach(destroyRigs);

const ALL = { all: true } as const;
const STUDY = { study: parseStudyUid(first(PHANTOMS).study) };
const OTHERS = PHANTOMS.filter(({ study }) => study !== STUDY.study);

async function cold(options: Parameters<typeof rigOf>[0] = {}): Promise<ArchiveRig> {
  const rig = await rigOf(options);
  expect(await rig.archive.migrate(ALL)).toMatchObject({ failures: [] });
  return rig;
}

async function flip(file: string): Promise<void> {
  await writeFile(file, flipped(await readFile(file), 700));
}

describe('a scrub', () => {
  it('that is stopped is gone on with where it was, and tells of both parts', async () => {
    const rig = await cold({ policy: { moverIntervalMs: 3_600_000 } });
    const whole = await rig.archive.scrub({ deep: true });
    expect(whole).toMatchObject({ resumed: false, findings: [] });
    await flip(first(await files(rig.path('r1', 'm'))));
    const stop = new AbortController();
    const stopped = rig.archive.scrub({
      deep: true,
      signal: stop.signal,
      onProgress: ({ packsDone }) => packsDone === 2 && stop.abort(),
    });
    await expect(stopped).rejects.toThrow();
    await rig.reopen();
    const steps: number[] = [];
    const rest = await rig.archive.scrub({ deep: true, onProgress: ({ packsDone }) => steps.push(packsDone) });
    expect(steps).toEqual([1]);
    expect(rest).toMatchObject({ resumed: true, objects: whole.objects, bytes: whole.bytes });
    expect(rest.findings).toHaveLength(1);
    // A light one has a place of its own, and what came to its end begins anew.
    expect(await rig.archive.scrub()).toMatchObject({ resumed: false });
    expect(await rig.archive.scrub({ deep: true })).toMatchObject({ resumed: false, objects: whole.objects });
  });

  it('begins by itself when it is due, and what it finds is mended with no command', async () => {
    const rig = await cold({ policy: { scrubEveryMs: 3_600_000, scrubBytesPerSecond: 50_000_000 } });
    // Of an index that was made anew nobody knows when it was scrubbed last.
    await rebuilt(rig);
    const [damaged] = (await files(rig.path('r1', 'c'))).sort();
    if (damaged === undefined) return expect.fail('no chunk');
    const before = await readFile(damaged);
    await flip(damaged);
    await rig.open();
    await expect.poll(async () => Buffer.compare(await readFile(damaged), before), WAIT).toBe(0);
    const events = async () => rig.events.map(({ event }) => event);
    await expect.poll(events, WAIT).toEqual(expect.arrayContaining(['scrubbed', 'repaired']));
  });

  it('reports what nobody knows of on a replica, and neither it nor repair touches it', async () => {
    const { rig, stores } = await memoryRig({ policy: { garbageGraceMs: 0 } });
    rigs.push(rig);
    for (const { bytes } of PHANTOMS) await storeBytes(rig.archive, bytes);
    await rig.archive.migrate(ALL);
    const store = first(stores);
    const foreign = ['photos/cat.jpg', `c/00/${'0'.repeat(64)}`, 'm/x', `t/9-${'0'.repeat(64)}`].map(parseObjectKey);
    for (const key of foreign) await store.put(key, Buffer.from('mine'));
    for (const deep of [false, true]) {
      const { findings } = await rig.archive.scrub({ deep });
      expect(findings.map(({ where, item, fault }) => `${where} ${fault} ${item}`).sort()).toEqual(
        foreign.map((key) => `r1 unknown ${key}`).sort(),
      );
    }
    expect(await rig.archive.repair()).toMatchObject({ repaired: 0, removed: 0, failures: [] });
    for (const key of foreign) expect(Buffer.from(await store.get(key)).toString()).toBe('mine');
  });
});

describe('what is thrown away', () => {
  it('leaves every replica when its grace period is over, and nothing else does', async () => {
    const { rig, stores } = await memoryRig({ policy: { garbageGraceMs: 0 } });
    rigs.push(rig);
    for (const { bytes } of PHANTOMS) await storeBytes(rig.archive, bytes);
    await rig.archive.migrate(ALL);
    const before = await objectsOf(first(stores));
    await rig.archive.remove(STUDY);
    await rig.archive.migrate(ALL);
    expect(await rig.archive.repair()).toMatchObject({ removed: 2, failures: [] });
    for (const store of stores) {
      const left = [...(await objectsOf(store)).keys()];
      expect(left.filter((key) => key.startsWith('c/'))).toHaveLength(2);
      expect(left.filter((key) => key.startsWith('m/'))).toHaveLength(2);
      expect(left.filter((key) => !before.has(key)).map((key) => key.slice(0, 2))).toEqual(['t/']);
    }
    expect(await rig.archive.scrub({ deep: true })).toMatchObject({ findings: [] });
    expect(await found(rig.archive)).toEqual(OTHERS);
    expect(await rig.archive.repair()).toMatchObject({ removed: 0 });
  });

  it('stays for its grace period', async () => {
    const rig = await cold();
    await rig.archive.remove(STUDY);
    await rig.archive.migrate(ALL);
    expect(await rig.archive.repair()).toMatchObject({ removed: 0, failures: [] });
    expect(await files(rig.path('r1', 'm'))).toHaveLength(3);
    expect(await rig.archive.scrub()).toMatchObject({ findings: [] });
  });

  it('stays while something of the same age is not protected, and on a replica that is away until it is back', async () => {
    const rig = await cold({ policy: { garbageGraceMs: 0 } });
    const again = first(PHANTOMS);
    await rig.archive.remove(STUDY);
    await rig.archive.migrate(ALL);
    expect(await storeBytes(rig.archive, again.bytes)).toMatchObject({ status: 'stored' });
    expect(await rig.archive.repair()).toMatchObject({ removed: 0, failures: [] });
    await rig.archive.migrate(ALL);
    await away(rig, 'r2');
    expect((await rig.archive.repair()).removed).toBe(0);
    expect(await files(rig.path('r1', 'm'))).toHaveLength(3);
    await back(rig, 'r2');
    const states = async () => (await rig.archive.status()).replicas.map(({ state }) => state);
    await expect.poll(states, WAIT).toEqual(['available', 'available']);
    expect(await rig.archive.repair()).toMatchObject({ removed: 2, failures: [] });
    for (const name of ['r1', 'r2']) expect(await files(rig.path(name, 'm'))).toHaveLength(3);
    expect(await rig.archive.scrub({ deep: true })).toMatchObject({ findings: [] });
    expect(await found(rig.archive)).toEqual([again, ...OTHERS]);
  });

  it('of manifests, the older stays on a replica that has not the newest', async () => {
    const rig = await cold();
    const manifests = () => files(rig.path('r2', 'm'));
    const held = async () =>
      Promise.all((await manifests()).map(async (file) => [file, await readFile(file)] as const));
    const old = await held();
    for (const name of ['r1', 'r2']) for (const file of await files(rig.path(name, 'm'))) await rm(file);
    // Lost everywhere, written anew; then one replica is set back to before.
    await rig.archive.scrub();
    expect(await rig.archive.repair()).toMatchObject({ removed: 0, failures: [] });
    await rig.close();
    const newest = await held();
    for (const [file] of newest) await rm(file);
    for (const [file, bytes] of old) await writeFile(file, bytes);
    const ctx = await rig.context({ policy: { garbageGraceMs: 0 } });
    expect(await collectGarbage(ctx)).toEqual({ removed: 0, failed: new Map() });
    expect((await manifests()).sort()).toEqual(old.map(([file]) => file).sort());
    for (const [file, bytes] of newest) await writeFile(file, bytes);
    expect(await collectGarbage(ctx)).toEqual({ removed: 3, failed: new Map() });
    expect((await manifests()).sort()).toEqual(newest.map(([file]) => file).sort());
  });
});

describe('an instance of which no good copy is left', () => {
  it('is told as lost, is healed by sending it again, and stays so in a rebuild', async () => {
    const rig = await cold({ policy: { moverIntervalMs: 3_600_000 } });
    const one = first(PHANTOMS);
    const chunks = new Map<string, Buffer>();
    for (const name of ['r1', 'r2']) {
      for (const file of await files(rig.path(name, 'c'))) {
        chunks.set(file, await readFile(file));
        await rm(file);
      }
    }
    // Nothing is known of it yet, and then all of it.
    expect(await storeBytes(rig.archive, one.bytes)).toMatchObject({ status: 'duplicate' });
    await expect(readAll(rig.archive.read(await rig.archive.instance(scopeOf(one))))).rejects.toMatchObject({
      code: 'LOST',
    });
    await rig.archive.scrub();
    for (const { bytes } of PHANTOMS) expect(await storeBytes(rig.archive, bytes)).toMatchObject({ status: 'stored' });
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    expect(await storeBytes(rig.archive, one.bytes)).toMatchObject({ status: 'duplicate' });
    expect(await rig.archive.migrate(ALL)).toMatchObject({ failures: [] });
    // The old copies turn up again.
    for (const [file, bytes] of chunks) {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, bytes);
    }
    expect(await rebuilt(rig)).toMatchObject({ failures: [] });
    await rig.open();
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    await rig.archive.repair();
    expect((await rig.archive.scrub({ deep: true })).findings.filter(({ fault }) => fault !== 'unknown')).toEqual([]);
  });
});
