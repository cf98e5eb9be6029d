// A long instance on its way to the quorum of the replicas, with no volume to lie on: sealed and sent chunk by chunk in constant memory. Its
// header, which says its length and SHA-256, lies in the first chunk: that one is held back and goes last (DESIGN section 5).

import { Keeper, type KeptBytes, type KeptPiece } from '../../../dicom/kept-bytes.js';
import type { Parsed } from '../../../workers/tasks/types.js';
import { takeBuffer } from '../../core/buffers.js';
import { ArchiveError } from '../../core/errors.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import { MEMBER_HEADER_BYTES, memberHeader, memberPadding, TAR_END } from '../../format/tar.js';
import { bundleArrivals } from '../packs/bundles.js';
import { readCold } from '../reading/cold-reader.js';
import { Sweep } from '../recovery/garbage.js';
import { arrivedInstance, type Ends, type InstanceContent } from './drafts.js';
import { identityOf } from './identities.js';
import type { Receiver } from './receiver.js';
import { QuorumUpload } from './seal-to-quorum.js';
import type { SpillPlace } from './spill-place.js';

/** Chunks on their way at once, each two buffers of 8 MiB, beside the one that is held back and the one that is being filled. */
const CHUNKS_AT_ONCE = 2;
/** What the scanner may ask for besides what was kept: of ordinary instances nothing. */
const ASKED_MAX = 64;
const ASKED_BYTES_MAX = 16 * 1024 * 1024;

export class QuorumSpill implements SpillPlace {
  readonly #receiver: Receiver;
  readonly #upload: QuorumUpload;
  readonly #stop: AbortController;
  readonly #release: () => void;
  readonly #keeper = new Keeper();
  readonly #sending = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | null = null;
  #first: Uint8Array | null = null;
  #filling = takeBuffer(CHUNK_BYTES);
  #filled = MEMBER_HEADER_BYTES;
  /** Chunks that were filled. */
  #chunks = 0;
  /** Of the instance. */
  #length = 0;
  #whole = false;
  #outcome: 'open' | 'failed' | 'committed' = 'open';

  private constructor(receiver: Receiver, upload: QuorumUpload, stop: AbortController, release: () => void) {
    this.#receiver = receiver;
    this.#upload = upload;
    this.#stop = stop;
    this.#release = release;
  }

  /** UNAVAILABLE when too few replicas answer, or too many long instances wait; else waits until another one has gone. */
  static async begin(receiver: Receiver, signal: AbortSignal | undefined): Promise<QuorumSpill> {
    const { ctx, budget, committer } = receiver;
    if (committer.destination() === 'refused') {
      throw new ArchiveError('UNAVAILABLE', 'no volume and too few replicas are available to store anything now');
    }
    await budget.longUploads.acquire(1, signal);
    const stop = new AbortController();
    const onAbort = () => stop.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    const release = () => {
      signal?.removeEventListener('abort', onAbort);
      budget.longUploads.release();
    };
    try {
      const quorum = ctx.policy.cloudDirectQuorum ?? ctx.replicas.rule.writeQuorum;
      const upload = await QuorumUpload.begin(ctx, ctx.packIds.next(), quorum, stop.signal);
      return new QuorumSpill(receiver, upload, stop, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  async take(piece: Uint8Array): Promise<void> {
    this.#length += piece.length;
    await this.#append(piece);
  }

  async parse(): Promise<Parsed> {
    await this.#complete();
    const kept = this.#keeper.kept(this.#length);
    const asked: KeptPiece[] = [];
    for (;;) {
      const scanned = await this.#receiver.ctx.pool.scanKept({ ...kept, pieces: [...kept.pieces, ...asked] });
      if ('parsed' in scanned) return scanned.parsed;
      asked.push(await this.#askedFor(kept, asked, scanned.missing));
    }
  }

  async commit(content: InstanceContent, ends: Ends): Promise<void> {
    const { ctx, committer } = this.#receiver;
    const { study, series, sop } = identityOf(content);
    // It was parsed elsewhere when it came from another place.
    const first = await this.#complete();
    const { id } = this.#upload.sealed;
    const seq = committer.nextSeq();
    const arrivedMs = ctx.clock.nowMs();
    const { sha256 } = content;
    first.set(memberHeader({ pack: id, study, series, sop, bytes: this.#length, sha256, seq, arrivedMs }));
    const place = { pack: id, start: MEMBER_HEADER_BYTES, length: this.#length, seq, arrivedMs };
    const { members, bundles, attributes } = await bundleArrivals([arrivedInstance(content, place)]);
    const bytes = MEMBER_HEADER_BYTES + this.#length + memberPadding(this.#length) + TAR_END.length;
    const pack = { id, kind: 'pack', bytes, createdMs: arrivedMs, hot: 'cold', volume: null } as const;
    this.#first = null;
    // From here on it may be in the index, whatever comes back.
    this.#outcome = 'failed';
    const sealed = await this.#upload.finish(first, { kind: pack.kind, createdMs: arrivedMs, bytes, members, bundles });
    await ctx.index.adopt({ pack, members, bundles, attributes, ...sealed }, ends === null ? [] : [ends]);
    // As of any batch without a volume: the index row is all that knows of it.
    await ctx.index.commitDurable();
    this.#outcome = 'committed';
  }

  /** There is nothing beyond it to move on to. */
  readBack(): AsyncIterable<Uint8Array> {
    throw new ArchiveError('UNAVAILABLE', 'a long instance was on its way to the replicas, and they failed');
  }

  async end(): Promise<void> {
    try {
      this.#stop.abort(new DOMException('the upload is over', 'AbortError'));
      await Promise.allSettled(this.#sending);
      if (this.#outcome === 'open' && this.#failure === null) await this.#discard();
    } finally {
      this.#release();
    }
  }

  /** Refused, or there already: the replicas are well, so it need not wait for the garbage to be collected. */
  async #discard(): Promise<void> {
    try {
      await new Sweep(this.#receiver.ctx).remove(this.#upload.names);
    } catch {
      // It was announced: it goes in its time.
    }
  }

  async #append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, CHUNK_BYTES - this.#filled);
      this.#filling.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled < CHUNK_BYTES) continue;
      const full = this.#filling;
      this.#filling = takeBuffer(CHUNK_BYTES);
      this.#filled = 0;
      await this.#filledChunk(full);
    }
  }

  async #filledChunk(plaintext: Uint8Array): Promise<void> {
    const number = this.#chunks;
    this.#chunks += 1;
    if (number === 0) {
      this.#first = plaintext;
      this.#keeper.take(plaintext.subarray(MEMBER_HEADER_BYTES));
      return;
    }
    this.#keeper.take(plaintext);
    while (this.#sending.size >= CHUNKS_AT_ONCE) await Promise.race(this.#sending);
    this.#mustBeWell();
    const one: Promise<void> = this.#upload
      .send(number, plaintext)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#sending.delete(one));
    this.#sending.add(one);
  }

  /** Everything but the first chunk is on the quorum; resolves with that one. */
  async #complete(): Promise<Uint8Array> {
    if (!this.#whole) {
      this.#whole = true;
      await this.#append(Buffer.alloc(memberPadding(this.#length)));
      await this.#append(TAR_END);
      if (this.#filled > 0) await this.#filledChunk(this.#filling.subarray(0, this.#filled));
    }
    await Promise.all(this.#sending);
    this.#mustBeWell();
    if (this.#first === null) throw new ArchiveError('INTERNAL', 'a long instance has no first chunk');
    return this.#first;
  }

  #mustBeWell(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** From where it lies sealed. UNAVAILABLE for what cannot be had piece by piece: a deflated data set, or one whose metadata lies all over it. */
  async #askedFor(
    kept: KeptBytes,
    asked: readonly KeptPiece[],
    range: { start: number; end: number },
  ): Promise<KeptPiece> {
    const bytes = asked.reduce((sum, piece) => sum + piece.bytes.length, range.end - range.start);
    if (asked.length >= ASKED_MAX || bytes > ASKED_BYTES_MAX) {
      throw new ArchiveError(
        'UNAVAILABLE',
        `an instance of ${kept.size} bytes that must be read through to be understood (deflated, or with values all over it) needs a volume, and none is available now`,
      );
    }
    const pieces: Uint8Array[] = [];
    for (let at = range.start + MEMBER_HEADER_BYTES; at < range.end + MEMBER_HEADER_BYTES; ) {
      const chunk = Math.floor(at / CHUNK_BYTES);
      const end = Math.min(range.end + MEMBER_HEADER_BYTES, (chunk + 1) * CHUNK_BYTES);
      pieces.push(
        chunk === 0 && this.#first !== null
          ? this.#first.subarray(at, end)
          : await readCold(this.#receiver.ctx, this.#upload.sealed, at, end, this.#stop.signal),
      );
      at = end;
    }
    return { start: range.start, bytes: Buffer.concat(pieces) };
  }
}
