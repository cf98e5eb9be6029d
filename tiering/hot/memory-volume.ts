// The reference model of a volume, in memory: what tests compare the real one with, and what a
// simulation runs on. It knows what is durable, so that it can lose the rest; it can be made to fail.
import { ArchiveError, type ErrorCode } from '../core/errors.js';
import type { PackId, VolumeName } from '../core/ids.js';
import type { PackKind } from '../format/types.js';
import { Contents, MemoryAppender, MemoryPack, MemoryTray, type VolumeStep } from './memory-files.js';
import type { PackRef, PackWriter, TrayAppender, Volume, VolumeUsage } from './volume.js';

export type { VolumeStep } from './memory-files.js';

export interface MemoryVolumeOptions {
  readonly name: VolumeName;
  /** Size of the pretended file system. Default 1 GiB. */
  readonly bytesTotal?: number;
}

export class MemoryVolume implements Volume {
  readonly name: VolumeName;
  readonly #bytesTotal: number;
  readonly #files = new Map<string, { readonly ref: PackRef; readonly contents: Contents }>();
  readonly #writing = new Set<PackId>();
  #fault: ((step: VolumeStep, id: PackId | undefined) => ErrorCode | undefined) | undefined;
  #closed = false;
  #generation = 0;
  /** Rises with every crash: appenders of an earlier life are dead. */
  #life = 0;

  constructor(options: MemoryVolumeOptions) {
    this.name = options.name;
    this.#bytesTotal = options.bytesTotal ?? 1024 ** 3;
  }

  /** Asks `fault` before every step; a code that it gives is what the step rejects with. `undefined` heals. */
  setFault(fault: ((step: VolumeStep, id: PackId | undefined) => ErrorCode | undefined) | undefined): void {
    this.#fault = fault;
  }

  /**
   * The process or the power is gone and back: of each tray what was synced survives, and as much of the rest as `keep` says
   * (of the unsynced bytes; default none). Packs that were not committed are gone. The volume is open again.
   * @param hollow what survives of the unsynced bytes is their length alone: the file system wrote the size and not the data.
   */
  crash(keep: (unsyncedBytes: number) => number = () => 0, hollow = false): void {
    this.#life += 1;
    this.#closed = false;
    this.#writing.clear();
    for (const { contents } of this.#files.values()) {
      const unsynced = contents.length - contents.durableLength;
      contents.length = contents.durableLength + Math.max(0, Math.min(unsynced, Math.floor(keep(unsynced))));
      if (hollow) contents.hollow(contents.durableLength);
      contents.durableLength = contents.length;
    }
  }

  /** The process is gone and back: its appenders are dead, packs that were not committed are gone, and nothing is the more durable for it. */
  kill(): void {
    this.#life += 1;
    this.#closed = false;
    this.#writing.clear();
  }

  /** Opens it again after `close`, with everything that was there. */
  reopen(): void {
    this.crash((unsynced) => unsynced);
  }

  /** What lies there, faults or none; null: no such file. */
  peek(ref: PackRef): Uint8Array | null {
    const contents = this.#files.get(keyOf(ref))?.contents;
    return contents === undefined ? null : contents.copy(0, contents.length);
  }

  /** Flips one byte of a file. */
  damage(ref: PackRef, at: number): void {
    this.#find(ref).contents.flip(at);
  }

  async createTray(id: PackId): Promise<TrayAppender> {
    this.#step('create', id);
    const contents = this.#add({ id, kind: 'tray' }, new Contents());
    return new MemoryTray(id, new MemoryAppender(contents, this.#appending(id)));
  }

  async createPack(id: PackId, bytesMax = 0): Promise<PackWriter> {
    this.#step('create', id);
    if (this.#writing.has(id) || this.#files.has(keyOf({ id, kind: 'pack' }))) {
      throw new ArchiveError('CONFLICT', `pack ${id} exists already`);
    }
    this.#assertRoom(bytesMax);
    this.#writing.add(id);
    const contents = new Contents();
    return new MemoryPack(id, new MemoryAppender(contents, this.#appending(id)), {
      commit: () => {
        this.#writing.delete(id);
        contents.durableLength = contents.length;
        this.#add({ id, kind: 'pack' }, contents);
      },
      abort: () => void this.#writing.delete(id),
    });
  }

  async read(ref: PackRef, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    if (signal?.aborted === true) throw new ArchiveError('ABORTED', 'the caller gave up', { cause: signal.reason });
    this.#step('read', ref.id);
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
      throw new ArchiveError('INVALID', `not a byte range: [${start}, ${end})`);
    }
    const { contents } = this.#find(ref);
    if (end > contents.length) throw new ArchiveError('CORRUPT', `${ref.kind} ${ref.id} ends before byte ${end}`);
    return contents.copy(start, end);
  }

  async size(ref: PackRef): Promise<number> {
    this.#step('size', ref.id);
    return this.#find(ref).contents.length;
  }

  async sync(ref: PackRef): Promise<void> {
    this.#step('sync', ref.id);
    const { contents } = this.#find(ref);
    contents.durableLength = contents.length;
  }

  /** No worker can open this: a simulation parses what it has in memory. */
  path(ref: PackRef): string {
    return `memory:${keyOf(ref)}`;
  }

  async remove(ref: PackRef): Promise<void> {
    this.#step('remove', ref.id);
    this.#files.delete(keyOf(ref));
  }

  async *list(kind: PackKind): AsyncGenerator<{ readonly ref: PackRef; readonly bytes: number }> {
    this.#step('list');
    for (const { ref, contents } of [...this.#files.values()]) {
      if (ref.kind === kind) yield { ref, bytes: contents.length };
    }
  }

  async usage(): Promise<VolumeUsage> {
    this.#step('usage');
    return { bytesTotal: this.#bytesTotal, bytesFree: this.#bytesFree() };
  }

  async generation(): Promise<number> {
    this.#step('read');
    return this.#generation;
  }

  async setGeneration(generation: number): Promise<void> {
    this.#step('sync');
    this.#generation = generation;
  }

  async probe(): Promise<void> {
    this.#step('probe');
    this.#assertRoom(1);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#life += 1;
  }

  #bytesFree(): number {
    let used = 0;
    for (const { contents } of this.#files.values()) used += contents.length;
    return Math.max(0, this.#bytesTotal - used);
  }

  #assertRoom(bytes: number): void {
    const free = this.#bytesFree();
    if (bytes > free) throw new ArchiveError('FULL', `volume ${this.name} has ${free} bytes free, ${bytes} are needed`);
  }

  #add(ref: PackRef, contents: Contents): Contents {
    if (this.#files.has(keyOf(ref))) throw new ArchiveError('CONFLICT', `${ref.kind} ${ref.id} exists already`);
    this.#files.set(keyOf(ref), { ref, contents });
    return contents;
  }

  #find(ref: PackRef): { readonly contents: Contents } {
    const found = this.#files.get(keyOf(ref));
    if (found === undefined) throw new ArchiveError('ABSENT', `there is no ${ref.kind} ${ref.id} on ${this.name}`);
    return found;
  }

  #appending(id: PackId): (step: VolumeStep, bytes: number) => void {
    const born = this.#life;
    return (step, bytes) => {
      if (born !== this.#life) throw new ArchiveError('UNAVAILABLE', `the writer of ${id} is dead`);
      this.#step(step, id);
      this.#assertRoom(bytes);
    };
  }

  #step(step: VolumeStep, id?: PackId): void {
    if (this.#closed) throw new ArchiveError('UNAVAILABLE', `volume ${this.name} is closed`);
    const code = this.#fault?.(step, id);
    if (code !== undefined) throw new ArchiveError(code, `volume ${this.name}: ${step} was made to fail`);
  }
}

function keyOf(ref: PackRef): string {
  return `${ref.kind}/${ref.id}`;
}
