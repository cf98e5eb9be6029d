// An object store in a local (or mounted) directory: the embedded default. Objects are plain files
// whose path is the key; each appears whole and durable, or not at all. Not bounded in time by itself:
// create-directory-store.ts puts the bulkhead around it.
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ArchiveError } from '../../core/errors.js';
import { type ObjectKey, parseObjectKey } from '../../core/ids.js';
import { type ByteRange, checkBody, checkRange, orAborted, ownBuffer, throwIfAborted } from '../checks.js';
import { DIRECTORY_NAMES_MAX, OBJECT_BYTES_MAX } from '../limits.js';
import type { ObjectEntry, ObjectStore, ObjectStoreCapabilities, PutOptions } from '../object-store.js';
import { fileError, isErrno } from './file-errors.js';
import { listFolder } from './list-folder.js';
import { RootFolder, type RootFolderOptions } from './root-folder.js';
import { placeFile, syncFolder, writeNewFile } from './write-file.js';

export interface DirectoryObjectStoreOptions extends RootFolderOptions {
  /** Names of one folder held at a time while listing; for tests. */
  readonly namesMax?: number;
}

const PLACE_ATTEMPTS_MAX = 3;

export class DirectoryObjectStore implements ObjectStore {
  readonly capabilities: ObjectStoreCapabilities = { conditionalPut: true, verifiesSha256: false };
  readonly #root: RootFolder;
  readonly #namesMax: number;
  #closed = false;

  constructor(options: DirectoryObjectStoreOptions) {
    this.#root = new RootFolder(options);
    this.#namesMax = options.namesMax ?? DIRECTORY_NAMES_MAX;
  }

  async put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<void> {
    const folder = dirname(parseObjectKey(key));
    return this.#run(`put ${key}`, options.signal, async () => {
      checkBody(body);
      const temp = await this.#root.tempPath();
      await writeNewFile(temp, body, options.signal);
      for (let attempt = 1; ; attempt += 1) {
        try {
          await this.#root.makeFolder(folder);
          await this.#root.mustBeInside(folder);
          throwIfAborted(options.signal);
          await placeFile(temp, join(this.#root.path, key), options.ifAbsent === true);
          break;
        } catch (error) {
          this.#root.forgetFolder(folder);
          // A delete has just removed the folder because it had become empty.
          if (isErrno(error, 'ENOENT') && attempt < PLACE_ATTEMPTS_MAX) continue;
          await unlink(temp).catch(() => undefined);
          throw conflictOf(error, key);
        }
      }
      await syncFolder(join(this.#root.path, folder));
    });
  }

  async get(key: ObjectKey, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array> {
    parseObjectKey(key);
    return this.#run(`get ${key}`, signal, async () => {
      checkRange(range);
      const handle = await this.#openObject(key);
      try {
        // A range needs no stat: a file that ends before it shows as such.
        const { start, end } = range ?? { start: 0, end: await lengthOf(handle, key) };
        return await readExactly(handle, start, end, key);
      } catch (error) {
        if (isErrno(error, 'EISDIR')) throw new ArchiveError('ABSENT', `no object ${key}: it is a folder of others`);
        throw error;
      } finally {
        await handle.close();
      }
    });
  }

  async head(key: ObjectKey, signal?: AbortSignal): Promise<{ readonly bytes: number }> {
    parseObjectKey(key);
    return this.#run(`head ${key}`, signal, async () => {
      await this.#root.mustBeInside(dirname(key));
      const stats = await lstat(join(this.#root.path, key));
      mustBeFile(stats, key);
      return { bytes: stats.size };
    });
  }

  async *list(
    prefix: string,
    options: { readonly after?: string; readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<ObjectEntry, void, void> {
    try {
      this.#admit(options.signal);
      await this.#root.ready();
      await this.#root.mustBeThere();
      const root = this.#root.path;
      const { after = '', signal } = options;
      for await (const entry of listFolder('', { root, prefix, after, signal, namesMax: this.#namesMax })) {
        this.#admit(signal);
        yield entry;
      }
    } catch (error) {
      throw orAborted(fileError(error, `list ${prefix}`), options.signal);
    }
  }

  async delete(key: ObjectKey, signal?: AbortSignal): Promise<void> {
    const folder = dirname(parseObjectKey(key));
    return this.#run(`delete ${key}`, signal, async () => {
      try {
        await this.#root.mustBeInside(folder);
        const path = join(this.#root.path, key);
        if ((await lstat(path)).isDirectory()) return;
        await unlink(path);
      } catch (error) {
        if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) throw error;
        await this.#root.mustBeThere();
        return;
      }
      await syncFolder(join(this.#root.path, folder)).catch((error: unknown) => {
        // Another delete found the folder empty and removed it.
        if (!isErrno(error, 'ENOENT')) throw error;
      });
      await this.#removeIfEmpty(folder);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** Keeps a bucket from filling up with empty folders (one per deleted pack). */
  async #removeIfEmpty(folder: string): Promise<void> {
    if (folder === '.') return;
    this.#root.forgetFolder(folder);
    await rmdir(join(this.#root.path, folder)).catch(() => undefined);
  }

  async #openObject(key: ObjectKey): Promise<FileHandle> {
    await this.#root.mustBeInside(dirname(key));
    try {
      // O_NONBLOCK: a named pipe put there by somebody must not hang the call.
      return await open(join(this.#root.path, key), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (isErrno(error, 'ELOOP')) throw new ArchiveError('CORRUPT', `get ${key}: a symbolic link is in its place`);
      throw error;
    }
  }

  /** Runs one call; an absent file becomes ABSENT only after the root was seen. */
  async #run<T>(what: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    try {
      this.#admit(signal);
      await this.#root.ready();
      return await work();
    } catch (error) {
      throw orAborted(await this.#explain(error, what), signal);
    }
  }

  async #explain(error: unknown, what: string): Promise<unknown> {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG') || what.startsWith('put ')) return fileError(error, what);
    try {
      await this.#root.mustBeThere();
      return new ArchiveError('ABSENT', `${what}: no such object`);
    } catch (missing) {
      return fileError(missing, what);
    }
  }

  #admit(signal: AbortSignal | undefined): void {
    if (this.#closed) throw new ArchiveError('UNAVAILABLE', `the directory store ${this.#root.path} is closed`);
    throwIfAborted(signal);
  }
}

function conflictOf(error: unknown, key: ObjectKey): unknown {
  if (!isErrno(error, 'EEXIST')) return error;
  return new ArchiveError('CONFLICT', `put ${key}: the object exists already`, { cause: error });
}

function mustBeFile(stats: Stats, key: ObjectKey): void {
  if (stats.isFile()) return;
  if (stats.isDirectory()) throw new ArchiveError('ABSENT', `no object ${key}: it is a folder of others`);
  throw new ArchiveError('CORRUPT', `${key}: what is in its place is not a regular file`);
}

async function lengthOf(handle: FileHandle, key: ObjectKey): Promise<number> {
  const stats = await handle.stat();
  mustBeFile(stats, key);
  if (stats.size > OBJECT_BYTES_MAX) {
    throw new ArchiveError('CORRUPT', `get ${key}: a file of ${stats.size} bytes is longer than any object`);
  }
  return stats.size;
}

async function readExactly(handle: FileHandle, start: number, end: number, key: ObjectKey): Promise<Uint8Array> {
  const bytes = ownBuffer(end - start);
  let at = 0;
  while (at < bytes.byteLength) {
    const { bytesRead } = await handle.read(bytes, at, bytes.byteLength - at, start + at);
    if (bytesRead === 0)
      throw new ArchiveError('CORRUPT', `get ${key}: the file ended ${bytes.byteLength - at} bytes early`);
    at += bytesRead;
  }
  return bytes;
}
