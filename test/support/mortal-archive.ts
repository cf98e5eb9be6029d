// An archive that lies in memory and outlives its processes: an index, a volume and replicas, each with what is durable of it. Every process
// is a whole one (openArchive); it may be killed at any write, by itself or with the power of the machine.
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { PhantomInstance } from '../../dicom/phantom/phantom.js';
import type { Archive } from '../../tiering/archive/archive.js';
import type { ArchiveEvent } from '../../tiering/archive/context.js';
import { openArchive } from '../../tiering/archive/open-archive.js';
import { extractReplica } from '../../tiering/archive/recovery/extract.js';
import { MemoryObjectStore } from '../../tiering/cold/memory/memory-object-store.js';
import { ReplicaSet } from '../../tiering/cold/replicas/replica-set.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { ArchiveError } from '../../tiering/core/errors.js';
import {
  parseReplicaName,
  parseSeriesUid,
  parseSopUid,
  parseStudyUid,
  parseVolumeName,
} from '../../tiering/core/ids.js';
import { generateKeyring, type Keyring } from '../../tiering/format/keyring.js';
import { AES_ALONE } from '../../tiering/format/suites.js';
import { MemoryVolume } from '../../tiering/hot/memory-volume.js';
import type { WorkerPool } from '../../workers/pool.js';
import { readAll } from './archive-rig.js';
import { openDirectIndex } from './direct-index.js';
import { Mortality, MortalStore, MortalVolume } from './mortal.js';

const DAY_MS = 24 * 3_600_000;
const VOLUME = parseVolumeName('a');

/** Nothing moves by itself beyond the first round of the movers. */
const POLICY = {
  settleMs: DAY_MS,
  fileAfterMs: DAY_MS,
  protectAfterMs: DAY_MS,
  recall: 'never',
  instanceMemoryBytes: 1024 * 1024,
  moverIntervalMs: DAY_MS,
  probeIntervalMs: DAY_MS,
} as const;

export interface Life {
  readonly mortality?: Mortality;
  /** It dies with the power of the machine: what was not synced is lost. */
  readonly power?: boolean;
  /** Its volume is away. */
  readonly noVolume?: boolean;
  /** It makes the index again. */
  readonly rebuild?: boolean;
  /** How far ahead its clock is. */
  readonly aheadMs?: number;
}

export class MortalArchive {
  readonly stores: ReadonlyMap<string, MemoryObjectStore>;
  readonly volume: MemoryVolume;
  readonly keyring: Keyring;
  readonly events: ArchiveEvent[] = [];
  readonly #pool: WorkerPool;
  #index: Buffer | null;

  private constructor(
    stores: ReadonlyMap<string, MemoryObjectStore>,
    volume: MemoryVolume,
    keyring: Keyring,
    pool: WorkerPool,
    index: Buffer | null,
  ) {
    this.stores = stores;
    this.volume = volume;
    this.keyring = keyring;
    this.#pool = pool;
    this.#index = index;
  }

  static async create(pool: WorkerPool, replicas: readonly string[] = ['r1', 'r2']): Promise<MortalArchive> {
    const keyring = { ...generateKeyring({ random: systemRandom, clock: systemClock }), suites: AES_ALONE };
    const stores = new Map(replicas.map((name) => [name, new MemoryObjectStore()]));
    const archive = new MortalArchive(stores, new MemoryVolume({ name: VOLUME }), keyring, pool, null);
    const set = archive.#replicas(new Mortality());
    await set.open({ create: true });
    await set.close();
    return archive;
  }

  /** The same once more, to be changed by itself; or what a disaster left of it. */
  async copy(left: { replicas?: readonly string[]; volume?: boolean; index?: boolean } = {}): Promise<MortalArchive> {
    const stores = new Map<string, MemoryObjectStore>();
    for (const [name, store] of this.stores) {
      if (left.replicas?.includes(name) === false) continue;
      const copy = new MemoryObjectStore();
      for await (const { key } of store.list('')) await copy.put(key, await store.get(key));
      stores.set(name, copy);
    }
    const volume = new MemoryVolume({ name: VOLUME });
    for (const kind of ['tray', 'pack'] as const) {
      for await (const { ref, bytes } of this.volume.list(kind)) {
        if (left.volume === false) break;
        const file = kind === 'tray' ? await volume.createTray(ref.id) : await volume.createPack(ref.id);
        await file.append([await this.volume.read(ref, 0, bytes)]);
        await ('sync' in file ? file.sync() : file.commit());
      }
    }
    volume.reopen();
    return new MortalArchive(stores, volume, this.keyring, this.#pool, left.index === false ? null : this.#index);
  }

  /** Runs `work` in a process that dies as `life` says; it is over when this resolves or rejects. */
  async live<T>(work: (archive: Archive) => Promise<T>, life: Life = {}): Promise<T> {
    const { mortality = new Mortality(), power = false, rebuild = false, noVolume = false, aheadMs = 0 } = life;
    const away = new ArchiveError('UNAVAILABLE', 'the volume is away');
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
    const direct = openDirectIndex(this.#index, clock);
    const replicas = this.#replicas(mortality);
    let archive: Archive | null = null;
    try {
      await replicas.open({ create: false });
      archive = await openArchive({
        index: mortality.index(direct.index),
        volumes: [
          {
            name: VOLUME,
            open: async () => (noVolume ? Promise.reject(away) : new MortalVolume(this.volume, mortality)),
          },
        ],
        replicas,
        pool: unending(this.#pool),
        keyring: this.keyring,
        policy: POLICY,
        clock,
        random: systemRandom,
        log: (event) => this.events.push(event),
        rebuild,
      });
      return await work(archive);
    } finally {
      await archive?.close();
      const cut = power && mortality.dead;
      this.#index = cut ? direct.durable() : direct.image();
      this.volume.crash((unsynced) => (cut ? 0 : unsynced));
    }
  }

  #replicas(mortality: Mortality): ReplicaSet {
    const members = [...this.stores].map(([name, store]) => ({
      name: parseReplicaName(name),
      store: new MortalStore(store, mortality),
    }));
    return new ReplicaSet(members, {
      writeQuorum: members.length,
      clock: systemClock,
      random: systemRandom,
      archiveId: this.keyring.archiveId,
    });
  }

  /**
   * Days later, nothing is wrong and nothing is left over: no debt, nothing that scrub finds, exactly `live` found, and read back to the byte
   * from the archive and from one replica alone: the `nth`, round and round.
   */
  async expectWhole(live: readonly PhantomInstance[], nth = 0): Promise<void> {
    // What is thrown away by the one leaves with the other.
    await this.live((archive) => archive.repair(), { aheadMs: 2 * DAY_MS });
    await this.live(
      async (archive) => {
        expect(await archive.repair()).toMatchObject({ failures: [] });
        expect(await archive.scrub({ deep: true })).toMatchObject({ findings: [], unavailable: [] });
        const { index } = await archive.status();
        const owed = [...index.debt.values()].map(({ packs }) => packs);
        expect([index.instances, owed, index.deletes]).toEqual([
          live.length,
          owed.map(() => 0),
          { pending: 0, owed: 0 },
        ]);
        expect(index.unprotected.instances).toBe(0);
        for (const one of live) {
          const record = await archive.instance({
            study: parseStudyUid(one.study),
            series: parseSeriesUid(one.series),
            sop: parseSopUid(one.sop),
          });
          expect(sha256(await readAll(archive.read(record)))).toBe(sha256(one.bytes));
        }
      },
      { aheadMs: 4 * DAY_MS },
    );
    const wanted = Object.fromEntries(
      live.map((one) => [`${one.study}/${one.series}/${one.sop}.dcm`, sha256(one.bytes)]),
    );
    const store = [...this.stores.values()][nth % this.stores.size];
    if (store !== undefined) expect(await this.extract(store)).toEqual(wanted);
  }

  /** SHA-256 by path of what one replica and the keyring give back. */
  async extract(store: MemoryObjectStore): Promise<Readonly<Record<string, string>>> {
    const files: Record<string, string> = {};
    const out = async (path: string, bytes: AsyncIterable<Uint8Array>) => {
      files[path] = sha256(await readAll(bytes));
    };
    const report = await extractReplica({ store, keyring: this.keyring, out });
    expect(report).toMatchObject({ instances: Object.keys(files).length, failures: [] });
    return files;
  }

  /** How many objects of each kind every replica has, and files of each kind the volume: what is left over shows here. */
  async counts(): Promise<Readonly<Record<string, number>>> {
    const counts: Record<string, number> = {};
    const add = (what: string) => {
      counts[what] = (counts[what] ?? 0) + 1;
    };
    for (const [name, store] of this.stores) {
      for await (const { key } of store.list('')) add(`${name} ${key.split('/')[0]}`);
    }
    for (const kind of ['tray', 'pack'] as const) {
      for await (const _ of this.volume.list(kind)) add(kind);
    }
    return counts;
  }
}

/** Threads of all of them: no process ends them. */
function unending(pool: WorkerPool): WorkerPool {
  return {
    threads: pool.threads,
    get pending() {
      return pool.pending;
    },
    ingest: (task) => pool.ingest(task),
    scanFile: (task) => pool.scanFile(task),
    scanKept: (task) => pool.scanKept(task),
    seal: (task) => pool.seal(task),
    open: (task) => pool.open(task),
    hash: (task) => pool.hash(task),
    close: () => Promise.resolve(),
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
