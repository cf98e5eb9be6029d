// The index is made again without a replica that alone tells of something: that is unavailable until it is back, and then there, without a second rebuild.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type ArchiveRig, storeBytes } from '../../../test/support/archive-rig.js';
import {
  ALL,
  away,
  backAndRead,
  destroyRigs,
  files,
  first,
  found,
  ofStudy,
  PHANTOMS,
  rebuilt,
  rigOf,
  STUDIES,
  scopeOf,
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
    await backAndRead(rig, 'r2');
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
    await backAndRead(rig, 'r2');
    const left = without(...ofStudy(study));
    expect(await found(rig.archive)).toEqual(left);
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(left);
  });

  it('costs no damaged file on a volume what it still has, while too few replicas are known to have the pack', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true }, { keepHot: true });
    await rig.close();
    await away(rig, 'r1');
    expect(await rebuilt(rig)).toMatchObject({ instances: PHANTOMS.length, unavailable: ['r1'] });
    const packs = await files(rig.path('a', 'packs'));
    const damaged = first(packs);
    const bytes = await readFile(damaged);
    bytes.writeUInt8(bytes.readUInt8(bytes.length / 2) ^ 1, bytes.length / 2);
    await writeFile(damaged, bytes);
    await rig.open();
    expect((await rig.archive.scrub({ deep: true })).findings).toMatchObject([{ where: 'a', fault: 'corrupt' }]);
    const { failures } = await rig.archive.repair();
    expect(failures).toContainEqual(
      expect.objectContaining({ detail: expect.stringContaining('stays until it is protected') as string }),
    );
    expect(Buffer.compare(await readFile(damaged), bytes)).toBe(0);
    await backAndRead(rig, 'r1');
    expect((await rig.archive.repair()).failures).toEqual([]);
    expect((await rig.archive.scrub({ deep: true })).findings).toEqual([]);
    expect(await files(rig.path('a', 'packs'))).toEqual(packs);
    expect(await found(rig.archive)).toEqual(PHANTOMS);
  });
});
