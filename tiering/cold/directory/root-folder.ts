// The root of a directory store, and the one question that must never be guessed at: is an object
// absent, or is the disk not there? A root is a folder that holds something, at least the `.tmp`
// that creation makes: an empty folder is taken for the mount point of a disk that is missing.
import { constants } from 'node:fs';
import { access, mkdir, opendir, readdir, realpath, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Clock, Random } from '../../core/clock.js';
import { ArchiveError } from '../../core/errors.js';
import { DIRECTORY_STALE_TEMP_MS } from '../limits.js';
import { isErrno } from './file-errors.js';
import { makeFolders, syncFolder } from './write-file.js';

const TEMP = '.tmp';
/** A folder is not looked up again within this time: it would double the cost of a small read. */
const INSIDE_MS = 5_000;
/** Folders known to be durable; forgotten all at once when there are too many. */
const KNOWN_FOLDERS_MAX = 20_000;

export interface RootFolderOptions {
  readonly root: string;
  /** Make the root, and mark it, when it is missing or empty. */
  readonly create: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

export class RootFolder {
  readonly path: string;
  readonly #options: RootFolderOptions;
  readonly #known = new Map<string, Promise<void>>();
  /** When a folder was last seen to be where it seems to be. */
  readonly #inside = new Map<string, number>();
  #created = false;
  #real: string | undefined;

  constructor(options: RootFolderOptions) {
    this.#options = options;
    this.path = resolve(options.root);
  }

  /** Makes the root the first time, where that was asked for. UNAVAILABLE later on when it has gone. */
  async ready(): Promise<void> {
    if (!this.#options.create || this.#created) return;
    await mkdir(this.path, { recursive: true });
    await syncFolder(dirname(this.path));
    await this.#makeTemp();
    this.#created = true;
  }

  /** Throws UNAVAILABLE unless the root is there and is not an empty mount point. */
  async mustBeThere(): Promise<void> {
    if (await this.#isThere()) return;
    throw new ArchiveError(
      'UNAVAILABLE',
      `${this.path} is missing or empty: is its disk mounted? A new replica must be created explicitly`,
    );
  }

  /** A fresh name for a temporary file, on the same file system as the objects. */
  async tempPath(): Promise<string> {
    const temp = join(this.path, TEMP);
    try {
      await access(temp, constants.W_OK);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
      // Copied here by other means: it has objects and no mark yet.
      await this.mustBeThere();
      await this.#makeTemp();
    }
    return join(temp, `${process.pid}-${Buffer.from(this.#options.random.bytes(12)).toString('hex')}`);
  }

  /** Makes `folder` durable, once per process. */
  async makeFolder(folder: string): Promise<void> {
    const known = this.#known.get(folder);
    if (known !== undefined) return known;
    if (this.#known.size >= KNOWN_FOLDERS_MAX) this.#known.clear();
    const made = makeFolders(this.path, folder);
    this.#known.set(folder, made);
    try {
      await made;
    } catch (error) {
      this.#known.delete(folder);
      throw error;
    }
  }

  /** After a folder turned out not to exist, or was removed. */
  forgetFolder(folder: string): void {
    this.#known.delete(folder);
    this.#inside.delete(folder);
  }

  /** Throws UNAVAILABLE when a symbolic link below the root leads the folder elsewhere. ENOENT passes. */
  async mustBeInside(folder: string): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    const seenMs = this.#inside.get(folder);
    if (seenMs !== undefined && nowMs - seenMs < INSIDE_MS) return;
    await this.#checkInside(folder);
    if (this.#inside.size >= KNOWN_FOLDERS_MAX) this.#inside.clear();
    this.#inside.set(folder, nowMs);
  }

  async #checkInside(folder: string): Promise<void> {
    const real = await realpath(join(this.path, folder));
    if (this.#real !== undefined && real === join(this.#real, folder)) return;
    this.#real = await realpath(this.path);
    if (real === join(this.#real, folder)) return;
    throw new ArchiveError('UNAVAILABLE', `${join(this.path, folder)} leads elsewhere through a symbolic link`);
  }

  async #isThere(): Promise<boolean> {
    try {
      if ((await stat(join(this.path, TEMP))).isDirectory()) return true;
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
    }
    try {
      const folder = await opendir(this.path);
      const first = await folder.read();
      await folder.close();
      return first !== null;
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
      throw error;
    }
  }

  async #makeTemp(): Promise<void> {
    const temp = join(this.path, TEMP);
    await mkdir(temp).catch((error: unknown) => {
      if (!isErrno(error, 'EEXIST')) throw error;
    });
    await syncFolder(this.path);
    for (const name of await readdir(temp)) await this.#removeStale(join(temp, name));
  }

  async #removeStale(path: string): Promise<void> {
    try {
      const { mtimeMs } = await stat(path);
      if (mtimeMs < this.#options.clock.nowMs() - DIRECTORY_STALE_TEMP_MS) await unlink(path);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }
}
