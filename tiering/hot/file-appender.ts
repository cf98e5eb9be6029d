// Appends to one new file at a tracked offset. After the first failure the file is poisoned: what a
// failed write or sync left behind is unknown, so nothing may be built on it.
import { ArchiveError } from '../core/errors.js';
import { Semaphore } from '../core/queues.js';
import type { CallState } from './bulkhead.js';
import * as files from './files.js';
import type { OpenFile } from './open-file.js';

/** Appends that may wait for the one that runs. */
const APPENDS_WAITING_MAX = 1024;

export class FileAppender {
  readonly #file: OpenFile;
  readonly #what: string;
  /** Writes go one after another, so that `bytes` never counts beyond a hole. */
  readonly #turn = new Semaphore(1, APPENDS_WAITING_MAX);
  #bytes = 0;
  #poison: unknown;
  #poisoned = false;
  #closed = false;

  constructor(file: OpenFile, what: string) {
    this.#file = file;
    this.#what = what;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves with the offset of the first piece. */
  async append(pieces: readonly Uint8Array[]): Promise<number> {
    return await this.#turn.run(async () => {
      this.assertSound();
      const start = this.#bytes;
      const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
      if (length > 0) await this.#write(pieces, start);
      this.#bytes = start + length;
      return start;
    });
  }

  /** Bytes that were appended, poisoned or not: in a buffer of its own. CORRUPT when the file is shorter. */
  async read(start: number, end: number): Promise<Uint8Array> {
    if (this.#closed) throw new ArchiveError('UNAVAILABLE', `${this.#what} is closed`);
    const bytes = Buffer.allocUnsafeSlow(end - start);
    const count = await this.#file.use(`read ${this.#what}`, (fd, call) => files.readFully(fd, bytes, start, call));
    if (count < bytes.length) throw new ArchiveError('CORRUPT', `${this.#what} ends before byte ${end}`);
    return bytes;
  }

  /** INVALID when the range was not appended before. */
  async rewrite(at: number, bytes: Uint8Array): Promise<void> {
    await this.#turn.run(async () => {
      this.assertSound();
      if (!Number.isSafeInteger(at) || at < 0 || at + bytes.length > this.#bytes) {
        throw new ArchiveError('INVALID', `${this.#what}: bytes ${at}+${bytes.length} are not all written yet`);
      }
      await this.#write([bytes], at);
    });
  }

  /** fdatasync; UNAVAILABLE also when the file has no name any more, since it would not outlive the process. */
  async sync(): Promise<void> {
    this.assertSound();
    const links = await this.#guarded('fdatasync', async (fd) => {
      await files.fdatasync(fd);
      return (await files.fstat(fd)).nlink;
    });
    if (links > 0) return;
    const gone = new ArchiveError('UNAVAILABLE', `${this.#what} was deleted while it was being written`);
    this.poison(gone);
    throw gone;
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.#file.close();
  }

  poison(cause: unknown): void {
    if (this.#poisoned) return;
    this.#poisoned = true;
    this.#poison = cause;
  }

  /** UNAVAILABLE once an earlier write or sync failed, or the file is closed. */
  assertSound(): void {
    if (this.#poisoned) {
      throw new ArchiveError('UNAVAILABLE', `${this.#what} takes no more: an earlier write failed`, {
        cause: this.#poison,
      });
    }
    if (this.#closed) throw new ArchiveError('UNAVAILABLE', `${this.#what} is closed`);
  }

  async #write(pieces: readonly Uint8Array[], at: number): Promise<void> {
    await this.#guarded('write', (fd, call) => files.writeFully(fd, pieces, at, call));
  }

  async #guarded<T>(what: string, work: (fd: number, call: CallState) => Promise<T>): Promise<T> {
    try {
      return await this.#file.use(`${what} ${this.#what}`, work);
    } catch (error) {
      this.poison(error);
      throw error;
    }
  }
}
