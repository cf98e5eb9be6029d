// Putting back from versions: whatever was done to the names, the version that was there first and is what its name says comes back.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ObjectKey, parseObjectKey, parsePackId, parseSha256 } from '../../core/ids.js';
import {
  CONFIG_NAME,
  chunkName,
  encodeConfig,
  manifestName,
  README_NAME,
  readmeText,
  tombstoneName,
} from '../../format/names.js';
import { MemoryObjectStore } from '../memory/memory-object-store.js';
import type { ObjectStore, ObjectVersion } from '../object-store.js';
import { restoreObject, restoreStore } from './restore.js';

const archiveId = '6f1c9a1e-0000-4000-8000-000000000001';
const other = '6f1c9a1e-0000-4000-8000-000000000002';
const configOf = (id: string) =>
  Buffer.from(encodeConfig({ formatVersion: 1, archiveId: id, ownerEpoch: 0, generation: 0, suites: [1] }));

/** Keeps every version; a null is a delete marker. All of one moment: the order of the listing alone tells them apart. */
class Versioned {
  readonly kept = new Map<ObjectKey, (Uint8Array | null)[]>();
  readonly store: ObjectStore;

  constructor() {
    const listed = (prefix: string): ObjectVersion[] =>
      [...this.kept]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([key, all]) =>
          all
            .map((bytes, n) => ({
              ...{ key, versionId: String(n), newest: n === all.length - 1 },
              ...{ deleteMarker: bytes === null, modifiedMs: 0 },
            }))
            .reverse(),
        );
    const inner = new MemoryObjectStore();
    this.store = Object.assign(Object.create(inner) as ObjectStore, {
      put: (key: ObjectKey, bytes: Uint8Array) => {
        this.kept.set(key, [...(this.kept.get(key) ?? []), bytes]);
        return Promise.resolve();
      },
      history: {
        versions: async function* (prefix: string) {
          yield* listed(prefix);
        },
        get: ({ key, versionId }: { key: ObjectKey; versionId: string }) =>
          Promise.resolve(this.kept.get(key)?.[Number(versionId)] ?? new Uint8Array()),
      },
    });
  }

  now(key: ObjectKey): Uint8Array | null {
    return this.kept.get(key)?.at(-1) ?? null;
  }
}

const hash = (bytes: Uint8Array) => parseSha256(createHash('sha256').update(bytes).digest('hex'));
const bodies = ['one', 'two', 'three'].map((text) => Buffer.from(text));
const [one = Buffer.of(), two = Buffer.of(), three = Buffer.of()] = bodies;
const genuine = new Map<ObjectKey, Uint8Array>([
  [CONFIG_NAME, configOf(archiveId)],
  [README_NAME, Buffer.from(readmeText(archiveId))],
  [chunkName(hash(one)), one],
  [manifestName(parsePackId('01939b00-0000-7000-8000-000000000000'), 3, hash(two)), two],
  [tombstoneName(7, hash(three)), three],
]);
const damages: (Uint8Array | null)[] = [null, Buffer.from('pay me'), Buffer.of(), configOf(other)];
const damage = fc.constantFrom(...damages);

describe('restoreStore', () => {
  it('puts back what was first, after any deletes and overwrites of any of it, and touches nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(damage, { maxLength: 4 }), { minLength: 5, maxLength: 5 }), async (blows) => {
        const bucket = new Versioned();
        const foreign = parseObjectKey('letter.txt');
        bucket.kept.set(foreign, [one, null]);
        for (const [at, [key, bytes]] of [...genuine].entries()) bucket.kept.set(key, [bytes, ...(blows[at] ?? [])]);
        const hit = blows.filter((all) => all.length > 0).length;
        expect(await restoreStore(bucket.store, { archiveId })).toEqual({ objects: 5, restored: hit, lost: [] });
        for (const [key, bytes] of genuine) expect(Buffer.compare(bucket.now(key) ?? Buffer.of(), bytes)).toBe(0);
        expect(bucket.now(foreign)).toBeNull();
        expect(await restoreStore(bucket.store, { archiveId })).toMatchObject({ restored: 0, lost: [] });
      }),
      { verbose: true },
    );
  });

  it('says of which name no version is any good', async () => {
    const bucket = new Versioned();
    const name = chunkName(hash(one));
    bucket.kept.set(name, [two, null]);
    expect(await restoreStore(bucket.store, { archiveId })).toEqual({ objects: 1, restored: 0, lost: [name] });
    expect(await restoreObject(bucket.store, name, { archiveId })).toBe(false);
  });

  it('leaves a config that its owner wrote anew, and refuses a store without versions', async () => {
    const bucket = new Versioned();
    const anew = Buffer.from(
      encodeConfig({ formatVersion: 1, archiveId, ownerEpoch: 9, generation: 0, suites: [1, 2] }),
    );
    bucket.kept.set(CONFIG_NAME, [configOf(archiveId), anew]);
    expect(await restoreStore(bucket.store, { archiveId })).toMatchObject({ restored: 0 });
    expect(bucket.now(CONFIG_NAME)).toEqual(anew);
    await expect(restoreStore(new MemoryObjectStore(), { archiveId })).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    expect(await restoreObject(new MemoryObjectStore(), CONFIG_NAME, { archiveId })).toBe(false);
  });
});
