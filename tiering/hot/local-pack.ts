// Writes one pack of a local volume: in `tmp/` until it is whole and durable, then by rename to its
// place, with an fsync of every directory that the rename relies on.
import { ArchiveError } from '../core/errors.js';
import type { PackId } from '../core/ids.js';
import type { FileAppender } from './file-appender.js';
import type { PackWriter } from './volume.js';

/** Dirty bytes after which a sync is begun, so that the one of the commit is short and the page cache is not flooded. */
const SYNC_EVERY_BYTES = 32 * 1024 * 1024;

/** What the writer needs of its volume. */
export interface PackHome {
  /** Moves `path` to the pack's place and makes that durable; CONFLICT when the place is taken. `onMove` is called before the rename. */
  publish(id: PackId, path: string, onMove: () => void): Promise<void>;
  /** Removes the file at `path`, and the published pack too when `published`. */
  discard(id: PackId, path: string, published: boolean): Promise<void>;
  /** The writer has ended: the id is free again. */
  finished(id: PackId): void;
}

export class LocalPack implements PackWriter {
  readonly id: PackId;
  readonly path: string;
  readonly #appender: FileAppender;
  readonly #home: PackHome;
  #state: 'open' | 'committing' | 'committed' | 'ended' = 'open';
  #published = false;
  #syncedTo = 0;
  #syncing: Promise<void> = Promise.resolve();

  constructor(id: PackId, path: string, appender: FileAppender, home: PackHome) {
    this.id = id;
    this.path = path;
    this.#appender = appender;
    this.#home = home;
  }

  get bytes(): number {
    return this.#appender.bytes;
  }

  async append(pieces: readonly Uint8Array[]): Promise<number> {
    this.#assertOpen();
    const start = await this.#appender.append(pieces);
    if (this.bytes - this.#syncedTo >= SYNC_EVERY_BYTES) {
      // At most one is under way: a disk that cannot keep up slows the writer down here.
      await this.#syncing;
      this.#syncedTo = this.bytes;
      // A failure poisons the appender, which says so at the next call.
      this.#syncing = this.#appender.sync().catch(() => {});
    }
    return start;
  }

  async readBack(start: number, end: number): Promise<Uint8Array> {
    // Also when the commit failed: the appender says whether it still has the file.
    return this.#appender.read(start, end);
  }

  async rewrite(at: number, bytes: Uint8Array): Promise<void> {
    this.#assertOpen();
    await this.#appender.rewrite(at, bytes);
  }

  async commit(): Promise<void> {
    this.#assertOpen();
    this.#state = 'committing';
    await this.#syncing;
    await this.#appender.sync();
    await this.#appender.close();
    await this.#home.publish(this.id, this.path, () => {
      // From here on the file may be in its place even when the call fails.
      this.#published = true;
    });
    this.#state = 'committed';
    this.#home.finished(this.id);
  }

  async abort(): Promise<void> {
    if (this.#state === 'committed' || this.#state === 'ended') return;
    this.#state = 'ended';
    try {
      await this.#appender.close();
      await this.#home.discard(this.id, this.path, this.#published);
    } catch {
      // What is left in tmp/ goes when the volume is opened next; a published pack is dropped or adopted by the index.
    } finally {
      this.#home.finished(this.id);
    }
  }

  #assertOpen(): void {
    if (this.#state === 'open') return;
    throw new ArchiveError('UNAVAILABLE', `pack ${this.id} is ${this.#state === 'ended' ? 'aborted' : this.#state}`);
  }
}
