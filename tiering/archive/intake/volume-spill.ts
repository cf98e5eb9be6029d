// A long instance on its way into a pack of its own on a volume: constant memory, header filled in last. The tray then gets a small
// pointer to it, in the same group commit as everything else (DESIGN section 4).
import { createHash } from 'node:crypto';
import type { Parsed } from '../../../workers/tasks/types.js';
import { ArchiveError, codeOf } from '../../core/errors.js';
import { parseSha256 } from '../../core/ids.js';
import { MEMBER_HEADER_BYTES, memberHeader, memberPadding, TAR_END } from '../../format/tar.js';
import type { PackWriter, Volume } from '../../hot/volume.js';
import type { AdoptedPack } from '../../index/index.js';
import { bundleArrivals } from '../packs/bundles.js';
import { arrivedInstance, type Ends, type InstanceContent } from './drafts.js';
import { identityOf } from './identities.js';
import type { Receiver } from './receiver.js';
import { PlaceFailed, type SpillPlace } from './spill-place.js';

/** Small pieces are gathered to this before they are written: a system call per socket read would cost more than the copy. */
const WRITE_BYTES = 1024 * 1024;
/** The length is not known before its end: the space is looked at as it grows, and must be four times as much. */
const LOOK_EVERY_BYTES = 64 * WRITE_BYTES;

export class VolumeSpill implements SpillPlace {
  readonly #receiver: Receiver;
  readonly #volume: Volume;
  readonly #writer: PackWriter;
  /** Not yet written. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Of the instance, in the file. */
  #written = 0;
  #looked = 0;

  private constructor(receiver: Receiver, volume: Volume, writer: PackWriter) {
    this.#receiver = receiver;
    this.#volume = volume;
    this.#writer = writer;
  }

  /** Rejects as the volume does. */
  static async begin(receiver: Receiver, volume: Volume): Promise<VolumeSpill> {
    const writer = await volume.createPack(receiver.ctx.packIds.next());
    try {
      await writer.append([Buffer.alloc(MEMBER_HEADER_BYTES)]);
    } catch (error) {
      await writer.abort();
      throw error;
    }
    return new VolumeSpill(receiver, volume, writer);
  }

  async take(piece: Uint8Array): Promise<void> {
    this.#pending.push(piece);
    this.#pendingBytes += piece.length;
    if (this.#pendingBytes < WRITE_BYTES) return;
    await this.#onVolume(async () => {
      await this.#flush();
      if (this.#written - this.#looked <= LOOK_EVERY_BYTES) return;
      this.#looked = this.#written;
      const { bytesFree } = await this.#volume.usage();
      if (bytesFree < 4 * LOOK_EVERY_BYTES) {
        throw new ArchiveError('FULL', `volume ${this.#volume.name} is full`);
      }
    });
  }

  async parse(): Promise<Parsed> {
    await this.#onVolume(() => this.#flush());
    return this.#receiver.ctx.pool.scanFile({
      path: this.#writer.path,
      start: MEMBER_HEADER_BYTES,
      end: MEMBER_HEADER_BYTES + this.#written,
    });
  }

  async commit(content: InstanceContent, ends: Ends): Promise<void> {
    const { ctx, committer } = this.#receiver;
    const { study, series, sop } = identityOf(content);
    const seq = committer.nextSeq();
    const arrivedMs = ctx.clock.nowMs();
    const { id } = this.#writer;
    // Locked, so that nobody takes the file for an orphan before the index knows it.
    await ctx.locks.run(id, async () => {
      const { sha256 } = content;
      const header = await this.#onVolume(async () => {
        await this.#flush();
        const made = memberHeader({ pack: id, study, series, sop, bytes: this.#written, sha256, seq, arrivedMs });
        await this.#writer.rewrite(0, made);
        await this.#writer.append([Buffer.alloc(memberPadding(this.#written)), TAR_END]);
        await this.#writer.commit();
        return made;
      });
      const place = { pack: id, start: MEMBER_HEADER_BYTES, length: this.#written, seq, arrivedMs };
      const volume = this.#volume.name;
      const adopted: AdoptedPack = {
        pack: { id, kind: 'pack', bytes: this.#writer.bytes, createdMs: arrivedMs, hot: 'present', volume },
        ...(await bundleArrivals([arrivedInstance(content, place)])),
        seal: null,
        manifest: null,
        placements: [],
      };
      const headersSha256 = parseSha256(createHash('sha256').update(header).digest('hex'));
      await committer.submit({ kind: 'birth', adopted, headersSha256, ends });
    });
  }

  async *readBack(): AsyncGenerator<Uint8Array> {
    const end = MEMBER_HEADER_BYTES + this.#written;
    for (let at = MEMBER_HEADER_BYTES; at < end; at += WRITE_BYTES) {
      yield await this.#writer.readBack(at, Math.min(at + WRITE_BYTES, end));
    }
    yield* this.#pending;
  }

  end(): Promise<void> {
    // Does nothing after a commit.
    return this.#writer.abort();
  }

  async #flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    await this.#writer.append(this.#pending);
    this.#written += this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  async #onVolume<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const code = codeOf(error);
      if (code !== 'UNAVAILABLE' && code !== 'FULL') throw error;
      const { volumes, log } = this.#receiver.ctx;
      volumes.report(this.#volume.name, error);
      log({ level: 'warn', event: 'spill-failed', pack: this.#writer.id, detail: (error as Error).message });
      // A volume that gave an error is only suspect: its probe decides before another place is looked for.
      if (code === 'UNAVAILABLE') await volumes.settled(this.#volume.name);
      throw new PlaceFailed('the volume failed', { cause: error });
    }
  }
}
