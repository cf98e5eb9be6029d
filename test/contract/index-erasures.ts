// What is still to be erased, as part of the Index contract: every pack that holds bytes of something deleted is named until the last
// of it is gone, and nothing is dispensable before what took its place is protected.
import { beforeEach, describe, expect, it } from 'vitest';
import { type ObjectKey, parseReplicaName } from '../../tiering/core/ids.js';
import { chunkName, tombstoneName } from '../../tiering/format/names.js';
import type { ArrivedInstance, Index, TombstoneRecord } from '../../tiering/index/index.js';
import { collect, commit, type IndexFactory, inflate, useIndex } from './index-fixture.js';
import { adopted, filed, newPack, packId, VOLUME } from './index-samples.js';

const R1 = parseReplicaName('r1');
const R2 = parseReplicaName('r2');

function tombstone(seq: number, ...instances: readonly ArrivedInstance[]): TombstoneRecord {
  const entries = instances.map(({ sop, sha256 }) => ({ sop, sha256 }));
  const name = tombstoneName(seq, instances[0]?.sha256 ?? entries[0]?.sha256 ?? ('' as never));
  return { seq, entries, name, object: new Uint8Array([seq]) };
}

async function pending(index: Index) {
  return (await index.status({ writeQuorum: 2, replicas: [R1, R2] })).erasurePending;
}

const dispensable = async (index: Index) =>
  (await collect(index.packs({ dispensable: { writeQuorum: 2, replicas: [R1, R2] } }))).map(({ id }) => id);

export function describeErasures(factory: IndexFactory): void {
  describe('what is to be erased', () => {
    const index = useIndex(factory);
    let one: ArrivedInstance;
    let two: ArrivedInstance;
    beforeEach(async () => {
      await index().addPack(newPack(1));
      const both = await commit(
        index(),
        { study: 1, series: 1, instance: 1, seq: 1 },
        { study: 1, series: 1, instance: 2, seq: 2 },
      );
      [one, two] = both as [ArrivedInstance, ArrivedInstance];
    });

    it('is nothing before anything is deleted, and after the pack is dropped that held it', async () => {
      expect(await index().erasures()).toEqual([]);
      await index().bury([tombstone(5, one)]);
      expect(await index().erasures()).toEqual([{ pack: packId(1), instances: 1, bytes: 100 }]);
      expect(await pending(index())).toEqual({ instances: 1, bytes: 100 });
      expect(await index().erasures([5])).toHaveLength(1);
      expect(await index().erasures([4])).toEqual([]);
      await index().bury([tombstone(6, two)]);
      expect(await pending(index())).toEqual({ instances: 2, bytes: 200 });
      await index().closeTray(packId(1), 5_000);
      await index().dropPack(packId(1));
      expect(await index().erasures()).toEqual([]);
      expect(await pending(index())).toEqual({ instances: 0, bytes: 0 });
    });

    it('is also the tray that an instance was filed from, until that is gone', async () => {
      await index().file(filed(newPack(2, { kind: 'pack' }), [one, two], inflate));
      await index().bury([tombstone(5, one)]);
      expect((await index().erasures()).map(({ pack }) => pack)).toEqual([packId(1), packId(2)]);
      expect(await pending(index())).toEqual({ instances: 1, bytes: 100 });
      await index().dropPack(packId(1));
      expect((await index().erasures()).map(({ pack }) => pack)).toEqual([packId(2)]);
      await index().file(filed(newPack(3, { kind: 'pack' }), [two], inflate));
      await index().dropPack(packId(2));
      expect(await index().erasures()).toEqual([]);
    });

    it('is what a filing that was under way wrote of it, and what is found of it later', async () => {
      await index().bury([tombstone(5, one)]);
      await index().file(filed(newPack(2, { kind: 'pack' }), [one, two], inflate));
      await index().adopt(adopted(newPack(3, { kind: 'pack', hot: 'cold' }), [one], inflate));
      expect((await index().erasures()).map(({ pack }) => pack)).toEqual([packId(1), packId(2), packId(3)]);
    });

    it('is pending until the last of its objects is gone', async () => {
      const name = chunkName(one.sha256);
      const salt = new Uint8Array(32);
      const wrap = { kekId: 'k0123456789abcdef', wrapSalt: salt, wrappedDek: new Uint8Array(48) };
      const chunks = [{ bytes: 100, salt, commitment: salt, name: null }];
      await index().file(filed(newPack(2, { kind: 'pack', bytes: 100 }), [one], inflate));
      await index().closeTray(packId(1), 5_000);
      await index().setSeal(packId(2), { suite: 1, ...wrap, dekId: new Uint8Array(16), chunks });
      await index().nameChunk(packId(2), 0, name);
      const manifest = `m/${packId(2)}/1-01234567` as ObjectKey;
      await index().setManifest(packId(2), { name: manifest, generation: 1 });
      await index().bury([tombstone(5, one)]);
      await index().dropPack(packId(2));
      expect((await index().erasures()).map(({ pack }) => pack)).toEqual([packId(1), packId(2)]);
      expect(await index().garbageOf(packId(2))).toEqual([manifest, name]);
      expect(await index().garbageOf(packId(1))).toEqual([]);
      await index().clearGarbage([manifest]);
      expect((await index().erasures()).map(({ pack }) => pack)).toEqual([packId(1), packId(2)]);
      await index().clearGarbage([name]);
      expect((await index().erasures()).map(({ pack }) => pack)).toEqual([packId(1)]);
    });

    it('leaves a tray indispensable until what took its place is hot or protected, and a pack that lies on replicas until it is protected', async () => {
      const placed = { replica: R1, verifiedMs: 1 };
      const sealed = { ...adopted(newPack(2, { hot: 'cold' }), [one, two], inflate), placements: [placed] };
      await index().adopt({ ...sealed, pack: { ...sealed.pack, kind: 'pack' } });
      await index().closeTray(packId(1), 5_000);
      expect(await dispensable(index())).toEqual([]);
      await index().setHot(packId(2), 'present', VOLUME);
      expect(await dispensable(index())).toEqual([packId(1)]);
      await index().setHot(packId(2), 'cold', null);
      await index().dropPack(packId(1));
      await index().file(filed(newPack(3, { kind: 'pack' }), [one, two], inflate));
      expect(await dispensable(index())).toEqual([]);
      await index().setPlacement(packId(3), placed);
      expect(await dispensable(index())).toEqual([]);
      await index().setPlacement(packId(3), { ...placed, replica: R2 });
      expect(await dispensable(index())).toEqual([packId(2)]);
      await index().dropPack(packId(2));
      await index().bury([tombstone(9, one, two)]);
      expect(await dispensable(index())).toEqual([packId(3)]);
    });

    it('leaves a copy that was deleted indispensable until the same bytes, stored again since, are hot or protected', async () => {
      await index().bury([tombstone(5, one, two)]);
      await index().closeTray(packId(1), 5_000);
      expect(await dispensable(index())).toEqual([packId(1)]);
      const placed = { replica: R1, verifiedMs: 0 };
      const again = adopted(newPack(2, { kind: 'pack', hot: 'cold' }), [{ ...one, seq: 9 }], inflate);
      await index().adopt({ ...again, placements: [placed] });
      expect(await dispensable(index())).toEqual([]);
      await index().setPlacement(packId(2), { ...placed, replica: R2 });
      expect(await dispensable(index())).toEqual([packId(1)]);
      await index().bury([tombstone(12, one)]);
      expect(await dispensable(index())).toEqual([packId(1), packId(2)]);
    });

    it('does not keep the words of what was deleted', async () => {
      expect(await index().scour()).toBe(true);
      await index().bury([tombstone(5, one)]);
      expect(await index().scour()).toBe(true);
      expect(await index().check()).toEqual([]);
      expect((await index().lookup([two.sop])).size).toBe(1);
    });
  });
}
