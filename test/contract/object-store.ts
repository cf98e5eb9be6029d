// The contract of ObjectStore as a suite: every implementation, decorator and composition runs it. What
// one cannot do it declares, and then the suite asserts the lack.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../tiering/cold/object-store.js';
import { hasCode } from '../../tiering/core/errors.js';
import { type ObjectKey, parseObjectKey, parseSha256 } from '../../tiering/core/ids.js';
import { forEachLimited } from '../../tiering/core/queues.js';
import { bytesOf } from '../support/bytes.js';
import { agreesWithModel, listed } from './object-store-model.js';

export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** A store of the same kind whose bucket or root does not exist. */
  readonly missing?: () => Promise<ObjectStore> | ObjectStore;
  /** Another store over the same objects, as after a restart. */
  readonly reopen?: () => Promise<ObjectStore> | ObjectStore;
  dispose(): Promise<void>;
}

export interface ObjectStoreSupport {
  /** It can be sure that an object is absent, or is bad. Not so while a replica of a composition is dead: then it must say UNAVAILABLE. */
  readonly absence?: boolean;
  /** Deletes are complete. Not so while a replica is dead: then they must say UNAVAILABLE. */
  readonly delete?: boolean;
  /** One key may be a folder of another, as in S3. */
  readonly nestedKeys?: boolean;
  /** How many random programs are compared with the model. */
  readonly programs?: number;
}

const sha256Of = (bytes: Uint8Array) => parseSha256(createHash('sha256').update(bytes).digest('hex'));
const key = (text: string): ObjectKey => parseObjectKey(text);
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** Registers the suite. `skip` names tests that cannot be run here, each with the reason. */
export function describeObjectStore(
  name: string,
  factory: () => Promise<StoreUnderTest>,
  options: { readonly supports?: ObjectStoreSupport; readonly skip?: Readonly<Record<string, string>> } = {},
): void {
  const { absence = true, delete: deletes = true, nestedKeys = true, programs = 20 } = options.supports ?? {};
  const absent = { code: absence ? 'ABSENT' : 'UNAVAILABLE' };
  const corrupt = { code: absence ? 'CORRUPT' : 'UNAVAILABLE' };
  let under: StoreUnderTest;
  let store: ObjectStore;

  const test = (what: string, body: () => Promise<void>, timeoutMs?: number) => {
    const reason = options.skip?.[what];
    if (reason === undefined) it(what, body, timeoutMs);
    else it.skip(`${what} (${reason})`, body);
  };
  const testIf = (condition: boolean, what: string, body: () => Promise<void>) => {
    if (condition) test(what, body);
  };

  describe(`ObjectStore contract: ${name}`, () => {
    beforeAll(async () => {
      under = await factory();
      store = under.store;
    });
    afterAll(async () => {
      await under.dispose();
    });

    describe('put and get', () => {
      test('gives back the bytes that were put, of any length', async () => {
        for (const length of [0, 1, 2, 65_535, 65_536, 65_537, 3_000_000]) {
          const body = bytesOf(length, length + 7);
          await store.put(key(`length/${length}`), body);
          expect(same(await store.get(key(`length/${length}`)), body)).toBe(true);
          expect(await store.head(key(`length/${length}`))).toEqual({ bytes: length });
        }
      });

      test('stores a view of a larger buffer as that view alone', async () => {
        const around = bytesOf(1000, 3);
        await store.put(key('view/a'), around.subarray(100, 300));
        expect(same(await store.get(key('view/a')), around.slice(100, 300))).toBe(true);
      });

      test('gives every caller bytes of its own', async () => {
        const body = bytesOf(5000, 4);
        await store.put(key('own/a'), body);
        const original = body.slice();
        body.fill(0);
        const first = await store.get(key('own/a'));
        expect(same(first, original)).toBe(true);
        first.fill(0);
        expect(same(await store.get(key('own/a')), original)).toBe(true);
        const part = await store.get(key('own/a'), { start: 10, end: 20 });
        expect(part.buffer.byteLength).toBe(10);
      });

      test('gives exactly the range that was asked for, at every border', async () => {
        const body = bytesOf(70_000, 5);
        await store.put(key('range/a'), body);
        const ranges = [
          ...[
            [0, 1],
            [0, 70_000],
            [69_999, 70_000],
            [1, 69_999],
            [65_536, 65_537],
            [65_535, 65_537],
            [0, 65_536],
          ],
        ] as [number, number][];
        for (const [start, end] of ranges) {
          const part = await store.get(key('range/a'), { start, end });
          expect(same(part, body.subarray(start, end)), `[${start}, ${end})`).toBe(true);
        }
      });

      test('calls a range past the end CORRUPT, never short', async () => {
        await store.put(key('range/b'), bytesOf(100));
        for (const [start, end] of [
          [0, 101],
          [99, 101],
          [100, 101],
          [1000, 2000],
        ] as [number, number][]) {
          await expect(store.get(key('range/b'), { start, end })).rejects.toMatchObject(corrupt);
        }
      });

      test('refuses a range that is empty or not a range', async () => {
        await store.put(key('range/c'), bytesOf(100));
        for (const [start, end] of [
          [5, 5],
          [6, 5],
          [-1, 5],
          [0.5, 5],
          [0, Number.NaN],
        ] as [number, number][]) {
          await expect(store.get(key('range/c'), { start, end })).rejects.toMatchObject({ code: 'INVALID' });
        }
      });

      test('overwrites with what was put last, shorter or longer', async () => {
        for (const length of [10, 100_000, 0, 50]) {
          await store.put(key('over/a'), bytesOf(length, length + 1));
          expect(same(await store.get(key('over/a')), bytesOf(length, length + 1))).toBe(true);
        }
      });

      test('stores one of several concurrent puts whole', async () => {
        const bodies = Array.from({ length: 8 }, (_, at) => bytesOf(100_000 + at, at + 1));
        await Promise.all(bodies.map((body) => store.put(key('race/a'), body)));
        const winner = await store.get(key('race/a'));
        expect(bodies.some((body) => same(body, winner))).toBe(true);
      });

      test('takes a body that matches the SHA-256 given', async () => {
        const body = bytesOf(200_000, 9);
        await store.put(key('sha/a'), body, { sha256: sha256Of(body) });
        expect(same(await store.get(key('sha/a')), body)).toBe(true);
      });

      test('refuses a body that does not match the SHA-256 given, where it says that it verifies', async () => {
        const put = store.put(key('sha/b'), bytesOf(1000, 10), { sha256: sha256Of(bytesOf(1000, 11)) });
        if (!store.capabilities.verifiesSha256) return put;
        await expect(put).rejects.toMatchObject(corrupt);
        await expect(store.head(key('sha/b'))).rejects.toMatchObject(absent);
      });

      test('refuses an object over the limit before anything is sent', async () => {
        const long = new Uint8Array(64 * 1024 * 1024 + 1);
        await expect(store.put(key('long/a'), long)).rejects.toMatchObject({ code: 'LIMIT' });
      });
    });

    describe('ifAbsent', () => {
      test('refuses an existing key with CONFLICT and keeps the first, or overwrites where it says so', async () => {
        await store.put(key('if/a'), bytesOf(10, 1), { ifAbsent: true });
        const second = store.put(key('if/a'), bytesOf(20, 2), { ifAbsent: true });
        if (store.capabilities.conditionalPut) await expect(second).rejects.toMatchObject({ code: 'CONFLICT' });
        else await second;
        const length = store.capabilities.conditionalPut ? 10 : 20;
        expect((await store.get(key('if/a'))).byteLength).toBe(length);
      });

      test('lets exactly one of sixteen racing writers win', async () => {
        if (!store.capabilities.conditionalPut) return;
        for (let round = 0; round < 5; round += 1) {
          const bodies = Array.from({ length: 16 }, (_, at) => bytesOf(1000, round * 16 + at + 1));
          const puts = bodies.map((body) => store.put(key(`if/race-${round}`), body, { ifAbsent: true }));
          const settled = await Promise.allSettled(puts);
          const winners = settled.flatMap((result, at) => (result.status === 'fulfilled' ? [at] : []));
          expect(winners).toHaveLength(1);
          for (const result of settled) {
            if (result.status === 'rejected') expect(hasCode(result.reason, 'CONFLICT')).toBe(true);
          }
          const stored = await store.get(key(`if/race-${round}`));
          expect(same(stored, bodies[winners[0] ?? -1] ?? new Uint8Array())).toBe(true);
        }
      });
    });

    describe('absence', () => {
      test('says of a key that is not there what it can know', async () => {
        await expect(store.get(key('no/such'))).rejects.toMatchObject(absent);
        await expect(store.get(key('no/such'), { start: 0, end: 1 })).rejects.toMatchObject(absent);
        await expect(store.head(key('no/such'))).rejects.toMatchObject(absent);
        await store.put(key('folder/a'), bytesOf(1));
        await expect(store.get(key('folder'))).rejects.toMatchObject(absent);
        await expect(store.head(key('folder'))).rejects.toMatchObject(absent);
        await expect(store.get(key('folder/a/b'))).rejects.toMatchObject(absent);
      });

      test('deletes, and deletes again without an error', async () => {
        await store.put(key('gone/a'), bytesOf(10));
        if (!deletes) {
          await expect(store.delete(key('gone/a'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
          return;
        }
        await store.delete(key('gone/a'));
        await store.delete(key('gone/a'));
        await store.delete(key('gone/never'));
        await expect(store.head(key('gone/a'))).rejects.toMatchObject(absent);
        expect(await listed(store, 'gone/')).toEqual([]);
        await store.put(key('gone/a'), bytesOf(11));
        expect(await store.head(key('gone/a'))).toEqual({ bytes: 11 });
      });

      testIf(nestedKeys, 'holds a key beside keys below it', async () => {
        await store.put(key('nest/a'), bytesOf(1));
        await store.put(key('nest/a/b'), bytesOf(2));
        expect(await store.head(key('nest/a'))).toEqual({ bytes: 1 });
        expect(await store.head(key('nest/a/b'))).toEqual({ bytes: 2 });
      });
      testIf(!nestedKeys, 'refuses a key beside keys below it with NOT_SUPPORTED, and harms neither', async () => {
        await store.put(key('nest/a/b'), bytesOf(2));
        await expect(store.put(key('nest/a'), bytesOf(1))).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
        await expect(store.put(key('nest/a/b/c'), bytesOf(1))).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
        expect(await store.head(key('nest/a/b'))).toEqual({ bytes: 2 });
      });
    });

    describe('hostile keys', () => {
      const hostile = [
        ...['', '/', '/a', 'a/', 'a//b', '.', '..', '../a', 'a/../b', 'a/..', './a', '.tmp/x', 'a/.b', 'a\\b', 'a b'],
        ...['a\0b', 'a\nb', 'ä', '医', '%2e%2e/a', 'a?b', 'a#b', 'C:a', 'x'.repeat(513), '__proto__/../a', 'a*'],
      ];
      test('are refused with INVALID by every method', async () => {
        for (const text of hostile) {
          const bad = text as ObjectKey;
          await expect(store.put(bad, bytesOf(1)), JSON.stringify(text)).rejects.toMatchObject({ code: 'INVALID' });
          await expect(store.get(bad), JSON.stringify(text)).rejects.toMatchObject({ code: 'INVALID' });
          await expect(store.head(bad), JSON.stringify(text)).rejects.toMatchObject({ code: 'INVALID' });
          await expect(store.delete(bad), JSON.stringify(text)).rejects.toMatchObject({ code: 'INVALID' });
        }
      });

      test('that only look so are keys like others', async () => {
        const odd = ['__proto__', 'constructor', 'a.', '-', '_', 'CON', 'a..b', 'x'.repeat(200), 'odd/-rf', 'NaN'];
        for (const [at, text] of odd.entries()) await store.put(key(`odd2/${text}`), bytesOf(at + 1));
        for (const [at, text] of odd.entries()) {
          expect(await store.head(key(`odd2/${text}`)), text).toEqual({ bytes: at + 1 });
        }
        expect(await listed(store, 'odd2/')).toEqual(odd.map((text) => `odd2/${text}`).sort());
      });
    });

    describe('list', () => {
      test('is ascending by bytes of the whole key, with lengths', async () => {
        const keys = ['o/a', 'o/a.b', 'o/a-b', 'o/b/c', 'o/b/a', 'o/a0', 'o/B', 'o/_', 'o/b.c/d', 'o/b-', 'o/z/y/x/w'];
        for (const [at, text] of keys.entries()) await store.put(key(text), bytesOf(at + 1));
        const entries = [];
        for await (const entry of store.list('o/')) entries.push(entry);
        expect(entries).toEqual(
          keys.map((text, at) => ({ key: text, bytes: at + 1 })).sort((a, b) => (a.key < b.key ? -1 : 1)),
        );
        expect(await listed(store, 'o/b')).toEqual(['o/b-', 'o/b.c/d', 'o/b/a', 'o/b/c']);
        expect(await listed(store, 'o/b/')).toEqual(['o/b/a', 'o/b/c']);
        expect(await listed(store, 'o/z/y')).toEqual(['o/z/y/x/w']);
        expect(await listed(store, 'o/nothing')).toEqual([]);
        expect(await listed(store, 'o/', 'o/b.c/d')).toEqual(['o/b/a', 'o/b/c', 'o/z/y/x/w']);
        expect(await listed(store, 'o/', 'o/b/b')).toEqual(['o/b/c', 'o/z/y/x/w']);
        expect(await listed(store, 'o/', 'o/zz')).toEqual([]);
        expect(await listed(store, 'o/', 'a')).toHaveLength(keys.length);
        expect(await listed(store, 'o/', 'o/ü')).toEqual([]);
      });

      test('goes through more keys than a page holds, and on from any of them', async () => {
        const keys = Array.from({ length: 1_105 }, (_, at) => `page/${String((at * 7919) % 1_105).padStart(5, '0')}`);
        await forEachLimited(keys, 16, (text) => store.put(key(text), bytesOf(1)));
        const sorted = [...keys].sort();
        expect(await listed(store, 'page/')).toEqual(sorted);
        expect(await listed(store, 'page/', sorted[999])).toEqual(sorted.slice(1000));
        expect(await listed(store, 'page/', sorted[50])).toEqual(sorted.slice(51));
      }, 60_000);

      test('can be left in the middle, and begun again', async () => {
        for (const text of ['left/a', 'left/b', 'left/c']) await store.put(key(text), bytesOf(1));
        for await (const entry of store.list('left/')) {
          expect(entry.key).toBe('left/a');
          break;
        }
        expect(await listed(store, 'left/')).toEqual(['left/a', 'left/b', 'left/c']);
      });
    });

    describe('signals', () => {
      test('that have fired refuse every call with ABORTED and change nothing', async () => {
        await store.put(key('signal/a'), bytesOf(10, 1));
        const signal = AbortSignal.abort();
        const aborted = { code: 'ABORTED' };
        await expect(store.put(key('signal/a'), bytesOf(20, 2), { signal })).rejects.toMatchObject(aborted);
        await expect(store.get(key('signal/a'), undefined, signal)).rejects.toMatchObject(aborted);
        await expect(store.head(key('signal/a'), signal)).rejects.toMatchObject(aborted);
        await expect(store.delete(key('signal/a'), signal)).rejects.toMatchObject(aborted);
        await expect(async () => {
          for await (const _ of store.list('signal/', { signal })) expect.fail('an entry of an aborted listing');
        }).rejects.toMatchObject(aborted);
        expect(await store.head(key('signal/a'))).toEqual({ bytes: 10 });
      });

      test('that fire during a call leave the object old or new, never half', async () => {
        const before = bytesOf(50_000, 1);
        const after = bytesOf(900_000, 2);
        for (let round = 0; round < 6; round += 1) {
          await store.put(key('signal/b'), before);
          const controller = new AbortController();
          const put = store.put(key('signal/b'), after, { signal: controller.signal });
          setTimeout(() => controller.abort(), round);
          const [result] = await Promise.allSettled([put]);
          if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ABORTED' });
          const now = await store.get(key('signal/b'));
          expect(same(now, before) || same(now, after)).toBe(true);
          if (result.status === 'fulfilled') expect(same(now, after)).toBe(true);
        }
      });
    });

    test('agrees with a Map over random programs of puts, gets, ranges, deletes and listings', async () => {
      await agreesWithModel(store, { programs, deletes, absentCode: absent.code });
    }, 120_000);

    test('keeps its objects when it is opened again', async () => {
      if (under.reopen === undefined) return;
      await store.put(key('again/a'), bytesOf(12_345, 3));
      const second = await under.reopen();
      expect(same(await second.get(key('again/a')), bytesOf(12_345, 3))).toBe(true);
      expect(await listed(second, 'again/')).toEqual(['again/a']);
      await second.close();
    });

    test('calls everything UNAVAILABLE when its bucket or root is missing', async () => {
      if (under.missing === undefined) return;
      await expectUnavailable(await under.missing());
    });

    test('calls everything UNAVAILABLE once it is closed, and closes twice', async () => {
      await store.close();
      await store.close();
      await expectUnavailable(store);
    });
  });
}

/** Asserts that no method of `store` claims to know anything. */
export async function expectUnavailable(store: ObjectStore): Promise<void> {
  const unavailable = { code: 'UNAVAILABLE' };
  await expect(store.put(key('x/a'), bytesOf(1))).rejects.toMatchObject(unavailable);
  await expect(store.get(key('x/a'))).rejects.toMatchObject(unavailable);
  await expect(store.get(key('x/a'), { start: 0, end: 1 })).rejects.toMatchObject(unavailable);
  await expect(store.head(key('x/a'))).rejects.toMatchObject(unavailable);
  await expect(store.delete(key('x/a'))).rejects.toMatchObject(unavailable);
  await expect(async () => {
    for await (const _ of store.list('')) expect.fail('an entry of a store that is not there');
  }).rejects.toMatchObject(unavailable);
}
