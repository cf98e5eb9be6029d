// Seals a small pack that exists only in memory and writes it to the quorum: chunks first, then the
// manifest that names them (I4), so that each replica is consistent by itself.
import { ArchiveError } from '../../core/errors.js';
import { type ObjectKey, type PackId, parseSha256, type ReplicaName, type Sha256 } from '../../core/ids.js';
import { CHUNK_BYTES } from '../../core/limits.js';
import { drawSeal } from '../../format/keys.js';
import { sealManifest } from '../../format/manifest.js';
import { manifestName } from '../../format/names.js';
import type { PackKind, PackMember, PackSeal, SealedChunk, SeriesBundle } from '../../format/types.js';
import type { AdoptedPack } from '../../index/index.js';
import type { ArchiveContext } from '../context.js';
import { announce } from '../tiers/announce.js';

export interface MemoryPack {
  readonly id: PackId;
  readonly kind: PackKind;
  readonly createdMs: number;
  readonly tar: Uint8Array;
  readonly members: readonly PackMember[];
  readonly bundles: readonly SeriesBundle[];
  /** Replicas that must hold all of it. */
  readonly quorum: number;
}

/** Resolves with what the index is to record. UNAVAILABLE when fewer than `quorum` replicas took all of it. */
export async function sealToQuorum(
  ctx: ArchiveContext,
  pack: MemoryPack,
): Promise<Pick<AdoptedPack, 'seal' | 'manifest' | 'placements'>> {
  const { seal, dek } = await drawSeal({
    pack: pack.id,
    bytes: pack.tar.length,
    suite: ctx.keyring.suites.seal,
    keyring: ctx.keyring,
    random: ctx.random,
  });
  const holders = new Set<ReplicaName>(ctx.replicas.targets);
  const sent: ObjectKey[] = [];
  const put = async (name: ObjectKey, body: Uint8Array, known: { readonly sha256: Sha256 }) => {
    // The index has nothing of the pack yet: what a failed batch leaves on a replica is known and leaves it again, the manifest first,
    // which is why the chunks are announced with it once more.
    sent.unshift(name);
    await announce(ctx, sent);
    const results = await ctx.replicas.putQuorum(name, body, { ...known, quorum: pack.quorum });
    for (const replica of holders) if (results.get(replica) !== 'stored') holders.delete(replica);
    const { rule } = ctx.replicas;
    if (!rule.isMet(holders, pack.quorum)) {
      throw new ArchiveError('UNAVAILABLE', `the batch was taken ${rule.shortfall(holders)}`);
    }
  };

  const chunks: (Omit<SealedChunk, 'name'> & { name: NonNullable<SealedChunk['name']> })[] = [];
  for (const [number, chunk] of seal.chunks.entries()) {
    const start = number * CHUNK_BYTES;
    // A copy of its own: the worker takes the buffer with it.
    const plaintext = new Uint8Array(pack.tar.subarray(start, start + chunk.bytes));
    const { sealed, name } = await ctx.pool.seal({
      plaintext,
      pack: pack.id,
      chunk: number,
      suite: seal.suite,
      dek,
      dekId: seal.dekId,
      salt: chunk.salt,
      members: [],
    });
    await put(name, sealed, { sha256: parseSha256(name.slice(-64)) });
    chunks.push({ ...chunk, name });
  }

  const named: PackSeal = { ...seal, chunks };
  const manifest = sealManifest(
    {
      archiveId: ctx.keyring.archiveId,
      pack: pack.id,
      kind: pack.kind,
      generation: 1,
      createdMs: pack.createdMs,
      bytes: pack.tar.length,
      members: pack.members,
      bundles: pack.bundles,
      chunks,
      supersedes: [],
    },
    named,
    dek,
    ctx.random,
  );
  const { sha256, bytes } = await ctx.pool.hash({ bytes: manifest });
  const name = manifestName(pack.id, 1, sha256);
  await put(name, bytes, { sha256 });
  // No hot copy hangs on these placements, so nothing is ever evicted on their word alone.
  return {
    seal: named,
    manifest: { name, generation: 1 },
    placements: [...holders].map((replica) => ({ replica, verifiedMs: ctx.clock.nowMs() })),
  };
}
