// Proof that an object is on a replica: read back whole and hashed, or (where the store itself refuses
// a body that does not match its signed SHA-256) its presence and length. Chunk names are the SHA-256
// of the object; a manifest's name carries its first 8 digits, so its whole hash is compared by the caller's bytes.
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey, ReplicaName } from '../../core/ids.js';
import { releaseBuffer } from '../../core/release.js';
import { parseChunkName } from '../../format/names.js';
import type { ArchiveContext } from '../context.js';

/** Puts the object on one replica and proves it there. CORRUPT when what is read back differs. */
export async function putProven(
  ctx: ArchiveContext,
  replica: ReplicaName,
  name: ObjectKey,
  body: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const store = ctx.replicas.store(replica);
  const sha256 = parseChunkName(name);
  await store.put(name, body, { ...(sha256 === undefined ? {} : { sha256 }), signal });
  if (ctx.policy.proof === 'signed-put' && store.capabilities.verifiesSha256) {
    const { bytes } = await store.head(name, signal);
    if (bytes !== body.length) {
      throw new ArchiveError('CORRUPT', `${name} on ${replica} has ${bytes} bytes in place of ${body.length}`);
    }
    return;
  }
  const back = await store.get(name, undefined, signal);
  releaseBuffer(await proveObject(ctx, name, back, replica));
}

/** Resolves with the bytes when they hash to what the name says; CORRUPT otherwise. */
export async function proveObject(
  ctx: ArchiveContext,
  name: ObjectKey,
  body: Uint8Array,
  where = 'a replica',
): Promise<Uint8Array> {
  const { bytes, sha256 } = await ctx.pool.hash({ bytes: body });
  const named = parseChunkName(name) ?? name.slice(-8);
  if (!sha256.startsWith(named)) {
    throw new ArchiveError('CORRUPT', `${name} on ${where} does not hash to its name`);
  }
  return bytes;
}
