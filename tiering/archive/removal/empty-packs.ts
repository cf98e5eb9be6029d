// What nothing lives in any more is removed: trays that were filed, packs that were merged, packs of which everything was
// deleted. Nothing is unlinked before the commit that made it dead is durable, and no tray before its tombstones lie in a later one.
import type { PackId } from '../../core/ids.js';
import { noteMemberBytes } from '../../format/tar-notes.js';
import type { PackFilter, PackRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import type { Committer } from '../intake/committer.js';
import { noteOfRecord } from './make-record.js';
import { unreadDeletes } from './provisional.js';

/** Tombstones are carried forward from a small tray, or from one that they are less than a quarter of: so that carrying costs little. */
const SMALL_TRAY_BYTES = 1024 * 1024;
const CARRIED_SHARE_MAX = 1 / 4;
const NONE: ReadonlySet<PackId> = new Set();

export class EmptyPacks {
  readonly #ctx: ArchiveContext;
  readonly #committer: Committer;
  /** Trays that stay, since they are mostly tombstones: nothing of a closed tray changes. */
  readonly #kept = new Set<PackId>();

  constructor(ctx: ArchiveContext, committer: Committer) {
    this.#ctx = ctx;
    this.#committer = committer;
  }

  /**
   * Removes what is empty and can be removed now; the names of what replicas hold of it become garbage.
   * @param erased go also if they are mostly tombstones.
   */
  async remove(erased: ReadonlySet<PackId> = NONE): Promise<void> {
    const ctx = this.#ctx;
    const dead: PackRecord[] = [];
    for await (const record of ctx.index.packs(this.#filter())) {
      if (!this.#kept.has(record.id) || erased.has(record.id)) dead.push(record);
    }
    if (dead.length === 0 || (await unreadDeletes(ctx)).length > 0) return;
    await ctx.index.commitDurable();
    for (const { id } of dead) await ctx.locks.run(id, () => this.#removeOne(id, erased.has(id)));
  }

  #filter(): PackFilter {
    return { dispensable: this.#ctx.replicas.rule.data, hot: ['present', 'missing', 'cold'] };
  }

  async #removeOne(id: PackId, erased: boolean): Promise<void> {
    const ctx = this.#ctx;
    let record: PackRecord | undefined;
    for await (const one of ctx.index.packs({ ...this.#filter(), ids: [id] })) record = one;
    if (record === undefined) return;
    const { kind, hot, volume: name } = record;
    const volume = name === null ? null : ctx.volumes.readable(name);
    // Its volume is away: the file is removed when it returns, the row says that it is there until then.
    if (volume === null && hot !== 'cold') return;
    if (kind === 'tray' && !(await this.#carriedForward(record, erased))) return;
    await ctx.catalog.change(id, (index) => index.dropPack(id));
    await ctx.index.commitDurable();
    await volume?.remove({ id, kind });
  }

  /** Whether every tombstone of a tray lies in another one, by being written there now if need be. */
  async #carriedForward(tray: PackRecord, whateverItCosts: boolean): Promise<boolean> {
    const { index } = this.#ctx;
    if (tray.bytes > SMALL_TRAY_BYTES && !whateverItCosts) {
      let bytes = 0;
      for await (const tombstone of index.tombstones({ tray: tray.id })) {
        bytes += noteMemberBytes(noteOfRecord(tombstone));
      }
      if (bytes > tray.bytes * CARRIED_SHARE_MAX) {
        this.#kept.add(tray.id);
        return false;
      }
    }
    for await (const record of index.tombstones({ tray: tray.id })) {
      await this.#committer.submit({ kind: 'delete', record });
    }
    for await (const _left of index.tombstones({ tray: tray.id })) return false;
    return true;
  }
}
