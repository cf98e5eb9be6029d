// The keyring of a running archive. It is kept before it is used: what is wrapped under a new key can be opened after any crash.
import { ArchiveError } from '../../core/errors.js';
import type { Keyring } from '../../format/keyring.js';

export class KeyHolder {
  #ring: Keyring;
  readonly #save: ((keyring: Keyring) => Promise<void>) | undefined;
  #busy = false;

  constructor(ring: Keyring, save?: (keyring: Keyring) => Promise<void>) {
    this.#ring = ring;
    this.#save = save;
  }

  get ring(): Keyring {
    return this.#ring;
  }

  /** Resolves when the changed keyring is durable, and is the one in use. NOT_SUPPORTED where it cannot be kept. */
  async change(ring: Keyring): Promise<void> {
    if (this.#save === undefined) throw new ArchiveError('NOT_SUPPORTED', 'this keyring cannot be changed from here');
    await this.#save(ring);
    this.#ring = ring;
  }

  /** One piece of work about keys at a time: LOCKED for the second. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy) throw new ArchiveError('LOCKED', 'another job about keys runs; wait for it, or cancel it');
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }
}
