// One history's world: the disks, the clouds and the index that outlive processes, and the process that lives now. The archive in it is the
// production code, whole; everything that it stands on is simulated.
import type { Archive } from '../../../tiering/archive/archive.js';
import type { ArchiveEvent, Policy } from '../../../tiering/archive/context.js';
import { openArchive } from '../../../tiering/archive/open-archive.js';
import { isUnfinished, markBegun } from '../../../tiering/archive/recovery/rebuild-state.js';
import { createIdentity } from '../../../tiering/cold/replicas/identity.js';
import { ReplicaSet } from '../../../tiering/cold/replicas/replica-set.js';
import { parseReplicaName, parseVolumeName } from '../../../tiering/core/ids.js';
import { generateKeyring, type Keyring } from '../../../tiering/format/keyring.js';
import { AES_ALONE } from '../../../tiering/format/suites.js';
import { Cloud } from './cloud.js';
import { Disk } from './disk.js';
import type { IndexDisk } from './disk-index.js';
import { type Death, Life, type Sentence, type Surroundings } from './life.js';
import { Model } from './model.js';
import { poolOf } from './pool.js';
import { Seeded } from './seeded.js';
import type { VirtualTime } from './virtual-time.js';
import { Watchman } from './watchman.js';

/** A day like any other. */
const BEGAN_MS = Date.UTC(2031, 4, 6, 9);
/** Between the end of a process and the next. */
const RESTART_MS = 2_000;

export interface WorldOptions {
  readonly seed: number;
  readonly disks: number;
  readonly clouds: number;
  readonly writeQuorum: number;
  readonly diskBytes: number;
  readonly policy: Partial<Policy>;
}

/** What a test may put in the place of a part, to see that what it breaks is found. */
export interface Decorators {
  readonly index?: (index: ReturnType<IndexDisk['openFor']>) => ReturnType<IndexDisk['openFor']>;
  readonly volume?: (volume: Awaited<ReturnType<Disk['openFor']>>) => Awaited<ReturnType<Disk['openFor']>>;
  readonly replicas?: (set: ReplicaSet) => ReplicaSet;
}

export class World {
  readonly time: VirtualTime;
  readonly options: WorldOptions;
  readonly disks: readonly Disk[];
  readonly clouds: readonly Cloud[];
  readonly index: IndexDisk;
  readonly model = new Model();
  readonly watchman: Watchman;
  /** As it is kept now: rotations replace it. */
  keyring: Keyring;
  readonly log: string[] = [];
  skewMs = 0;
  /** The index is gone: whoever comes next makes it again. */
  indexLost = false;
  /** Since the index lost something, not everything could be asked: what is missing may be away. */
  provisional = false;
  /** The index was lost at some time. */
  lostIndex = false;
  threadsDie = false;
  /** The process that lives now has seen a volume fail: what one before it was doing there when it died is not known. */
  sawFailure = false;
  life: Life;
  writes = 0;
  deaths = { kill: 0, power: 0 };
  #archive: Archive | null = null;
  #up: (() => void)[] = [];
  readonly #random: Seeded;
  readonly #around: Surroundings;
  readonly #decorators: Decorators;
  /** No process is to live any more. */
  #over = false;

  constructor(index: IndexDisk, time: VirtualTime, options: WorldOptions, decorators: Decorators = {}) {
    const { seed } = options;
    this.index = index;
    this.time = time;
    this.options = options;
    this.#decorators = decorators;
    this.#random = new Seeded(seed, 'keys');
    const chance = new Seeded(seed, 'time');
    this.#around = { time, chance, skewMs: () => BEGAN_MS + this.skewMs, onDeath: (how) => this.#onDeath(how) };
    index.begin(new Seeded(seed, 'index'));
    this.watchman = new Watchman(this);
    const names = (letter: string, count: number) => Array.from({ length: count }, (_, n) => `${letter}${n + 1}`);
    const luck = new Seeded(seed, 'parts');
    this.disks = names('v', options.disks).map(
      (name) => new Disk(parseVolumeName(name), options.diskBytes, luck, this.watchman),
    );
    this.clouds = names('r', options.clouds).map((name) => new Cloud(parseReplicaName(name), luck, this.watchman));
    this.life = new Life(this.#around);
    this.keyring = { ...generateKeyring({ random: this.#random, clock: this.life.clock }), suites: AES_ALONE };
  }

  note(text: string): void {
    this.log.push(`${Math.round(this.time.nowMs)} ms: ${text}`);
  }

  async begin(): Promise<void> {
    for (const { store, name } of this.clouds) await createIdentity(store, name, this.keyring.archiveId);
    void this.#supervise();
  }

  /** The archive, as soon as a process has one open. */
  async up(): Promise<{ readonly archive: Archive; readonly life: Life }> {
    while (this.#archive === null) {
      await new Promise<void>((resolve) => {
        this.#up.push(resolve);
      });
    }
    return { archive: this.#archive, life: this.life };
  }

  /** Whether everything that there is was read since the index lost something: until then what it does not know may be away. */
  async seesAll(): Promise<boolean> {
    if (!this.provisional) return true;
    const status = await this.survive((archive) => archive.status());
    if (!('value' in status)) return false;
    const { volumes, rebuild, deletesUnread, replicas } = status.value;
    const all =
      rebuild === null &&
      deletesUnread.length === 0 &&
      volumes.every(({ state }) => state === 'healthy' || state === 'suspect') &&
      replicas.every(({ state }) => state === 'available');
    // A volume reads well once it was taken in; what its folders hold is compared in the background.
    if (all && this.time.nowMs - this.life.bornMs > 60_000) this.provisional = false;
    return !this.provisional;
  }

  /** What a call gave, or that its process died under it. */
  async survive<T>(
    work: (archive: Archive) => Promise<T>,
  ): Promise<{ readonly value: T } | { readonly error: unknown } | { readonly died: Death }> {
    const { archive, life } = await this.up();
    return Promise.race([
      work(archive).then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      ),
      life.over.then((died) => ({ died })),
    ]);
  }

  sentence(sentence: Sentence): void {
    this.life.sentence = { ...sentence };
  }

  /** Ends the process in good order; the next one follows. */
  async stop(): Promise<void> {
    await this.survive((archive) => {
      this.#archive = null;
      return archive.close();
    });
    this.life.die('kill');
  }

  /** For good. */
  end(): void {
    this.#over = true;
    this.life.die('kill');
  }

  #onDeath(how: Death): void {
    this.note(how === 'power' ? 'the power is cut' : 'the process is killed');
    this.deaths[how] += 1;
    this.writes += this.life.writes;
    this.#archive = null;
    for (const disk of this.disks) disk.afterDeath(how === 'power');
    if (how === 'power') {
      this.index.cut();
      // Rows that were not durable are in the trays again: known once their volumes were read.
      this.provisional = true;
    }
  }

  async #supervise(): Promise<void> {
    for (;;) {
      const { life } = this;
      const opened = await Promise.race([
        this.#open(life).catch((error: unknown) => {
          this.note(`the archive does not open: ${String(error)}`);
          return null;
        }),
        life.over,
      ]);
      // It may have died in the moment in which it was open.
      if (typeof opened === 'object' && opened !== null && life.alive) {
        this.#archive = opened;
        for (const tell of this.#up.splice(0)) tell();
        await life.over;
      } else life.die('kill');
      if (this.#over) return;
      this.life = new Life(this.#around);
      this.sawFailure = false;
      await this.time.sleep(RESTART_MS);
    }
  }

  async #open(life: Life): Promise<Archive> {
    const index = (this.#decorators.index ?? same)(this.index.openFor(life));
    const options = { clock: life.clock, random: this.#random, archiveId: this.keyring.archiveId };
    const members = this.clouds.map((cloud) => ({ name: cloud.name, store: cloud.openFor(life) }));
    const replicas = new ReplicaSet(members, { ...options, writeQuorum: this.options.writeQuorum });
    await replicas.open({ create: false });
    if (this.indexLost) {
      await markBegun(index);
      this.indexLost = false;
    }
    return openArchive({
      index,
      volumes: this.disks.map((disk) => ({
        name: disk.name,
        open: async () => (this.#decorators.volume ?? same)(await disk.openFor(life)),
        replacement: {
          look: () => life.call(false, () => disk.vacancy()),
          take: async () => (this.#decorators.volume ?? same)(await disk.take(life)),
        },
      })),
      replicas: (this.#decorators.replicas ?? same)(replicas),
      pool: poolOf(life, () => this.threadsDie && this.#around.chance.chance(0.2)),
      keyring: this.keyring,
      saveKeyring: (keyring) =>
        life.call(true, () => {
          this.keyring = keyring;
        }),
      policy: this.options.policy,
      clock: life.clock,
      random: this.#random,
      log: (event) => {
        if (life.alive) this.#hear(event);
      },
      rebuild: await isUnfinished(index),
    });
  }

  #hear({ level, event, pack, detail }: ArchiveEvent): void {
    this.note(`${level} ${event} ${pack ?? ''} ${detail ?? ''}`);
    if (event === 'volume-state' && detail?.includes('is failed') === true) this.sawFailure = true;
    if (event === 'unexpected-error') this.watchman.broken(`an error that nobody expected: ${detail ?? ''}`);
  }
}

const same = <T>(one: T): T => one;
