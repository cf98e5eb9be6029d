// The in-tray of one volume as a log: appended to in batches, synced once per batch, rotated by size,
// and never appended to again after a restart or a failed write (DESIGN section 4).
import { ArchiveError } from '../../core/errors.js';
import type { PackId, VolumeName } from '../../core/ids.js';
import { MEMBER_HEADER_BYTES } from '../../format/tar.js';
import { noteMember } from '../../format/tar-notes.js';
import type { TrayAppender, Volume } from '../../hot/volume.js';
import type { ArrivedInstance, TombstoneRecord } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { arrivedInstance, draftPieces, endsOf, type Pending } from './drafts.js';

/** One batch as it lies in the tray, not yet synced. */
export interface AppendedBatch {
  readonly pending: readonly Pending[];
  readonly instances: readonly ArrivedInstance[];
  /** Bytes of the tray up to and with this batch. */
  readonly end: number;
}

export class TrayLog {
  readonly id: PackId;
  readonly volume: VolumeName;
  readonly #ctx: ArchiveContext;
  readonly #appender: TrayAppender;
  #accepted = 0;
  /** The batch whose rows are being written; never rejects. */
  #indexing: Promise<unknown> = Promise.resolve();

  private constructor(ctx: ArchiveContext, volume: VolumeName, appender: TrayAppender) {
    this.#ctx = ctx;
    this.volume = volume;
    this.#appender = appender;
    this.id = appender.id;
  }

  /** Begins a tray on `volume`. Its first member states what was accepted of the one before it. */
  static async begin(
    ctx: ArchiveContext,
    volume: Volume,
    predecessor: { readonly pack: PackId; readonly bytes: number } | null,
  ): Promise<TrayLog> {
    const id = ctx.packIds.next();
    const appender = await volume.createTray(id);
    try {
      const log = new TrayLog(ctx, volume.name, appender);
      const arrivedMs = ctx.clock.nowMs();
      await appender.append([noteMember({ pack: id, note: { note: 'tray', predecessor }, arrivedMs })]);
      await ctx.index.addPack({
        id,
        kind: 'tray',
        bytes: 0,
        createdMs: arrivedMs,
        hot: 'open',
        volume: volume.name,
      });
      return log;
    } catch (error) {
      await appender.close().catch(() => undefined);
      throw error;
    }
  }

  /** Bytes appended so far. */
  get bytes(): number {
    return this.#appender.bytes;
  }

  /** Bytes that are durable and indexed, the batch with them whose rows are being written; to be asked when no other will be. */
  async accepted(): Promise<number> {
    await this.#indexing;
    return this.#accepted;
  }

  /** Writes a batch at the end. Not durable before `sync`. */
  async append(pending: readonly Pending[]): Promise<AppendedBatch> {
    const pieces: Uint8Array[] = [];
    const at: { pending: Pending; offset: number; length: number }[] = [];
    let offset = 0;
    for (const one of pending) {
      const { draft } = one;
      const own = draftPieces(this.id, one);
      at.push({ pending: one, offset, length: draft.kind === 'instance' ? draft.bytes.length : 0 });
      for (const piece of own) {
        pieces.push(piece);
        offset += piece.length;
      }
    }
    const base = await this.#appender.append(pieces);
    const instances = at.flatMap(({ pending: one, offset: from, length }) =>
      one.draft.kind !== 'instance'
        ? []
        : [
            arrivedInstance(one.draft.content, {
              pack: this.id,
              start: base + from + MEMBER_HEADER_BYTES,
              length,
              seq: one.seq,
              arrivedMs: one.arrivedMs,
            }),
          ],
    );
    return { pending, instances, end: base + offset };
  }

  /** fdatasync. Whatever was appended before the call is durable when it resolves. */
  async sync(): Promise<void> {
    await this.#appender.sync();
  }

  /** Makes a synced batch visible, births first. Batches come in the order in which they were appended. */
  index(batch: AppendedBatch): Promise<void> {
    const indexed = this.#index(batch);
    this.#indexing = indexed.catch(() => undefined);
    return indexed;
  }

  async #index(batch: AppendedBatch): Promise<void> {
    if (batch.end <= this.#accepted) throw new ArchiveError('INTERNAL', 'batches of a tray were indexed out of order');
    const tombstones: TombstoneRecord[] = [];
    for (const { draft } of batch.pending) {
      if (draft.kind === 'birth') await this.#ctx.index.adopt(draft.adopted, endsOf(draft));
      if (draft.kind === 'delete') tombstones.push(draft.record);
      else tombstones.push(...endsOf(draft));
    }
    const { instances, end: indexedTo } = batch;
    await this.#ctx.index.commitArrivals({ pack: this.id, indexedTo, instances, tombstones });
    this.#accepted = batch.end;
  }

  /**
   * States on the volume alone where the tray ends, when the index cannot be told: an empty tray of the note that the next one would begin with. Else
   * a replay would bring what its senders were told had failed, in place of what was stored or deleted since.
   */
  async endWithoutIndex(): Promise<void> {
    const volume = this.#ctx.volumes.readable(this.volume);
    if (volume === null) throw new ArchiveError('UNAVAILABLE', `volume ${this.volume} is not available`);
    const id = this.#ctx.packIds.next();
    const predecessor = { pack: this.id, bytes: this.#accepted };
    const end = await volume.createTray(id);
    try {
      await end.append([
        noteMember({ pack: id, note: { note: 'tray', predecessor }, arrivedMs: this.#ctx.clock.nowMs() }),
      ]);
      await end.sync();
    } finally {
      await end.close();
    }
  }

  /** Ends the tray at what was accepted. What lies beyond (a failed batch) is ignored by everyone. To be called once, with nothing to be indexed after it. */
  async close(): Promise<void> {
    await this.#indexing;
    await this.#appender.close().catch(() => undefined);
    await this.stateEnd();
  }

  /** The index is told where the tray ends, unless somebody read it meanwhile. Not durable: a tray that nothing lies beyond the end of may be read again. */
  async stateEnd(): Promise<void> {
    if ((await this.#ctx.index.pack(this.id))?.hot !== 'open') return;
    await this.#ctx.catalog.change(this.id, (index) => index.closeTray(this.id, this.#accepted));
  }
}
