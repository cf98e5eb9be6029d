// A long instance goes straight into a pack of its own: constant memory, header filled in last. The
// tray then gets a small pointer to it, in the same group commit as everything else (DESIGN section 4).
import { createHash } from 'node:crypto';
import { ArchiveError, codeOf } from '../../core/errors.js';
import { parseSha256, type Sha256 } from '../../core/ids.js';
import { INSTANCE_BYTES_MAX } from '../../core/limits.js';
import { MEMBER_HEADER_BYTES, memberHeader, memberPadding, TAR_END } from '../../format/tar.js';
import type { PackWriter, Volume } from '../../hot/volume.js';
import type { AdoptedPack } from '../../index/index.js';
import type { ReceiveOptions, StoreOutcome } from '../archive.js';
import { bundleArrivals } from '../packs/bundles.js';
import { arrivedInstance, type InstanceContent } from './drafts.js';
import { identityOf } from './identities.js';
import { type Receiver, refusedByParser, storeOnce } from './receiver.js';

/** Small pieces are gathered to this before they are written: a system call per socket read would cost more than the copy. */
const WRITE_BYTES = 1024 * 1024;

/**
 * Writes `head` and the rest of the stream into a new pack, then parses it where it lies; `head` is empty once it is written, so that its
 * memory is not held until the end of the stream. Resolves with what became of it; nothing of it stays when it is refused. Rejects with FULL or UNAVAILABLE when no volume can take it, or with what the stream threw.
 */
export async function spill(
  receiver: Receiver,
  head: Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
  options: ReceiveOptions,
): Promise<StoreOutcome> {
  const { ctx } = receiver;
  const volume = ctx.volumes.writable(0);
  if (volume === null) {
    throw new ArchiveError('UNAVAILABLE', 'an instance of this size needs a volume, and none is available now');
  }
  const writer = await volume.createPack(ctx.packIds.next());
  try {
    const { length, sha256 } = await copy(volume, writer, head, rest, options.signal);
    const scanned = await ctx.pool.scanFile({
      path: writer.path,
      start: MEMBER_HEADER_BYTES,
      end: MEMBER_HEADER_BYTES + length,
    });
    if (!scanned.ok) return refusedByParser(scanned.failure);
    const content: InstanceContent = {
      parsed: scanned.instance,
      metadata: scanned.metadata,
      layout: scanned.layout,
      sha256,
    };
    return await storeOnce(receiver, content, options.study, () =>
      // Locked, so that nobody takes the file for an orphan before the index knows it.
      ctx.locks.run(writer.id, async () => {
        const birth = await finishPack(receiver, volume, writer, content, length);
        await receiver.committer.submit({ kind: 'birth', ...birth });
      }),
    );
  } catch (error) {
    if (codeOf(error) === 'UNAVAILABLE' || codeOf(error) === 'FULL') ctx.volumes.report(volume.name, error);
    throw error;
  } finally {
    // Does nothing after a commit.
    await writer.abort();
  }
}

async function copy(
  volume: Volume,
  writer: PackWriter,
  head: Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<{ length: number; sha256: Sha256 }> {
  const hash = createHash('sha256');
  let length = 0;
  let pending: Uint8Array[] = [Buffer.alloc(MEMBER_HEADER_BYTES)];
  let pendingBytes = MEMBER_HEADER_BYTES;
  const flush = async () => {
    if (pending.length > 0) await writer.append(pending);
    pending = [];
    pendingBytes = 0;
  };
  const take = async (piece: Uint8Array) => {
    hash.update(piece);
    length += piece.length;
    if (length > INSTANCE_BYTES_MAX)
      throw new ArchiveError('LIMIT', `an instance may have ${INSTANCE_BYTES_MAX} bytes at most`);
    pending.push(piece);
    pendingBytes += piece.length;
    if (pendingBytes >= WRITE_BYTES) await flush();
  };
  for (const piece of head) await take(piece);
  head.length = 0;
  for (let checked = 0; ; ) {
    signal?.throwIfAborted();
    const next = await rest.next();
    if (next.done === true) break;
    await take(next.value);
    // The length is not known before its end: the reserve is looked at as it grows.
    if (length - checked > 64 * WRITE_BYTES) {
      checked = length;
      const { bytesFree } = await volume.usage();
      if (bytesFree < 4 * 64 * WRITE_BYTES) throw new ArchiveError('FULL', `volume ${volume.name} is full`);
    }
  }
  await flush();
  return { length, sha256: parseSha256(hash.digest('hex')) };
}

async function finishPack(
  receiver: Receiver,
  volume: Volume,
  writer: PackWriter,
  content: InstanceContent,
  length: number,
): Promise<{ adopted: AdoptedPack; headersSha256: Sha256 }> {
  const { ctx, committer } = receiver;
  const { study, series, sop } = identityOf(content);
  const seq = committer.nextSeq();
  const arrivedMs = ctx.clock.nowMs();
  const header = memberHeader({
    pack: writer.id,
    study,
    series,
    sop,
    bytes: length,
    sha256: content.sha256,
    seq,
    arrivedMs,
  });
  await writer.rewrite(0, header);
  await writer.append([Buffer.alloc(memberPadding(length)), TAR_END]);
  await writer.commit();
  const start = MEMBER_HEADER_BYTES;
  const row = arrivedInstance(content, { pack: writer.id, start, length, seq, arrivedMs });
  const adopted: AdoptedPack = {
    pack: {
      id: writer.id,
      kind: 'pack',
      bytes: writer.bytes,
      createdMs: arrivedMs,
      hot: 'present',
      volume: volume.name,
    },
    ...(await bundleArrivals([row])),
    seal: null,
    manifest: null,
    placements: [],
  };
  return { adopted, headersSha256: sha256Of(header) };
}

function sha256Of(bytes: Uint8Array): Sha256 {
  return parseSha256(createHash('sha256').update(bytes).digest('hex'));
}
