// A volume in a local directory: `trays/`, `packs/<yyyy>/<mm>/<dd>/`, `tmp/`, its identity and its
// lock. Every system call goes through the volume's bulkhead; the contract is in volume.ts.
import { constants } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { takeBuffer } from '../core/buffers.js';
import type { Clock, Random } from '../core/clock.js';
import { ArchiveError, hasCode } from '../core/errors.js';
import type { PackId, VolumeName } from '../core/ids.js';
import type { PackKind } from '../format/types.js';
import { Bulkhead, type CallState } from './bulkhead.js';
import { DescriptorCache } from './descriptor-cache.js';
import { FileAppender } from './file-appender.js';
import * as files from './files.js';
import { readGeneration, writeGeneration } from './generation.js';
import type { IdentityGuard } from './identity.js';
import { LocalPack, type PackHome } from './local-pack.js';
import { LocalTray } from './local-tray.js';
import { OpenFile } from './open-file.js';
import { makeDurable, takeVolume } from './open-volume.js';
import { probeVolume } from './probe.js';
import type { PackRef, PackWriter, TrayAppender, Volume, VolumeUsage } from './volume.js';
import { type ListedFile, listFiles } from './volume-listing.js';
import type { VolumeLock } from './volume-lock.js';
import { pathOf, TMP, TRAYS } from './volume-paths.js';

export interface LocalVolumeOptions {
  readonly name: VolumeName;
  readonly path: string;
  readonly archiveId: string;
  /** Rises with every owner of the archive; a volume that saw a higher one is FOREIGN. */
  readonly ownerEpoch: number;
  /** Make an empty or new directory into this volume. Only for a volume that never existed: see `openLocalVolume`. */
  readonly create?: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** System calls in flight, each on a thread of the process' file pool. Default 8. */
  readonly callsMax?: number;
  /** Deadline of one call. Default 10 s. */
  readonly callTimeoutMs?: number;
  /** Descriptors kept open for reading. Default 256. */
  readonly filesMax?: number;
}

/** One read hands out at most this; longer ranges are read in pieces (READ_PIECE_BYTES). */
const READ_BYTES_MAX = 1024 * 1024 * 1024;
/** From here on the length of the file is asked before memory is taken for the answer. */
const READ_CHECK_BYTES = 4 * 1024 * 1024;
/** Days whose directories are known to be durable. */
const DAYS_KNOWN_MAX = 64;

/**
 * Opens the volume at `path` and locks it for as long as it is open. UNAVAILABLE when the directory is not there or has no
 * identity (an empty mount point is a missing volume; nothing is written to it); FOREIGN when it is another archive's, another
 * volume, or has a newer owner; LOCKED when a process has it. With `create` an empty or new directory becomes the volume.
 */
export async function openLocalVolume(options: LocalVolumeOptions): Promise<Volume> {
  const root = resolve(options.path);
  const { name, archiveId, ownerEpoch, clock } = options;
  const bulkhead = new Bulkhead({
    name,
    clock,
    callsMax: options.callsMax ?? 8,
    callTimeoutMs: options.callTimeoutMs ?? 10_000,
  });
  try {
    const mine = { archiveId, volume: name, ownerEpoch };
    const held = await takeVolume(bulkhead, root, mine, options.create === true);
    return new LocalVolume(root, options, bulkhead, held.guard, held.lock);
  } catch (error) {
    bulkhead.stopWatching();
    throw error;
  }
}

class LocalVolume implements Volume, PackHome {
  readonly name: VolumeName;
  readonly #root: string;
  readonly #random: Random;
  readonly #bulkhead: Bulkhead;
  readonly #guard: IdentityGuard;
  readonly #lock: VolumeLock;
  readonly #readers: DescriptorCache;
  readonly #trays = new Set<FileAppender>();
  readonly #packs = new Map<PackId, FileAppender>();
  readonly #daysKnown = new Set<string>();
  #packsBegun = 0;
  #closing: Promise<void> | undefined;

  constructor(root: string, options: LocalVolumeOptions, bulkhead: Bulkhead, guard: IdentityGuard, lock: VolumeLock) {
    this.name = options.name;
    this.#root = root;
    this.#random = options.random;
    this.#bulkhead = bulkhead;
    this.#guard = guard;
    this.#lock = lock;
    this.#readers = new DescriptorCache(bulkhead, options.filesMax ?? 256);
  }

  async createTray(id: PackId): Promise<TrayAppender> {
    await this.#guard.check();
    const path = pathOf(this.#root, { id, kind: 'tray' });
    const file = await this.#createFile(path);
    try {
      await this.#syncDirectory(join(this.#root, TRAYS));
    } catch (error) {
      await file.close();
      await this.#unlink(path).catch(() => {});
      throw error;
    }
    const appender = new FileAppender(file, `tray ${id}`);
    this.#trays.add(appender);
    return new LocalTray(id, appender, () => this.#trays.delete(appender));
  }

  async createPack(id: PackId, bytesMax?: number): Promise<PackWriter> {
    await this.#guard.check();
    if (this.#packs.has(id)) throw new ArchiveError('CONFLICT', `pack ${id} is being written already`);
    if (bytesMax !== undefined) {
      const { bytesFree } = await this.usage();
      if (bytesFree < bytesMax) {
        throw new ArchiveError('FULL', `volume ${this.name} has ${bytesFree} bytes free, ${bytesMax} are needed`);
      }
    }
    await this.#assertNoPack(id);
    this.#packsBegun += 1;
    const path = join(this.#root, TMP, `${id}-${this.#packsBegun}.tar`);
    const appender = new FileAppender(await this.#createFile(path), `pack ${id}`);
    if (this.#packs.has(id)) {
      await appender.close();
      await this.#unlink(path);
      throw new ArchiveError('CONFLICT', `pack ${id} is being written already`);
    }
    this.#packs.set(id, appender);
    return new LocalPack(id, path, appender, this);
  }

  async read(ref: PackRef, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    const length = end - start;
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || length < 0) {
      throw new ArchiveError('INVALID', `not a byte range: [${start}, ${end})`);
    }
    if (length > READ_BYTES_MAX) throw new ArchiveError('LIMIT', `${length} bytes in one read; read it in pieces`);
    const path = pathOf(this.#root, ref);
    const work = (fd: number, call: CallState) => readRange(fd, start, end, call, ref);
    return await this.#explained(this.#readers.use(path, (file) => file.use(`read ${path}`, work, signal), signal));
  }

  async size(ref: PackRef): Promise<number> {
    const path = pathOf(this.#root, ref);
    return (await this.#explained(this.#bulkhead.run(`stat ${path}`, () => files.lstat(path)))).size;
  }

  async sync(ref: PackRef): Promise<void> {
    await this.#guard.check();
    const path = pathOf(this.#root, ref);
    await this.#explained(this.#readers.use(path, (file) => file.use(`fsync ${path}`, (fd) => files.fsync(fd))));
    await this.#syncDirectory(dirname(path));
  }

  path(ref: PackRef): string {
    return pathOf(this.#root, ref);
  }

  async remove(ref: PackRef): Promise<void> {
    const path = pathOf(this.#root, ref);
    await this.#guard.check();
    this.#readers.drop(path);
    await this.#unlink(path);
    this.#readers.drop(path);
  }

  async *list(kind: PackKind): AsyncGenerator<ListedFile> {
    await this.#guard.check();
    yield* listFiles(this.#bulkhead, this.#root, kind);
    // A volume that went away half-way looks like one with fewer files.
    await this.#guard.check();
  }

  async usage(): Promise<VolumeUsage> {
    await this.#guard.check();
    const found = await this.#bulkhead.run('statfs', () => files.statfs(this.#root));
    return { bytesTotal: found.blocks * found.bsize, bytesFree: found.bavail * found.bsize };
  }

  async generation(): Promise<number> {
    await this.#guard.check();
    return readGeneration(this.#bulkhead, this.#root);
  }

  async setGeneration(generation: number): Promise<void> {
    await this.#guard.check();
    await this.#present(writeGeneration(this.#bulkhead, this.#root, generation));
  }

  async probe(): Promise<void> {
    await this.#guard.read().catch((error: unknown) => {
      throw hasCode(error, 'ABSENT', 'FOREIGN')
        ? new ArchiveError('UNAVAILABLE', `volume ${this.name} is missing: ${error.message}`, { cause: error })
        : error;
    });
    await probeVolume(this.#bulkhead, join(this.#root, TMP), this.#random);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async publish(id: PackId, path: string, onMove: () => void): Promise<void> {
    const ref: PackRef = { id, kind: 'pack' };
    const place = pathOf(this.#root, ref);
    await this.#guard.check();
    await this.#assertNoPack(id);
    await this.#makeDay(dirname(place));
    onMove();
    await this.#present(this.#bulkhead.run(`rename ${path}`, () => files.rename(path, place)));
    await this.#syncDirectory(dirname(place));
    await this.#syncDirectory(dirname(path));
    this.#readers.drop(place);
  }

  async discard(id: PackId, path: string, published: boolean): Promise<void> {
    await this.#unlink(path);
    if (published) await this.remove({ id, kind: 'pack' });
  }

  finished(id: PackId): void {
    this.#packs.delete(id);
  }

  async #close(): Promise<void> {
    await this.#bulkhead.close();
    await Promise.all([...this.#trays, ...this.#packs.values()].map((appender) => appender.close()));
    this.#readers.clear();
    // The closing of descriptors is waited for as well, within the deadline.
    await this.#bulkhead.close();
    this.#bulkhead.stopWatching();
    this.#lock.release();
  }

  #createFile(path: string): Promise<OpenFile> {
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
    return this.#present(OpenFile.open(this.#bulkhead, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW));
  }

  async #assertNoPack(id: PackId): Promise<void> {
    const path = pathOf(this.#root, { id, kind: 'pack' });
    try {
      await this.#bulkhead.run(`stat ${path}`, () => files.lstat(path));
    } catch (error) {
      if (hasCode(error, 'ABSENT')) return;
      throw error;
    }
    throw new ArchiveError('CONFLICT', `pack ${id} exists already on volume ${this.name}`);
  }

  async #makeDay(directory: string): Promise<void> {
    if (this.#daysKnown.has(directory)) {
      const there = await this.#bulkhead.run(`stat ${directory}`, () => files.lstat(directory)).catch(() => undefined);
      if (there?.isDirectory() === true) return;
    }
    // Never above the volume: a missing packs/ is not made anew under an empty mount point.
    const month = dirname(directory);
    for (const path of [dirname(month), month, directory]) {
      await this.#present(this.#bulkhead.run(`mkdir ${path}`, () => makeDurable(path, { parents: false })));
    }
    if (this.#daysKnown.size >= DAYS_KNOWN_MAX) this.#daysKnown.clear();
    this.#daysKnown.add(directory);
  }

  /** Unlinks, and makes that durable; also when it is gone already, since whoever unlinked it may have died before the fsync. */
  async #unlink(path: string): Promise<void> {
    await this.#bulkhead.run(`unlink ${path}`, async () => {
      await ignoringAbsence(files.unlink(path));
      await ignoringAbsence(files.syncDirectory(dirname(path)));
    });
  }

  #syncDirectory(path: string): Promise<void> {
    return this.#present(this.#bulkhead.run(`fsync ${path}`, () => files.syncDirectory(path)));
  }

  /** For what ought to be there: its absence means that the volume, or part of it, is missing. */
  async #present<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!hasCode(error, 'ABSENT')) throw error;
      throw new ArchiveError('UNAVAILABLE', `volume ${this.name} is not whole: ${error.message}`, { cause: error });
    }
  }

  /** Lets "absent" through only from a volume that is there: UNAVAILABLE otherwise. */
  async #explained<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (hasCode(error, 'ABSENT')) await this.#guard.check();
      throw error;
    }
  }
}

async function readRange(fd: number, start: number, end: number, call: CallState, ref: PackRef): Promise<Uint8Array> {
  const length = end - start;
  const short = () => new ArchiveError('CORRUPT', `${ref.kind} ${ref.id} ends before byte ${end}`);
  // A wrong length must not take its memory: the file is asked first.
  if ((length === 0 || length > READ_CHECK_BYTES) && (await files.fstat(fd)).size < end) throw short();
  const buffer = takeBuffer(length);
  if ((await files.readFully(fd, buffer, start, call)) < length) throw short();
  return buffer;
}

async function ignoringAbsence(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
