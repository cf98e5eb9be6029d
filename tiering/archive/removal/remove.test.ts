// Deletes over real volumes and directory replicas: gone at once, gone after a restart, and never in the way of storing the same
// instance again or of movers at work.
import { mkdir, readFile, rm } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { ArchiveRig, readAll, storeBytes } from '../../../test/support/archive-rig.js';
import {
  ALL,
  away,
  back,
  destroyRigs,
  expectDurable,
  files,
  first,
  found,
  ofStudy,
  PHANTOMS,
  rebuilt,
  rigOf,
  rigs,
  STUDIES,
  scopeOf,
  WAIT,
  without,
} from '../../../test/support/removal-rig.js';
import { parseSeriesUid, parseStudyUid } from '../../core/ids.js';
import { extractReplica } from '../recovery/extract.js';

afterEach(destroyRigs);

describe('a delete', () => {
  it('of an instance, a series and a study that lie in a tray is in effect at once and after a restart (I9)', async () => {
    const rig = await rigOf();
    const [one] = PHANTOMS;
    if (one === undefined) throw new Error('no phantoms');
    const report = await rig.archive.remove(scopeOf(one));
    expect(report).toMatchObject({ instances: 1, studies: 0, durable: 'quorum' });
    await expectDurable(report, rig);
    expect(await found(rig.archive)).toEqual(without(one));
    const second = parseStudyUid(STUDIES[1] ?? '');
    const inSecond = ofStudy(second);
    const series = parseSeriesUid(first(inSecond).series);
    const inSeries = inSecond.filter((p) => p.series === series);
    expect(await rig.archive.remove({ study: second, series })).toMatchObject({ instances: inSeries.length });
    const third = parseStudyUid(STUDIES[2] ?? '');
    expect(await rig.archive.remove({ study: third })).toMatchObject({ instances: ofStudy(third).length, studies: 1 });
    const left = without(one, ...inSeries, ...ofStudy(third));
    expect(await found(rig.archive)).toEqual(left);
    await rig.reopen();
    expect(await found(rig.archive)).toEqual(left);
    await expect(rig.archive.remove({ study: third })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is replayed from the tray when the index lost it, and holds in a rebuild from trays and packs alone', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ studies: STUDIES.slice(0, 1) }, { keepHot: true });
    const one = first(ofStudy(STUDIES[0] ?? ''));
    const other = first(ofStudy(STUDIES[1] ?? ''));
    await rig.archive.remove(scopeOf(one));
    await rig.archive.remove(scopeOf(other));
    await rig.close();
    for (const replica of rig.replicaNames) await rm(rig.path(replica, 't'), { recursive: true });
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(one, other));
    // The replicas lost it; they are told again.
    await expect.poll(async () => (await rig.archive.status()).index.deletes, WAIT).toEqual({ pending: 0, owed: 0 });
    for (const replica of rig.replicaNames) expect(await files(rig.path(replica, 't'))).toHaveLength(2);
  });

  it('of what is cold holds in a rebuild from any one replica, and in an extract, with no volume left', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true });
    const gone = [...ofStudy(STUDIES[0] ?? ''), first(ofStudy(STUDIES[1] ?? ''))];
    await expectDurable(await rig.archive.remove({ study: parseStudyUid(STUDIES[0] ?? '') }), rig);
    await rig.archive.remove(scopeOf(first(gone.slice(-1))));
    const left = without(...gone);
    expect(await found(rig.archive)).toEqual(left);
    await rig.close();
    for (const lost of rig.replicaNames) {
      await away(rig, lost);
      await rm(rig.path('a', 'trays'), { recursive: true });
      await mkdir(rig.path('a', 'trays'));
      const report = await rebuilt(rig);
      expect(report).toMatchObject({ deletes: 2, provisional: [`replica ${lost}`], failures: [] });
      await rig.open();
      expect(await found(rig.archive)).toEqual(left);
      expect((await rig.archive.status()).deletesUnread).toEqual([`replica ${lost}`]);
      await rig.close();
      await back(rig, lost);
    }
    const names = new Set<string>();
    const report = await extractReplica({
      store: await rig.store('r1'),
      keyring: rig.keyring,
      out: async (path, bytes) => {
        await readAll(bytes);
        names.add(path);
      },
    });
    expect(report.failures).toEqual([]);
    expect(names).toEqual(new Set(left.map((p) => `${p.study}/${p.series}/${p.sop}.dcm`)));
  });

  it('of everything in a pack removes its file and its record, hot or cold; what is left in others stays', async () => {
    const rig = await rigOf();
    await rig.archive.migrate({ all: true }, { keepHot: true });
    const packs = await files(rig.path('a', 'packs'));
    expect(packs).toHaveLength(STUDIES.length);
    await rig.archive.remove({ study: parseStudyUid(STUDIES[0] ?? '') });
    await expect.poll(() => files(rig.path('a', 'packs')), WAIT).toHaveLength(STUDIES.length - 1);
    await rig.archive.migrate({ all: true });
    expect(await files(rig.path('a', 'packs'))).toEqual([]);
    await rig.archive.remove({ study: parseStudyUid(STUDIES[1] ?? '') });
    await expect.poll(async () => (await rig.archive.status()).index.studies.total, WAIT).toBe(1);
    expect(await found(rig.archive)).toEqual(ofStudy(STUDIES[2] ?? ''));
    expect((await rig.archive.scrub({ deep: true })).findings).toEqual([]);
  });

  it('leaves the way free to store the same instance again, or another under its UID, and holds for the first', async () => {
    const rig = await rigOf();
    const one = first(PHANTOMS);
    await rig.archive.migrate({ all: true });
    for (let round = 0; round < 2; round += 1) {
      await rig.archive.remove(scopeOf(one));
      expect(await found(rig.archive)).toEqual(without(one));
      expect(await storeBytes(rig.archive, one.bytes)).toMatchObject({ status: 'stored' });
      expect(await found(rig.archive)).toEqual(PHANTOMS);
    }
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    await rig.archive.remove(scopeOf(one));
    const other = Buffer.from(one.bytes);
    other[other.length - 1] = (other[other.length - 1] ?? 0) ^ 1;
    expect(await storeBytes(rig.archive, other)).toMatchObject({ status: 'stored' });
    await rebuilt(rig);
    await rig.open();
    const record = await rig.archive.instance(scopeOf(one));
    expect(Buffer.compare(await readAll(rig.archive.read(record)), other)).toBe(0);
  });

  it('known to a tray alone, between two packs of the same instance, ends the older and not the newer in a rebuild', async () => {
    const rig = await rigOf();
    const one = first(PHANTOMS);
    await rig.archive.migrate({ all: true }, { keepHot: true });
    await rig.archive.remove(scopeOf(one));
    expect(await storeBytes(rig.archive, one.bytes)).toMatchObject({ status: 'stored' });
    await rig.archive.migrate({ all: true }, { keepHot: true });
    await rig.close();
    for (const replica of rig.replicaNames) await rm(rig.path(replica, 't'), { recursive: true });
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(PHANTOMS);
    await rig.archive.remove(scopeOf(one));
    expect(await found(rig.archive)).toEqual(without(one));
  });

  it('against a store of the same instance at the same time is before it or after it, never between', async () => {
    const rig = await rigOf();
    const one = first(PHANTOMS);
    for (let round = 0; round < 20; round += 1) {
      const [removed, stored] = await Promise.allSettled([
        rig.archive.remove(scopeOf(one)),
        storeBytes(rig.archive, one.bytes),
      ]);
      expect(removed.status).toBe('fulfilled');
      const live = (await found(rig.archive)).includes(one);
      const status = stored.status === 'fulfilled' ? stored.value.status : 'rejected';
      expect([live, status]).toEqual(live ? [true, 'stored'] : [false, 'duplicate']);
      if (!live) await storeBytes(rig.archive, one.bytes);
    }
    const twice = await Promise.allSettled([
      rig.archive.remove(scopeOf(one)),
      rig.archive.remove({ study: scopeOf(one).study }),
    ]);
    const ended = twice.map((r) => (r.status === 'fulfilled' ? r.value.instances : 0));
    expect(ended.reduce((sum, n) => sum + n, 0)).toBe(ofStudy(one.study).length);
  });
});

describe('deletes and movers', () => {
  it('while studies are migrated and recalled leave neither a failure nor a trace', async () => {
    const rig = await rigOf();
    const [one, two, three] = STUDIES;
    if (one === undefined || two === undefined || three === undefined) throw new Error('three studies');
    const [migrated] = await Promise.all([rig.archive.migrate({ all: true }), rig.archive.remove({ study: one })]);
    expect(migrated.failures).toEqual([]);
    expect(await found(rig.archive)).toEqual(without(...ofStudy(one)));
    const gone = first(ofStudy(two));
    const [recalled] = await Promise.all([rig.archive.recall({ all: true }), rig.archive.remove(scopeOf(gone))]);
    expect(recalled.failures).toEqual([]);
    expect(await found(rig.archive)).toEqual(without(...ofStudy(one), gone));
    await rig.archive.migrate({ all: true });
    await rebuilt(rig);
    await rig.open();
    expect(await found(rig.archive)).toEqual(without(...ofStudy(one), gone));
  });

  it('carry tombstones forward from a tray that is removed', async () => {
    const rig = await rigOf();
    const gone = first(PHANTOMS);
    // Its bytes stay, beside others in a pack: only the tombstone says that it is dead.
    await rig.archive.migrate({ all: true }, { keepHot: true });
    await rig.archive.remove(scopeOf(gone));
    const before = await files(rig.path('a', 'trays'));
    await rig.archive.migrate({ all: true }, { keepHot: true });
    await expect.poll(() => files(rig.path('a', 'trays')), WAIT).not.toContain(first(before));
    const after = await files(rig.path('a', 'trays'));
    expect(after).toHaveLength(1);
    expect((await readFile(first(after))).includes(gone.sop)).toBe(true);
    // The tray alone, once and again: neither index nor replicas know of it.
    for (let round = 0; round < 2; round += 1) {
      const [tray] = await files(rig.path('a', 'trays'));
      await rig.close();
      for (const replica of rig.replicaNames) await rm(rig.path(replica, 't'), { recursive: true });
      await rebuilt(rig);
      await rig.open();
      expect(await found(rig.archive)).toEqual(without(gone));
      await expect.poll(() => files(rig.path('a', 'trays')), WAIT).not.toContain(tray);
      await expect.poll(async () => (await rig.archive.status()).index.deletes.owed, WAIT).toBe(0);
    }
  });

  it('of more instances than one tombstone names are several, and all of them go', async () => {
    const rig = await ArchiveRig.create();
    rigs.push(rig);
    const archive = await rig.open();
    const template = first(PHANTOMS);
    const text = Buffer.from(template.bytes).toString('latin1');
    expect(text).toContain(template.sop);
    const count = 1_050;
    const many = Array.from({ length: count }, (_, n) => {
      const sop = template.sop.slice(0, -5) + String(10_000 + n);
      return Buffer.from(text.replaceAll(template.sop, sop), 'latin1');
    });
    for (let from = 0; from < count; from += 150) {
      const outcomes = await Promise.all(many.slice(from, from + 150).map((bytes) => storeBytes(archive, bytes)));
      expect(outcomes.every((one) => one.status === 'stored')).toBe(true);
    }
    const study = parseStudyUid(template.study);
    expect(await archive.remove({ study })).toMatchObject({ instances: count, studies: 1, durable: 'quorum' });
    expect((await archive.query(ALL)).rows).toEqual([]);
    expect(await files(rig.path('r1', 't'))).toHaveLength(2);
    await rebuilt(rig);
    await rig.open();
    expect((await rig.archive.query(ALL)).rows).toEqual([]);
  });
});
