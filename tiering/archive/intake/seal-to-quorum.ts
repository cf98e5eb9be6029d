// Seals a pack that lies on no volume and writes it to the quorum, chunk by chunk: all chunks first, then the manifest that names
// them (I4), so that each replica is consistent by itself. The index has nothing of it until the caller adopts it: what a failed one
// leaves on a replica was announced, and leaves it again.

import { releaseBuffer } from '../../core/buffers.js';
import { ArchiveError } from '../../core/errors.js';
import { type ObjectKey, type PackId, parseSha256, type ReplicaName, type Sha256 } from '../../core/ids.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import { forEachLimited } from '../../core/queues.js';
import { SealDraft } from '../../format/keys.js';
import { sealManifest } from '../../format/manifest.js';
import { manifestName } from '../../format/names.js';
import type { PackKind, PackMember, PackSeal, SealedChunk, SeriesBundle } from '../../format/types.js';
import type { AdoptedPack } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { announce } from '../tiers/announce.js';

/** Of one pack on their way at once. */
const CHUNKS_AT_ONCE = 2;

export interface MemoryPack {
  readonly id: PackId;
  readonly kind: PackKind;
  readonly createdMs: number;
  /** The tar, in chunks. They are given away. */
  readonly chunks: readonly Uint8Array[];
  readonly bytes: number;
  readonly members: readonly PackMember[];
  readonly bundles: readonly SeriesBundle[];
  /** Replicas that must hold all of it. */
  readonly quorum: number;
}

/** What the index is to record of a pack on the quorum. */
export type OnQuorum = Pick<AdoptedPack, 'seal' | 'manifest' | 'placements'>;

/** Resolves with what the index is to record. UNAVAILABLE when fewer than `quorum` replicas took all of it. */
export async function sealToQuorum(ctx: ArchiveContext, pack: MemoryPack): Promise<OnQuorum> {
  const { id, quorum, chunks, bytes, kind, createdMs, members, bundles } = pack;
  const [first, ...others] = chunks;
  if (first === undefined) throw new ArchiveError('INTERNAL', `pack ${id} has no bytes`);
  const upload = await QuorumUpload.begin(ctx, id, quorum);
  await forEachLimited(others.entries(), CHUNKS_AT_ONCE, ([at, chunk]) => upload.send(at + 1, chunk));
  return upload.finish(first, { kind, createdMs, bytes, members, bundles });
}

/** A tar that is given away, in chunks that can be: one is the tar itself, more are copies. */
export function chunksOf(tar: Uint8Array): Uint8Array[] {
  if (tar.length <= CHUNK_BYTES) return [tar];
  const count = Math.ceil(tar.length / CHUNK_BYTES);
  return Array.from(
    { length: count },
    (_, at) => new Uint8Array(tar.subarray(at * CHUNK_BYTES, (at + 1) * CHUNK_BYTES)),
  );
}

type NamedChunk = SealedChunk & { readonly name: ObjectKey };

/** One pack on its way: `send` every chunk but the first, in any order, then `finish` with the first. */
export class QuorumUpload {
  readonly #ctx: ArchiveContext;
  readonly #id: PackId;
  readonly #quorum: number;
  readonly #draft: SealDraft;
  readonly #signal: AbortSignal | undefined;
  readonly #chunks: NamedChunk[] = [];
  /** Replicas that have taken everything so far. */
  readonly #holders: Set<ReplicaName>;
  /** Everything that was announced, in the order in which it would be removed. */
  #sent: ObjectKey[] = [];
  #announcedMs: number;

  private constructor(
    ctx: ArchiveContext,
    id: PackId,
    quorum: number,
    draft: SealDraft,
    signal: AbortSignal | undefined,
  ) {
    this.#ctx = ctx;
    this.#id = id;
    this.#quorum = quorum;
    this.#draft = draft;
    this.#signal = signal;
    this.#holders = new Set(ctx.replicas.targets);
    this.#announcedMs = ctx.clock.nowMs();
  }

  /** @param quorum replicas that must hold all of it. Errors as drawDek. */
  static async begin(ctx: ArchiveContext, id: PackId, quorum: number, signal?: AbortSignal): Promise<QuorumUpload> {
    const { keyring, random } = ctx;
    const draft = await SealDraft.draw({ pack: id, suite: keyring.suites.seal, keyring, random });
    return new QuorumUpload(ctx, id, quorum, draft, signal);
  }

  /** What can be read back so far: as cold-reader.ts takes it. */
  get sealed(): { readonly id: PackId; readonly seal: PackSeal; readonly placements: OnQuorum['placements'] } {
    return { id: this.#id, seal: this.#draft.seal(this.#chunks), placements: this.#placements() };
  }

  /** Names of what lies on the replicas, or may. */
  get names(): readonly ObjectKey[] {
    return this.#sent;
  }

  /** Seals a chunk, which is given away, and puts it. UNAVAILABLE when fewer than the quorum have all of the pack so far. */
  async send(number: number, plaintext: Uint8Array): Promise<void> {
    const { sealed, chunk } = await this.#seal(number, plaintext);
    await this.#announce([chunk.name]);
    await this.#put(chunk.name, sealed, parseSha256(chunk.name.slice(-64)));
  }

  /** The first chunk, which is given away, and the manifest. Resolves once the quorum holds all of it. */
  async finish(
    first: Uint8Array,
    about: {
      readonly kind: PackKind;
      readonly createdMs: number;
      /** Of the whole pack. */
      readonly bytes: number;
      readonly members: readonly PackMember[];
      readonly bundles: readonly SeriesBundle[];
    },
  ): Promise<OnQuorum> {
    const { sealed, chunk } = await this.#seal(0, first);
    const { archiveId } = this.#ctx.keyring;
    const seal = this.#draft.seal(this.#chunks);
    const body = { ...about, archiveId, pack: this.#id, generation: 1, chunks: this.#chunks, supersedes: [] };
    const { sha256, bytes } = await this.#ctx.pool.hash({
      bytes: sealManifest(body, seal, this.#draft.dek, this.#ctx.random),
    });
    const name = manifestName(this.#id, 1, sha256);
    // Once for both, and before any chunk of it: the manifest is what is removed first.
    await this.#announce([name, chunk.name]);
    await this.#put(chunk.name, sealed, parseSha256(chunk.name.slice(-64)));
    await this.#put(name, bytes, sha256);
    // No hot copy hangs on these placements, so nothing is ever evicted on their word alone.
    return { seal, manifest: { name, generation: 1 }, placements: this.#placements() };
  }

  #placements(): OnQuorum['placements'] {
    const verifiedMs = this.#ctx.clock.nowMs();
    return [...this.#holders].map((replica) => ({ replica, verifiedMs }));
  }

  async #seal(number: number, plaintext: Uint8Array): Promise<{ sealed: Uint8Array; chunk: NamedChunk }> {
    const { dek, dekId, suite } = this.#draft;
    const drawn = this.#draft.chunk(number, plaintext.length);
    const { sealed, name } = await this.#ctx.pool.seal({
      plaintext,
      pack: this.#id,
      chunk: number,
      suite,
      dek,
      dekId,
      salt: drawn.salt,
      members: [],
    });
    const chunk = { ...drawn, name };
    this.#chunks[number] = chunk;
    return { sealed, chunk };
  }

  /**
   * The manifest with all its chunks once more, so that they count as younger than it; and all of it again when the upload is slow: what was announced
   * long ago would be taken for left over.
   */
  async #announce(names: readonly ObjectKey[]): Promise<void> {
    const ctx = this.#ctx;
    const nowMs = ctx.clock.nowMs();
    const slow = nowMs - this.#announcedMs > ctx.policy.garbageGraceMs / 4;
    if (slow) this.#announcedMs = nowMs;
    const last = names.length > 1;
    const again = slow || last ? this.#sent : [];
    this.#sent = [...names, ...this.#sent];
    await announce(ctx, [...names, ...again]);
  }

  async #put(name: ObjectKey, body: Uint8Array, sha256: Sha256): Promise<void> {
    const { replicas } = this.#ctx;
    const results = await replicas.putQuorum(name, body, {
      sha256,
      quorum: this.#quorum,
      signal: this.#signal,
      to: this.#holders,
    });
    // One that was given up, or failed, may still be reading it.
    if ([...results.values()].every((one) => one === 'stored')) releaseBuffer(body);
    for (const replica of this.#holders) if (results.get(replica) !== 'stored') this.#holders.delete(replica);
    if (replicas.rule.isMet(this.#holders, this.#quorum)) return;
    throw new ArchiveError('UNAVAILABLE', `the batch was taken ${replicas.rule.shortfall(this.#holders)}`);
  }
}
