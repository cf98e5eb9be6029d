// At most one mover works on a pack, or files a study, at a time; readers are never locked out.
import type { PackId, StudyUid } from '../../core/ids.js';

export class PackLocks {
  readonly #tails = new Map<PackId | StudyUid, Promise<void>>();

  /** Runs `work` once every earlier holder of this pack or study has ended. */
  async run<T>(held: PackId | StudyUid, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(held) ?? Promise.resolve();
    let release: () => void = () => undefined;
    const tail = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#tails.set(held, tail);
    try {
      await before;
      return await work();
    } finally {
      release();
      if (this.#tails.get(held) === tail) this.#tails.delete(held);
    }
  }
}
