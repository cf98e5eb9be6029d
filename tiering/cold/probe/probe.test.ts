// The probe against stores that keep the contract and stores that break one rule each: it must name exactly that rule.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock, systemRandom } from '../../core/clock.js';
import { ArchiveError } from '../../core/errors.js';
import { createDirectoryStore } from '../directory/create-directory-store.js';
import { MemoryObjectStore } from '../memory/memory-object-store.js';
import type { ObjectStore } from '../object-store.js';
import type { BucketProbe } from './findings.js';
import { probeStore } from './probe.js';

const environment = { clock: systemClock, random: systemRandom };

/** `store` with some of its methods replaced. */
function bent(store: ObjectStore, change: Partial<ObjectStore>): ObjectStore {
  return new Proxy(store, {
    get: (target, key) => {
      const own = Reflect.get(change, key) as unknown;
      if (own !== undefined) return own;
      const value = Reflect.get(target, key) as unknown;
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

function refusing(): ObjectStore {
  const refuse = () =>
    Promise.reject(
      new ArchiveError('UNAVAILABLE', 'the secret key is wrong', { cause: { $metadata: { httpStatusCode: 403 } } }),
    );
  return bent(new MemoryObjectStore(), { get: refuse, put: refuse, delete: refuse });
}

function bucketOf(store: ObjectStore, change: Partial<BucketProbe> = {}): BucketProbe {
  return {
    paged: store,
    conditional: store,
    withWrongSecret: () => Promise.resolve(refusing()),
    unsigned: () => Promise.resolve({ status: 403, date: new Date().toUTCString() }),
    facts: () => Promise.resolve({ versioning: 'off', objectLock: 'off' }),
    mustLock: false,
    purge: () => Promise.resolve(0),
    close: () => Promise.resolve(),
    ...change,
  };
}

async function faultsOf(store: ObjectStore, bucket: BucketProbe | null, clock: Clock = systemClock) {
  const { ok, checks } = await probeStore(store, bucket, { ...environment, clock });
  const faults = checks.filter(({ level }) => !['ok', 'shown'].includes(level));
  expect(ok).toBe(faults.every(({ level }) => level !== 'failed'));
  return faults.map(({ check, level }) => `${level}: ${check}`);
}

const ahead = (ms: number): Clock => ({ ...systemClock, nowMs: () => systemClock.nowMs() + ms });

describe('probeStore', () => {
  it('finds nothing wrong with a directory, and leaves nothing in it', async () => {
    const root = await mkdtemp(join(tmpdir(), 'filmroom-probe-'));
    const store = createDirectoryStore({ root, create: true, ...environment });
    const report = await probeStore(store, null, environment);
    expect(report.checks.filter(({ level }) => level !== 'ok')).toMatchObject([
      { check: 'refuse a body that is not its SHA-256', level: 'lacking' },
    ]);
    expect(report).toMatchObject({ ok: true, speed: { objects: 6, objectBytes: 8 * 1024 * 1024 } });
    expect(report.speed?.uploadBytesPerSecond).toBeGreaterThan(0);
    expect(await readdir(root)).toEqual(['.tmp']);
    await store.close();
    await rm(root, { recursive: true });
  });

  it('finds nothing wrong with the reference store as a bucket', async () => {
    const store = new MemoryObjectStore();
    expect(await faultsOf(store, bucketOf(store))).toEqual([]);
    for await (const { key } of store.list('')) expect.fail(`${key} was left behind`);
  });

  it('says once that nothing can be written, and tries no more', async () => {
    const down = () => Promise.reject(new ArchiveError('UNAVAILABLE', 'nothing listens there'));
    const store = bent(new MemoryObjectStore(), { put: down });
    const { ok, checks, speed } = await probeStore(store, bucketOf(store), environment);
    expect({ ok, speed }).toEqual({ ok: false, speed: null });
    expect(checks).toMatchObject([
      { check: 'write', level: 'failed', detail: 'nothing listens there' },
      { check: 'delete', level: 'ok' },
    ]);
  });

  it.each<[string, (store: MemoryObjectStore) => Partial<ObjectStore>, readonly string[]]>([
    [
      'that shortens ranges which go past the end',
      (store) => ({
        get: async (key, range) => {
          const whole = await store.get(key);
          return range === undefined ? whole : whole.slice(range.start, range.end);
        },
      }),
      ['failed: range past the end'],
    ],
    [
      'that lists in another order',
      (store) => ({
        list: async function* (prefix, options) {
          const entries = [];
          for await (const entry of store.list(prefix, options)) entries.push(entry);
          yield* entries.reverse();
        },
      }),
      ['failed: list in order'],
    ],
    ['that deletes nothing', () => ({ delete: () => Promise.resolve() }), ['failed: delete']],
    [
      'that stores a body under a wrong hash while it is counted on not to',
      (store) => ({ put: (key, body, { ifAbsent } = {}) => store.put(key, body, { ifAbsent: ifAbsent === true }) }),
      ['failed: refuse a body that is not its SHA-256'],
    ],
    [
      'that ignores conditions while it is counted on not to',
      (store) => ({
        put: (key, body, { sha256 } = {}) => store.put(key, body, sha256 === undefined ? {} : { sha256 }),
      }),
      ['warning: conditional put'],
    ],
  ])('names what is wrong with a store %s', async (_, change, faults) => {
    const memory = new MemoryObjectStore();
    const store = bent(memory, change(memory));
    expect(await faultsOf(store, bucketOf(store))).toEqual(faults);
  });

  it('finds a bucket unfit that does not look at the secret, or at pages', async () => {
    const store = new MemoryObjectStore();
    const blind = bucketOf(store, {
      withWrongSecret: () => Promise.resolve(bent(store, { close: () => Promise.resolve() })),
    });
    expect(await faultsOf(store, blind)).toEqual(['failed: refuse a wrong secret']);
    const onePage = bent(store, {
      list: async function* (prefix, options) {
        let left = 2;
        for await (const entry of store.list(prefix, options)) if (left-- > 0) yield entry;
      },
    });
    expect(await faultsOf(store, bucketOf(store, { paged: onePage }))).toEqual(['failed: list over several pages']);
  });

  it('takes a server that does not answer for one that has refused nothing', async () => {
    const store = new MemoryObjectStore();
    const down = () => Promise.reject(new ArchiveError('UNAVAILABLE', 'it did not answer in time'));
    const away = bucketOf(store, { withWrongSecret: () => Promise.resolve(bent(refusing(), { get: down })) });
    expect(await faultsOf(store, away)).toEqual(['failed: refuse a wrong secret']);
  });

  it.each([
    [0, []],
    [-50_000, []],
    [90_000, ['warning: clock']],
    [-90_000, ['warning: clock']],
    [16 * 60_000, ['failed: clock']],
    [-16 * 60_000, ['failed: clock']],
  ])('measures a clock that differs by %i ms', async (ms, faults) => {
    const store = new MemoryObjectStore();
    expect(await faultsOf(store, bucketOf(store), ahead(ms))).toEqual(faults);
  });

  it('warns of a bucket that anybody may read, and of versions that it could not remove', async () => {
    const store = new MemoryObjectStore();
    const open = { status: 200, date: new Date().toUTCString() };
    const bucket = bucketOf(store, { unsigned: () => Promise.resolve(open), purge: () => Promise.resolve(3) });
    expect(await faultsOf(store, bucket)).toEqual([
      'warning: refuse a reader without a signature',
      'warning: leave nothing',
    ]);
  });
});
