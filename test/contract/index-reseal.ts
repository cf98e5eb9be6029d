// The part of the Index contract that is about packs that get another DEK (keys rotate --reseal).
import { beforeEach, expect, it } from 'vitest';
import { type ObjectKey, parseReplicaName } from '../../tiering/core/ids.js';
import type { PackSeal } from '../../tiering/format/types.js';
import type { Index } from '../../tiering/index/index.js';
import { inflate } from './index-fixture.js';
import { adopted, chunkName, manifestName, newPack, packId, seal } from './index-samples.js';

const R1 = parseReplicaName('r1');
const R2 = parseReplicaName('r2');

export function describeResealing(index: () => Index): void {
  const all = Number.MAX_SAFE_INTEGER;
  const named = (fill: number, ...digits: readonly string[]): PackSeal => {
    const one = seal(fill);
    return {
      ...one,
      kekId: `kek-${fill}`,
      chunks: one.chunks.map((chunk, at) => ({ ...chunk, name: chunkName(digits[at] ?? '0') })),
    };
  };

  beforeEach(async () => {
    await index().addPack(newPack(1, { kind: 'pack' }));
    await index().setSeal(packId(1), seal(1));
    await index().nameChunk(packId(1), 0, chunkName('a'));
    await index().nameChunk(packId(1), 1, chunkName('b'));
    await index().setManifest(packId(1), { name: manifestName(1), generation: 1 });
    for (const replica of [R1, R2]) await index().setPlacement(packId(1), { replica, verifiedMs: 1 });
    await index().addException({ pack: packId(1), chunk: 0, replica: R1, fault: 'corrupt' });
  });

  it('have all of the new at once, and the chunks before it are known until they are let go', async () => {
    const second = { seal: named(2, 'c', 'd'), manifest: { name: manifestName(2), generation: 2 } };
    await index().announceObjects([chunkName('c'), chunkName('d'), manifestName(2)]);
    await index().reseal(packId(1), { ...second, placements: [{ replica: R2, verifiedMs: 5 }] });
    expect(await index().pack(packId(1))).toMatchObject({ ...second, placements: [{ replica: R2, verifiedMs: 5 }] });
    expect(await index().exceptions()).toEqual([]);
    const old = [chunkName('a'), chunkName('b')];
    expect(await index().garbage(all)).toEqual([manifestName(1)]);
    expect(await index().unknownObjects([...old, chunkName('c')])).toEqual([]);
    await index().dropOldChunks(packId(1));
    await index().dropOldChunks(packId(1));
    await index().dropOldChunks(packId(9));
    expect(new Set(await index().garbage(all))).toEqual(new Set([...old, manifestName(1)]));
  });

  it('stay as they are where a newer manifest is there, or one came or went', async () => {
    const before = await index().pack(packId(1));
    const stale = {
      seal: named(2, 'c', 'd'),
      manifest: { name: manifestName(1).replace('00000000', '11111111') as ObjectKey, generation: 1 },
    };
    for (const manifest of [stale.manifest, null]) {
      const refused = index().reseal(packId(1), { ...stale, manifest, placements: [] });
      await expect(refused).rejects.toMatchObject({ code: 'CONFLICT' });
    }
    await expect(index().reseal(packId(9), { ...stale, placements: [] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await index().pack(packId(1))).toEqual(before);
    expect(await index().exceptions()).toHaveLength(1);
    expect(await index().garbage(all)).toEqual([]);
  });

  it('throw what they had away with them, also what was not let go yet', async () => {
    const manifest = { name: manifestName(2), generation: 2 };
    await index().reseal(packId(1), { seal: named(2, 'c', 'd'), manifest, placements: [] });
    await index().dropPack(packId(1));
    const names = ['a', 'b', 'c', 'd'].map(chunkName);
    expect(new Set(await index().garbage(all))).toEqual(new Set([...names, manifestName(1), manifestName(2)]));
  });

  it('that were copied nowhere let their old names go at once', async () => {
    await index().addPack(newPack(2, { kind: 'pack' }));
    await index().setSeal(packId(2), seal(3));
    await index().nameChunk(packId(2), 0, chunkName('e'));
    await index().reseal(packId(2), { seal: seal(4), manifest: null, placements: [] });
    expect((await index().pack(packId(2)))?.seal).toEqual(seal(4));
    expect(await index().garbage(all)).toEqual([chunkName('e')]);
  });

  it('are found with who holds them under the newest DEK alone, in whatever order manifests turn up', async () => {
    const older = {
      seal: named(5, 'e', 'f'),
      manifest: { name: manifestName(2), generation: 2 },
      placements: [{ replica: R1, verifiedMs: 0 }],
    };
    const newer = {
      seal: named(6, '1', '2'),
      manifest: { name: manifestName(3), generation: 3 },
      placements: [{ replica: R2, verifiedMs: 0 }],
    };
    for (const [at, order] of [
      [older, newer],
      [newer, older],
    ].entries()) {
      const base = adopted(newPack(3 + at, { kind: 'pack' }), [], inflate);
      for (const one of order) await index().adopt({ ...base, ...one });
      expect(await index().pack(base.pack.id)).toMatchObject(newer);
    }
  });
}
