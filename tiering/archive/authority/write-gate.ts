// Whether the archive may take, move or delete anything now. It may not while its index cannot be written, and never again in this process once
// the index turned out not to be the one that decides (an older copy, or another server took the archive over). Reads go on either way.
import { ArchiveError } from '../../core/errors.js';

export class WriteGate {
  #fault: string | null = null;
  #forGood = false;

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

  open(): void {
    if (!this.#forGood) this.#fault = null;
  }

  /** Throws UNAVAILABLE with the reason while it is closed. */
  mustBeOpen(): void {
    if (this.#fault !== null) throw new ArchiveError('UNAVAILABLE', this.#fault);
  }
}
