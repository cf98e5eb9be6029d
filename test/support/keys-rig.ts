// What the tests of keys share: three studies on three replicas in memory with one instance deleted, as it lies there after the gateway
// has ended, to be opened as often as wanted, each time from the same state.
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import type { ArchiveContext } from '../../tiering/archive/context.js';
import { standingOf } from '../../tiering/archive/fleet/fleet.js';
import { createContext } from '../../tiering/archive/open-archive.js';
import { extractReplica } from '../../tiering/archive/recovery/extract.js';
import { MemoryObjectStore } from '../../tiering/cold/memory/memory-object-store.js';
import type { ObjectStore } from '../../tiering/cold/object-store.js';
import { type Replica, ReplicaSet } from '../../tiering/cold/replicas/replica-set.js';
import { type Clock, systemClock, systemRandom } from '../../tiering/core/clock.js';
import { parseReplicaName } from '../../tiering/core/ids.js';
import type { Keyring } from '../../tiering/format/keyring.js';
import { AES_ALONE } from '../../tiering/format/suites.js';
import { openSqliteIndex } from '../../tiering/index/sqlite/open-sqlite-index.js';
import { createWorkerPool, type WorkerPool } from '../../workers/pool.js';
import { ArchiveRig, storeBytes } from './archive-rig.js';
import { Mortality, MortalStore } from './mortal.js';
import { first, PHANTOMS, scopeOf } from './removal-rig.js';

const REPLICAS = ['r1', 'r2', 'r3'];
export const DELETED = first(PHANTOMS);
export const LIVE = PHANTOMS.filter((one) => one !== DELETED);

type Stores = ReadonlyMap<string, MemoryObjectStore>;

async function copyOf(stores: Stores): Promise<Map<string, MemoryObjectStore>> {
  const copies = new Map<string, MemoryObjectStore>();
  for (const [name, store] of stores) {
    const copy = new MemoryObjectStore();
    for await (const { key } of store.list('')) await copy.put(key, await store.get(key));
    copies.set(name, copy);
  }
  return copies;
}

/** One archive at rest. */
export class RestingArchive {
  readonly stores: Map<string, MemoryObjectStore>;
  keyring: Keyring;
  readonly #dir: string;
  readonly #pool: WorkerPool;

  private constructor(dir: string, stores: Map<string, MemoryObjectStore>, keyring: Keyring, pool: WorkerPool) {
    this.#dir = dir;
    this.stores = stores;
    this.keyring = keyring;
    this.#pool = pool;
  }

  static async create(suites = AES_ALONE): Promise<RestingArchive> {
    const stores = new Map(REPLICAS.map((name) => [name, new MemoryObjectStore()]));
    const rig = await ArchiveRig.create({
      replicas: REPLICAS,
      writeQuorum: 2,
      suites,
      store: (name) => Promise.resolve(new MortalStore(required(stores, name), new Mortality())),
    });
    try {
      const archive = await rig.open();
      for (const { bytes } of PHANTOMS) expect(await storeBytes(archive, bytes)).toMatchObject({ status: 'stored' });
      expect(await archive.migrate({ all: true })).toMatchObject({ failures: [] });
      expect(await archive.remove(scopeOf(DELETED))).toMatchObject({ instances: 1, durable: 'quorum' });
      await vi.waitFor(async () => expect((await archive.status()).index.deletes.owed).toBe(0), { timeout: 20_000 });
      await rig.close();
      const dir = await mkdtemp(join(tmpdir(), 'filmroom-keys-'));
      await copyFile(rig.path('index', 'filmroom.db'), join(dir, 'filmroom.db'));
      return new RestingArchive(dir, stores, rig.keyring, createWorkerPool({ threads: 1 }));
    } finally {
      await rig.destroy();
    }
  }

  /** The same once more, to be changed by itself. */
  async copy(): Promise<RestingArchive> {
    const dir = await mkdtemp(join(tmpdir(), 'filmroom-keys-'));
    await copyFile(join(this.#dir, 'filmroom.db'), join(dir, 'filmroom.db'));
    return new RestingArchive(dir, await copyOf(this.stores), this.keyring, this.#pool);
  }

  /** Runs `work` in a process that dies as `life` says; the process is over when this resolves. */
  async run<T>(
    work: (ctx: ArchiveContext) => Promise<T>,
    options: {
      life?: Mortality;
      clock?: Clock;
      wrap?: (name: string, store: ObjectStore) => ObjectStore;
      /** How many failure domains copies must lie in, and the one of each replica. */
      domains?: { readonly least: number; readonly of: Readonly<Record<string, string>> };
    } = {},
  ): Promise<T> {
    const { life = new Mortality(), clock = systemClock, wrap = (_, store) => store, domains } = options;
    const index = await openSqliteIndex({ path: join(this.#dir, 'filmroom.db') });
    const members: Replica[] = [];
    for (const [text, store] of this.stores) {
      const name = parseReplicaName(text);
      // As the gateway does: what has left for good is not opened.
      if ((await standingOf(index, name)).state === 'erased') continue;
      members.push({ name, domain: domains?.of[text], store: wrap(text, new MortalStore(store, life)) });
    }
    const replicas = new ReplicaSet(members, {
      writeQuorum: 2,
      domains: domains?.least ?? 1,
      clock,
      random: systemRandom,
      archiveId: this.keyring.archiveId,
    });
    try {
      await replicas.open({ create: false });
      const ctx = createContext(
        {
          index: life.index(index),
          volumes: [],
          replicas,
          pool: this.#pool,
          keyring: this.keyring,
          saveKeyring: (keyring) =>
            life.write('keyring', () => {
              this.keyring = keyring;
              return Promise.resolve();
            }),
          clock,
          random: systemRandom,
        },
        () => Promise.resolve(),
      );
      await ctx.fleet.load();
      await ctx.damage.load();
      return await work(ctx);
    } finally {
      await replicas.close();
      await index.close();
    }
  }

  /** What one replica and a keyring give back: exactly what lives, each to the byte, whatever was going on. */
  async expectWhole(keyring = this.keyring, names: readonly string[] = [...this.stores.keys()]): Promise<void> {
    for (const name of names) {
      const store = required(this.stores, name);
      const files = new Map<string, Buffer>();
      const report = await extractReplica({
        store,
        keyring,
        out: async (path, bytes) => {
          const pieces: Uint8Array[] = [];
          for await (const piece of bytes) pieces.push(piece);
          files.set(path, Buffer.concat(pieces));
        },
      });
      expect(report).toMatchObject({ instances: LIVE.length, failures: [] });
      for (const { study, series, sop, bytes } of LIVE) {
        expect(files.get(`${study}/${series}/${sop}.dcm`)?.equals(bytes)).toBe(true);
      }
    }
  }

  /** Names of the manifests and tombstones of each replica. */
  async sealedNames(): Promise<readonly string[]> {
    return [...(await this.#names('m/')), ...(await this.#names('t/'))];
  }

  /** Names of the chunks of each replica. */
  chunkNames(): Promise<readonly string[]> {
    return this.#names('c/');
  }

  async #names(prefix: string): Promise<readonly string[]> {
    const names: string[] = [];
    for (const [replica, store] of this.stores) {
      for await (const { key } of store.list(prefix)) names.push(`${replica} ${key}`);
    }
    return names;
  }

  async remove(): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }

  async destroy(): Promise<void> {
    await this.remove();
    await this.#pool.close();
  }
}

export function required(stores: Stores, name: string): MemoryObjectStore {
  const store = stores.get(name);
  if (store === undefined) throw new Error(`no store ${name}`);
  return store;
}
