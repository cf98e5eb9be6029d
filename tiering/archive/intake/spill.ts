// A long instance is not held in memory: it goes straight into a pack of its own, on a volume or, when there is none, on the quorum of
// the replicas. A volume that fails under it is left, and what it had of the instance goes on to the next place, if it can be read back.
import { createHash, type Hash } from 'node:crypto';
import { ArchiveError } from '../../core/errors.js';
import { parseSha256 } from '../../core/ids.js';
import { INSTANCE_BYTES_MAX } from '../../core/limits.js';
import type { ReceiveOptions, StoreOutcome } from '../archive.js';
import { QuorumSpill } from './quorum-spill.js';
import { type Receiver, refusedByParser, storeOnce } from './receiver.js';
import { PlaceFailed, type SpillPlace } from './spill-place.js';
import { VolumeSpill } from './volume-spill.js';

/** Places tried for one instance: as a batch, a volume, another one, and the cloud. */
const PLACES_MAX = 3;

/**
 * Stores `head` and the rest of the stream; `head` is emptied as it goes, so that its memory is not held until the end. Resolves with what
 * became of it; nothing of it stays when it is refused. Rejects with FULL or UNAVAILABLE when nothing can take it, or with what the stream threw.
 */
export async function spill(
  receiver: Receiver,
  head: Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
  { signal, study }: ReceiveOptions,
): Promise<StoreOutcome> {
  const hash = createHash('sha256');
  const places = new Places(receiver, hash, signal);
  try {
    let length = 0;
    for (;;) {
      signal?.throwIfAborted();
      const piece = head.shift() ?? (await nextOf(rest));
      if (piece === undefined) break;
      hash.update(piece);
      length += piece.length;
      if (length > INSTANCE_BYTES_MAX)
        throw new ArchiveError('LIMIT', `an instance may have ${INSTANCE_BYTES_MAX} bytes at most`);
      await places.take(piece);
    }
    const scanned = await places.run((place) => place.parse());
    if (!scanned.ok) return refusedByParser(scanned.failure);
    const { instance, metadata, layout } = scanned;
    const content = { parsed: instance, metadata, layout, sha256: parseSha256(hash.copy().digest('hex')) };
    return await storeOnce(receiver, content, study, (ends) => places.run((place) => place.commit(content, ends)));
  } finally {
    await places.end();
  }
}

async function nextOf(rest: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
  const next = await rest.next();
  return next.done === true ? undefined : next.value;
}

/** Where the instance goes, one place after another. */
class Places {
  readonly #receiver: Receiver;
  /** Of all that was taken. */
  readonly #hash: Hash;
  readonly #signal: AbortSignal | undefined;
  readonly #tried: SpillPlace[] = [];

  constructor(receiver: Receiver, hash: Hash, signal: AbortSignal | undefined) {
    this.#receiver = receiver;
    this.#hash = hash;
    this.#signal = signal;
  }

  async take(piece: Uint8Array): Promise<void> {
    try {
      await (await this.#current()).take(piece);
    } catch (error) {
      if (!(error instanceof PlaceFailed)) throw error;
      // With this piece.
      await this.#moveOn(error);
    }
  }

  /** Runs a step that needs all of the instance, once more in another place if this one fails. */
  async run<T>(step: (place: SpillPlace) => Promise<T>): Promise<T> {
    try {
      return await step(await this.#current());
    } catch (error) {
      if (!(error instanceof PlaceFailed)) throw error;
      await this.#moveOn(error);
      return this.run(step);
    }
  }

  async end(): Promise<void> {
    for (const place of this.#tried) await place.end();
  }

  async #current(): Promise<SpillPlace> {
    return this.#tried.at(-1) ?? this.#next();
  }

  async #moveOn(failure: PlaceFailed): Promise<void> {
    const from = this.#tried.at(-1);
    if (from === undefined || this.#tried.length >= PLACES_MAX) throw failure.cause;
    const to = await this.#next();
    const seen = createHash('sha256');
    try {
      for await (const piece of from.readBack()) {
        this.#signal?.throwIfAborted();
        seen.update(piece);
        await to.take(piece);
      }
    } catch (error) {
      if (error instanceof PlaceFailed) throw error.cause;
      this.#signal?.throwIfAborted();
      throw lostOnTheWay(error);
    }
    if (seen.digest('hex') !== this.#hash.copy().digest('hex')) throw lostOnTheWay(failure.cause);
  }

  async #next(): Promise<SpillPlace> {
    const { ctx } = this.#receiver;
    // Whatever is wrong with a volume that still counts as well: not for ever.
    for (let attempt = 1; attempt <= PLACES_MAX; attempt += 1) {
      const volume = ctx.volumes.writable(0);
      if (volume === null) break;
      try {
        const place = await VolumeSpill.begin(this.#receiver, volume);
        this.#tried.push(place);
        return place;
      } catch (error) {
        ctx.volumes.report(volume.name, error);
        await ctx.volumes.settled(volume.name);
      }
    }
    const place = await QuorumSpill.begin(this.#receiver, this.#signal);
    this.#tried.push(place);
    return place;
  }
}

function lostOnTheWay(cause: unknown): ArchiveError {
  return new ArchiveError(
    'UNAVAILABLE',
    'a volume failed under a long instance, and what it had of it cannot be read back; send it again',
    { cause },
  );
}
