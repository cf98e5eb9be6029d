// A disk of a simulation: a memory volume that outlives processes, and what is wrong with it now. Each process opens it for itself.
import { ArchiveError } from '../../../tiering/core/errors.js';
import type { PackId, VolumeName } from '../../../tiering/core/ids.js';
import { MemoryVolume } from '../../../tiering/hot/memory-volume.js';
import type { Vacancy } from '../../../tiering/hot/vacancy.js';
import type { PackRef, PackWriter, TrayAppender, Volume, VolumeUsage } from '../../../tiering/hot/volume.js';
import type { Life } from './life.js';
import type { Seeded } from './seeded.js';

/** `erring`: some calls fail; `hung`: calls end at the volume's own limit, done or not. */
export type DiskFault = 'erring' | 'full' | 'read-only' | 'hung' | 'slow' | 'gone';

/** The limit of a call of a local volume. */
const CALL_MS = 10_000;
const SLOW_MS = 1_500;

export interface DiskWatch {
  /** Before a file is unlinked for good. */
  onRemove(disk: Disk, ref: PackRef): Promise<void>;
}

export class Disk {
  readonly name: VolumeName;
  volume: MemoryVolume;
  readonly #bytesTotal: number;
  readonly #chance: Seeded;
  readonly #watch: DiskWatch;
  fault: DiskFault | null = null;
  /** Packs whose bytes the nemesis changed here. */
  readonly harmed = new Set<PackId>();
  /** The same with those whose files have gone since: somebody may still be reading what they gave. */
  readonly everHarmed = new Set<PackId>();
  /** Another disk is in its place, and nobody has made it a volume yet: an empty mount point. */
  empty = false;

  constructor(name: VolumeName, bytesTotal: number, chance: Seeded, watch: DiskWatch) {
    this.name = name;
    this.volume = new MemoryVolume({ name, bytesTotal });
    this.#bytesTotal = bytesTotal;
    this.#chance = chance;
    this.#watch = watch;
  }

  /** It broke, and an empty one is put in its place. */
  replace(): void {
    this.volume = new MemoryVolume({ name: this.name, bytesTotal: this.#bytesTotal });
    this.fault = null;
    this.empty = true;
    this.harmed.clear();
  }

  /** What an operator who adopts sees of its place. */
  vacancy(): Vacancy {
    if (!this.empty) throw new ArchiveError('CONFLICT', `volume ${this.name} is there: this is no empty disk`);
    return { path: `/${this.name}`, bytesTotal: this.#bytesTotal, bytesFree: this.#bytesTotal, mountPoint: true };
  }

  /** Makes the empty disk the volume. */
  async take(life: Life): Promise<Volume> {
    await life.call(true, () => {
      this.vacancy();
      this.empty = false;
    });
    return this.openFor(life);
  }

  /** @param power the machine is without power: what was not synced is lost, or half there. */
  afterDeath(power: boolean): void {
    if (!power) {
      this.volume.kill();
      return;
    }
    const { share, tail } = {
      share: this.#chance.pick([0, 0, 1, this.#chance.share()]),
      tail: this.#chance.chance(0.3),
    };
    this.volume.crash((unsynced) => unsynced * share, tail);
  }

  /** As a process opens it. */
  async openFor(life: Life): Promise<Volume> {
    await life.call(false, () => this.#mustBeThere());
    this.volume.kill();
    return new OpenDisk(this, life, this.#chance, this.#watch);
  }

  /** Throws what a call gets now; resolves with what else is to become of it. */
  async before(life: Life, write: boolean): Promise<'lost' | 'well'> {
    this.#mustBeThere();
    if (this.fault === 'slow') await life.hang(this.#chance.share() * SLOW_MS);
    if (this.fault === 'hung') {
      await life.hang(CALL_MS);
      return 'lost';
    }
    if (write && this.fault === 'read-only') throw new ArchiveError('UNAVAILABLE', `volume ${this.name}: EROFS`);
    return this.fault === 'erring' && this.#chance.chance(0.5) ? 'lost' : 'well';
  }

  #mustBeThere(): void {
    if (this.fault === 'gone' || this.empty) throw new ArchiveError('UNAVAILABLE', `volume ${this.name} is missing`);
  }
}

class OpenDisk implements Volume {
  readonly name: VolumeName;
  readonly #disk: Disk;
  /** The disk that it was opened on. */
  readonly #volume: MemoryVolume;
  readonly #life: Life;
  readonly #chance: Seeded;
  readonly #watch: DiskWatch;
  #closed = false;

  constructor(disk: Disk, life: Life, chance: Seeded, watch: DiskWatch) {
    this.name = disk.name;
    this.#disk = disk;
    this.#volume = disk.volume;
    this.#life = life;
    this.#chance = chance;
    this.#watch = watch;
  }

  /** A call that fails may have been done all the same, or be done half: `half` is what then is there of it. */
  #call<T>(write: boolean, work: () => Promise<T>, half?: () => Promise<unknown>): Promise<T> {
    return this.#life.call(write, async () => {
      if (this.#closed) throw new ArchiveError('UNAVAILABLE', `volume ${this.name} is closed`);
      if (this.#disk.volume !== this.#volume) throw new ArchiveError('UNAVAILABLE', `volume ${this.name}: ENODEV`);
      if ((await this.#disk.before(this.#life, write)) === 'well') return work();
      if (write && this.#chance.chance(0.5)) await (half ?? work)().catch(() => undefined);
      throw new ArchiveError('UNAVAILABLE', `volume ${this.name}: EIO`);
    });
  }

  #mayGrow(): void {
    if (this.#disk.fault === 'full') throw new ArchiveError('FULL', `volume ${this.name}: ENOSPC`);
  }

  async createTray(id: PackId): Promise<TrayAppender> {
    const tray = await this.#call(true, async () => {
      this.#mayGrow();
      return this.#disk.volume.createTray(id);
    });
    let dead = false;
    const poisoning = async <T>(work: () => Promise<T>, half: () => Promise<unknown>): Promise<T> => {
      if (dead) throw new ArchiveError('UNAVAILABLE', 'an earlier write of the tray failed');
      try {
        return await this.#call(true, work, half);
      } catch (error) {
        dead = true;
        throw error;
      }
    };
    // Where it is appended is decided when it is called, as in the order of a file.
    return {
      id,
      get bytes() {
        return tray.bytes;
      },
      append: (pieces) =>
        poisoning(
          async () => {
            this.#mayGrow();
            return tray.append(pieces);
          },
          () => tray.append(pieces.slice(0, this.#chance.below(pieces.length + 1))),
        ),
      sync: () =>
        poisoning(
          () => tray.sync(),
          () => tray.sync(),
        ),
      close: () => this.#life.call(false, () => tray.close()),
    };
  }

  async createPack(id: PackId, bytesMax?: number): Promise<PackWriter> {
    const pack = await this.#call(
      true,
      async () => {
        this.#mayGrow();
        return this.#disk.volume.createPack(id, bytesMax);
      },
      // Begun, and nobody has its writer: a file in tmp/ that is in nobody's way.
      async () => undefined,
    );
    let dead = false;
    let moved = false;
    const poisoning = async <T>(work: () => Promise<T>): Promise<T> => {
      if (dead) throw new ArchiveError('UNAVAILABLE', 'an earlier write of the pack failed');
      try {
        return await this.#call(true, work);
      } catch (error) {
        dead = true;
        throw error;
      }
    };
    return {
      id,
      path: pack.path,
      get bytes() {
        return pack.bytes;
      },
      append: (pieces) =>
        poisoning(async () => {
          this.#mayGrow();
          return pack.append(pieces);
        }),
      readBack: (start, end) => this.#call(false, () => pack.readBack(start, end)),
      rewrite: (at, bytes) => poisoning(() => pack.rewrite(at, bytes)),
      commit: () =>
        poisoning(async () => {
          await pack.commit();
          moved = true;
          this.#disk.harmed.delete(id);
        }).then(() => {
          moved = false;
        }),
      abort: async () => {
        await this.#life.call(true, () => pack.abort());
        // A commit that failed may have moved it to its place.
        if (moved) await this.#call(true, () => this.#disk.volume.remove({ id, kind: 'pack' })).catch(() => undefined);
      },
    };
  }

  read(ref: PackRef, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#call(false, () => this.#disk.volume.read(ref, start, end, signal));
  }

  size(ref: PackRef): Promise<number> {
    return this.#call(false, () => this.#disk.volume.size(ref));
  }

  sync(ref: PackRef): Promise<void> {
    return this.#call(true, () => this.#disk.volume.sync(ref));
  }

  path(ref: PackRef): string {
    return this.#disk.volume.path(ref);
  }

  remove(ref: PackRef): Promise<void> {
    return this.#call(true, async () => {
      await this.#watch.onRemove(this.#disk, ref);
      await this.#disk.volume.remove(ref);
      this.#disk.harmed.delete(ref.id);
    });
  }

  async *list(kind: PackRef['kind']): AsyncGenerator<{ readonly ref: PackRef; readonly bytes: number }> {
    const found = await this.#call(false, async () => {
      const all: { readonly ref: PackRef; readonly bytes: number }[] = [];
      for await (const one of this.#disk.volume.list(kind)) all.push(one);
      return all;
    });
    yield* found;
    // A volume that went away half-way looks like one with fewer files.
    await this.#call(false, () => this.#disk.volume.usage());
  }

  usage(): Promise<VolumeUsage> {
    return this.#call(false, async () => {
      const usage = await this.#disk.volume.usage();
      return this.#disk.fault === 'full' ? { ...usage, bytesFree: 0 } : usage;
    });
  }

  generation(): Promise<number> {
    return this.#call(false, () => this.#disk.volume.generation());
  }

  setGeneration(generation: number): Promise<void> {
    return this.#call(true, () => this.#disk.volume.setGeneration(generation));
  }

  probe(): Promise<void> {
    return this.#call(true, async () => {
      this.#mayGrow();
      await this.#disk.volume.probe();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}
