// Legal hold and retention: nothing held or kept is deleted on any way, and holds outlive the index, volumes, replicas and keys.
import { mkdir, readFile, rm } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import {
  away,
  back,
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
  WAIT,
  without,
} from '../../../test/support/removal-rig.js';
import { parseStudyUid } from '../../core/ids.js';

afterEach(destroyRigs);

const one = first(PHANTOMS);
const study = parseStudyUid(one.study);
const REASON = 'case 4711, court of appeal';
const YEAR_MS = 366 * 24 * 3_600_000;

describe('a legal hold', () => {
  it('refuses to delete anything of the study, and nothing else, until it is cleared', async () => {
    const rig = await rigOf();
    expect(await rig.archive.setHold(study, REASON)).toEqual({ durable: 'quorum' });
    expect(await rig.archive.holds()).toMatchObject([{ study, held: true, reason: REASON }]);
    const conflict = { code: 'CONFLICT', message: expect.stringContaining(REASON) as string };
    await expect(rig.archive.remove({ study })).rejects.toMatchObject(conflict);
    await expect(rig.archive.remove(scopeOf(one))).rejects.toMatchObject(conflict);
    expect(await rig.archive.refusals(STUDIES)).toMatchObject([{ study, cause: 'hold', until: null }]);
    const missing = { ...scopeOf(one), sop: first(STUDIES.slice(1)) as never };
    await expect(rig.archive.remove(missing)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const other = first(STUDIES.filter((uid) => uid !== study));
    await rig.archive.remove({ study: other });
    expect(await found(rig.archive)).toEqual(without(...ofStudy(other)));
    // What keeps every instance whole is not refused.
    expect(await rig.archive.migrate({ all: true })).toMatchObject({ failures: [] });
    expect(await rig.archive.recall({ all: true })).toMatchObject({ failures: [] });
    expect(await rig.archive.clearHold(study)).toEqual({ durable: 'quorum' });
    expect(await rig.archive.holds()).toEqual([]);
    await rig.archive.remove({ study });
    await expect(rig.archive.clearHold(study)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(rig.archive.setHold(study, '')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('set again has the last reason, and neither name nor object on a replica shows study or reason', async () => {
    const rig = await rigOf();
    await rig.archive.setHold(study, 'first');
    await rig.archive.setHold(study, REASON);
    expect(await rig.archive.holds()).toMatchObject([{ reason: REASON }]);
    for (const replica of rig.replicaNames) {
      const objects = await files(rig.path(replica, 'h'));
      expect(objects).toHaveLength(2);
      for (const path of objects) {
        const bytes = await readFile(path);
        expect([path.includes(study), bytes.includes(study), bytes.includes('4711')]).toEqual([false, false, false]);
      }
    }
    await expect(rig.archive.setHold(study, 'x'.repeat(1_025))).rejects.toMatchObject({ code: 'LIMIT' });
    expect((await rig.archive.scrub({ deep: true })).findings).toEqual([]);
  });

  it('is known again after the index is lost, from the replicas alone and from the volume alone, and so is its end', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true }, { keepHot: true });
    const other = first(STUDIES.filter((uid) => uid !== study));
    await rig.archive.setHold(other, 'of the past');
    await rig.archive.clearHold(other);
    await rig.archive.setHold(study, REASON);
    const held = await rig.archive.holds();
    expect(held).toHaveLength(1);
    await rebuilt(rig);
    await rig.open();
    expect(await rig.archive.holds()).toEqual(held);
    await rig.close();
    for (const replica of rig.replicaNames) await rm(rig.path(replica, 'h'), { recursive: true });
    await rebuilt(rig);
    await rig.open();
    expect(await rig.archive.holds()).toEqual(held);
    await expect.poll(async () => (await rig.archive.status()).index.deletes.owed, WAIT).toBe(0);
    await rig.close();
    await rm(rig.path('a', 'trays'), { recursive: true });
    await mkdir(rig.path('a', 'trays'));
    await rebuilt(rig);
    await rig.open();
    expect(await rig.archive.holds()).toEqual(held);
    await expect(rig.archive.remove({ study })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await found(rig.archive)).toEqual(PHANTOMS);
  });

  it('is carried forward from a tray that is removed, and told to a replica that was away', async () => {
    const rig = await rigOf({ replicas: ['r1', 'r2', 'r3'], writeQuorum: 2 });
    await away(rig, 'r3');
    await rig.archive.setHold(study, REASON);
    const before = await files(rig.path('a', 'trays'));
    await rig.archive.migrate({ all: true }, { keepHot: true });
    await expect.poll(() => files(rig.path('a', 'trays')), WAIT).not.toContain(first(before));
    await back(rig, 'r3');
    await expect.poll(() => files(rig.path('r3', 'h')), WAIT).toHaveLength(1);
    await rig.close();
    for (const replica of rig.replicaNames) await rm(rig.path(replica, 'h'), { recursive: true });
    await rebuilt(rig);
    await rig.open();
    expect(await rig.archive.holds()).toMatchObject([{ study, reason: REASON }]);
  });

  it('against a delete at the same time comes before it or after it', async () => {
    const rig = await rigOf();
    const [held, removed] = await Promise.allSettled([
      rig.archive.setHold(study, REASON),
      rig.archive.remove({ study }),
    ]);
    const whole = ofStudy(study).length;
    const left = (await found(rig.archive)).filter((phantom) => phantom.study === study).length;
    expect([held.status, removed.status, left]).toEqual(
      removed.status === 'fulfilled' ? [held.status, 'fulfilled', 0] : ['fulfilled', 'rejected', whole],
    );
  });
});

describe('retention', () => {
  it('refuses to delete until a study is old enough, by the first rule that fits its modality', async () => {
    const rig = await rigOf({
      policy: {
        retention: [
          { modality: 'CT', keepMs: 0 },
          { modality: 'MG', keepMs: 0 },
          { modality: null, keepMs: 15 * YEAR_MS },
        ],
      },
    });
    // A CT with a report, a mammography, an ultrasound: of the first one the rule for the report is the longer.
    const [ct, mg, us] = STUDIES;
    if (ct === undefined || mg === undefined || us === undefined) throw new Error('three studies');
    const refusals = await rig.archive.refusals(STUDIES);
    expect(refusals.map((refusal) => refusal.study)).toEqual([ct, us]);
    const year = new Date().getUTCFullYear() + 15;
    for (const { cause, until, detail } of refusals) {
      expect([cause, Number(until?.slice(0, 4)) >= year]).toEqual(['retention', true]);
      expect(detail).toContain(until);
    }
    await expect(rig.archive.remove({ study: ct })).rejects.toMatchObject({ code: 'CONFLICT' });
    await rig.archive.remove({ study: mg });
    expect(await found(rig.archive)).toEqual(without(...ofStudy(mg)));
  });
});
