// Pack records and opened keys, cached: a frame of a cold study costs one ranged GET and no query.
// Everything that changes a pack's row goes through `change`, which forgets the cached record.
import { LRUCache } from 'lru-cache';
import { ArchiveError } from '../../core/errors.js';
import type { PackId } from '../../core/ids.js';
import { unwrapDek } from '../../format/keys.js';
import type { PackSeal } from '../../format/types.js';
import type { Index, PackRecord } from '../../index/index.js';
import type { KeyHolder } from '../keys/key-holder.js';

/** A record of a 1 GiB pack is about 20 KB with its chunk table. */
const RECORDS_MAX = 2_000;
const KEYS_MAX = 10_000;

export class PackCatalog {
  readonly #index: Index;
  readonly #keys: KeyHolder;
  readonly #records = new LRUCache<PackId, PackRecord>({ max: RECORDS_MAX });
  /** Counts changes: a record that was read while something changed is not kept. */
  #changes = 0;
  /** By DEK id. A promise, so that readers who come at one time ask once. */
  readonly #deks = new LRUCache<string, Promise<Uint8Array>>({ max: KEYS_MAX });

  constructor(index: Index, keys: KeyHolder) {
    this.#index = index;
    this.#keys = keys;
  }

  /** The pack's record, or undefined when the index has none (any more). */
  async find(id: PackId): Promise<PackRecord | undefined> {
    const cached = this.#records.get(id);
    if (cached !== undefined) return cached;
    const changes = this.#changes;
    const record = await this.#index.pack(id);
    // An open tray grows with every commit: its length would be stale at once.
    if (record !== undefined && record.hot !== 'open' && changes === this.#changes) this.#records.set(id, record);
    return record;
  }

  /** The pack's record as the index has it now; NOT_FOUND when it has none. */
  async fresh(id: PackId): Promise<PackRecord> {
    this.#records.delete(id);
    const record = await this.find(id);
    if (record === undefined) throw new ArchiveError('NOT_FOUND', `the index has no pack ${id}`);
    return record;
  }

  /** Runs a change of the pack's row, then forgets what was cached of it. */
  async change(id: PackId, write: (index: Index) => Promise<void>): Promise<void> {
    try {
      await write(this.#index);
    } finally {
      this.#changes += 1;
      this.#records.delete(id);
    }
  }

  /** The same for a change of many rows. */
  async changeMany<T>(write: (index: Index) => Promise<T>): Promise<T> {
    try {
      return await write(this.#index);
    } finally {
      this.#changes += 1;
      this.#records.clear();
    }
  }

  /** The pack's data key. WRONG_KEY when the keyring cannot open it; UNAVAILABLE when who holds its key does not answer. */
  dek(id: PackId, seal: PackSeal): Promise<Uint8Array> {
    const dekId = Buffer.from(seal.dekId).toString('hex');
    const cached = this.#deks.get(dekId);
    if (cached !== undefined) return cached;
    const dek = unwrapDek(seal, id, this.#keys.ring);
    this.#deks.set(dekId, dek);
    dek.catch(() => {
      if (this.#deks.peek(dekId) === dek) this.#deks.delete(dekId);
    });
    return dek;
  }
}
