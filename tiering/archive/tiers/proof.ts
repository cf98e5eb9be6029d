// Proof that an object is on a replica: read back whole and compared, or (where the store itself refuses a body that does not match its
// signed SHA-256) its presence and length. Of what was written before, the name is the proof: a chunk's is its SHA-256, a manifest's
// carries the first 8 digits of it.

import { releaseBuffer } from '../../core/buffers.js';
import { ArchiveError } from '../../core/errors.js';
import type { ObjectKey, ReplicaName } from '../../core/ids.js';
import { parseChunkName } from '../../format/names.js';
import type { ArchiveContext } from '../context.js';
import type { ByteRate } from '../pacing/byte-rate.js';

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
  await within(ctx.line.download, back.length, signal);
  // Equal to what was sent: a millisecond for a chunk, where its hash would be five and two changes of threads.
  const same = Buffer.compare(back, body) === 0;
  releaseBuffer(back);
  if (!same) throw new ArchiveError('CORRUPT', `${name} on ${replica} is not what was written there`);
}

/** As ByteRate.spend; ABORTED by the signal, so that no replica is blamed for it. */
async function within(rate: ByteRate, bytes: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await rate.spend(bytes, signal);
  } catch (error) {
    throw new ArchiveError('ABORTED', 'the caller gave up', { cause: error });
  }
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
