// FAULTS.md 36 to 44, one by one: what may be wrong with the objects themselves, on real clouds, over the whole archive. Nothing is lost
// or changed, each fault is found and mended, and a key problem is never taken for damage. What clouds do wrong while they are
// asked (45 to 56) is in clouds-misbehave-{calls,away}.rgw.test.ts.
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { createContext, openArchive } from '../../tiering/archive/open-archive.js';
import { rebuildIndex } from '../../tiering/archive/recovery/rebuild.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { parseObjectKey, parseSha256 } from '../../tiering/core/ids.js';
import { generateKek } from '../../tiering/format/kek.js';
import { withCurrentKek } from '../../tiering/format/keyring.js';
import { unwrapDek, wrapDek } from '../../tiering/format/keys.js';
import { openManifest, sealManifest } from '../../tiering/format/manifest.js';
import { manifestName } from '../../tiering/format/names.js';
import { storeBytes } from '../support/archive-rig.js';
import { flipped } from '../support/chaos-proxy.js';
import { first, found, PHANTOMS, rebuilt, scopeOf, WAIT, without } from '../support/removal-rig.js';
import { allClouds, cold, describeClouds, warm } from './clouds-misbehave-rig.js';
import { sha256Of } from './gateway-clients.js';

const HEADER = 160;
const SEALED_SEGMENT = 65_536 + 16;

async function onlyFirstCloud(work: () => Promise<void>): Promise<void> {
  for (const proxy of allClouds().proxies.slice(1)) await proxy.misbehave({ name: 'down' });
  await work();
  for (const proxy of allClouds().proxies.slice(1)) await proxy.behave();
}

describeClouds('objects that are not what they were', () => {
  it('36: a bit flipped in any header field, segment, tag or commitment is found, read around and mended', async () => {
    const one = await cold();
    const { key, bytes } = await one.longestChunk();
    const segments = Math.ceil((bytes.length - HEADER) / SEALED_SEGMENT);
    expect(segments, 'the longest chunk has more than one segment').toBeGreaterThan(1);
    const fields = [0, 8, 10, 12, 16, 24, 32, 48, 64, 96, 127, 128, 159];
    const ends = Array.from({ length: segments }, (_, n) => Math.min(bytes.length, HEADER + (n + 1) * SEALED_SEGMENT));
    const places = [...fields, ...ends.flatMap((end) => [end - 17, end - 16, end - 1]), HEADER];
    for (const at of places) {
      await one.bucket(0).put(key, flipped(bytes, at, at % 8));
      expect(await one.findings(), `bit ${at % 8} of byte ${at}`).toEqual([`corrupt ${key}`]);
    }
    await one.expectEqual();
    // Nobody else can be asked: what is damaged there is not lost, and is not taken for absent.
    await onlyFirstCloud(async () => expect(await one.expectNoneAbsent()).toBeGreaterThan(0));
    await one.available();
    expect(await one.archive.repair()).toMatchObject({ failures: [] });
    expect(await one.findings()).toEqual([]);
    await onlyFirstCloud(async () => one.expectEqual());
    await one.expectWholeAgain();
  });

  it('37: an object cut at or near any segment border, or longer than it was, is found and mended', async () => {
    const one = await cold();
    const { key, bytes } = await one.longestChunk();
    const borders = [HEADER];
    for (let at = HEADER + SEALED_SEGMENT; at < bytes.length; at += SEALED_SEGMENT) borders.push(at);
    const lengths = [0, 1, ...borders.flatMap((at) => [at - 1, at, at + 1]), bytes.length - 1];
    for (const length of lengths) {
      await one.bucket(0).put(key, bytes.subarray(0, length));
      expect(await one.findings(), `${length} bytes`).toEqual([`corrupt ${key}`]);
      expect((await one.archive.scrub()).findings, `light, ${length} bytes`).toHaveLength(1);
    }
    const segment = bytes.subarray(HEADER, HEADER + SEALED_SEGMENT);
    for (const more of [Buffer.from([0]), segment]) {
      await one.bucket(0).put(key, Buffer.concat([bytes, more]));
      expect(await one.findings(), `${more.length} bytes more`).toEqual([`corrupt ${key}`]);
    }
    await one.expectEqual();
    await one.expectWholeAgain();
  });

  it('38: segments, chunks and manifests in one another’s place are found and mended, also by a rebuild', async () => {
    const one = await cold();
    const bucket = one.bucket(0);
    const { key, bytes } = await one.longestChunk();
    const [head, a, b, rest] = [
      bytes.subarray(0, HEADER),
      bytes.subarray(HEADER, HEADER + SEALED_SEGMENT),
      bytes.subarray(HEADER + SEALED_SEGMENT, HEADER + 2 * SEALED_SEGMENT),
      bytes.subarray(HEADER + 2 * SEALED_SEGMENT),
    ];
    await bucket.put(key, Buffer.concat([head, b, a, rest]));
    expect(await one.findings()).toEqual([`corrupt ${key}`]);
    await one.expectEqual();
    for (const prefix of ['c/', 'm/']) {
      const keys = await one.keys(0, prefix);
      const bodies = await Promise.all(keys.map((each) => bucket.get(each)));
      for (const [at, each] of keys.entries()) await bucket.put(each, bodies[(at + 1) % keys.length] ?? expect.fail());
    }
    expect(await one.findings()).toHaveLength(6);
    await one.expectEqual();
    expect(await rebuilt(one.rig)).toMatchObject({ instances: PHANTOMS.length, failures: [] });
    await one.rig.open();
    // The rebuilt index names the manifests as they were, and knows which of them are not there.
    expect(await one.findings()).toHaveLength(6);
    await one.expectEqual();
    await one.expectWholeAgain();
  });

  it('39: a wrong key is told as such, is never taken for damage, and repairs nothing', async () => {
    const one = await cold();
    await one.rig.close();
    const { rig } = one;
    const other = withCurrentKek({ ...rig.keyring, keys: [] }, generateKek(systemRandom, systemClock));
    const locked = await openArchive({ ...(await rig.parts()), keyring: other });
    for (const phantom of PHANTOMS) {
      const record = await locked.instance(scopeOf(phantom));
      await expect(
        (async () => {
          for await (const _ of locked.read(record));
        })(),
      ).rejects.toMatchObject({ code: 'WRONG_KEY' });
    }
    // No key is needed to see that the objects are as they were.
    expect(await locked.scrub({ deep: true })).toMatchObject({ findings: [], unavailable: [] });
    expect(await locked.repair()).toMatchObject({ repaired: 0, failures: [] });
    await locked.close();
    await rig.open();
    await one.expectEqual();
    await one.expectWholeAgain();
  });

  it('40: an object of an unknown version, suite or size, or of random bytes, is damage where it lies', async () => {
    const one = await cold();
    const { key, bytes } = await one.longestChunk();
    const fields: readonly (readonly [string, number, Buffer])[] = [
      ['version 2', 8, Buffer.from([0, 2])],
      ['suite 255', 10, Buffer.from([0, 255])],
      ['segments of 0', 12, Buffer.alloc(4)],
      ['segments of 2^31', 12, Buffer.from([0x80, 0, 0, 0])],
      ['chunk 2^32 - 1', 16, Buffer.alloc(4, 0xff)],
      ['2^63 bytes', 24, Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0])],
    ];
    const [manifest] = await one.keys(0, 'm/');
    for (const [what, at, value] of fields) {
      const changed = Buffer.from(bytes);
      value.copy(changed, at);
      await one.bucket(0).put(key, changed);
      expect(await one.findings(), what).toEqual([`corrupt ${key}`]);
      await one.expectEqual();
    }
    await one.bucket(0).put(key, randomBytes(bytes.length));
    if (manifest === undefined) return expect.fail('no manifest');
    await one.bucket(0).put(manifest, randomBytes(1000));
    expect(await one.findings()).toEqual([`corrupt ${key}`, `corrupt ${manifest}`]);
    await one.expectEqual();
    await one.expectWholeAgain();
  });

  it('41: a manifest that names a missing chunk, two of one generation, a delete that one cloud knows of: all come out right', async () => {
    const one = await cold();
    const { key } = await one.longestChunk();
    await one.bucket(0).delete(key);
    expect(await one.findings()).toEqual([`missing ${key}`]);
    await one.expectEqual();
    const manifests = await one.keys(0, 'm/');
    for (const name of manifests) {
      const pack = name.split('/')[1] ?? '';
      await one.bucket(0).put(parseObjectKey(`m/${pack}/1-00000000`), randomBytes(700));
      await one.bucket(1).put(parseObjectKey(`m/${pack}/7-00000000`), randomBytes(700));
    }
    const gone = first(PHANTOMS);
    await allClouds().proxies[1]?.misbehave({ name: 'down' });
    await allClouds().proxies[2]?.misbehave({ name: 'down' });
    expect(await one.archive.remove(scopeOf(gone))).toMatchObject({ durable: 'pending' });
    await allClouds().behave();
    await rm(one.rig.path('a'), { recursive: true });
    const report = await rebuilt(one.rig);
    expect(report).toMatchObject({ deletes: 1, instances: PHANTOMS.length });
    expect(report.failures.map(({ code }) => code)).toEqual([...manifests, ...manifests].map(() => 'CORRUPT'));
    await one.rig.open();
    expect(await found(one.archive)).toEqual(without(gone));
    await one.available();
    await one.archive.scrub({ deep: true });
    await one.archive.repair();
    expect((await one.archive.status()).index.deletes).toEqual({ pending: 0, owed: 0 });
    for (const at of [0, 1, 2]) expect(await one.keys(at, 't/')).toHaveLength(1);
    await one.expectWholeAgain(without(gone));
  });

  it('42: all clouds hold an older manifest than the index knows: it is told, nothing old is served, and the newest is written again', async () => {
    const one = await cold();
    const names = await one.keys(0, 'm/');
    const old = await Promise.all(names.map((name) => one.bucket(0).get(name)));
    for (const at of [0, 1, 2]) for (const name of names) await one.bucket(at).delete(name);
    expect(await one.findings()).toEqual(names.map((name) => `missing ${name}`));
    expect(await one.archive.repair()).toMatchObject({ failures: [] });
    const second = await one.keys(0, 'm/');
    expect(second.map((name) => name.split('/')[2]?.split('-')[0])).toEqual(names.map(() => '2'));
    // The clouds are set back to what they were before.
    for (const at of [0, 1, 2]) {
      for (const name of second) await one.bucket(at).delete(name);
      for (const [n, name] of names.entries()) await one.bucket(at).put(name, old[n] ?? expect.fail());
    }
    expect(await one.findings()).toEqual(second.map((name) => `missing ${name}`).sort());
    await one.expectEqual();
    await one.expectWholeAgain();
    for (const at of [0, 1, 2]) {
      const generations = (await one.keys(at, 'm/')).map((name) => Number(name.split('/')[2]?.split('-')[0]));
      expect(generations.filter((generation) => generation === 3)).toHaveLength(names.length);
    }
    expect(await rebuilt(one.rig)).toMatchObject({ instances: PHANTOMS.length, failures: [] });
    await one.rig.open();
    await one.expectEqual();
  });

  it('43: a rotation that was killed at any write leaves every cloud readable alone, under the old key or the new', async () => {
    const one = await cold();
    const kek = generateKek(systemRandom, systemClock);
    const keyring = withCurrentKek(one.rig.keyring, kek);
    const names = await one.keys(0, 'm/');
    // As far as it came: nothing on the third cloud, the first pack on the second, all but the last on the first.
    for (const [at, reach] of [names.length - 1, 1, 0].entries()) {
      for (const name of names.slice(0, reach)) {
        const { body, seal } = await openManifest(await one.bucket(at).get(name), keyring);
        const dek = await unwrapDek(seal, body.pack, keyring);
        const { suite, dekId } = seal;
        const wrap = await wrapDek({ pack: body.pack, suite, dek, dekId, keyring, random: systemRandom });
        const object = sealManifest({ ...body, generation: 2 }, { ...seal, ...wrap }, dek, systemRandom);
        await one.bucket(at).put(manifestName(body.pack, 2, parseSha256(sha256Of(object))), object);
      }
    }
    await one.rig.close();
    for (const alone of [0, 1, 2]) {
      for (const [at, proxy] of allClouds().proxies.entries())
        if (at !== alone) await proxy.misbehave({ name: 'down' });
      await rm(one.rig.path('index'), { recursive: true, force: true });
      const parts = { ...(await one.rig.parts()), keyring };
      const ctx = createContext(parts, async () => undefined);
      await ctx.volumes.open();

      expect(await rebuildIndex(ctx), `from cloud ${alone + 1}`).toMatchObject({
        instances: PHANTOMS.length,
        failures: [],
      });
      await ctx.volumes.close();
      const archive = await openArchive(parts);
      for (const phantom of PHANTOMS) {
        const pieces: Uint8Array[] = [];
        for await (const piece of archive.read(await archive.instance(scopeOf(phantom)))) pieces.push(piece);
        expect(Buffer.compare(Buffer.concat(pieces), phantom.bytes)).toBe(0);
      }
      await archive.close();
      await allClouds().behave();
    }
  });

  it('44: a random source that repeats itself seals nothing, and nothing is sent', async () => {
    const one = await warm();
    await one.rig.close();
    const parts = await one.rig.parts();
    const archive = await openArchive({ ...parts, random: { bytes: (count) => new Uint8Array(count).fill(7) } });
    try {
      for (const { bytes } of PHANTOMS) expect(await storeBytes(archive, bytes)).toMatchObject({ status: 'stored' });
      const report = await archive.migrate({ all: true });
      expect(report.evicted).toBe(0);
      expect(report.failures.map(({ code }) => code)).toEqual(report.failures.map(() => 'INTERNAL'));
      expect(report.failures.length).toBeGreaterThan(0);
      for (const at of [0, 1, 2]) expect([...(await one.keys(at, 'c/')), ...(await one.keys(at, 'm/'))]).toEqual([]);
    } finally {
      await archive.close();
    }
    await one.rig.open();
    await expect.poll(() => one.archive.migrate({ all: true }), WAIT).toMatchObject({ failures: [] });
    await one.expectWholeAgain();
  });
});
