// Takes one instance from a stream: into memory, or, when it is long or the budget is short, straight
// into a pack of its own on a volume. Then parsed and hashed, checked for its identity, committed.
import { ArchiveError } from '../../core/errors.js';
import type { StudyUid } from '../../core/ids.js';
import { INSTANCE_MEMORY_BYTES_MIN } from '../../core/limits.js';
import type { ReceiveOptions, StoreOutcome } from '../archive.js';
import type { InstanceContent } from './drafts.js';
import type { Allowance } from './ingest-budget.js';
import { type Receiver, refused, refusedByParser, storeOnce } from './receiver.js';
import { spill } from './spill.js';

/** As Archive.receive. */
export async function receive(
  receiver: Receiver,
  body: AsyncIterable<Uint8Array>,
  options: ReceiveOptions,
): Promise<{ readonly outcome: Promise<StoreOutcome> }> {
  if (receiver.committer.destination() === 'refused') {
    throw new ArchiveError('UNAVAILABLE', 'no volume and too few replicas are available to store anything now');
  }
  const allowance = await receiver.budget.begin(options.signal);
  const iterator = body[Symbol.asyncIterator]();
  try {
    const head = await gather(iterator, allowance, receiver.ctx.policy.instanceMemoryBytes, options.signal);
    if (head.done) {
      const outcome = storeWhole(receiver, head.pieces, head.bytes, options.study).finally(() => allowance.release());
      outcome.catch(() => undefined);
      return { outcome };
    }
    const outcome = await spill(receiver, head.pieces, iterator, options);
    allowance.release();
    return { outcome: Promise.resolve(outcome) };
  } catch (error) {
    allowance.release();
    // Whoever sends the body must not be left waiting for someone to read it.
    await iterator.return?.().catch(() => undefined);
    throw error;
  }
}

/** Takes pieces until the end, or until there is more than may be held in memory. */
async function gather(
  iterator: AsyncIterator<Uint8Array>,
  allowance: Allowance,
  bytesMax: number,
  signal: AbortSignal | undefined,
): Promise<{ done: boolean; pieces: Uint8Array[]; bytes: number }> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    signal?.throwIfAborted();
    const next = await iterator.next();
    if (next.done === true) return { done: true, pieces, bytes };
    pieces.push(next.value);
    bytes += next.value.length;
    if (bytes > bytesMax) return { done: false, pieces, bytes };
    if (!allowance.covers(bytes) && bytes > INSTANCE_MEMORY_BYTES_MIN) return { done: false, pieces, bytes };
  }
}

async function storeWhole(
  receiver: Receiver,
  pieces: readonly Uint8Array[],
  length: number,
  study: StudyUid | undefined,
): Promise<StoreOutcome> {
  try {
    const whole = Buffer.allocUnsafeSlow(length);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    const { bytes, sha256, parsed } = await receiver.ctx.pool.ingest({ bytes: whole });
    if (!parsed.ok) return refusedByParser(parsed.failure);
    const content: InstanceContent = {
      parsed: parsed.instance,
      metadata: parsed.metadata,
      layout: parsed.layout,
      sha256,
    };
    return await storeOnce(receiver, content, study, (ends) =>
      receiver.committer.submit({ kind: 'instance', content, bytes, ends }),
    );
  } catch (error) {
    return refused(receiver.ctx, {}, error);
  }
}
