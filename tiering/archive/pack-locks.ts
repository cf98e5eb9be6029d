// At most one mover works on a pack at a time; readers are never locked out.
import type { PackId } from '../core/ids.js';

export class PackLocks {
  readonly #tails = new Map<PackId, Promise<void>>();

  /** Runs `work` once every earlier holder of this pack has ended. */
  async run<T>(pack: PackId, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(pack) ?? Promise.resolve();
    let release: () => void = () => undefined;
    const tail = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#tails.set(pack, tail);
    try {
      await before;
      return await work();
    } finally {
      release();
      if (this.#tails.get(pack) === tail) this.#tails.delete(pack);
    }
  }
}
