// Whether the archive may take, move or delete anything now. It may not while its index cannot be written, and never again in this process once
// the index turned out not to be the one that decides (an older copy, or another server took the archive over). Reads go on either way.
import { ArchiveError } from '../../core/errors.js';

export class WriteGate {
  #fault: string | null = null;
  #forGood = false;
  readonly #owed = new Set<() => Promise<void>>();

  /** Why nothing is taken, moved or deleted, with what to do; null when it is. */
  get fault(): string | null {
    return this.#fault;
  }

  /** Only a restart opens it again. */
  get forGood(): boolean {
    return this.#forGood;
  }

  /** The first reason stands, unless this one is for good. Returns whether anything changed. */
  close(fault: string, forGood = false): boolean {
    if (this.#forGood || (this.#fault !== null && !forGood)) return false;
    this.#fault = fault;
    this.#forGood = forGood;
    return true;
  }

  /** Closes it until the index has taken `work`, of which nobody but this process knows: it is done before it opens, and again and again until it succeeds. */
  owe(fault: string, work: () => Promise<void>): void {
    this.#owed.add(work);
    this.close(fault);
  }

  /** Does what is owed, in order; rejects with the first failure, and what is left is owed still. */
  async settle(): Promise<void> {
    for (const work of this.#owed) {
      await work();
      this.#owed.delete(work);
    }
  }

  /** After `settle`. */
  open(): void {
    if (!this.#forGood) this.#fault = null;
  }

  /** Throws UNAVAILABLE with the reason while it is closed. */
  mustBeOpen(): void {
    if (this.#fault !== null) throw new ArchiveError('UNAVAILABLE', this.#fault);
  }
}
