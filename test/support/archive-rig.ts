// A whole archive on a temporary directory, of the real parts: local volumes, directory replicas, SQLite,
// worker threads. Can be closed and opened again, and each part can be taken away by real means.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Archive, StoreOutcome } from '../../tiering/archive/archive.js';
import type { ArchiveContext, ArchiveEvent, Policy } from '../../tiering/archive/context.js';
import { type ArchiveOptions, createContext, openArchive } from '../../tiering/archive/open-archive.js';
import { createDirectoryStore } from '../../tiering/cold/directory/create-directory-store.js';
import type { ObjectStore } from '../../tiering/cold/object-store.js';
import { ReplicaSet } from '../../tiering/cold/replicas/replica-set.js';
import { systemClock, systemRandom } from '../../tiering/core/clock.js';
import { parseReplicaName, parseVolumeName } from '../../tiering/core/ids.js';
import { generateKeyring, type Keyring } from '../../tiering/format/keyring.js';
import { AES_ALONE, type SuiteRule } from '../../tiering/format/suites.js';
import { openLocalVolume } from '../../tiering/hot/local-volume.js';
import { lookAtVacancy } from '../../tiering/hot/vacancy.js';
import type { Volume } from '../../tiering/hot/volume.js';
import { openSqliteIndex } from '../../tiering/index/sqlite/open-sqlite-index.js';
import { createWorkerPool } from '../../workers/pool.js';

export interface RigOptions {
  readonly volumes?: readonly string[];
  readonly replicas?: readonly string[];
  readonly writeQuorum?: number;
  readonly policy?: Partial<Policy>;
  readonly suites?: SuiteRule;
  /** Replaces the directory store of a replica (real S3, one that can be made to fail). @param path where the directory would be. */
  readonly store?: (name: string, path: string) => Promise<ObjectStore>;
}

/** Nothing moves by itself unless a test asks for it: filing, protecting and probing are called by name or by short intervals. */
const STILL: Partial<Policy> = {
  settleMs: 3_600_000,
  fileAfterMs: 3_600_000,
  protectAfterMs: 3_600_000,
  recall: 'never',
  moverIntervalMs: 50,
  probeIntervalMs: 200,
  claimIntervalMs: 0,
};

export class ArchiveRig {
  readonly dir: string;
  readonly keyring: Keyring;
  readonly events: ArchiveEvent[] = [];
  readonly #options: RigOptions;
  #archive: Archive | null = null;
  #context: ArchiveContext | null = null;
  #opened = false;
  /** Volumes that exist: from then on a directory that looks empty is a missing volume, as in production. */
  readonly #made = new Set<string>();

  private constructor(dir: string, options: RigOptions) {
    this.dir = dir;
    this.#options = options;
    const suites = options.suites ?? AES_ALONE;
    this.keyring = { ...generateKeyring({ random: systemRandom, clock: systemClock }), suites };
  }

  static async create(options: RigOptions = {}): Promise<ArchiveRig> {
    return new ArchiveRig(await mkdtemp(join(tmpdir(), 'filmroom-rig-')), options);
  }

  get archive(): Archive {
    if (this.#archive === null) throw new Error('the rig is not open');
    return this.#archive;
  }

  get volumeNames(): readonly string[] {
    return this.#options.volumes ?? ['a'];
  }

  get replicaNames(): readonly string[] {
    return this.#options.replicas ?? ['r1', 'r2'];
  }

  path(...parts: readonly string[]): string {
    return join(this.dir, ...parts);
  }

  /** What openArchive takes, freshly opened: for tests that build a context of their own. */
  async parts(): Promise<ArchiveOptions> {
    const create = !this.#opened;
    const replicas = new ReplicaSet(
      await Promise.all(
        this.replicaNames.map(async (name) => ({
          name: parseReplicaName(name),
          store: await this.store(name, create),
        })),
      ),
      {
        writeQuorum: this.#options.writeQuorum ?? this.replicaNames.length,
        clock: systemClock,
        random: systemRandom,
        archiveId: this.keyring.archiveId,
      },
    );
    await replicas.open({ create });
    const options: ArchiveOptions = {
      index: await openSqliteIndex({ path: this.path('index', 'filmroom.db') }),
      volumes: this.volumeNames.map((name) => ({
        name: parseVolumeName(name),
        open: () => this.#openVolume(name, !this.#made.has(name)),
        replacement: { look: () => lookAtVacancy(this.path(name)), take: () => this.#openVolume(name, true) },
      })),
      replicas,
      pool: createWorkerPool({ threads: 2 }),
      keyring: this.keyring,
      policy: { ...STILL, ...this.#options.policy },
      clock: systemClock,
      random: systemRandom,
      log: (event) => this.events.push(event),
    };
    return options;
  }

  async #openVolume(name: string, create: boolean): Promise<Volume> {
    const volume = await openLocalVolume({
      name: parseVolumeName(name),
      path: this.path(name),
      archiveId: this.keyring.archiveId,
      ownerEpoch: 1,
      create,
      clock: systemClock,
      random: systemRandom,
    });
    this.#made.add(name);
    return volume;
  }

  async store(name: string, create = false): Promise<ObjectStore> {
    return (
      this.#options.store?.(name, this.path(name)) ??
      createDirectoryStore({ root: this.path(name), create, clock: systemClock, random: systemRandom })
    );
  }

  async open(): Promise<Archive> {
    this.#archive = await openArchive(await this.parts());
    this.#opened = true;
    return this.#archive;
  }

  /** In place of an archive, what its jobs work with, volumes opened: nothing happens that a test does not call. `close` closes it. */
  async context(
    more: Partial<Omit<ArchiveOptions, 'policy'>> & { policy?: Partial<Policy> } = {},
  ): Promise<ArchiveContext> {
    const parts = await this.parts();
    const policy = { ...parts.policy, ...more.policy };
    this.#context = createContext({ ...parts, ...more, policy }, async () => undefined);
    await this.#context.volumes.open();
    return this.#context;
  }

  async close(): Promise<void> {
    await this.#archive?.close();
    this.#archive = null;
    const context = this.#context;
    this.#context = null;
    if (context === null) return;
    for (const part of [context.volumes, context.replicas, context.pool, context.index]) await part.close();
  }

  async reopen(): Promise<Archive> {
    await this.close();
    return this.open();
  }

  async destroy(): Promise<void> {
    await this.close();
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** Sends bytes as a client's socket would, in pieces. */
export async function* pieces(bytes: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function storeBytes(archive: Archive, bytes: Uint8Array): Promise<StoreOutcome> {
  return (await archive.receive(pieces(bytes))).outcome;
}

export async function readAll(iterable: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of iterable) all.push(piece);
  return Buffer.concat(all);
}
