// The index is made again without a replica that alone tells of something: that is unavailable until it is back, and then there, without a second rebuild.
import { mkdir, rm } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type ArchiveRig, storeBytes } from '../../../test/support/archive-rig.js';
import {
  ALL,
  away,
  back,
  destroyRigs,
  first,
  found,
  ofStudy,
  PHANTOMS,
  rebuilt,
  rigOf,
  STUDIES,
  scopeOf,
  WAIT,
  without,
} from '../../../test/support/removal-rig.js';

afterEach(destroyRigs);

/** Only `r2` still has the manifests, the volume nothing; the index is made again while `r2` is away. */
async function forget(rig: ArchiveRig): Promise<void> {
  await rig.close();
  await rm(rig.path('r1', 'm'), { recursive: true });
  await rm(rig.path('a', 'trays'), { recursive: true });
  await mkdir(rig.path('a', 'trays'));
  await away(rig, 'r2');
  expect(await rebuilt(rig)).toMatchObject({ instances: 0, unavailable: ['r2'], provisional: ['replica r2'] });
  await rig.open();
}

async function remember(rig: ArchiveRig): Promise<void> {
  await back(rig, 'r2');
  await expect.poll(async () => (await rig.archive.status()).deletesUnread, WAIT).toEqual([]);
}

describe('a replica that was away when the index was made again', () => {
  it('is read when it is back: what it alone has is unavailable until then, and there afterwards', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    await forget(rig);
    expect(await found(rig.archive)).toEqual([]);
    expect((await rig.archive.query(ALL)).provisional).toContain('replica r2');
    // Not only in the process that made it.
    await rig.reopen();
    const one = first(PHANTOMS);
    await expect(rig.archive.instance(scopeOf(one))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('replica r2 did not answer when the index was rebuilt') as string,
    });
    await remember(rig);
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    expect(rig.events).toContainEqual(
      expect.objectContaining({
        event: 'packs-came-late',
        detail: `${STUDIES.length} packs, ${PHANTOMS.length} instances of replica r2`,
      }),
    );
    // The other replica is brought up to date, and what lay there is nobody's no more.
    await rig.archive.repair();
    expect((await rig.archive.scrub({ deep: true })).findings).toEqual([]);
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(PHANTOMS);
  });

  it('brings nothing back that was deleted, and takes nothing from what was stored since', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    const [study, other] = [first(STUDIES), STUDIES[1] ?? expect.fail()];
    await rig.archive.remove({ study });
    const [again] = ofStudy(other);
    if (again === undefined) expect.fail();
    await rig.close();
    await rm(rig.path('r1', 't'), { recursive: true });
    await rig.open();
    await forget(rig);
    expect(await storeBytes(rig.archive, again.bytes)).toMatchObject({ status: 'stored' });
    await remember(rig);
    const left = without(...ofStudy(study));
    expect(await found(rig.archive)).toEqual(left);
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(left);
  });
});
