// What is stored while nobody can read what a volume holds, and the index has forgotten it too: acknowledged, it outlives what comes to light later (I1).
import { mkdir, rm } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { ArchiveRig } from '../../../test/support/archive-rig.js';
import { readAll, storeBytes } from '../../../test/support/archive-rig.js';
import { FaultyObjectStore } from '../../../test/support/faulty-object-store.js';
import {
  away,
  backAndRead,
  destroyRigs,
  files,
  first,
  found,
  PHANTOMS,
  rebuilt,
  rigOf,
  scopeOf,
  WAIT,
  without,
} from '../../../test/support/removal-rig.js';
import { createDirectoryStore } from '../../cold/directory/create-directory-store.js';
import { systemClock, systemRandom } from '../../core/clock.js';

afterEach(destroyRigs);

/** Loses the index while volume `a` is away, and goes on without both. */
async function forget(rig: ArchiveRig): Promise<void> {
  await rig.close();
  await away(rig, 'a');
  await mkdir(rig.path('a'));
  expect((await rebuilt(rig)).provisional).toEqual(['volume a']);
  await rig.open();
}

describe('what is stored while a volume’s tail is unread', () => {
  it('outlives a delete that only the volume knows of, although its bytes were there already', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    const [one, other] = PHANTOMS;
    if (one === undefined || other === undefined) throw new Error('no phantoms');
    await rig.archive.remove(scopeOf(one));
    await rig.archive.remove(scopeOf(other));
    await rig.close();
    for (const replica of rig.replicaNames) await rm(rig.path(replica, 't'), { recursive: true });
    await forget(rig);
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    expect(await storeBytes(rig.archive, one.bytes)).toMatchObject({ status: 'stored' });
    await backAndRead(rig, 'a');
    expect(await found(rig.archive)).toEqual(without(other));
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(other));
  });

  it('that fails to be stored has not ended what was there', async () => {
    const replicas: FaultyObjectStore[] = [];
    const store = (_name: string, root: string) => {
      const inner = createDirectoryStore({ root, create: true, clock: systemClock, random: systemRandom });
      const faulty = new FaultyObjectStore(inner);
      replicas.push(faulty);
      return Promise.resolve(faulty);
    };
    const rig = await rigOf({ store });
    await rig.archive.migrate({ all: true });
    await forget(rig);
    const one = first(PHANTOMS);
    for (const replica of replicas)
      replica.fail({ methods: ['put'], keys: (key) => key.startsWith('c/'), code: 'FORBIDDEN' });
    expect(await storeBytes(rig.archive, one.bytes)).toMatchObject({ status: 'refused' });
    for (const replica of replicas) replica.heal();
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    await backAndRead(rig, 'a');
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    expect(await storeBytes(rig.archive, one.bytes)).toMatchObject({ status: 'duplicate' });
  });

  it('does not cost a pack its file, of which a rebuild has seen too few copies on replicas', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true }, { keepHot: true });
    await rig.close();
    await rm(rig.path('r1', 'm'), { recursive: true });
    const packs = await files(rig.path('a', 'packs'));
    await forget(rig);
    await backAndRead(rig, 'a');
    await expect.poll(async () => (await rig.archive.status()).index.studies.hot, WAIT).toBe(3);
    expect(await files(rig.path('a', 'packs'))).toEqual(packs);
    expect(await found(rig.archive)).toEqual(PHANTOMS);
  });

  it('gives way to what the volume has under the same SOP Instance UID with other bytes, and that is told', async () => {
    const rig = await rigOf();
    const one = first(PHANTOMS);
    await forget(rig);
    const bytes = Uint8Array.from(one.bytes);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    expect(await storeBytes(rig.archive, bytes)).toMatchObject({ status: 'stored' });
    const now = await rig.archive.instance(scopeOf(one));
    expect(Buffer.compare(await readAll(rig.archive.read(now)), bytes)).toBe(0);
    await backAndRead(rig, 'a');
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    expect(rig.events).toContainEqual(expect.objectContaining({ event: 'content-conflict', level: 'error' }));
    expect(await storeBytes(rig.archive, bytes)).toMatchObject({ status: 'refused', code: 'CONFLICT' });
  });
});
