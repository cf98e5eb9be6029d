// One open descriptor. It is closed only when no system call on it is in flight, hung ones included:
// a number that the kernel has given to another file must never be written to by a late call.
import type { Bulkhead, CallState } from './bulkhead.js';
import * as files from './files.js';

export class OpenFile {
  readonly #bulkhead: Bulkhead;
  readonly #fd: number;
  #users = 0;
  #closing: { readonly done: Promise<void>; readonly begin: () => void } | undefined;

  private constructor(bulkhead: Bulkhead, fd: number) {
    this.#bulkhead = bulkhead;
    this.#fd = fd;
  }

  /** Opens `path`; one that arrives after the deadline is closed again. */
  static async open(bulkhead: Bulkhead, path: string, flags: number): Promise<OpenFile> {
    const fd = await bulkhead.run(`open ${path}`, () => files.open(path, flags, 0o640), {
      discard: (late) => void files.close(late).catch(() => {}),
    });
    return new OpenFile(bulkhead, fd);
  }

  /** Runs `work` on the descriptor in a slot of the bulkhead. Must not be called after `close`. */
  use<T>(what: string, work: (fd: number, call: CallState) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#users += 1;
    return this.#bulkhead.run(what, (call) => work(this.#fd, call), { signal, done: () => this.#release() });
  }

  /**
   * Closes. With calls in flight it resolves at once, and the descriptor is closed when the last of them returns, hung ones
   * included. Never rejects: what a close could report was asked of fsync before. Idempotent.
   */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      let begin = () => {};
      const done = new Promise<void>((resolve) => {
        begin = () => {
          this.#bulkhead.run('close', () => files.close(this.#fd), { cleanup: true }).then(resolve, () => resolve());
        };
      });
      this.#closing = { done, begin };
      if (this.#users > 0) return Promise.resolve();
      begin();
    }
    return this.#users > 0 ? Promise.resolve() : this.#closing.done;
  }

  #release(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#closing?.begin();
  }
}
